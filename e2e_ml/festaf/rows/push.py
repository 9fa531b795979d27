"""Rows that are pushed: checked, computed and in both stores before `push` returns, each of them once.

A row is its keys, its event time and its created time. Pushed again, whatever brought it twice, it takes the place of
what it was. Features are those that an interval's load would compute: windows see the stored rows and the pushed ones,
and a row that comes late changes the later rows that see it.

What is accepted is noted first in a file beside the stores. A push that dies after that is finished by the next one,
and by what brings the online store up to date.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import WindowStep, steps
from e2e_ml.festaf.model import FeatureView, Record
from e2e_ml.festaf.rows import sources, validation
from e2e_ml.festaf.rows.compute import compute, lookback
from e2e_ml.festaf.rows.interval import STORE, offline_store, online_store
from e2e_ml.festaf.rows.validation import Violation

_LOG = logging.getLogger(__name__)


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
    rows = rows.unique(_identity(view), keep="last", maintain_order=True)
    if rows.is_empty():
        return Pushed(rows=0, new=0, recomputed=0)
    offline = offline_store(project)
    with offline.turn(view.table):
        recover(project, view, registry_version=registry_version)
        change = _change(project, view, rows)
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
            _apply(project, view, _change(project, view, rows), registry_version)
        except (FeatureStoreError, pl.exceptions.PolarsError) as error:
            # The definition has changed since. The rows stay where a person finds them.
            kept = note.path.rename(note.path.with_suffix(".refused"))
            _LOG.error(
                "Rows of %s that had been pushed do not fit it any more; they are in %s: %s", view.name, kept, error
            )
            continue
        note.remove()


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


def _change(project: Path, view: FeatureView, rows: pl.DataFrame) -> _Change:
    identity = _identity(view)
    stored = _seen(project, view, rows)
    columns = rows.columns
    before = stored.select(columns).join(rows, on=identity, how="anti", nulls_equal=True)
    computed = compute(view, pl.concat([before, rows.select(columns)]).lazy(), project).collect()
    if view.event_time is not None:
        computed = computed.filter(pl.col(view.event_time) >= rows[view.event_time].min())
    differing = _differing(computed, stored, identity)
    written = computed.filter(differing["differs"]).unique(identity, keep="last", maintain_order=True)
    pushed = computed.join(rows, on=identity, how="semi", nulls_equal=True)
    new = len(written.join(rows, on=identity, how="semi", nulls_equal=True))
    keys = [key.name for key in view.entities]
    # Also rows that are stored already are served: the push that wrote them may have died before it served them.
    touched = computed.join(pl.concat([written, pushed]), on=keys, how="semi", nulls_equal=True)
    known = bool((differing["differs"] & differing["known"]).any())
    return _Change(pushed, written, newest(view, touched), known, new, len(written) - new)


def _apply(project: Path, view: FeatureView, change: _Change, registry_version: int) -> None:
    if len(change.written):
        offline_store(project).put(view, change.written, known=change.known, registry_version=registry_version)
    online_store(project).upsert(view, change.newest)


def _seen(project: Path, view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """The stored rows that the pushed ones see, or that see them."""
    frame = offline_store(project).scan(view)
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


def _differing(computed: pl.DataFrame, stored: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """For each computed row whether it is stored (`known`), and whether it is not stored just so (`differs`)."""
    values = [name for name in computed.columns if name not in identity]
    # A source may hold the same row twice; the last one counts.
    last = stored.unique(identity, keep="last", maintain_order=True).with_columns(pl.lit(True).alias("__known"))
    both = computed.join(last, on=identity, how="left", suffix="__stored", nulls_equal=True, maintain_order="left")
    known = pl.col("__known").fill_null(False)
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}__stored")) for name in values)
    return both.select(known.alias("known"), (~known | (changed if values else pl.lit(False))).alias("differs"))


def newest(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each entity: by event time, then created time, then the one stored last."""
    keys = [key.name for key in view.entities]
    if rows.select(pl.struct(keys).n_unique() if len(keys) > 1 else pl.col(keys).n_unique()).item() == len(rows):
        return rows
    order = [name for name in (view.event_time, view.created_time) if name]
    if order:
        rows = rows.sort(order, maintain_order=True, nulls_last=False)
    return rows.unique(keys, keep="last", maintain_order=True)


def _identity(view: FeatureView) -> list[str]:
    return [*(key.name for key in view.entities), *(name for name in (view.event_time, view.created_time) if name)]


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
