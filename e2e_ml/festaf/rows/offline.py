"""The offline store: a Delta table for each view, and the ledger of what was written into it.

One data interval is written by one Delta commit that replaces the rows whose event time lies in it. So a rerun, a retry
or a backfill leaves every row once, a reader sees the interval's old rows or its new ones, and a writer that dies
leaves the old. The ledger's entry is metadata of that same commit: it cannot say what the data does not hold.
Writers of one view take turns by a lock file; Delta's own check refuses those of other machines.
"""

from __future__ import annotations

import fcntl
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView, IntervalStats, ViewStats
from e2e_ml.festaf.rows.compute import stored_columns, stored_schema
from e2e_ml.festaf.rows.measures import interval_stats
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, delta_type
from e2e_ml.festaf.rows.validation import Checked
from e2e_ml.festaf.rows.validation import Violation as Violation  # a part of the ledger's entries

PUSHED = "__pushed"  # the column with the moment of a row's push; no name that a user gives has a `__`
_LEDGER = "festaf.interval"  # the key of our entry in a commit's metadata
_PUSH = "festaf.push"  # that of a push: rows of no interval, which the ledger does not list
# The ledger lives in the log, so the log is kept; checkpoints keep reading it cheap.
_CONFIGURATION = {"delta.logRetentionDuration": "interval 36500 days"}
_COMPACT_ABOVE = 100  # files; small ones are then merged into few


class WrittenInterval(IntervalStats):
    """One entry of the ledger: what one data interval of a view holds since `written_at`.

    `start` and `end` are None for the snapshot of a view without times that was not loaded for an interval. No rows:
    the source had none for the interval when it was looked at. `dag_run_id` is the run that wrote it last.
    """

    broken: tuple[Violation, ...] = ()  # the broken ones of `checks`, with examples


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Where a view's rows lie: Parquet files, in the order of storing, and what they call those of the view's columns
    that some of them have. A renamed feature keeps its column."""

    uris: tuple[str, ...]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a view's table tells of itself: its numbers, the ledger by interval, and every entry ever, oldest first."""

    stats: ViewStats
    intervals: tuple[WrittenInterval, ...]
    entries: tuple[WrittenInterval, ...]
    is_snapshot: bool  # each entry is of all that there is

    @property
    def trend(self) -> tuple[IntervalStats, ...]:
        """How rules and features fared, oldest first: interval by interval, or write by write of a snapshot."""
        points = self.entries if self.is_snapshot else self.intervals
        return tuple(IntervalStats(**{name: getattr(p, name) for name in IntervalStats.model_fields}) for p in points)


class OfflineStore:
    """The Delta tables below a folder: `<root>/<view>`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, view: str) -> Path:
        return self._root / view

    def is_written(self, view: FeatureView) -> bool:
        """Whether anything was ever written of the view."""
        return (self.path(view.table) / "_delta_log").is_dir()

    def scan(self, view: FeatureView, *, marked: bool = False) -> pl.LazyFrame:
        """The view's rows as they are now, with exactly the columns of `stored_schema`; marked: and PUSHED.

        Every read of the frame is of this one version of the table. A feature that was defined after rows were written
        is null in them. A view that was never written has no rows.
        """
        schema = stored_schema(view)
        table = self._table(view.table)
        columns = stored_columns(view)
        if marked:
            schema, columns = {**schema, PUSHED: TIMESTAMP}, {**columns, PUSHED: PUSHED}
        if table is None:
            return pl.LazyFrame(schema=schema)
        frame = pl.scan_delta(table)
        found = frame.collect_schema()
        return frame.select(
            (pl.col(columns[name]).cast(dtype) if columns[name] in found else pl.lit(None, dtype)).alias(name)
            for name, dtype in schema.items()
        )

    def pushed(self, view: FeatureView) -> pl.LazyFrame:
        """The stored rows that were pushed, with PUSHED. Nothing is read of a table that has none."""
        table = self._table(view.table)
        if table is None or all(field.name != PUSHED for field in table.schema().fields):
            return pl.LazyFrame(schema={**stored_schema(view), PUSHED: TIMESTAMP})
        return self.scan(view, marked=True).filter(pl.col(PUSHED).is_not_null())

    def files(self, view: FeatureView) -> StoredFiles:
        """The Parquet files that hold the view's rows as they are now, for engines that read them by themselves.

        Raises FeatureStoreError for a table in which rows were deleted without rewriting their files, which only a
        writer other than festaf does.
        """
        table = self._table(view.table)
        if table is None:
            return StoredFiles((), {})
        if "deletionVectors" in (table.protocol().reader_features or []):
            raise FeatureStoreError(
                f"The files of {view.name} hold rows that were deleted since (deletion vectors). Purge them with the "
                "writer that left them there, or ask the engine polars."
            )
        found = {field.name for field in table.schema().fields}
        columns = {name: column for name, column in stored_columns(view).items() if column in found}
        return StoredFiles(tuple(table.file_uris()), columns)

    def replace(
        self,
        view: FeatureView,
        rows: pl.DataFrame,
        start: datetime | None,
        end: datetime | None,
        *,
        registry_version: int = 0,
        dag_run_id: str | None = None,
        checked: Checked | None = None,
    ) -> WrittenInterval:
        """Write `rows` as all there is of [start, end), atomically; of everything, for a view without times. Who calls
        it holds the turn, where others may write. PUSHED among the columns marks rows that were pushed.

        Raises FeatureStoreError for rows outside of the interval and for a column whose type has changed.
        """
        entry = WrittenInterval(
            start=start and start.astimezone(UTC),
            end=end and end.astimezone(UTC),
            rows=len(rows),
            written_at=datetime.now(UTC),
            dag_run_id=dag_run_id,
            registry_version=registry_version,
            checks=checked.checks if checked else (),
            features=interval_stats(view, rows),
            broken=checked.broken if checked else (),
        )
        rows = _as_stored(view, rows)
        noted = _called(entry, {feature.name: feature.column for feature in view.features})
        table = self._table(view.table)
        _check_types(view, table)
        metadata = CommitProperties(custom_metadata={_LEDGER: noted.model_dump_json(exclude={"writes"})})
        if view.event_time is None:
            write_deltalake(
                table or self.path(view.table),
                rows,
                mode="overwrite",
                schema_mode="overwrite" if table else None,
                configuration=None if table else _CONFIGURATION,
                commit_properties=metadata,
            )
        else:
            if start is None or end is None:
                raise FeatureStoreError(f"{view.name} has event times: it is written by interval, give start and end.")
            outside = rows.filter(~pl.col(view.event_time).is_between(start, end, closed="left").fill_null(False))
            if len(outside):
                raise FeatureStoreError(
                    f"{view.name}: {len(outside)} rows lie outside of [{start.isoformat()}, {end.isoformat()})."
                )
            table = table or self._create(view)
            write_deltalake(
                table,
                rows.sort(view.event_time, maintain_order=True),
                mode="overwrite",
                predicate=_between(view.event_time, start, end),
                schema_mode="merge",
                commit_properties=metadata,
            )
        _compact(table or DeltaTable(self.path(view.table)))
        return entry

    def put(self, view: FeatureView, rows: pl.DataFrame, *, known: bool, registry_version: int = 0) -> None:
        """Write pushed rows in one commit. Who calls it holds the turn.

        A row is its keys and times: one that is stored already is replaced. known: whether one of them may be; else
        they are added, which reads nothing. Raises FeatureStoreError for a column whose type has changed.
        """
        table = self._table(view.table)
        _check_types(view, table)
        table = table or self._create(view)
        entry = {"rows": len(rows), "written_at": datetime.now(UTC).isoformat(), "registry_version": registry_version}
        metadata = CommitProperties(custom_metadata={_PUSH: json.dumps(entry)})
        stored = _as_stored(view, rows)
        if not known:
            write_deltalake(table, stored, mode="append", schema_mode="merge", commit_properties=metadata)
        else:
            (
                table.merge(
                    stored,
                    _same_row(view, stored),
                    source_alias="pushed",
                    target_alias="stored",
                    merge_schema=True,
                    commit_properties=metadata,
                )
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute()
            )
        _compact(table)

    def has_rows(self, view: FeatureView, start: datetime | None, end: datetime | None) -> bool:
        """Whether anything is stored in [start, end)."""
        frame = self.scan(view)
        if view.event_time is not None and start is not None and end is not None:
            frame = frame.filter(pl.col(view.event_time).is_between(start, end, closed="left"))
        return frame.select(pl.len()).collect().item() > 0

    def stats(self, view: FeatureView) -> ViewStats:
        """Rows, newest event and last write, from the table's own metadata: no data is read."""
        table = self._table(view.table)
        if table is None:
            return ViewStats()
        # The last commits may be a compaction, or intervals in which nothing happened.
        return _stats(view, table, _last_written(table.history(5)) or _last_written(table.history()))

    def standing(self, view: FeatureView) -> Standing:
        """All that the table tells of itself. It is opened once, for that is what takes time."""
        table = self._table(view.table)
        if table is None:
            return Standing(ViewStats(), (), (), is_snapshot=view.event_time is None)
        commits = table.history()
        entries = _entries(view, commits)
        return Standing(
            _stats(view, table, _last_written(commits)),
            _newest(view, entries),
            entries,
            is_snapshot=view.event_time is None,
        )

    def intervals(self, view: FeatureView) -> tuple[WrittenInterval, ...]:
        """The ledger, by interval: an entry that a later write covers is left out. Snapshots: one entry, the last."""
        table = self._table(view.table)
        return _newest(view, _entries(view, table.history())) if table else ()

    def trend(self, view: FeatureView) -> tuple[IntervalStats, ...]:
        """How rules and features fared, oldest first: interval by interval, or write by write of a snapshot."""
        return self.standing(view).trend

    # --- inside ---------------------------------------------------------------------------------------------------

    def _table(self, view: str) -> DeltaTable | None:
        path = self.path(view)
        if not (path / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(path)
        except TableNotFoundError:
            return None

    def _create(self, view: FeatureView) -> DeltaTable:
        # An interval is replaced within an existing table: Delta knows no predicate for the first write.
        empty = _as_stored(view, pl.DataFrame(schema=stored_schema(view)))
        write_deltalake(self.path(view.table), empty, mode="error", configuration=_CONFIGURATION)
        return DeltaTable(self.path(view.table))

    @contextmanager
    def turn(self, view: str) -> Generator[None]:
        """Hold the turn to write into a table and, from it, into the online store. It is not to be taken twice."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / f".{view}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _stats(view: FeatureView, table: DeltaTable, last_written: datetime | None) -> ViewStats:
    files = pl.DataFrame(table.get_add_actions(flatten=True))
    if files.is_empty():
        return ViewStats(last_written=last_written)
    newest = None
    if view.event_time is not None and f"max.{view.event_time}" in files.columns:
        newest = cast("datetime | None", files[f"max.{view.event_time}"].cast(pl.Datetime("us", "UTC")).max())
    return ViewStats(rows=int(files["num_records"].sum()), newest_event=newest, last_written=last_written)


def _last_written(commits: Sequence[dict[str, Any]]) -> datetime | None:
    for commit in commits:
        entry: dict[str, Any] = json.loads(commit.get(_LEDGER) or commit.get(_PUSH) or "{}")
        if entry.get("rows"):
            return datetime.fromisoformat(entry["written_at"])
    return None


def _entries(view: FeatureView, commits: Sequence[dict[str, Any]]) -> tuple[WrittenInterval, ...]:
    """Every entry ever, oldest first."""
    found = [json.loads(c[_LEDGER]) for c in commits if _LEDGER in c]
    names = {feature.column: feature.name for feature in view.features}
    return tuple(_called(WrittenInterval.model_validate(entry), names) for entry in reversed(found))


def _newest(view: FeatureView, entries: Sequence[WrittenInterval]) -> tuple[WrittenInterval, ...]:
    """The valid ones, by interval."""
    if view.event_time is None:
        return tuple(entries[-1:])
    valid: list[WrittenInterval] = []
    written = Spans()
    for entry in reversed(entries):  # newest first
        if entry.start is not None and entry.end is not None:
            if written.cover(entry.start, entry.end):
                continue
            written.add(entry.start, entry.end)
        valid.append(entry)
    writes = Counter((entry.start, entry.end) for entry in entries)
    valid = [entry.model_copy(update={"writes": writes[entry.start, entry.end]}) for entry in valid]
    return tuple(sorted(valid, key=lambda e: (e.start or e.written_at, e.written_at)))


def _called(entry: WrittenInterval, names: Mapping[str, str]) -> WrittenInterval:
    """The entry with other names for its features: the ledger keeps those of columns, which no rename changes."""
    if all(old == new for old, new in names.items()):
        return entry
    parts = {
        part: tuple(each.model_copy(update={"feature": names.get(each.feature, each.feature)}) for each in found)
        for part, found in (("checks", entry.checks), ("features", entry.features), ("broken", entry.broken))
    }
    return entry.model_copy(update=parts)


def _as_stored(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as the table holds them: under its columns' names, and in the types that Delta has."""
    columns = stored_columns(view)
    return rows.select(
        *(
            pl.col(name).cast(dtype).cast(delta_type(dtype)).alias(columns[name])
            for name, dtype in stored_schema(view).items()
        ),
        *([PUSHED] if PUSHED in rows.columns else []),
    )


def _compact(table: DeltaTable) -> None:
    """Merge files when there are many small ones."""
    if len(table.file_uris()) > _COMPACT_ABOVE:
        table.optimize.compact()
        # Replaced files stay a week for readers of older versions, which is Delta's default.
        table.vacuum(dry_run=False)


def _between(column: str, start: datetime, end: datetime) -> str:
    quoted = _quoted(column)
    # `isoformat` of an aware time in UTC holds nothing that would need quoting.
    low, high = (time.astimezone(UTC).isoformat() for time in (start, end))
    return f"{quoted} >= '{low}' AND {quoted} < '{high}'"


def _same_row(view: FeatureView, rows: pl.DataFrame) -> str:
    """That a stored row is a pushed one, with the span of their times first, so that few files are read."""
    keys = [key.name for key in view.entities]
    names = [*keys, *(name for name in (view.event_time, view.created_time) if name)]
    same = [f"(stored.{_quoted(name)} IS NOT DISTINCT FROM pushed.{_quoted(name)})" for name in names]
    if view.event_time is not None and len(rows):
        times = rows[view.event_time]
        for sign, moment in ((">=", times.min()), ("<=", times.max())):
            same.insert(0, f"stored.{_quoted(view.event_time)} {sign} '{cast('datetime', moment).isoformat()}'")
    return " AND ".join(same)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Spans:
    """A set of times, as few spans [start, end) as hold it, so that thousands of intervals in a row are one."""

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []

    def cover(self, start: datetime, end: datetime) -> bool:
        """Whether all of [start, end) is in the set."""
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and end <= self._ends[at]

    def add(self, start: datetime, end: datetime) -> None:
        first, last = bisect_left(self._ends, start), bisect_right(self._starts, end)
        if first < last:  # those that it meets become one with it
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]


def _check_types(view: FeatureView, table: DeltaTable | None) -> None:
    if table is None or view.event_time is None:  # a snapshot is replaced whole, with its schema
        return
    found, columns = pl.scan_delta(table).collect_schema(), stored_columns(view)
    both = {name: (found[columns[name]], t) for name, t in stored_schema(view).items() if columns[name] in found}
    changed = [f"{name} (stored as {was}, defined as {t})" for name, (was, t) in both.items() if was != delta_type(t)]
    if changed:
        raise FeatureStoreError(
            f"{view.name}: the type of {', '.join(changed)} has changed since rows were written. "
            f"Give it a new name, or remove {table.table_uri} and backfill."
        )
