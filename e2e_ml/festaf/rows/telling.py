"""What a load tells as OpenLineage run events: what it read, what it wrote, and what it found of the rows.

A load within a task of Airflow is a part of that task's run, which `airflow.telling` tells of; one that a person starts
is a run of its own. Where nobody asks for events, nothing is made.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from e2e_ml.festaf import settings
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.datasets import refused_dataset, source_dataset, written_dataset
from e2e_ml.festaf.rows.interval import Interval
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.openlineage import naming, sending
from e2e_ml.openlineage.sending import facet
from e2e_ml.openlineage.telling import Run, Telling, telling


@contextmanager
def loading(interval: Interval, nothing: type[FeatureStoreError]) -> Generator[Telling]:
    """Tell of a load in this process. `nothing` is what it raises where there are no rows."""
    with telling(lambda: _run(interval), uneventful=(nothing,), sentences=(FeatureStoreError,)) as told:
        yield told


def reads(told: Telling, interval: Interval) -> None:
    """Note that the run reads the view's source."""

    def add(run: Run) -> None:
        if (source := source_dataset(interval)) is not None and not run.inputs:
            run.inputs.append(source)
            if (query := _query(interval.view)) is not None:
                run.job_facets["sql"] = facet("SQLJobFacet", "1-1-0", query=query)

    told.note(add)


def wrote(told: Telling, interval: Interval, written: WrittenInterval, rows: int | None = None) -> None:
    """Note what a run wrote: its own interval, and how many rows in all."""
    told.note(lambda run: _put(run, written_dataset(interval, written, written.rows if rows is None else rows)))


def refused(told: Telling, interval: Interval, broken: Iterable[Violation]) -> None:
    """Note that rows were kept out, and by which rules."""
    told.note(lambda run: _put(run, refused_dataset(interval, broken)))


def nominal_time(interval: Interval) -> dict[str, Any]:
    """The facet of a run that says its data interval; none for a snapshot."""
    if interval.start is None:
        return {}
    times = {"nominalStartTime": interval.start.isoformat()}
    if interval.end is not None:
        times["nominalEndTime"] = interval.end.isoformat()
    return {"nominalTime": facet("NominalTimeRunFacet", "1-0-1", **times)}


def job_facets(view: FeatureView, integration: str, kind: str) -> dict[str, Any]:
    """What the job that makes a view is, who answers for it, and what it is for."""
    facets = {
        "jobType": facet("JobTypeJobFacet", "2-0-4", processingType="BATCH", integration=integration, jobType=kind)
    }
    if view.owner is not None:
        facets["ownership"] = facet("OwnershipJobFacet", "1-0-1", owners=[{"name": view.owner.name}])
    if view.description:
        facets["documentation"] = facet("DocumentationJobFacet", "1-1-0", description=view.description)
    return facets


def _put(run: Run, dataset: dict[str, Any]) -> None:
    """The newest that is told of a dataset."""
    run.outputs[:] = [o for o in run.outputs if (o["namespace"], o["name"]) != (dataset["namespace"], dataset["name"])]
    run.outputs.append(dataset)


def _run(interval: Interval) -> Run:
    project = settings.project_of(interval.project)
    return Run(
        run_id=str(naming.static_id(datetime.now(UTC), uuid4().hex)),
        namespace=sending.namespace(),
        name=f"festaf load {project}.{interval.view.name}",
        run_facets=nominal_time(interval),
        job_facets=job_facets(interval.view, "FESTAF", "LOAD"),
    )


def _query(view: FeatureView) -> str | None:
    is_query = view.source.format == "sql" and any(sign.isspace() for sign in view.source.uri.strip())
    return view.source.uri.strip() if is_query else None
