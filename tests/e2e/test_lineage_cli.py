"""`e2e-ml lineage ...` as a person types it: the real program on a workspace whose lifecycle has been read before."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.files import index_file, judgements_file, open_index
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.refs import Ref
from e2e_ml.workspace import Workspace
from tests.e2e.conftest import PROGRAM, without_display
from tests.unit.lineage import lifecycle as life

PATIENCE = 120.0  # seconds, for a machine with much else to do
T0 = datetime(2026, 11, 21, 15, tzinfo=UTC)
CHAMPION = refs.alias(life.M, "flight-delay", "champion")
DRIFT = refs.monitor(life.A, "drift")
GUESSED = refs.run(life.M, "ddd")  # nobody wrote what it learned from
LIKELY = Edge(life.VIEW, GUESSED, Relation.TRAINS, Evidence.INFERRED, "9 of 10 columns", 0.9)
WEAK = Edge(life.ORPHAN, GUESSED, Relation.TRAINS, Evidence.INFERRED, "5 of 10 columns", 0.5)
GONE = refs.dag(life.A, "old_train")
MORE: dict[Ref, tuple[dict[str, Any], tuple[Edge, ...]]] = {
    CHAMPION: ({"version": "1"}, ()),
    DRIFT: ({}, (Edge(life.VIEW, DRIFT, Relation.WATCHED, Evidence.DECLARED, "the asset says so"),)),
    GUESSED: ({"name": "guessed", "start": "2026-11-20T00:00:00Z"}, (LIKELY, WEAK)),
    refs.experiment("second", "7"): ({"name": "trees"}, ()),  # what a run is called, too
    life.VIEW: ({**life.FACTS[life.VIEW], "owner": "ada", "owner_email": "ada@example.com"}, ()),
    GONE: ({}, ()),
    # late, whenever this is read
    life.WEATHER_RUN: ({**life.FACTS[life.WEATHER_RUN], "interval_end": "2020-11-21T13:00:00Z"}, ()),
}


@dataclass(frozen=True)
class Answer:
    code: int
    text: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[..., Answer]


def run(workspace: Path, *arguments: str) -> Answer:
    done = subprocess.run(
        [PROGRAM, "lineage", *arguments, "--workspace", str(workspace)],
        env=without_display(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def lay_out(root: Path) -> Workspace:
    (root / "workbench.yaml").write_text("version: 1\nname: flights\nservices: {}\n")
    return Workspace.load(root)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose lifecycle has been read; tests that judge take a copy."""
    root = tmp_path_factory.mktemp("flights")
    index = open_index(lay_out(root))
    edges: dict[Ref, list[Edge]] = {}
    for edge in life.edges():
        edges.setdefault(edge.downstream, []).append(edge)
    nodes = {ref: (facts, tuple(edges.pop(ref, ()))) for ref, facts in life.FACTS.items()}
    for ref, (facts, more) in MORE.items():
        nodes[ref] = (facts, (*nodes.get(ref, ({}, ()))[1], *more))
    by_service: dict[str, list[Record]] = {}
    for ref, (facts, told) in nodes.items():
        by_service.setdefault(f"{ref.scheme}:{ref.instance}", []).append(Record(Node(ref, facts), told))
    for name, records in by_service.items():
        index.upsert(name, Batch(tuple(records)), T0)
    by_hand = Edge(GONE, life.LOOSE, Relation.STARTED, Evidence.OBSERVED, "a script said so")
    index.upsert("mlflow:lab", Batch((Record(Node(life.LOOSE), (by_hand,), partial=True),)), T0)
    index.upsert("airflow:local", Batch(gone=(GONE,)), T0)
    index.close()
    return root


@pytest.fixture
def ask(read: Path) -> Ask:
    return lambda *arguments: run(read, *arguments)


@pytest.fixture
def own(read: Path, tmp_path: Path) -> Path:
    """A copy of the workspace, to write in."""
    root = tmp_path / "own"
    shutil.copytree(read, root)
    return root


def words(answer: Answer, *wanted: str) -> None:
    assert answer.code == 0, answer.error
    for each in wanted:
        assert each in answer.text, f"{each!r} is not in:\n{answer.text}"


def test_every_verb_tells_a_person_what_they_need(ask: Ask) -> None:
    words(ask("search", "weather"), "hourly_weather (feature view)", str(life.VIEW), str(life.WEATHER))
    words(ask("search", "xyzzy"), "Nothing has 'xyzzy' in its name.")
    words(
        ask("show", "hourly_weather"),
        "hourly_weather (feature view)\nfestaf://flights/hourly_weather\n",
        "  schedule: @hourly",
        "Upstream:\n",
        "Downstream:\n",
        "── hourly_weather.temp (feature): contains; declared",
        "·· guessed (run): trains; inferred 0.90: 9 of 10 columns",
    )
    words(ask("show", "runway"), "Perhaps:\n", "·· guessed (run): trains; inferred 0.50: 5 of 10 columns")
    words(ask("show", "old_train"), "old_train (DAG, gone since 21 November 2026)")
    words(ask("up", "hourly_weather.temp", "--depth", "2"), "weather (source)", "hourly_weather (feature view)")
    words(ask("down", str(life.SERVICE), "--kind", "alias"), "flight-delay @champion (alias)", "trees (run)")
    words(ask("down", str(CHAMPION)), "Nothing stands on it.")
    words(ask("up", str(life.WISH)), "Nothing is known of where it comes from.")
    words(ask("path", "weather", "flight_delay"), "weather (source)\n  ── feeds hourly_weather (feature view)")
    words(ask("path", "hourly_weather.visib", "flight_delay"), "Neither comes from the other.")
    words(ask("path", "flight_delay", "flight_delay"), "They are the same thing.")
    words(
        ask("impact", "hourly_weather.temp"),
        "runs\n",
        "In use:\n  flight-delay v1 (model version) as champion",
        "No owner is known.",
    )
    words(ask("impact", "hourly_weather"), "To tell:\n  ada <ada@example.com>: hourly_weather (feature view)")
    words(ask("impact", "drift"), "Nothing stands on it.")
    words(ask("fresh", "flight_delay"), "First: hourly_weather: ", "── contains hourly_weather.temp (feature)")
    words(ask("owner", "hourly_weather.temp"), "ada <ada@example.com>, as hourly_weather (feature view) says")
    words(ask("owner", "drift"), "ada <ada@example.com>, as hourly_weather (feature view) says")
    words(ask("owner"), "ada <ada@example.com>: hourly_weather (feature view)")
    words(
        ask("orphans"),
        "Features that no model uses: 1\n  hourly_weather.visib (feature)",
        "Feature views that no pipeline makes: 0",
    )
    words(
        ask("diff", str(life.V2), str(life.V1)),
        "flight-delay v2 (model version) -> flight-delay v1 (model version)",
        "  metrics: auc: 0.7 -> 0.74",
    )
    words(ask("candidates"), "trains guessed (run): inferred 0.90", f"  {life.ORPHAN} {GUESSED}")
    words(ask("candidates", "guessed"), "9 of 10 columns", "5 of 10 columns")
    words(ask("candidates", "flight_delay"), "No inferred edge waits for a word.")
    words(ask("status"), "airflow:local            21 November 2026, 15:00:00 UTC", "things, ", " edges")


def test_json_has_the_same_answers(ask: Ask) -> None:
    view, temp, v1 = str(life.VIEW), str(life.TEMP), str(life.V1)
    assert view in ask("search", "weather", "--json").json
    assert ask("search", "weather", "--kind", "source", "--json").json == [str(life.SOURCE)]
    assert len(ask("search", "weather", "--limit", "1", "--json").json) == 1
    shown = ask("show", "hourly_weather", "--json").json
    assert (shown["ref"], shown["kind"], shown["facts"]["schedule"]) == (view, "feature view", "@hourly")
    assert shown["totals"]["downstream"] == len(shown["downstream"])
    likely = next(edge for edge in shown["downstream"] if edge["downstream"] == str(GUESSED))
    assert (likely["evidence"], likely["score"], likely["reason"]) == ("inferred", 0.9, "9 of 10 columns")
    assert ask("show", "old_train", "--json").json["gone_since"] == T0.isoformat()
    up = ask("up", temp, "--depth", "1", "--json").json
    assert [step["ref"] for step in up["steps"]] == [view]
    down = ask("down", view, "--kind", "model version", "--json").json
    assert v1 in [step["ref"] for step in down["steps"]]
    path = ask("path", "weather", "flight_delay", "--json").json
    assert [edge["downstream"] for edge in path] == [view, temp, str(life.SERVICE)]
    assert ask("path", "hourly_weather.visib", "flight_delay", "--json").json is None
    impact = ask("impact", temp, "--json").json
    assert impact["counts"]["model version"] == 2
    assert impact["things"]["alias"] == [str(CHAMPION)]
    assert impact["live"] == [{"version": v1, "aliases": ["champion"], "endpoints": []}]
    fresh = ask("fresh", "flight_delay", "--json").json
    assert fresh["first"]["ref"] == fresh["troubles"][0]["ref"] == view
    assert ask("owner", temp, "--json").json["told_by"] == view
    assert ask("owner", str(life.WISH), "--json").json is None
    assert ask("owner", "--json").json == [{"person": {"name": "ada", "email": "ada@example.com"}, "owns": [view]}]
    assert set(ask("orphans", "--json").json) == {"unused_features", "unmade_views", "unread_dags", "unknown_dags"}
    diff = ask("diff", str(life.V2), v1, "--json").json
    assert diff["metrics"] == [{"what": "auc", "before": "0.7", "after": "0.74"}]
    assert {edge["upstream"] for edge in ask("candidates", "--json").json} == {view, str(life.ORPHAN)}
    status = ask("status", "--json").json
    assert status["visited_at"]["mlflow:lab"] == T0.isoformat()
    assert status["things"] > 30


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["show", "trees"], ["Several things are called 'trees'; say which:", str(life.TREES), "(experiment)"]),
        (["up", "weathr"], ["Nothing is called 'weathr'."]),
        (["up", "hourly_wea"], ["Nothing is called 'hourly_wea'. Do you mean", str(life.VIEW)]),
        (["down", "mlflow://lab/runs/zzz"], ["mlflow://lab/runs/zzz is not in the lifecycle.", "lineage search"]),
        (["confirm", "runway", "flight_delay"], ["There is no edge from", "lineage candidates"]),
        (["refuse", "weather", "hourly_weather"], ["That edge is declared, not inferred"]),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(ask: Ask, arguments: list[str], wanted: list[str]) -> None:
    answer = ask(*arguments)
    assert answer.code == 1
    assert answer.error.startswith("Error: ")
    assert answer.text == ""
    for each in wanted:
        assert each in answer.error


def test_a_run_answers_to_its_name_and_to_its_id(ask: Ask) -> None:
    for name in ("logistic", "aaa", str(life.LOGISTIC)):
        assert ask("show", name, "--json").json["ref"] == str(life.LOGISTIC)


def test_a_workspace_that_was_never_read_says_how_to_begin(tmp_path: Path) -> None:
    lay_out(tmp_path)
    for verb in (["show", "x"], ["status"], ["orphans"], ["candidates"]):
        answer = run(tmp_path, *verb)
        assert answer.code == 1
        assert f"Nothing of {tmp_path} has been read yet." in answer.error
        assert "e2e-ml lineage refresh" in answer.error
    assert not index_file(Workspace.load(tmp_path)).exists()


def test_an_index_that_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    path = index_file(lay_out(tmp_path))
    path.mkdir()
    answer = run(tmp_path, "status")
    assert answer.code == 1
    assert f"{path} cannot be used: Is a directory." in answer.error


def test_what_a_person_says_of_an_edge_is_shown_and_can_be_taken_back(own: Path) -> None:
    words(
        run(own, "confirm", "runway", "guessed", "--by", "ada"),
        "runway (feature view) trains guessed (run): confirmed.",
    )
    shown = run(own, "show", "runway")
    words(shown, "── guessed (run): trains; declared: confirmed by ada on ", "inferred before: 5 of 10 columns")
    assert "Perhaps" not in shown.text
    words(run(own, "down", "runway"), "guessed (run)")
    words(run(own, "refuse", "hourly_weather", "guessed", "--by", "bob"), "refused.")
    assert "guessed" not in run(own, "show", "hourly_weather").text
    assert run(own, "candidates", "--json").json == []
    assert len(judgements_file(Workspace.load(own)).read_text().splitlines()) == 2
    words(run(own, "withdraw", "hourly_weather", "guessed"), "withdrawn.")
    words(run(own, "withdraw", "runway", "guessed"), "withdrawn.")
    words(run(own, "show", "hourly_weather"), "·· guessed (run): trains; inferred 0.90")
    assert len(run(own, "candidates", "--json").json) == 2


def test_the_program_answers_while_another_holds_the_index(own: Path) -> None:
    """As the window does: it writes meanwhile, and hears what was said."""
    index = open_index(Workspace.load(own))
    before = index.graph()
    late = refs.run(life.M, "eee")
    index.upsert("mlflow:lab", Batch((Record(Node(late, {"name": "late"})),)), T0)
    words(run(own, "show", "late"), "late (run)")
    words(run(own, "confirm", "runway", "guessed"), "confirmed.")
    assert [edge.downstream for edge in before.downstream(life.ORPHAN)] == []
    assert [edge.downstream for edge in index.graph().downstream(life.ORPHAN)] == [GUESSED]
    index.close()
