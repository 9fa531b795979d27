"""What others send: an event as typed values, or the sentence that says which of its fields is wrong.

The standard's own facets that lineage is made of are read, and Airflow's; every other is left unread. The inbox keeps
an event whole, so that what is not read today can be read later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

_PROBLEMS = 3  # of one event that are told
_LONGEST_NAME = 4096


class EventError(ValueError):
    """An event that is not one of OpenLineage. The message is a sentence that names the fields."""


class EventType(StrEnum):
    """What has become of the run."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"

    @property
    def ends(self) -> bool:
        return self in (EventType.COMPLETE, EventType.ABORT, EventType.FAIL)


class _Part(BaseModel):
    """A part of an event: its names are the standard's, in camel case; null is as good as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: value for key, value in cast("Mapping[str, Any]", given).items() if value is not None}


class _Facets(_Part):
    @model_validator(mode="before")
    @classmethod
    def _without_deleted(cls, given: Any) -> Any:
        """A facet that says `_deleted` is one that is there no longer."""
        if not isinstance(given, Mapping):
            return given
        facets = cast("Mapping[str, Any]", given)
        return {name: facet for name, facet in facets.items() if not _is_deleted(facet)}


def _is_deleted(facet: Any) -> bool:
    return isinstance(facet, Mapping) and cast("Mapping[str, Any]", facet).get("_deleted") is True


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _text_only(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("a time is text such as 2026-01-31T06:00:00Z")
    return value


_Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
_Time = Annotated[AwareDatetime, BeforeValidator(_text_only)]
_Type = Annotated[EventType, BeforeValidator(_upper)]


# --- facets of a run ----------------------------------------------------------------------------------------------


class RunName(_Part):
    run_id: UUID


class JobName(_Part):
    namespace: _Name
    name: _Name


class RootRun(_Part):
    run: RunName
    job: JobName


class ParentRun(_Part):
    """The run that started this one; `root` is the first of the chain."""

    run: RunName
    job: JobName
    root: RootRun | None = None


class NominalTime(_Part):
    """The data interval, as its scheduler has it."""

    nominal_start_time: _Time
    nominal_end_time: _Time | None = None


class ErrorMessage(_Part):
    message: str
    programming_language: str = ""
    stack_trace: str | None = None


class _Snake(_Part):
    """A part whose names are Python's: Airflow's provider sends its objects as they are."""

    model_config = ConfigDict(alias_generator=None)


class AirflowDag(_Snake):
    dag_id: _Name


class AirflowDagRun(_Snake):
    run_id: _Name
    run_type: str | None = None


class AirflowTask(_Snake):
    task_id: _Name


class AirflowTaskInstance(_Snake):
    try_number: int | None = None
    map_index: int = -1  # absent of a task that is not mapped


class AirflowFacet(_Part):
    """A task instance, as apache-airflow-providers-openlineage tells of it."""

    dag: AirflowDag
    dag_run: AirflowDagRun
    task: AirflowTask
    task_instance: AirflowTaskInstance = AirflowTaskInstance()


class AirflowDagRunFacet(_Part):
    """A DAG run, as apache-airflow-providers-openlineage tells of it."""

    dag: AirflowDag
    dag_run: AirflowDagRun


class RunFacets(_Facets):
    parent: ParentRun | None = None
    nominal_time: NominalTime | None = None
    error_message: ErrorMessage | None = None
    airflow: AirflowFacet | None = None
    airflow_dag_run: AirflowDagRunFacet | None = None


# --- facets of a job ----------------------------------------------------------------------------------------------


class Owner(_Part):
    name: str
    type: str | None = None


class Ownership(_Part):
    owners: tuple[Owner, ...] = ()

    @property
    def words(self) -> str:
        return ", ".join(owner.name for owner in self.owners if owner.name)


class Documentation(_Part):
    description: str = ""


class Sql(_Part):
    query: str


class SourceCodeLocation(_Part):
    type: str = ""
    url: str


class JobType(_Part):
    integration: str = ""
    job_type: str | None = None


class JobFacets(_Facets):
    ownership: Ownership | None = None
    documentation: Documentation | None = None
    sql: Sql | None = None
    source_code_location: SourceCodeLocation | None = None
    job_type: JobType | None = None


# --- facets of a dataset ------------------------------------------------------------------------------------------


class SchemaField(_Part):
    name: _Name
    type: str | None = None
    description: str | None = None


class TableSchema(_Part):
    fields_: tuple[SchemaField, ...] = Field(default=(), alias="fields")


class Transformation(_Part):
    type: str = "DIRECT"  # or INDIRECT: it decides which rows there are, or their order
    subtype: str | None = None
    description: str | None = None

    @property
    def words(self) -> str:
        said = f"{self.type} {self.subtype}".lower() if self.subtype else self.type.lower()
        return f"{said}: {self.description}" if self.description else said


class InputField(_Part):
    """A column that another one is made of."""

    namespace: _Name
    name: _Name
    field: _Name
    transformations: tuple[Transformation, ...] = ()


class ColumnInputs(_Part):
    input_fields: tuple[InputField, ...] = ()
    transformation_description: str | None = None  # an older form of `InputField.transformations`
    transformation_type: str | None = None


class ColumnLineage(_Part):
    """`fields_`: output column -> what it is made of; `dataset`: what decides over whole rows."""

    fields_: dict[str, ColumnInputs] = Field(default_factory=dict, alias="fields")
    dataset: tuple[InputField, ...] = ()


class ColumnMetrics(_Part):
    null_count: int | None = None
    distinct_count: int | None = None
    sum: float | None = None
    count: float | None = None
    min: float | str | None = None
    max: float | str | None = None


class QualityMetrics(_Part):
    row_count: int | None = None
    bytes: int | None = None
    column_metrics: dict[str, ColumnMetrics] = Field(default_factory=dict)


class Assertion(_Part):
    assertion: str
    success: bool
    column: str | None = None
    severity: str | None = None
    expected: str | None = None
    actual: str | None = None


class QualityAssertions(_Part):
    assertions: tuple[Assertion, ...] = ()


class DataSource(_Part):
    name: str | None = None
    uri: str | None = None


class Symlink(_Part):
    """Another name of the same dataset."""

    namespace: _Name
    name: _Name
    type: str = ""


class Symlinks(_Part):
    identifiers: tuple[Symlink, ...] = ()


class LifecycleStateChange(_Part):
    lifecycle_state_change: Annotated[
        Literal["ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"], BeforeValidator(_upper)
    ]
    previous_identifier: JobName | None = None  # of a dataset, which has the same two names


class OutputStatistics(_Part):
    row_count: int | None = None
    size: int | None = None


class _Quality(_Facets):
    data_quality_metrics: QualityMetrics | None = None
    data_quality_assertions: QualityAssertions | None = None


class DatasetFacets(_Quality):
    table_schema: TableSchema | None = Field(default=None, alias="schema")
    column_lineage: ColumnLineage | None = None
    data_source: DataSource | None = None
    ownership: Ownership | None = None
    documentation: Documentation | None = None
    symlinks: Symlinks | None = None
    lifecycle_state_change: LifecycleStateChange | None = None


class InputFacets(_Quality):
    pass


class OutputFacets(_Facets):
    output_statistics: OutputStatistics | None = None


# --- events -------------------------------------------------------------------------------------------------------


class Run(RunName):
    facets: RunFacets = RunFacets()


class Job(JobName):
    facets: JobFacets = JobFacets()


class Dataset(_Part):
    namespace: _Name
    name: _Name
    facets: DatasetFacets = DatasetFacets()

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def metrics(self) -> QualityMetrics | None:
        return self.facets.data_quality_metrics

    @property
    def assertions(self) -> QualityAssertions | None:
        return self.facets.data_quality_assertions


class InputDataset(Dataset):
    input_facets: InputFacets = InputFacets()

    @property
    def metrics(self) -> QualityMetrics | None:
        return self.input_facets.data_quality_metrics or self.facets.data_quality_metrics

    @property
    def assertions(self) -> QualityAssertions | None:
        return self.input_facets.data_quality_assertions or self.facets.data_quality_assertions


class OutputDataset(Dataset):
    output_facets: OutputFacets = OutputFacets()


class _Event(_Part):
    event_time: _Time
    producer: str = ""


class _JobEvent(_Event):
    job: Job
    inputs: tuple[InputDataset, ...] = ()
    outputs: tuple[OutputDataset, ...] = ()


class RunEvent(_JobEvent):
    """A run of a job has started, goes on or has ended."""

    event_type: _Type = EventType.OTHER
    run: Run


class JobEvent(_JobEvent):
    """What a job reads and writes, told without a run of it."""


class DatasetEvent(_Event):
    """What a dataset is, told without a run."""

    dataset: Dataset


AnyEvent = RunEvent | JobEvent | DatasetEvent


def parse(event: object) -> AnyEvent:
    """An event as typed values, from what its JSON holds. Raises EventError."""
    if not isinstance(event, Mapping):
        raise EventError(f"An event is a JSON object, not {_called(event)}.")
    given = cast("Mapping[str, Any]", event)
    kind = next((kind for field, kind in _KINDS if given.get(field) is not None), None)
    if kind is None:
        raise EventError(
            "The event names no run, no job and no dataset: a run event has `run` and `job`, a job event `job`, a "
            "dataset event `dataset`."
        )
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'event'}: {_words(p['msg'])}" for p in problems[:_PROBLEMS])
        more = f"; and {len(problems) - _PROBLEMS} more" if len(problems) > _PROBLEMS else ""
        raise EventError(f"This is no event of OpenLineage 2-0-2: {said}{more}.") from None


_KINDS: tuple[tuple[str, type[AnyEvent]], ...] = (("run", RunEvent), ("dataset", DatasetEvent), ("job", JobEvent))


def _words(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".")


def _called(value: object) -> str:
    match value:
        case None:
            return "null"
        case list():
            return "a list; a list of events goes to /api/v1/lineage/batch"
        case str():
            return "text"
        case _:
            return "a number or a truth value"
