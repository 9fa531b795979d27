"""The demo runs by itself: from definitions to a champion, step by step, through Airflow's public API.

    definitions -> DAGs -> ingest -> history (a backfill of each view) -> training -> champion

Every step looks first whether it is done, so that a story that was interrupted goes on where it was, and one that is
over returns within seconds. Nothing here does the work itself: the scheduler does.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from e2e_ml.demo.airflow_api import AirflowApi, AirflowError, DagRun, Headers
from e2e_ml.demo.project import apply_definitions
from e2e_ml.festaf import FeatureStore, FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.naming import dag_id

INGEST, TRAIN = "flights.ingest", "flights.train"
# `flights.train` waits for all views with times. It is switched on when January and February are there, so that March
# of all views makes one training run, and not three of which two find too little.
EARLY, LATE = (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC)), (datetime(2013, 3, 1, tzinfo=UTC),)

_POLL = 1.0  # seconds between two looks
_DAGS_WITHIN = 180.0
_STEP_WITHIN = 1800.0
_GRACE = 15.0  # seconds in which the scheduler makes the runs that are due, before we trigger one

# The share of the whole that is done when a step begins.
_SHARES = {"definitions": 0.0, "dags": 0.02, "ingest": 0.08, "history": 0.18, "train": 0.75, "champion": 1.0}
_STEPS = tuple(_SHARES)


class StoryError(Exception):
    """The story cannot go on; the message is a sentence with the next step."""


class StoryCancelledError(Exception):
    """Somebody asked to stop. What is done stays done, and what Airflow is doing it goes on to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of the story. `done` is the share of the whole, 0 to 1."""

    step: str  # one of definitions, dags, ingest, history, train, champion
    sentence: str
    done: float


@dataclass(frozen=True, slots=True)
class Champion:
    """How the story ends: a version of the registered model `flight-delay`, and its AUC on the test."""

    model: str
    version: str
    kind: str
    run_id: str  # MLflow's
    auc: float


Report = Callable[[Progress], None]
Cancelled = Callable[[], bool]


def run(url: str, headers: Headers, project: Path, report: Report, cancelled: Cancelled = lambda: False) -> Champion:
    """Tell the whole story, or what is left of it. Blocks until there is a champion.

    `url` and `headers` reach Airflow; `headers` may be asked again later, when a token has run out. `project` is the
    folder of the feature store. `report` is called in this thread, for each line once. The DAGs are those of
    `project.prepare`, which comes before Airflow is started. Raises StoryError, or StoryCancelledError.
    """
    api = AirflowApi(url, headers)
    try:
        told = _Story(api, project, report, cancelled)
        api.waiting = told.wait_for_airflow
        return told.tell()
    except AirflowError as error:
        raise StoryError(str(error)) from error
    except FeatureStoreError as error:
        raise StoryError(f"{error} Nothing was changed. Correct it, then go on with the demo.") from error
    finally:
        api.close()


class _Story:
    def __init__(self, api: AirflowApi, project: Path, report: Report, cancelled: Cancelled) -> None:
        self._api = api
        self._project = project
        self._report = report
        self._cancelled = cancelled
        self._told: Progress | None = None

    def tell(self) -> Champion:
        self._say("definitions", apply_definitions(self._project))
        registry = FeatureStore.open(self._project).registry
        made = {dag: view for view in registry.views if (dag := dag_id(registry.project, view)) and view.schedule}
        self._parsed([INGEST, TRAIN, *made])
        self._ingested()
        self._history(made)
        return self._trained(sorted(dag for dag, view in made.items() if view.event_time))

    # --- steps ------------------------------------------------------------------------------------------------------

    def _parsed(self, dags: Sequence[str]) -> None:
        missing = [dag for dag in dags if not self._api.has_dag(dag)]
        for waited in self._ticks("Airflow has not found all DAGs", _DAGS_WITHIN):
            if not missing:
                break
            errors = self._api.import_errors()
            if errors and waited > _GRACE:
                file, problem = next(iter(errors.items()))
                raise StoryError(f"Airflow cannot read {file}: {problem} Correct it, then start the demo again.")
            share = 1 - len(missing) / len(dags)
            self._say("dags", f"Airflow reads the DAG files: {len(dags) - len(missing)} of {len(dags)} DAGs.", share)
            missing = [dag for dag in missing if not self._api.has_dag(dag)]
        self._say("dags", f"Airflow has read {len(dags)} DAGs.", 1.0)

    def _ingested(self) -> None:
        self._api.unpause(INGEST)
        runs = self._api.runs([INGEST])
        if not any(run.state == "success" for run in runs):
            if all(run.is_over for run in runs):
                self._api.trigger(INGEST, "The demo's first step.")
            self._say("ingest", "The flights, the weather, the planes and the airports of 2013 are being read.")
            self._wait_for_new(INGEST, [run.run_id for run in runs if run.is_over], "ingest")
        self._say("ingest", "336,776 flights of 2013 are in the project's data folder.", 1.0)

    def _history(self, made: Mapping[str, FeatureView]) -> None:
        timed = [dag for dag, view in made.items() if view.event_time]
        current = [dag for dag, view in made.items() if not view.event_time]
        for dag in timed:
            self._api.unpause(dag)
        self._fill(timed, EARLY, whole=len(timed) * 3 + len(current), before=0)
        # Between two backfills of one DAG Airflow takes a while: the views without times are loaded meanwhile.
        for dag in current:
            self._api.unpause(dag)
        self._load(current)
        self._api.unpause(TRAIN)
        self._fill(timed, LATE, whole=len(timed) * 3 + len(current), before=len(timed) * 2)
        self._wait_for_loaded(current)
        self._say("history", "January to March 2013 are in the feature store, for every view.", 1.0)

    def _trained(self, timed: Sequence[str]) -> Champion:
        self._api.unpause(TRAIN)
        known = [run.run_id for run in self._api.runs([TRAIN]) if run.state == "failed"]
        triggered = False
        for waited in self._ticks("The training has not ended"):
            runs = self._api.runs([TRAIN])
            for run in runs:
                if run.state == "success" and (champion := self._champion(run)):
                    sentence = f"Champion: {champion.model} version {champion.version}, AUC {champion.auc:.3f}."
                    self._say("champion", sentence)
                    return champion
            for run in runs:
                if run.state == "failed" and run.run_id not in known:
                    raise StoryError(self._failure(run))
            active = next((run for run in runs if not run.is_over), None)
            if active is not None:
                self._tell_training(active)
            elif not triggered and waited > _GRACE:
                # The views' events were used up by a run that came too early, or that failed.
                self._api.trigger(TRAIN, "The demo asked for it: its views hold January to March.")
                triggered = True
            elif not triggered:
                self._say("train", f"Airflow is about to train: all of {', '.join(timed)} have moved on.")
        raise AssertionError("ticks end by an error")

    # --- waiting ----------------------------------------------------------------------------------------------------

    def _fill(self, dags: Sequence[str], months: Sequence[datetime], *, whole: int, before: int) -> None:
        """Backfill these months of each DAG, and wait. What failed in an earlier story is run again."""
        runs = self._api.runs(dags)
        failed_before = {(run.dag_id, run.run_id) for run in runs if run.state == "failed"}
        for _ in self._ticks("The backfill has not ended"):
            runs = [run for run in runs if run.logical_date in months]
            done = sum(run.state == "success" for run in runs)
            self._say(
                "history",
                f"The views are being filled: {before + done} of {whole} DAG runs are done.",
                (before + done) / whole,
            )
            if done == len(dags) * len(months):
                return
            for dag in dags:
                states = [run.state for run in runs if run.dag_id == dag]
                failed = [run for run in runs if run.dag_id == dag and run.state == "failed"]
                if new := [run for run in failed if (dag, run.run_id) not in failed_before]:
                    raise StoryError(self._failure(new[0]))
                idle = not any(state in ("queued", "running") for state in states)
                if idle and (failed or len(states) < len(months)) and self._api.backfill(dag, months[0], months[-1]):
                    failed_before -= {(dag, run.run_id) for run in failed}
            runs = self._api.runs(dags)

    def _load(self, dags: Iterable[str]) -> None:
        """A view without times is loaded by the run that its schedule makes when it is switched on. See to it."""
        waiting = set(dags)
        begun = time.monotonic()
        while waiting and time.monotonic() - begun < _GRACE:
            self._check()
            waiting -= {run.dag_id for run in self._api.runs(waiting) if run.state != "failed"}
            if waiting:
                time.sleep(_POLL)
        for dag in waiting:
            self._api.trigger(dag, "The demo asked for the current rows.")

    def _wait_for_loaded(self, dags: Sequence[str]) -> None:
        for _ in self._ticks("The views without times are not loaded"):
            runs = self._api.runs(dags)  # the newest first
            waiting = [dag for dag in dags if not any(r.dag_id == dag and r.state == "success" for r in runs)]
            if not waiting:
                return
            for dag in waiting:
                newest = next((run for run in runs if run.dag_id == dag), None)
                if newest is not None and newest.state == "failed":
                    raise StoryError(self._failure(newest))

    def _wait_for_new(self, dag: str, known: Sequence[str], step: str) -> None:
        for _ in self._ticks(f"{dag} has not ended"):
            new = [run for run in self._api.runs([dag]) if run.run_id not in known]
            if any(run.state == "success" for run in new):
                return
            if failed := [run for run in new if run.state == "failed"]:
                raise StoryError(self._failure(failed[0]))
            if new:
                states = self._api.task_states(new[0])
                over = sum(state == "success" for state in states.values())
                if states:
                    self._say(step, f"{dag}: {over} of {len(states)} tasks are done.", over / len(states))

    def _ticks(self, overdue: str, within: float = _STEP_WITHIN) -> Iterator[float]:
        """The seconds that have passed, at each look. Raises when somebody cancels, and when it takes too long."""
        begun = time.monotonic()
        while True:
            self._check()
            waited = time.monotonic() - begun
            if waited > within:
                raise StoryError(
                    f"{overdue} within {within / 60:.0f} minutes. Look at {self._api.url} and at "
                    "`e2e-ml logs airflow`, then start the demo again: what is done stays done."
                )
            yield waited
            time.sleep(_POLL)

    # --- telling ----------------------------------------------------------------------------------------------------

    def _champion(self, run: DagRun) -> Champion | None:
        """The champion that a training run made; None where it was skipped."""
        found = self._api.result(run, "promote")
        if not isinstance(found, dict):
            return None
        told = cast("dict[str, Any]", found)
        return Champion(
            "flight-delay", str(told["version"]), str(told["kind"]), str(told["run_id"]), float(told["auc"])
        )

    def _tell_training(self, run: DagRun) -> None:
        states = self._api.task_states(run)
        over = sum(state == "success" for state in states.values())
        now = ", ".join(sorted(task for task, state in states.items() if state == "running"))
        self._say("train", f"{TRAIN}: {now or 'waiting for its next task'}.", over / max(len(states), 1))

    def _failure(self, run: DagRun) -> str:
        failed = self._api.failed_tasks(run)
        what = f"The task {failed[0]} of {run.dag_id} failed" if failed else f"A run of {run.dag_id} failed"
        place = self._api.page(run, failed[0] if failed else None)
        return f"{what}. Its log is at {place} . Mend the cause, then start the demo again: what is done stays done."

    def _say(self, step: str, sentence: str, share: float = 0.0) -> None:
        start = _SHARES[step]
        following = _STEPS[_STEPS.index(step) + 1] if step != _STEPS[-1] else step
        self._tell(Progress(step, sentence, start + share * (_SHARES[following] - start)))

    def _tell(self, progress: Progress) -> None:
        if progress != self._told:
            self._told = progress
            self._report(progress)

    def wait_for_airflow(self, sentence: str) -> None:
        """Airflow is away, as when it is started again: the step stays the same."""
        self._check()
        if self._told is not None:
            self._tell(dataclasses.replace(self._told, sentence=sentence))

    def _check(self) -> None:
        if self._cancelled():
            raise StoryCancelledError("The story was stopped. Start the demo again to go on with it.")
