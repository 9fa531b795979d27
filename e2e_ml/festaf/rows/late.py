"""Rows that come late: which written intervals a run rewrites besides its own.

A view with a `lateness` has every run look at the intervals that ended within it before the run's own starts. One whose
source rows differ from those that are stored is rewritten, and so is every later one whose windows see its rows.
An interval that has not changed is not written again.

Intervals are rewritten newest first. What saw a late row is then written before the late row itself is, so that a run
that dies in between finds the same work again: the late row still differs from what is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows import pushed, sources
from e2e_ml.festaf.rows.compute import lookback
from e2e_ml.festaf.rows.interval import Interval
from e2e_ml.festaf.rows.offline import PUSHED
from e2e_ml.festaf.rows.pushed import source_columns

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """An interval that a run writes, and why, as a sentence for its log; "" for the run's own."""

    interval: Interval
    reason: str = ""


def plan(interval: Interval) -> tuple[Rewrite, ...]:
    """All that a run for `interval` has to write, in the order to write it: newest first, its own among them."""
    view = interval.view
    if view.lateness_seconds is None or view.event_time is None:
        return (Rewrite(interval),)
    own, written = interval.span, _written(interval)
    late = {span: sentence for span, sentence in _changes(interval, written) if span != own}
    moved = dict.fromkeys(_seeing(view, written, [*late, own]), "its windows see rows that have changed.")
    rewrites = {**moved, **late, own: ""}
    return tuple(Rewrite(interval.at(*span), rewrites[span]) for span in sorted(rewrites, reverse=True))


def reopening(interval: Interval) -> tuple[Rewrite, ...]:
    """Every written interval that `interval` touches, and later ones whose windows see their rows; newest first."""
    start, end = interval.span
    written = _written(interval)
    reopened = [span for span in written if span[0] < end and span[1] > start]
    moved = dict.fromkeys(_seeing(interval.view, written, reopened), "its windows see rows that were reopened.")
    rewrites = {**moved, **dict.fromkeys(reopened, "it was reopened.")}
    return tuple(Rewrite(interval.at(*span), rewrites[span]) for span in sorted(rewrites, reverse=True))


def hull(interval: Interval) -> Interval:
    """The span that holds all that a run for `interval` could have written: for a run that has lost its plan."""
    view = interval.view
    if view.lateness_seconds is None or view.event_time is None:
        return interval
    written = _written(interval)
    near = [*_near(interval, written), interval.span]
    spans = [*near, *_seeing(view, written, near)]
    return interval.at(min(start for start, _ in spans), max(end for _, end in spans))


def seeing(interval: Interval) -> list[Interval]:
    """The written intervals with rows whose windows see rows of this one, oldest first."""
    return [interval.at(*span) for span in _seeing(interval.view, _written(interval), [interval.span])]


def _written(interval: Interval) -> dict[Span, int]:
    """The ledger's intervals, oldest first, with the number of their rows. Thousands take seconds: ask once."""
    entries = interval.offline.intervals(interval.view)
    return {(e.start, e.end): e.rows for e in entries if e.start is not None and e.end is not None}


def _near(interval: Interval, written: Iterable[Span]) -> list[Span]:
    """The written intervals that ended within the view's lateness before the start of this one."""
    start, _ = interval.span
    lateness = timedelta(seconds=interval.view.lateness_seconds or 0)
    return [span for span in written if start - lateness < span[1] <= start]


def _seeing(view: FeatureView, written: Mapping[Span, int], changed: Collection[Span]) -> list[Span]:
    """The written intervals with rows, not among `changed`, whose windows see rows of those; oldest first."""
    reach = lookback(view)

    def sees(start: datetime, since: datetime, until: datetime) -> bool:
        return start >= since and (reach is None or start < until + reach)

    return [
        span
        for span, rows in written.items()
        if rows and span not in changed and any(sees(span[0], since, until) for since, until in changed)
    ]


def _changes(interval: Interval, written: Iterable[Span]) -> Iterable[tuple[Span, str]]:
    """The intervals within the lateness whose source rows are no longer those that are stored, and how. Pushed rows
    that stay beside the source's are on both sides."""
    view = interval.view
    spans = _near(interval, written)
    if not spans:
        return
    columns = source_columns(view)
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    event = str(view.event_time)
    stored = (
        interval.offline.scan(view)
        .filter(pl.col(event).is_between(start, end, closed="left"))
        .select(columns)
        .collect()
    )
    found = source_rows(interval, start, end).select(pl.col(n).cast(stored.schema[n]) for n in columns)
    for span in spans:
        inside = pl.col(event).is_between(*span, closed="left")
        came, went = _difference(found.filter(inside), stored.filter(inside))
        if came or went:
            yield span, _sentence(came, went)


def _difference(found: pl.DataFrame, stored: pl.DataFrame) -> tuple[int, int]:
    """How many rows of `found` are not stored, and the other way round; equal rows are counted as often as they are."""
    now, before = (
        frame.select(row=frame.hash_rows() if len(frame) else pl.Series([], dtype=pl.UInt64)).group_by("row").len()
        for frame in (found, stored)
    )
    both = now.join(before, on="row", how="full", coalesce=True, suffix="_before").fill_null(0)
    more = both["len"].cast(pl.Int64) - both["len_before"].cast(pl.Int64)
    return int(more.clip(lower_bound=0).sum()), int((-more).clip(lower_bound=0).sum())


def _sentence(came: int, went: int) -> str:
    """A row that went and one that came are taken for one that was corrected."""
    counts = {"corrected": min(came, went), "late": max(came - went, 0), "gone from the source": max(went - came, 0)}
    said = [f"{n:,} {'row is' if n == 1 else 'rows are'} {what}" for what, n in counts.items() if n]
    return f"{' and '.join(said)}."


# --- the rows that are compared and computed from -----------------------------------------------------------------


def source_rows(interval: Interval, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """The source's rows of [start, end), and the pushed ones that stay beside them, marked by PUSHED. Of a view whose
    rows are only pushed, those that are stored: there are no others.

    Raises FeatureStoreError where the source is wrong.
    """
    view = interval.view
    if view.source.format == "push":
        return stored_rows(interval, start, end)
    rows = sources.read(view, sources.scan(view, interval.project, start, end))
    return pushed.beside(view, rows, pushed.stored(interval.offline, view, start, end))


def stored_rows(interval: Interval, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """The stored rows of [start, end), by the columns that features are computed from, and PUSHED."""
    view = interval.view
    frame = interval.offline.scan(view, marked=True).select(*source_columns(view), PUSHED)
    return pushed.within(view, frame, start, end).collect()
