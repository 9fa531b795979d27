"""What others send: an event as typed values, or the sentence that says which of its fields is wrong.

The inbox keeps an event whole, so that what is not read today can be read later.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, ValidationError

from e2e_ml.openlineage.facets import (
    DatasetFacets,
    InputFacets,
    JobFacets,
    JobName,
    Name,
    OutputFacets,
    Part,
    QualityAssertions,
    QualityMetrics,
    RunFacets,
    RunName,
    Time,
    upper,
)

_PROBLEMS = 3  # of one event that are told


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


class Run(RunName):
    facets: RunFacets = RunFacets()


class Job(JobName):
    facets: JobFacets = JobFacets()


class Dataset(Part):
    namespace: Name
    name: Name
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


class _Event(Part):
    event_time: Time
    producer: str = ""


class _JobEvent(_Event):
    job: Job
    inputs: tuple[InputDataset, ...] = ()
    outputs: tuple[OutputDataset, ...] = ()


class RunEvent(_JobEvent):
    """A run of a job has started, goes on or has ended."""

    event_type: Annotated[EventType, BeforeValidator(upper)] = EventType.OTHER
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
