"""The five steps that bring one data interval of a view from its source into the stores.

    extract >> transform >> validate >> write_offline >> materialize_online

Every step gives the same when it is done again. `load` runs them in this process; on Airflow each is a task, and the
rows pass from one to the next through `staging`.

A window at the start of an interval sees the source's rows before it. So when the source corrects rows, later intervals
change too, as far as the longest window reaches. A view with a `lateness` has them rewritten by its next run (`late`);
for corrections that come later than that there is `reopen`.

Rows that were pushed stay beside the source's until the source holds them: see `pushed`. Whoever wants to know is told
of a load as a run event of OpenLineage: see `telling`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import engines, late, push, pushed, sources, telling, validation
from e2e_ml.festaf.rows.compute import lookback, stored_schema
from e2e_ml.festaf.rows.interval import STORE, Interval, offline_store, online_store
from e2e_ml.festaf.rows.late import Rewrite
from e2e_ml.festaf.rows.offline import PUSHED, WrittenInterval
from e2e_ml.festaf.rows.validation import Checked
from e2e_ml.openlineage.telling import Telling

__all__ = [
    "STORE", "Interval", "NoRowsError", "RefusedError", "extract", "hull", "load", "load_rows", "materialize_online",
    "offline_store", "online_store", "refusal", "reopen", "transform", "validate", "write_offline",
]  # fmt: skip


class NoRowsError(FeatureStoreError):
    """The source has no rows for the interval, and nothing was written for it before. The ledger has noted that."""


class RefusedError(FeatureStoreError):
    """Rows break a rule that stops a write: nothing was written. Trying again finds the same rows."""

    def __init__(self, interval: Interval, broken: tuple[validation.Violation, ...]) -> None:
        super().__init__(refusal(interval, validation.fatal(interval.view, broken)))
        self.broken = broken  # all that was found


# --- the steps ---------------------------------------------------------------------------------------------------


def extract(interval: Interval) -> pl.DataFrame:
    """The source's rows of the interval, and those before it that its windows see; the pushed ones beside them.

    Raises NoRowsError where the interval has no rows and never had any, FeatureStoreError where the source is wrong.
    The ledger then says that the interval was looked at: a view is not late because nothing happened.
    """
    rows = late.source_rows(interval, _seen_since(interval), interval.end)
    _refuse_nothing(interval, rows)
    return rows


def transform(interval: Interval, rows: pl.DataFrame) -> pl.DataFrame:
    """The interval's rows as they are stored: keys, times and features."""
    try:
        plain = rows.drop(PUSHED, strict=False)
        computed = engines.compute(engines.engine(interval.engine), interval.view, plain, interval.project)
    except pl.exceptions.PolarsError as error:
        raise FeatureStoreError(f"{interval.view.name}: its features could not be computed: {error}") from error
    return pushed.marked(interval.view, _inside(interval, computed), rows)


def validate(interval: Interval, rows: pl.DataFrame) -> Checked:
    """Every constraint with its counts. Which broken ones stop the write is `validation.fatal`."""
    return validation.check(interval.view, rows.lazy())


def write_offline(
    interval: Interval, rows: pl.DataFrame, checked: Checked | None = None, since: datetime | None = None
) -> WrittenInterval:
    """Replace the interval's rows, and note it in the ledger, in one commit. Rows that were pushed into it after the
    others had been extracted stay; those that are stored beside it and see or are seen by the new ones follow.

    since: when extracting began. Raises RefusedError where rows break a rule that stops the write.
    """
    if checked and validation.fatal(interval.view, checked.broken):
        raise RefusedError(interval, checked.broken)

    def write(all_rows: pl.DataFrame) -> WrittenInterval:
        return interval.offline.replace(
            interval.view,
            all_rows,
            interval.start,
            interval.end,
            registry_version=interval.registry_version,
            dag_run_id=interval.dag_run_id,
            checked=checked,
        )

    return push.beside(interval, rows, write, since or datetime.now(UTC))


def materialize_online(interval: Interval) -> int:
    """Bring the online store up to date with the interval's offline rows; gives the entities now served from it."""
    # Rows that are pushed meanwhile wait, or the older rows that are read here would take their place.
    with interval.offline.turn(interval.view.table):
        push.recover(interval.project, interval.view, registry_version=interval.registry_version)
        return _materialize(interval)


def _materialize(interval: Interval) -> int:
    view = interval.view
    stored = interval.offline.scan(view)
    if view.event_time is None or interval.start is None or interval.end is None:
        return interval.online.replace_all(view, push.newest(view, stored.collect()))
    start, end, event = interval.start, interval.end, pl.col(view.event_time)

    def older(keys: pl.DataFrame) -> pl.DataFrame:
        known = stored.filter(event < start).join(keys.lazy(), on=keys.columns, how="semi")
        return push.newest(view, known.collect())

    newest = push.newest(view, stored.filter(event >= start, event < end).collect())
    return interval.online.replace_interval(view, newest, start, end, older)


# --- all of them --------------------------------------------------------------------------------------------------


def load(interval: Interval) -> WrittenInterval:
    """All five steps, in this process, for the interval and for those that rows came late into."""
    with _told(interval) as told:
        telling.reads(told, interval)
        planned = late.plan(interval)
        written = _rewrite(planned)
        own = next(entry for each, entry in zip(planned, written, strict=True) if not each.reason)
        if own is None:  # it had no rows; others had
            own = next(e for e in interval.offline.intervals(interval.view) if (e.start, e.end) == interval.span)
        telling.wrote(told, interval, own, sum(entry.rows for entry in written if entry))
        return own


def reopen(interval: Interval) -> tuple[WrittenInterval, ...]:
    """Load anew every written interval that `interval` touches, and later ones whose windows see their rows.

    Gives what was written, oldest first; nothing where the ledger has no interval there.
    """
    with _told(interval) as told:
        telling.reads(told, interval)
        written = tuple(entry for entry in reversed(_rewrite(late.reopening(interval))) if entry is not None)
        if written:
            telling.wrote(told, interval, written[-1], sum(entry.rows for entry in written))
        return written


def load_rows(interval: Interval, given: object) -> WrittenInterval:
    """The steps after the first, for rows that somebody else has extracted: `given`, any frame that narwhals knows.

    It has the source's columns, and all the rows of the interval; those before it that windows see are the stored ones.
    """
    with _told(interval) as told:
        written = _load_rows(interval, given)
        telling.wrote(told, interval, written)
        return written


def hull(intervals: Sequence[Interval]) -> Interval:
    """The span from the first to the last of one view's intervals; a snapshot is its own."""
    if intervals[0].view.event_time is None:
        return intervals[0]
    spans = [each.span for each in intervals]
    return intervals[0].at(min(start for start, _ in spans), max(end for _, end in spans))


def refusal(interval: Interval, stopping: tuple[validation.Violation, ...]) -> str:
    view = interval.view
    missing = [f"{v.feature} is missing in {v.count} rows" for v in stopping if v.rule == "required"]
    broken = [f"{v.words} by {v.count} rows" for v in stopping if v.rule != "required"]
    said = [f"a required value is missing ({', '.join(missing)})"] if missing else []
    said += [f"rules are broken ({', '.join(broken)}) and on_broken is fail"] if broken else []
    step = "fill the nulls, or take required() away" if missing else 'correct the rule, or say on_broken = "warn"'
    where = f" in {interval.words}" if view.event_time else ""
    return f"{view.name}: {' and '.join(said)}{where}, so nothing was written. Correct the source, {step}."


@contextmanager
def _told(interval: Interval) -> Generator[Telling]:
    with telling.loading(interval, NoRowsError) as told:
        try:
            yield told
        except RefusedError as error:
            telling.refused(told, interval, error.broken)
            raise


def _load_rows(interval: Interval, given: object) -> WrittenInterval:
    since = datetime.now(UTC)
    rows = sources.conform(interval.view, given)
    if outside := len(rows) - len(_inside(interval, rows)):
        raise FeatureStoreError(
            f"{interval.view.name}: {outside} of the {len(rows)} rows given lie outside of {interval.words}, the data "
            "interval of this run. Give the rows of the interval, and all of them."
        )
    rows = pushed.beside(
        interval.view, rows, pushed.stored(interval.offline, interval.view, interval.start, interval.end)
    )
    _refuse_nothing(interval, rows)
    if interval.view.event_time is not None:
        before = late.stored_rows(interval, _seen_since(interval), interval.start)
        rows = pl.concat([before, rows], how="diagonal")
    written = _write_all(interval, rows, since)
    # Intervals that are there already and see these rows follow, oldest first: each reads what the last one wrote.
    later = late.seeing(interval) if interval.view.event_time else []
    for each in later:
        since = datetime.now(UTC)
        _write_all(each, late.stored_rows(each, _seen_since(each), each.end), since)
    materialize_online(hull([interval, *later]))
    return written


def _rewrite(planned: Sequence[Rewrite]) -> list[WrittenInterval | None]:
    """Load each, in the order given; None for one that has no rows. Nothing is written before all are found fit.

    Raises NoRowsError where none has rows.
    """
    ready: list[tuple[Interval, pl.DataFrame, Checked] | None] = []
    nothing: NoRowsError | None = None
    since = datetime.now(UTC)
    for interval in (each.interval for each in planned):
        try:
            rows = transform(interval, extract(interval))
        except NoRowsError as error:
            nothing = error
            ready.append(None)
            continue
        checked = validate(interval, rows)
        if validation.fatal(interval.view, checked.broken):
            raise RefusedError(interval, checked.broken)
        ready.append((interval, rows, checked))
    if nothing is not None and not any(ready):
        raise nothing
    written = [each and write_offline(*each, since) for each in ready]
    if any(ready):
        materialize_online(hull([each[0] for each in ready if each]))
    return written


def _write_all(interval: Interval, rows: pl.DataFrame, since: datetime) -> WrittenInterval:
    """The three steps from extracted rows to the offline store."""
    stored = transform(interval, rows)
    return write_offline(interval, stored, validate(interval, stored), since)


def _refuse_nothing(interval: Interval, rows: pl.DataFrame) -> None:
    """Note an interval that has no rows and had none before, and raise NoRowsError."""
    view = interval.view
    if not _inside(interval, rows).is_empty():
        return
    if view.event_time is not None and interval.offline.has_rows(view, interval.start, interval.end):
        return
    if view.event_time is not None:
        write_offline(interval, pl.DataFrame(schema=stored_schema(view)))
    raise NoRowsError(
        f"{view.name}: {view.source.uri or 'its stream'} has no rows for {interval.words}; no row was written and no "
        "asset event is emitted. Run the interval again when its rows have come."
    )


def _seen_since(interval: Interval) -> datetime | None:
    """The time of the first row that the interval's rows may see; None: all that there are."""
    reach = lookback(interval.view)
    if interval.view.event_time is None or interval.start is None or reach is None:
        return None
    return interval.start - reach


def _inside(interval: Interval, rows: pl.DataFrame) -> pl.DataFrame:
    if interval.view.event_time is None:
        return rows
    return rows.filter(
        pl.col(interval.view.event_time).is_between(pl.lit(interval.start), pl.lit(interval.end), closed="left")
    )
