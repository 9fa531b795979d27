"""The five steps that bring one data interval of a view from its source into the stores.

    extract >> transform >> validate >> write_offline >> materialize_online

Every step gives the same when it is done again. `load` runs them in this process; on Airflow each is a task, and the
rows pass from one to the next through Parquet files in a staging folder of the run.

A window at the start of an interval sees the source's rows before it. So when the source corrects rows, the intervals
after theirs, as far as the longest window reaches, have to be loaded again too: a backfill over them does that.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows import sources, validation
from e2e_ml.festaf.rows.compute import compute, lookback, stored_schema
from e2e_ml.festaf.rows.offline import OfflineStore, WrittenInterval
from e2e_ml.festaf.rows.online import OnlineStore

STORE = "store"  # the folder of a project in which festaf keeps what it writes
_STALE = 7 * 24 * 3600.0  # seconds after which the staging files of a run that failed are removed


class NoRowsError(FeatureStoreError):
    """The source has no rows for the interval, and nothing was written for it before. The ledger has noted that."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One data interval [start, end) of one view of a project. A view without times takes its snapshot in it."""

    project: Path
    view: FeatureView
    start: datetime | None
    end: datetime | None
    registry_version: int = 0
    dag_run_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", _plain(self.start))
        object.__setattr__(self, "end", _plain(self.end))
        if self.view.event_time is not None:
            if self.start is None or self.end is None:
                raise FeatureStoreError(f"{self.view.name} has event times: give the interval's start and end.")
            if self.start >= self.end:
                raise FeatureStoreError(
                    f"The interval from {self.start} to {self.end} is empty: end it after its start."
                )

    @property
    def offline(self) -> OfflineStore:
        return offline_store(self.project)

    @property
    def online(self) -> OnlineStore:
        return online_store(self.project)

    @property
    def words(self) -> str:
        if self.start is None or self.end is None:
            return "its current rows"
        return f"{_stamp(self.start)} to {_stamp(self.end)}"


def offline_store(project: Path) -> OfflineStore:
    return OfflineStore(project / STORE / "offline")


def online_store(project: Path) -> OnlineStore:
    return OnlineStore(project / STORE / "online.db")


# --- the steps ---------------------------------------------------------------------------------------------------


def extract(interval: Interval) -> pl.DataFrame:
    """The source's rows of the interval, and those before it that its windows see.

    Raises NoRowsError where the interval has no rows and never had any, FeatureStoreError where the source is wrong.
    The ledger then says that the interval was looked at: a view is not late because nothing happened.
    """
    view, start, end = interval.view, interval.start, interval.end
    reach = lookback(view)
    early = start - reach if view.event_time and start and reach is not None else None
    rows = sources.read(view, sources.scan(view, interval.project, early, end))
    if _inside(interval, rows).is_empty() and (
        view.event_time is None or not interval.offline.has_rows(view, start, end)
    ):
        if view.event_time is not None:
            write_offline(interval, pl.DataFrame(schema=stored_schema(view)))
        raise NoRowsError(
            f"{view.name}: {view.source.uri} has no rows for {interval.words}; no row was written and no asset event "
            "is emitted. Run the interval again when its rows have come."
        )
    return rows


def transform(interval: Interval, rows: pl.DataFrame) -> pl.DataFrame:
    """The interval's rows as they are stored: keys, times and features."""
    try:
        computed = compute(interval.view, rows.lazy(), interval.project).collect()
    except pl.exceptions.PolarsError as error:
        raise FeatureStoreError(f"{interval.view.name}: its features could not be computed: {error}") from error
    return _inside(interval, computed)


def validate(interval: Interval, rows: pl.DataFrame) -> tuple[validation.Violation, ...]:
    """Every constraint that the rows break. Which of them stop the write is `validation.fatal`."""
    return validation.violations(interval.view, rows.lazy())


def write_offline(
    interval: Interval, rows: pl.DataFrame, broken: tuple[validation.Violation, ...] = ()
) -> WrittenInterval:
    """Replace the interval's rows, and note it in the ledger, in one commit.

    Raises FeatureStoreError where a required value is missing.
    """
    if stopping := validation.fatal(broken):
        raise FeatureStoreError(refusal(interval.view, stopping))
    return interval.offline.replace(
        interval.view,
        rows,
        interval.start,
        interval.end,
        registry_version=interval.registry_version,
        dag_run_id=interval.dag_run_id,
        broken=broken,
    )


def materialize_online(interval: Interval) -> int:
    """Bring the online store up to date with the interval's offline rows; gives the entities now served from it."""
    view = interval.view
    stored = interval.offline.scan(view)
    if view.event_time is None or interval.start is None or interval.end is None:
        return interval.online.replace_all(view, _newest(view, stored))
    start, end, event = interval.start, interval.end, pl.col(view.event_time)

    def older(keys: pl.DataFrame) -> pl.DataFrame:
        known = stored.filter(event < start).join(keys.lazy(), on=keys.columns, how="semi")
        return _newest(view, known)

    newest = _newest(view, stored.filter(event >= start, event < end))
    return interval.online.replace_interval(view, newest, start, end, older)


def load(interval: Interval) -> WrittenInterval:
    """All five steps, in this process."""
    rows = transform(interval, extract(interval))
    written = write_offline(interval, rows, validate(interval, rows))
    materialize_online(interval)
    return written


def refusal(view: FeatureView, stopping: tuple[validation.Violation, ...]) -> str:
    rules = ", ".join(f"{v.feature} is missing in {v.count} rows" for v in stopping)
    return (
        f"{view.name}: a required value is missing ({rules}), so nothing was written. "
        "Correct the source, fill the nulls, or take required() away."
    )


def _inside(interval: Interval, rows: pl.DataFrame) -> pl.DataFrame:
    if interval.view.event_time is None:
        return rows
    return rows.filter(
        pl.col(interval.view.event_time).is_between(pl.lit(interval.start), pl.lit(interval.end), closed="left")
    )


def _newest(view: FeatureView, rows: pl.LazyFrame) -> pl.DataFrame:
    """The newest row of each entity: by event time, then created time, then the one stored last."""
    order = [name for name in (view.event_time, view.created_time) if name]
    if order:
        rows = rows.sort(order, maintain_order=True, nulls_last=False)
    return rows.unique([key.name for key in view.entities], keep="last", maintain_order=True).collect()


def _plain(moment: datetime | None) -> datetime | None:
    """The moment in UTC, of the standard class: Airflow's and pandas' own subclasses compute differently."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise FeatureStoreError(f"{moment} has no time zone. Give times in UTC: {moment}+00:00.")
    utc = moment.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


# --- between tasks -----------------------------------------------------------------------------------------------


class Staging:
    """The rows of one run between its tasks. What is no longer there, a task that is run again computes again."""

    def __init__(self, interval: Interval, run_id: str) -> None:
        self._interval = interval
        self._view_folder = interval.project / STORE / "staging" / interval.view.name
        self._folder = self._view_folder / quote(run_id, safe="")

    def extracted(self) -> pl.DataFrame:
        return self._read("extracted")

    def transformed(self) -> pl.DataFrame:
        return self._read("transformed")

    def keep_extracted(self) -> int:
        """Do the first step and keep its rows; gives their number, those that only windows see counted in."""
        self._remove_stale()
        return self._keep("extracted", extract(self._interval))

    def keep_transformed(self) -> int:
        return self._keep("transformed", transform(self._interval, self.extracted()))

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep(self, step: str, rows: pl.DataFrame) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{step}.parquet.unfinished"
        rows.write_parquet(unfinished)
        unfinished.replace(self._folder / f"{step}.parquet")
        return len(rows)

    def _read(self, step: str) -> pl.DataFrame:
        path = self._folder / f"{step}.parquet"
        if path.exists():
            return pl.read_parquet(path)
        return extract(self._interval) if step == "extracted" else transform(self._interval, self.extracted())

    def _remove_stale(self) -> None:
        for folder in self._view_folder.glob("*"):
            if folder != self._folder and time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)
