"""A task of somebody's own DAG as the maker of a view."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.airflow.assets import asset
from e2e_ml.festaf.airflow.marks import context, mark_event, tell_broken, tell_freshness, tell_written
from e2e_ml.festaf.airflow.steps import interval_of_run
from e2e_ml.festaf.airflow.telling import task_run
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.registry.asked import view_named

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.interval import Interval

_LOG = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("data_interval_start", "data_interval_end")

T = TypeVar("T")


def produces(view: str, *, project: str | Path) -> Callable[[T], T]:
    """Make a task of your own DAG the one that makes a view's rows. It stands above `@task`, or takes an operator:

        @produces("hourly_weather", project="/srv/flights")
        @task
        def load_weather(data_interval_start=None, data_interval_end=None):
            return read_weather(data_interval_start, data_interval_end)

        produces("hourly_weather", project="/srv/flights")(SQLExecuteQueryOperator(task_id="load_weather", ...))

    A function returns the source's rows of the data interval as a frame (Polars, pandas or PyArrow); one that returns
    nothing has written the view's source, which is read then, as it is after an operator. The rows pass the same steps
    as on a DAG of festaf's: computed, validated, written offline and online, each interval exactly once. The view's
    asset becomes an outlet of the task, its event says what was written, and XCom holds the number of rows.

    A run whose schedule gives it no data interval, such as a plain cron string on Airflow 3, takes what has come since
    the last one that was written; the function's `data_interval_start` and `data_interval_end` are what it takes.

    Rows that break a `required` rule fail the task, without retries. Without rows it is skipped. Raises
    FeatureStoreError where the DAG file is read, for a view that is not in the registry.
    """
    folder = str(Path(project).resolve())
    outlet = asset(folder, view)

    def decorated(made: T) -> T:
        if getattr(made, "_airflow_is_task_decorator", False):
            return _task(made, folder, view, outlet)
        if isinstance(made, BaseOperator):
            return cast("T", _operator(made, folder, view, outlet))
        raise FeatureStoreError(f"produces({view!r}) stands above @task, or is called on an operator, not on {made!r}.")

    return decorated


def load_view(project: str, view: str, outlet: Asset, rows: object | None = None) -> int:
    """Within a task: bring the run's rows into the stores, from `rows` or from the view's source; gives their number.

    Logs what was written and which constraints are broken, and marks the asset's event. Raises AirflowFailException for
    rows that are refused and AirflowSkipException where there are none.
    """
    from e2e_ml.festaf.rows import pipeline

    interval = _interval(project, view)
    with task_run(project, view):
        try:
            written = pipeline.load(interval) if rows is None else pipeline.load_rows(interval, rows)
        except pipeline.NoRowsError as nothing:
            raise AirflowSkipException(str(nothing)) from None
        except pipeline.RefusedError as refused:
            tell_broken(interval, refused.broken)
            raise AirflowFailException(str(refused)) from None
    tell_written(interval, written)
    if written.broken:
        tell_broken(interval, written.broken)
    mark_event(outlet, written)
    tell_freshness(interval)
    return written.rows


def _task(decorator: T, project: str, view: str, outlet: Asset) -> T:
    """The same `@task`, with a function that ends in the stores, and the asset among its outlets."""
    made = cast("Any", decorator)
    outlets = [*_listed(made.kwargs.get("outlets")), outlet]
    changed = attrs.evolve(
        made,
        function=_loading(made.function, project, view, outlet),
        multiple_outputs=False,
        kwargs={**made.kwargs, "outlets": outlets},
    )
    for name in ("is_setup", "is_teardown", "on_failure_fail_dagrun"):
        setattr(changed, name, getattr(made, name))
    return changed


def _operator(operator: BaseOperator, project: str, view: str, outlet: Asset) -> BaseOperator:
    operator.outlets = [*operator.outlets, outlet]
    changed = cast("Any", operator)
    if callable(function := getattr(operator, "python_callable", None)):
        changed.python_callable = _loading(function, project, view, outlet)
        return operator
    before = changed._post_execute_hook

    def post_execute(found: Any, result: Any = None) -> None:
        if before is not None:
            before(found, result)
        load_view(project, view, outlet)

    changed._post_execute_hook = post_execute
    return operator


def _loading(function: Callable[..., Any], project: str, view: str, outlet: Asset) -> Callable[..., int]:
    """The function with what it returns brought into the stores; it is given the interval that will be replaced."""
    asked = inspect.signature(function).parameters.keys() & set(_TIMES)

    @functools.wraps(function)
    def loading(*args: Any, **kwargs: Any) -> int:
        interval = _interval(project, view)
        times: dict[str, datetime | None] = dict(zip(_TIMES, (interval.start, interval.end), strict=True))
        with task_run(project, view):
            found = function(*args, **{**kwargs, **{name: times[name] for name in asked}})
            return load_view(project, view, outlet, found)

    # What it gives to XCom is a number, whatever the function says.
    loading.__annotations__ = {**function.__annotations__, "return": int}
    return loading


def _interval(project: str, view: str) -> Interval:
    """The run's data interval; where it has none, the time since the last one written up to the run's own moment."""
    found = context()
    if getattr(found["ti"], "map_index", -1) >= 0:
        raise AirflowFailException(
            f"{view} is made by a mapped task, whose parts would replace each other: collect them in one task."
        )
    start, end = found.get("data_interval_start"), found.get("data_interval_end")
    record = view_named(registries.read(project), view)
    if record.event_time is None or (start is not None and end is not None and start < end):
        return interval_of_run(project, view, start, end)
    until: datetime = end or found.get("logical_date") or found["dag_run"].run_after
    ledger = interval_of_run(project, view, _EPOCH, until).offline.intervals(record)
    again = [entry.start for entry in ledger if entry.end == until and entry.start]
    before = [entry.end for entry in ledger if entry.end and entry.end < until]
    since = again[0] if again else max(before, default=record.start or _EPOCH)
    _LOG.info("This run has no data interval of its own: it takes what has come since %s.", since)
    return interval_of_run(project, view, since, until)


def _listed(outlets: list[Any] | Any | None) -> list[Any]:
    if outlets is None:
        return []
    return [*cast("list[Any]", outlets)] if isinstance(outlets, list) else [outlets]
