"""The facets that are read: the standard's own, as far as lineage is made of them, and Airflow's.

Names are the standard's; what a facet holds besides is left unread. Null is as good as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

_LONGEST_NAME = 4096


class Part(BaseModel):
    """A part of an event: its names are the standard's, in camel case; null is as good as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {key: value for key, value in cast("Mapping[str, Any]", given).items() if value is not None}


class Facets(Part):
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


def upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _text_only(value: Any) -> Any:
    if not isinstance(value, str | datetime):
        raise ValueError("a time is text such as 2026-01-31T06:00:00Z")
    return value


Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
Time = Annotated[AwareDatetime, BeforeValidator(_text_only)]


# --- facets of a run ----------------------------------------------------------------------------------------------


class RunName(Part):
    run_id: UUID


class JobName(Part):
    namespace: Name
    name: Name


class RootRun(Part):
    run: RunName
    job: JobName


class ParentRun(Part):
    """The run that started this one; `root` is the first of the chain."""

    run: RunName
    job: JobName
    root: RootRun | None = None


class NominalTime(Part):
    """The data interval, as its scheduler has it."""

    nominal_start_time: Time
    nominal_end_time: Time | None = None


class ErrorMessage(Part):
    message: str
    programming_language: str = ""
    stack_trace: str | None = None


class _Snake(Part):
    """A part whose names are Python's: Airflow's provider sends its objects as they are."""

    model_config = ConfigDict(alias_generator=None)


class AirflowDag(_Snake):
    dag_id: Name


class AirflowDagRun(_Snake):
    run_id: Name
    run_type: str | None = None


class AirflowTask(_Snake):
    task_id: Name


class AirflowTaskInstance(_Snake):
    try_number: int | None = None
    map_index: int = -1  # absent of a task that is not mapped


class AirflowFacet(Part):
    """A task instance, as apache-airflow-providers-openlineage tells of it."""

    dag: AirflowDag
    dag_run: AirflowDagRun
    task: AirflowTask
    task_instance: AirflowTaskInstance = AirflowTaskInstance()


class AirflowDagRunFacet(Part):
    """A DAG run, as apache-airflow-providers-openlineage tells of it."""

    dag: AirflowDag
    dag_run: AirflowDagRun


class RunFacets(Facets):
    parent: ParentRun | None = None
    nominal_time: NominalTime | None = None
    error_message: ErrorMessage | None = None
    airflow: AirflowFacet | None = None
    airflow_dag_run: AirflowDagRunFacet | None = None


# --- facets of a job ----------------------------------------------------------------------------------------------


class Owner(Part):
    name: str
    type: str | None = None


class Ownership(Part):
    owners: tuple[Owner, ...] = ()

    @property
    def words(self) -> str:
        return ", ".join(owner.name for owner in self.owners if owner.name)


class Documentation(Part):
    description: str = ""


class Sql(Part):
    query: str


class SourceCodeLocation(Part):
    type: str = ""
    url: str


class JobType(Part):
    integration: str = ""
    job_type: str | None = None


class JobFacets(Facets):
    ownership: Ownership | None = None
    documentation: Documentation | None = None
    sql: Sql | None = None
    source_code_location: SourceCodeLocation | None = None
    job_type: JobType | None = None


# --- facets of a dataset ------------------------------------------------------------------------------------------


class SchemaField(Part):
    name: Name
    type: str | None = None
    description: str | None = None


class TableSchema(Part):
    fields_: tuple[SchemaField, ...] = Field(default=(), alias="fields")


class Transformation(Part):
    type: str = "DIRECT"  # or INDIRECT: it decides which rows there are, or their order
    subtype: str | None = None
    description: str | None = None

    @property
    def words(self) -> str:
        said = f"{self.type} {self.subtype}".lower() if self.subtype else self.type.lower()
        return f"{said}: {self.description}" if self.description else said


class InputField(Part):
    """A column that another one is made of."""

    namespace: Name
    name: Name
    field: Name
    transformations: tuple[Transformation, ...] = ()


class ColumnInputs(Part):
    input_fields: tuple[InputField, ...] = ()
    transformation_description: str | None = None  # an older form of `InputField.transformations`
    transformation_type: str | None = None


class ColumnLineage(Part):
    """`fields_`: output column -> what it is made of; `dataset`: what decides over whole rows."""

    fields_: dict[str, ColumnInputs] = Field(default_factory=dict, alias="fields")
    dataset: tuple[InputField, ...] = ()


class ColumnMetrics(Part):
    null_count: int | None = None
    distinct_count: int | None = None
    sum: float | None = None
    count: float | None = None
    min: float | str | None = None
    max: float | str | None = None


class QualityMetrics(Part):
    row_count: int | None = None
    bytes: int | None = None
    column_metrics: dict[str, ColumnMetrics] = Field(default_factory=dict)


class Assertion(Part):
    assertion: str
    success: bool
    column: str | None = None
    severity: str | None = None
    expected: str | None = None
    actual: str | None = None


class QualityAssertions(Part):
    assertions: tuple[Assertion, ...] = ()


class DataSource(Part):
    name: str | None = None
    uri: str | None = None


class Symlink(Part):
    """Another name of the same dataset."""

    namespace: Name
    name: Name
    type: str = ""


class Symlinks(Part):
    identifiers: tuple[Symlink, ...] = ()


class LifecycleStateChange(Part):
    lifecycle_state_change: Annotated[
        Literal["ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"], BeforeValidator(upper)
    ]
    previous_identifier: JobName | None = None  # of a dataset, which has the same two names


class OutputStatistics(Part):
    row_count: int | None = None
    size: int | None = None


class _Quality(Facets):
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


class OutputFacets(Facets):
    output_statistics: OutputStatistics | None = None
