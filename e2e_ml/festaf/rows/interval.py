"""One data interval of one view of a project, and the stores that it is written into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.online import OnlineStore, open_store

STORE = "store"  # the folder of a project in which festaf keeps what it writes


@dataclass(frozen=True, slots=True)
class Interval:
    """One data interval [start, end) of one view of a project. A view without times takes its snapshot in it."""

    project: Path
    view: FeatureView
    start: datetime | None
    end: datetime | None
    registry_version: int = 0
    dag_run_id: str | None = None
    engine: str = "polars"  # that computes its features

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

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end of an interval of a view with times. Raises FeatureStoreError for a snapshot's."""
        if self.view.event_time is None or self.start is None or self.end is None:
            raise FeatureStoreError(f"{self.view.name} has no times, so it is written whole and not by intervals.")
        return self.start, self.end

    def at(self, start: datetime, end: datetime) -> Interval:
        """Another interval of the same view, written by the same run."""
        return replace(self, start=start, end=end)


def offline_store(project: Path) -> OfflineStore:
    return OfflineStore(project / STORE / "offline")


def online_store(project: Path) -> OnlineStore:
    return open_store(project, project / STORE / "online.db")


def _plain(moment: datetime | None) -> datetime | None:
    """The moment in UTC, of the standard class: Airflow's and pandas' own subclasses compute differently."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FeatureStoreError(f"{moment!r} is no time. Give a datetime in UTC: datetime(2026, 1, 31, tzinfo=UTC).")
    if moment.tzinfo is None:
        raise FeatureStoreError(f"{moment} has no time zone. Give times in UTC: {moment}+00:00.")
    utc = moment.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, UTC)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
