"""The story's decisions: what it asks of Airflow, in which order, and what it says when something is wrong.

A small Airflow in memory stands for the real one, which `tests/integration/test_demo_story.py` runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e_ml.demo import airflow_api, project, story
from e2e_ml.demo.airflow_api import AirflowApi, AirflowError, DagRun

TIMED = [f"festaf.flights.{view}" for view in ("hourly_weather", "carrier_delay", "route_delay", "flights")]
CURRENT = ["festaf.flights.plane", "festaf.flights.airport"]
JANUARY, FEBRUARY, MARCH = (datetime(2013, month, 1, tzinfo=UTC) for month in (1, 2, 3))
CHAMPION = {"version": "2", "kind": "gradient_boosting", "run_id": "abc", "auc": 0.747}


class SmallAirflow(AirflowApi):
    """Runs succeed one look after they were made, unless told otherwise. `asked` is what was asked of it, in order."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", dict)
        self.asked: list[str] = []
        self.found: list[DagRun] = []
        self.unpaused: set[str] = set()
        self.fails: set[tuple[str, datetime | None]] = set()
        self.refuses = 0  # backfills that find another one still open
        self.uses_up_events = False
        self.skipped: set[str] = set()
        self.errors: dict[str, str] = {}
        self.missing: set[str] = set()
        self._ids = itertools.count(1)

    def add(self, dag: str, state: str, month: datetime | None = None) -> DagRun:
        run = DagRun(dag, f"run{next(self._ids)}", state, month, None)
        self.found.insert(0, run)
        return run

    def has_dag(self, dag_id: str) -> bool:
        return dag_id not in self.missing

    def import_errors(self) -> dict[str, str]:
        return self.errors

    def unpause(self, dag_id: str) -> None:
        if dag_id not in self.unpaused:
            self.unpaused.add(dag_id)
            self.asked.append(f"unpause {dag_id}")
            if dag_id in CURRENT and not any(run.dag_id == dag_id for run in self.found):
                self.add(dag_id, "queued")

    def trigger(self, dag_id: str, note: str) -> DagRun:
        self.asked.append(f"trigger {dag_id}")
        return self.add(dag_id, "queued")

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> bool:
        if self.refuses:
            self.refuses -= 1
            return False
        self.asked.append(f"backfill {dag_id} {first:%b}-{last:%b}")
        for month in (JANUARY, FEBRUARY, MARCH):
            if first <= month <= last:
                known = [r for r in self.found if r.dag_id == dag_id and r.logical_date == month]
                if not known:
                    self.add(dag_id, "queued", month)
                elif known[0].state == "failed":
                    self._become(known[0], "queued")
        return True

    def runs(self, dag_ids: Any) -> list[DagRun]:
        wanted = set(dag_ids)
        now = [run for run in self.found if run.dag_id in wanted]
        for run in now:
            if not run.is_over:
                failed = (run.dag_id, run.logical_date) in self.fails
                self._become(run, "failed" if failed else "success")
                if run.logical_date == MARCH and "flights.train" in self.unpaused and not self.uses_up_events:
                    self._train_when_all_have_moved()
        return now

    def failed_tasks(self, run: DagRun) -> list[str]:
        return ["extract"]

    def task_states(self, run: DagRun) -> dict[str, str | None]:
        return {"coverage": "success", "training_set": "running"}

    def result(self, run: DagRun, task_id: str) -> Any:
        return None if run.run_id in self.skipped else CHAMPION

    def _train_when_all_have_moved(self) -> None:
        march = {run.dag_id for run in self.found if run.logical_date == MARCH and run.state == "success"}
        if march == set(TIMED) and not any(run.dag_id == "flights.train" for run in self.found):
            self.add("flights.train", "queued")

    def _become(self, run: DagRun, state: str) -> None:
        index = self.found.index(run)
        self.found[index] = DagRun(run.dag_id, run.run_id, state, run.logical_date, run.queued_at)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> SmallAirflow:
    small = SmallAirflow()
    monkeypatch.setattr(story, "AirflowApi", lambda *_: small)
    monkeypatch.setattr(story, "_POLL", 0.001)
    monkeypatch.setattr(story, "_GRACE", 0.02)
    return small


@pytest.fixture
def tell(tmp_path: Path, airflow: SmallAirflow) -> Callable[[], tuple[story.Champion, list[story.Progress]]]:
    root = project.prepare(tmp_path)

    def told() -> tuple[story.Champion, list[story.Progress]]:
        said: list[story.Progress] = []
        return story.run("", dict, root, said.append), said

    return told


Tell = Callable[[], tuple[story.Champion, list[story.Progress]]]


def test_training_is_switched_on_between_february_and_march_so_that_it_runs_once(
    airflow: SmallAirflow, tell: Tell
) -> None:
    champion, said = tell()
    assert champion == story.Champion("flight-delay", **CHAMPION)
    assert airflow.asked == [
        "unpause flights.ingest",
        "trigger flights.ingest",
        *(f"unpause {dag}" for dag in TIMED),
        *(f"backfill {dag} Jan-Feb" for dag in TIMED),
        *(f"unpause {dag}" for dag in CURRENT),
        "unpause flights.train",
        *(f"backfill {dag} Mar-Mar" for dag in TIMED),
    ]
    assert [p.done for p in said] == sorted(p.done for p in said)


def test_a_story_that_is_over_asks_for_nothing(airflow: SmallAirflow, tell: Tell) -> None:
    first, _ = tell()
    airflow.asked.clear()
    second, _ = tell()
    assert second == first
    assert airflow.asked == []


def test_an_interrupted_story_goes_on_where_it_was(airflow: SmallAirflow, tell: Tell) -> None:
    airflow.add("flights.ingest", "success")
    for dag in TIMED:
        airflow.add(dag, "success", JANUARY)
    airflow.add(TIMED[0], "success", FEBRUARY)
    airflow.add(TIMED[1], "failed", FEBRUARY)  # in the story before
    airflow.add(TIMED[2], "running", FEBRUARY)
    tell()
    assert "trigger flights.ingest" not in airflow.asked
    early = [asked for asked in airflow.asked if asked.endswith("Jan-Feb")]
    assert early == [f"backfill {dag} Jan-Feb" for dag in (TIMED[1], TIMED[3])]


def test_a_backfill_that_airflow_has_not_closed_yet_is_waited_for(airflow: SmallAirflow, tell: Tell) -> None:
    airflow.refuses = 6
    tell()
    assert len([asked for asked in airflow.asked if asked.startswith("backfill")]) == 8


def test_a_training_whose_events_were_used_up_is_asked_for(airflow: SmallAirflow, tell: Tell) -> None:
    airflow.uses_up_events = True
    early = airflow.add("flights.train", "success")  # it was skipped: it came before March
    airflow.skipped.add(early.run_id)
    champion, _ = tell()
    assert airflow.asked[-1] == "trigger flights.train"
    assert champion.version == "2"


@pytest.mark.parametrize(
    "failing", [("flights.ingest", None), (TIMED[1], FEBRUARY), (CURRENT[0], None), ("flights.train", None)], ids=str
)
def test_a_failed_task_is_named_with_the_place_of_its_log(
    airflow: SmallAirflow, tell: Tell, failing: tuple[str, datetime | None]
) -> None:
    airflow.fails.add(failing)
    with pytest.raises(story.StoryError) as told:
        tell()
    assert str(told.value).startswith(
        f"The task extract of {failing[0]} failed. Its log is at http://127.0.0.1:1/dags/"
    )
    assert "then start the demo again" in str(told.value)
    airflow.fails.clear()
    champion, _ = tell()
    assert champion.version == "2"


def test_a_dag_file_that_cannot_be_read_is_told(airflow: SmallAirflow, tell: Tell) -> None:
    airflow.missing = {"flights.train"}
    airflow.errors = {"flights_train.py": "SyntaxError: invalid syntax"}
    with pytest.raises(story.StoryError, match=r"cannot read flights_train\.py: SyntaxError"):
        tell()


def test_nothing_is_begun_once_somebody_has_stopped_it(airflow: SmallAirflow, tmp_path: Path) -> None:
    with pytest.raises(story.StoryCancelledError):
        story.run("", dict, project.prepare(tmp_path), lambda _: None, cancelled=lambda: True)
    assert airflow.asked == []


def _api(
    answer: Callable[[httpx.Request], httpx.Response], headers: airflow_api.Headers = dict, patience: float = 0.0
) -> AirflowApi:
    api = AirflowApi("http://127.0.0.1:1/", headers, patience)
    api._client = httpx.Client(base_url="http://127.0.0.1:1/api/v2", transport=httpx.MockTransport(answer))
    return api


def test_a_token_that_has_run_out_is_asked_for_again() -> None:
    tokens = iter(["old", "new"])
    api = _api(
        lambda r: httpx.Response(200 if r.headers["token"] == "new" else 401, json={"is_stale": False}),
        lambda: {"token": next(tokens)},
    )
    assert api.has_dag("a b/c")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (403, "refuses the login for GET /dags/x"),
        (422, r"refuses GET /dags/x: no such thing"),
        (503, r"does not answer \(status 503\)"),
    ],
)
def test_a_refusal_is_a_sentence(status: int, sentence: str) -> None:
    with pytest.raises(AirflowError, match=sentence):
        _api(lambda _: httpx.Response(status, json={"detail": "no such thing"})).has_dag("x")


def test_an_airflow_that_is_away_is_told_with_the_next_step() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(AirflowError, match=r"does not answer \(ConnectError\)\. Look at its log"):
        _api(away).has_dag("x")


def test_an_airflow_that_is_started_again_is_waited_for_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It goes away in the middle of the story, and the story goes on when it is back."""
    monkeypatch.setattr(airflow_api, "_PAUSE", 0.0)
    away = iter([None, None, 503])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/importErrors"):
            status = next(away, 200)
            if status is None:
                raise httpx.ConnectError("refused", request=request)
            return httpx.Response(status, json={"import_errors": [{"filename": "x.py", "stack_trace": "all is well"}]})
        return httpx.Response(200, json={"is_stale": True})

    monkeypatch.setattr(story, "AirflowApi", lambda *_: _api(answer, patience=60.0))
    monkeypatch.setattr(story, "_POLL", 0.001)
    monkeypatch.setattr(story, "_GRACE", 0.0)
    said: list[story.Progress] = []
    with pytest.raises(story.StoryError, match=r"cannot read x\.py: all is well"):
        story.run("", dict, project.prepare(tmp_path), said.append)
    assert [p.sentence for p in said[1:3]] == [
        "Airflow does not answer for the moment (ConnectError); it is asked again.",
        "Airflow does not answer for the moment (status 503); it is asked again.",
    ]
    assert [p.done for p in said] == sorted(p.done for p in said)


def test_waiting_for_an_airflow_that_is_away_can_be_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    monkeypatch.setattr(story, "AirflowApi", lambda *_: _api(away, patience=60.0))
    with pytest.raises(story.StoryCancelledError):
        story.run("", dict, project.prepare(tmp_path), lambda _: None, cancelled=lambda: True)


def test_a_run_is_read_from_airflows_answer() -> None:
    answer = {"dag_id": "d", "dag_run_id": "r", "state": "queued", "logical_date": "2013-01-01T00:00:00Z"}
    (run,) = _api(lambda _: httpx.Response(200, json={"dag_runs": [answer]})).runs(["d"])
    assert run == DagRun("d", "r", "queued", JANUARY, None)
    assert run.logical_date is not None
    assert run.logical_date.utcoffset() == timedelta(0)
