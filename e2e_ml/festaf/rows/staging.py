"""The rows of one DAG run between its tasks, as Parquet files in a folder of the run.

What is no longer there, a task that is run again computes again: from the source, to the same rows.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from e2e_ml.festaf.rows import late, pipeline
from e2e_ml.festaf.rows.interval import STORE, Interval
from e2e_ml.festaf.rows.late import Rewrite

_STALE = 7 * 24 * 3600.0  # seconds after which the files of a run that failed are removed
_PLAN = "plan.json"


class Staging:
    """What a run for `interval` writes, and its rows so far."""

    def __init__(self, interval: Interval, run_id: str) -> None:
        self._interval = interval
        self._view_folder = interval.project / STORE / "staging" / interval.view.name
        self._folder = self._view_folder / quote(run_id, safe="")

    @property
    def interval(self) -> Interval:
        """The run's own."""
        return self._interval

    def begin(self) -> tuple[Rewrite, ...]:
        """Find out anew what the run has to write, and keep that for the steps to come."""
        self._remove_stale()
        self.remove()
        begun = datetime.now(UTC)
        found = late.plan(self._interval)
        self._keep_plan(found, begun)
        return found

    @property
    def begun(self) -> datetime:
        """When extracting began; now, for a run that has lost its rows."""
        kept = self._kept()
        return datetime.fromisoformat(kept["begun"]) if kept else datetime.now(UTC)

    def drop(self, interval: Interval) -> None:
        """Leave an interval out of the plan: it has no rows."""
        if interval.view.event_time is not None:
            left = [each for each in self.planned() if each.interval.span != interval.span]
            self._keep_plan(left, self.begun)

    def planned(self) -> tuple[Rewrite, ...]:
        """What the run has to write, newest first."""
        return self._kept_plan() or late.plan(self._interval)

    def written_span(self) -> Interval:
        """The span that holds all that the run has written, for the online store."""
        if not (planned := self._kept_plan()):
            return late.hull(self._interval)
        return pipeline.hull([each.interval for each in planned])

    def extracted(self, interval: Interval) -> pl.DataFrame:
        return self._read("extracted", interval)

    def transformed(self, interval: Interval) -> pl.DataFrame:
        return self._read("transformed", interval)

    def keep_extracted(self, interval: Interval) -> int:
        """Do the first step and keep its rows; gives their number, those that only windows see counted in.

        Raises `pipeline.NoRowsError` where there are none.
        """
        return self._keep("extracted", interval, pipeline.extract(interval))

    def keep_transformed(self, interval: Interval) -> int:
        return self._keep("transformed", interval, pipeline.transform(interval, self.extracted(interval)))

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _keep_plan(self, planned: Sequence[Rewrite], begun: datetime) -> None:
        if self._interval.view.event_time is None:
            return
        spans = [[_text(each.interval.start), _text(each.interval.end), each.reason] for each in planned]
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{_PLAN}.unfinished"
        unfinished.write_text(json.dumps({"begun": begun.isoformat(), "spans": spans}))
        unfinished.replace(self._folder / _PLAN)

    def _kept_plan(self) -> tuple[Rewrite, ...]:
        if self._interval.view.event_time is None:
            return (Rewrite(self._interval),)
        kept = self._kept()
        return tuple(
            Rewrite(self._interval.at(datetime.fromisoformat(start), datetime.fromisoformat(end)), reason)
            for start, end, reason in (kept["spans"] if kept else ())
        )

    def _kept(self) -> Any:
        path = self._folder / _PLAN
        return json.loads(path.read_text()) if path.exists() else None

    def _path(self, step: str, interval: Interval) -> Path:
        span = quote(f"{_text(interval.start)}--{_text(interval.end)}", safe="")
        return self._folder / f"{step}.{span}.parquet"

    def _keep(self, step: str, interval: Interval, rows: pl.DataFrame) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(step, interval)
        unfinished = path.with_suffix(".unfinished")
        rows.write_parquet(unfinished)
        unfinished.replace(path)
        return len(rows)

    def _read(self, step: str, interval: Interval) -> pl.DataFrame:
        path = self._path(step, interval)
        if path.exists():
            return pl.read_parquet(path)
        if step == "extracted":
            return pipeline.extract(interval)
        return pipeline.transform(interval, self.extracted(interval))

    def _remove_stale(self) -> None:
        for folder in self._view_folder.glob("*"):
            if folder != self._folder and time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
