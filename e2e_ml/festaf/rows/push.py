"""Rows that are pushed: checked, computed and in both stores before `push` returns, each of them once.

A row is its keys, its event time and its created time. Pushed again, whatever brought it twice, it takes the place of
what it was. Features are those that an interval's load would compute: windows see the stored rows and the pushed ones,
and a row that comes late changes the later rows that see it. A load of the interval keeps them (`pushed`).

What is accepted is noted first in a file beside the stores. A push that dies after that is finished by the next one,
and by what brings the online store up to date.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import WindowStep, steps
from e2e_ml.festaf.model import FeatureView, Record
from e2e_ml.festaf.rows import pushed, sources, validation
from e2e_ml.festaf.rows.compute import compute, lookback
from e2e_ml.festaf.rows.interval import STORE, Interval, offline_store, online_store
from e2e_ml.festaf.rows.offline import PUSHED, WrittenInterval
from e2e_ml.festaf.rows.polars_types import TIMESTAMP
from e2e_ml.festaf.rows.pushed import identity, source_columns
from e2e_ml.festaf.rows.validation import Violation

_LOG = logging.getLogger(__name__)
_GIVEN = "__festaf_given"


class WrongRowsError(FeatureStoreError):
    """Rows that were refused for what they hold: pushed again they are refused again."""


class Pushed(Record):
    """What a push did. `broken` are rules that rows break without being refused for it."""

    rows: int  # that were pushed, each once
    new: int  # of them those that were not stored before just so
    recomputed: int  # other rows, later ones, that see them
    broken: tuple[Violation, ...] = ()


def push(project: Path, view: FeatureView, given: object, *, registry_version: int = 0) -> Pushed:
    """Bring rows into both stores. `given` is any frame that narwhals knows, or rows as JSON has them.

    Raises WrongRowsError, and has then written nothing, for a value that is not of its type, a key or an event time
    that is missing, and a broken rule that refuses rows: a missing `required` value does. Raises FeatureStoreError
    where a store cannot be written.
    """
    try:
        rows = sources.conform(view, given, "the pushed rows")
    except FeatureStoreError as error:
        raise WrongRowsError(str(error)) from error
    _check_keys(view, rows)
    rows = rows.unique(identity(view), keep="last", maintain_order=True)
    if rows.is_empty():
        return Pushed(rows=0, new=0, recomputed=0)
    offline = offline_store(project)
    with offline.turn(view.table):
        recover(project, view, registry_version=registry_version)
        change = _change(project, view, rows, datetime.now(UTC))
        broken = validation.check(view, change.pushed.lazy()).broken
        if stopping := validation.fatal(view, broken):
            said = ", ".join(f"{v.words} is broken by {v.count} rows" for v in stopping)
            raise WrongRowsError(f"{view.name}: {said}, so that nothing was pushed. Correct the rows, or the rules.")
        note = _Note.write(project, view, rows)
        _apply(project, view, change, registry_version)
        note.remove()
    return Pushed(rows=len(rows), new=change.new, recomputed=change.recomputed, broken=broken)


def recover(project: Path, view: FeatureView, *, registry_version: int = 0) -> None:
    """Finish the pushes that died after they had been accepted. Who calls it holds the view's turn to write."""
    for note in _Note.found(project, view):
        try:
            rows = sources.conform(view, pl.read_parquet(note.path), "rows that were pushed before")
            _apply(project, view, _change(project, view, rows, datetime.now(UTC)), registry_version)
        except (FeatureStoreError, pl.exceptions.PolarsError) as error:
            # The definition has changed since. The rows stay where a person finds them.
            kept = note.path.rename(note.path.with_suffix(".refused"))
            _LOG.error(
                "Rows of %s that had been pushed do not fit it any more; they are in %s: %s", view.name, kept, error
            )
            continue
        note.remove()


def beside(
    interval: Interval, rows: pl.DataFrame, write: Callable[[pl.DataFrame], WrittenInterval], since: datetime
) -> WrittenInterval:
    """Have `write` replace the interval's rows by `rows` and by what was pushed into it meanwhile: it may be the only
    place that knows. Pushed rows near it, which see the new ones, and what sees rows that were pushed after `since`,
    when `rows` were extracted, is computed again.
    """
    project, view = interval.project, interval.view
    with interval.offline.turn(view.table):
        recover(project, view, registry_version=interval.registry_version)
        reach = lookback(view)
        start, end = interval.start, interval.end
        near = pushed.stored(
            interval.offline,
            view,
            start - reach if start and reach is not None else None,
            end + reach if end and reach is not None else None,
        )
        inside = pushed.within(view, near.lazy(), start, end).collect()
        known = rows
        rows = pushed.beside(view, rows, inside)
        again = _to_compute(view, near, known, rows, interval, since)
        if again.is_empty():
            return write(rows)
        note = _Note.write(project, view, again.select(source_columns(view)))
        written = write(rows)
        _apply(project, view, _change(project, view, again.select(source_columns(view))), interval.registry_version)
        note.remove()
    return written


def _to_compute(
    view: FeatureView, near: pl.DataFrame, known: pl.DataFrame, rows: pl.DataFrame, interval: Interval, since: datetime
) -> pl.DataFrame:
    """Of the pushed rows near an interval those whose windows, or whose part in others' windows, `rows` lack."""
    if near.is_empty() or not any(isinstance(step, WindowStep) for step in steps(view)):
        return near.clear()
    same = [*identity(view), PUSHED]
    meanwhile = near.clear()
    if PUSHED in rows.columns:
        meanwhile = near.join(rows, on=same, how="semi", nulls_equal=True)
        if PUSHED in known.columns:
            meanwhile = meanwhile.join(known, on=same, how="anti", nulls_equal=True)
    if view.event_time is None or view.source.format == "push":  # what is loaded there is what was stored
        return meanwhile
    start, end = interval.span
    event = pl.col(view.event_time)
    return pl.concat([near.filter((event >= end) | ((event < start) & (pl.col(PUSHED) >= since))), meanwhile])


@dataclass(frozen=True, slots=True)
class _Change:
    """What a push changes: `pushed` are its rows with their features, `written` the rows that are stored differently,
    later ones included, and `newest` of each entity among them the row to serve."""

    pushed: pl.DataFrame
    written: pl.DataFrame
    newest: pl.DataFrame
    known: bool  # whether one of `written` takes the place of a stored row
    new: int
    recomputed: int


def _change(project: Path, view: FeatureView, rows: pl.DataFrame, pushed_at: datetime | None = None) -> _Change:
    """What bringing `rows` in changes. pushed_at: their mark; None for rows that are stored, with theirs, already."""
    same = identity(view)
    stored = _seen(project, view, rows)
    columns = rows.columns
    before = stored.select(columns).join(rows, on=same, how="anti", nulls_equal=True)
    computed = compute(view, pl.concat([before, rows.select(columns)]).lazy(), project).collect()
    if view.event_time is not None:
        computed = computed.filter(pl.col(view.event_time) >= rows[view.event_time].min())
    given = rows.select(*same, pl.lit(True).alias(_GIVEN))
    computed = computed.join(given, on=same, how="left", nulls_equal=True, maintain_order="left")
    state = _compared(computed.drop(_GIVEN), stored, same)
    is_given = computed[_GIVEN].fill_null(False)
    marks = state[PUSHED]
    if pushed_at is not None:
        marks = pl.select(pl.when(is_given).then(pl.lit(pushed_at, TIMESTAMP)).otherwise(marks)).to_series()
    computed = computed.drop(_GIVEN).with_columns(marks.alias(PUSHED))
    # A row that the source has brought just so is marked too: it stays when the source holds it no more.
    touched = state["differs"] | (is_given & state[PUSHED].is_null() & (pushed_at is not None))
    written = computed.filter(touched).unique(same, keep="last", maintain_order=True)
    asked = computed.filter(is_given)
    keys = [key.name for key in view.entities]
    # Also rows that are stored already are served: the push that wrote them may have died before it served them.
    served = computed.join(pl.concat([written, asked]), on=keys, how="semi", nulls_equal=True).drop(PUSHED)
    recomputed = computed.filter(state["differs"] & ~is_given).select(pl.struct(same).n_unique()).item()
    return _Change(
        pushed=asked.drop(PUSHED),
        written=written,
        newest=newest(view, served),
        known=bool((touched & state["known"]).any()),
        new=int((state["differs"] & is_given).sum()),
        recomputed=recomputed,
    )


def _apply(project: Path, view: FeatureView, change: _Change, registry_version: int) -> None:
    if len(change.written):
        offline_store(project).put(view, change.written, known=change.known, registry_version=registry_version)
    online_store(project).upsert(view, change.newest)


def _seen(project: Path, view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """The stored rows that the pushed ones see, or that see them."""
    frame = offline_store(project).scan(view, marked=True)
    windows = [step for step in steps(view) if isinstance(step, WindowStep)]
    if not any(step.window.by for step in windows):
        keys = [key.name for key in view.entities]
        frame = frame.join(rows.select(keys).unique().lazy(), on=keys, how="semi")
    reach = lookback(view)
    if view.event_time is not None and reach is not None:
        event, first = pl.col(view.event_time), rows[view.event_time].min()
        last = rows[view.event_time].max()
        if isinstance(first, datetime) and isinstance(last, datetime):
            # Later rows are needed where they see the pushed ones: as far as a window reaches.
            frame = frame.filter(event >= first - reach, event <= last + reach)
    return frame.collect()


def _compared(computed: pl.DataFrame, stored: pl.DataFrame, same: list[str]) -> pl.DataFrame:
    """For each computed row whether it is stored (`known`), whether it is not stored just so (`differs`), and the
    PUSHED that it is stored with."""
    values = [name for name in computed.columns if name not in same]
    # A source may hold the same row twice; the last one counts.
    last = stored.unique(same, keep="last", maintain_order=True).with_columns(pl.lit(True).alias("__known"))
    both = computed.join(last, on=same, how="left", suffix="__stored", nulls_equal=True, maintain_order="left")
    known = pl.col("__known").fill_null(False)
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}__stored")) for name in values)
    differs = ~known | (changed if values else pl.lit(False))
    return both.select(known.alias("known"), differs.alias("differs"), PUSHED)


def newest(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each entity: by event time, then created time, then the one stored last."""
    keys = [key.name for key in view.entities]
    if rows.select(pl.struct(keys).n_unique() if len(keys) > 1 else pl.col(keys).n_unique()).item() == len(rows):
        return rows
    order = [name for name in (view.event_time, view.created_time) if name]
    if order:
        rows = rows.sort(order, maintain_order=True, nulls_last=False)
    return rows.unique(keys, keep="last", maintain_order=True)


def _check_keys(view: FeatureView, rows: pl.DataFrame) -> None:
    for name in (*(key.name for key in view.entities), *([view.event_time] if view.event_time else [])):
        if missing := rows[name].null_count():
            raise WrongRowsError(
                f"{view.name}: {name} is missing in {missing} of the pushed rows. A row is known by it: give it."
            )


# --- the notes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Note:
    """Pushed rows that were accepted, in a file until both stores hold them."""

    path: Path

    @classmethod
    def write(cls, project: Path, view: FeatureView, rows: pl.DataFrame) -> _Note:
        folder = _folder(project, view)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            rows.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        return cls(path)

    @classmethod
    def found(cls, project: Path, view: FeatureView) -> Iterable[_Note]:
        """Those of pushes that died, oldest first."""
        folder = _folder(project, view)
        if not folder.is_dir():
            return []
        for path in folder.glob("*.unfinished"):
            path.unlink()
        return [cls(path) for path in sorted(folder.glob("*.parquet"))]

    def remove(self) -> None:
        self.path.unlink()


def _folder(project: Path, view: FeatureView) -> Path:
    return project / STORE / "pushes" / view.table
