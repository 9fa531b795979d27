"""What people say of inferred edges: it is kept whatever becomes of the index, and the graph follows it at once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.judgements import Judgement, Judgements, Verdict
from e2e_ml.refs import Ref

T0 = datetime(2026, 11, 21, 15, tzinfo=UTC)
SOON = 60
FORK = multiprocessing.get_context("fork")
VIEW = refs.feature_view("flights", "weather")
OTHER = refs.feature_view("flights", "planes")
RUN = refs.run("lab", "r")
LIKELY = Edge(VIEW, RUN, Relation.TRAINS, Evidence.INFERRED, "9 of 10 columns", 0.9)
WEAK = Edge(OTHER, RUN, Relation.TRAINS, Evidence.INFERRED, "5 of 10 columns", 0.5)
DECLARED = Edge(refs.dag("local", "train"), RUN, Relation.STARTED, Evidence.DECLARED, "tag airflow.dag_id")


class World:
    """An index and its judgements, in files that can be opened again."""

    def __init__(self, folder: Path) -> None:
        self.index_path, self.path = folder / "index.sqlite", folder / "lineage-judgements.jsonl"
        self.open()

    def open(self) -> None:
        self.judgements = Judgements(self.path)
        self.index = Index(self.index_path, self.judgements)

    def read(self, *edges: Edge) -> None:
        nodes = (Record(Node(VIEW)), Record(Node(OTHER)), Record(Node(RUN), edges))
        self.index.upsert("mlflow", Batch(nodes), T0)

    def say(self, edge: Edge, verdict: Verdict, by: str = "ada") -> Judgement:
        return self.judgements.judge(edge, verdict, by, T0)

    @property
    def graph(self) -> Graph:
        return self.index.graph()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.read(LIKELY, WEAK, DECLARED)
    yield world
    world.index.close()


def drawn(graph: Graph, up: Ref) -> Edge | None:
    edges = [edge for edge in graph.upstream(RUN) if edge.upstream == up]
    assert len(edges) <= 1
    assert edges == graph.downstream(up)
    return edges[0] if edges else None


def perhaps(graph: Graph) -> set[Ref]:
    assert {e.upstream for e in graph.candidates(RUN)} == {r for r in (VIEW, OTHER) if graph.candidates(r)}
    return {edge.upstream for edge in graph.candidates(RUN)}


def waiting(graph: Graph) -> set[Ref]:
    return {edge.upstream for edge in graph.inferred()}


def test_without_a_word_the_likely_is_drawn_and_the_weak_is_a_candidate(world: World) -> None:
    assert drawn(world.graph, VIEW) is not None
    assert drawn(world.graph, OTHER) is None
    assert perhaps(world.graph) == {OTHER}
    assert waiting(world.graph) == {VIEW, OTHER}


@pytest.mark.parametrize("edge", [LIKELY, WEAK])
def test_what_is_confirmed_is_declared_and_says_by_whom(world: World, edge: Edge) -> None:
    world.say(edge, Verdict.CONFIRMED)
    found = drawn(world.graph, edge.upstream)
    assert found is not None
    assert (found.evidence, found.score, found.seen_at) == (Evidence.DECLARED, 1.0, T0)
    assert found.reason == f"confirmed by ada on 21 November 2026; inferred before: {edge.reason}"
    assert edge.upstream not in perhaps(world.graph) | waiting(world.graph)
    assert RUN in world.graph.walk(edge.upstream, down=True)


@pytest.mark.parametrize("edge", [LIKELY, WEAK])
def test_what_is_refused_is_neither_drawn_nor_a_candidate(world: World, edge: Edge) -> None:
    world.say(edge, Verdict.REFUSED)
    assert drawn(world.graph, edge.upstream) is None
    assert edge.upstream not in perhaps(world.graph) | waiting(world.graph)
    assert RUN not in world.graph.walk(edge.upstream, down=True)
    world.read(LIKELY, WEAK)  # however often it is inferred
    assert drawn(world.graph, edge.upstream) is None


def test_the_last_word_counts_and_can_be_taken_back(world: World) -> None:
    before = [drawn(world.graph, VIEW), perhaps(world.graph)]
    world.say(LIKELY, Verdict.REFUSED)
    world.say(LIKELY, Verdict.CONFIRMED, "bob")
    found = drawn(world.graph, VIEW)
    assert found is not None
    assert "bob" in found.reason
    world.say(LIKELY, Verdict.REFUSED)
    assert drawn(world.graph, VIEW) is None
    world.say(LIKELY, Verdict.WITHDRAWN)
    assert [drawn(world.graph, VIEW), perhaps(world.graph)] == before
    assert world.judgements.all() == []
    assert world.judgements.on(LIKELY) is None


def test_a_word_on_one_edge_touches_no_other(world: World) -> None:
    same_ends = Edge(VIEW, RUN, Relation.READ_BY, Evidence.INFERRED, "so it seems", 0.9)
    world.read(LIKELY, WEAK, DECLARED, same_ends)
    world.say(LIKELY, Verdict.REFUSED)
    assert [edge.relation for edge in world.graph.downstream(VIEW)] == [Relation.READ_BY]
    assert perhaps(world.graph) == {OTHER}
    assert len(world.graph.downstream(DECLARED.upstream)) == 1


def test_what_somebody_wrote_cannot_be_refused_away(world: World) -> None:
    world.say(DECLARED, Verdict.REFUSED)
    assert [edge.evidence for edge in world.graph.downstream(DECLARED.upstream)] == [Evidence.DECLARED]


def test_words_survive_the_index(world: World) -> None:
    world.say(LIKELY, Verdict.REFUSED)
    world.say(WEAK, Verdict.CONFIRMED)
    world.index.close()
    for path in world.index_path.parent.glob("index.sqlite*"):
        path.unlink()
    world.open()
    assert len(world.graph) == 0
    assert len(world.judgements.all()) == 2
    world.read(LIKELY, WEAK)
    assert drawn(world.graph, VIEW) is None
    found = drawn(world.graph, OTHER)
    assert found is not None
    assert found.evidence is Evidence.DECLARED


def test_a_word_waits_for_an_edge_that_comes_back(world: World) -> None:
    world.say(LIKELY, Verdict.REFUSED)
    world.say(WEAK, Verdict.CONFIRMED)
    world.read()
    assert drawn(world.graph, VIEW) is None
    assert drawn(world.graph, OTHER) is not None  # confirmed: whatever the rules infer from now on
    world.index.upsert("mlflow", Batch(gone=(OTHER, RUN, VIEW)), T0)
    assert RUN not in world.graph
    world.read(LIKELY, WEAK)
    assert drawn(world.graph, VIEW) is None
    assert drawn(world.graph, OTHER) is not None


def test_a_word_on_things_that_nobody_knows_harms_nothing(world: World) -> None:
    stranger = Edge(refs.feature_view("other", "view"), RUN, Relation.TRAINS, Evidence.INFERRED)
    before = len(world.graph)
    world.say(stranger, Verdict.CONFIRMED)
    world.say(Edge(VIEW, refs.run("lab", "nobody"), Relation.TRAINS, Evidence.INFERRED), Verdict.REFUSED)
    assert len(world.graph) == before
    assert {edge.upstream for edge in world.graph.upstream(RUN)} == {VIEW, DECLARED.upstream}


def test_a_gone_thing_stays_for_what_was_confirmed_to_stand_on_it(world: World) -> None:
    world.say(WEAK, Verdict.CONFIRMED)
    world.index.upsert("mlflow", Batch(gone=(OTHER,)), T0)
    assert OTHER in world.graph
    world.say(WEAK, Verdict.REFUSED)
    assert OTHER not in world.graph


# --- the file ---


def test_a_graph_changes_with_each_word_and_only_then(world: World) -> None:
    first = world.graph
    assert world.graph is first
    world.say(LIKELY, Verdict.REFUSED)
    second = world.graph
    assert second is not first
    assert drawn(first, VIEW) is not None  # a snapshot stays
    assert world.graph is second


def judge_elsewhere(path: Path, edge: Edge, verdict: Verdict, times: int, gate: Any = None) -> None:
    if gate is not None:
        gate.wait(SOON)
    judgements = Judgements(path)
    for number in range(times):
        judgements.judge(edge, verdict, f"{os.getpid()} {number}", T0)


def elsewhere(*arguments: Any) -> Any:
    process = FORK.Process(target=judge_elsewhere, args=arguments)
    process.start()
    return process


def ended(process: Any) -> int | None:
    process.join(SOON)
    return process.exitcode


def test_a_word_said_in_another_process_is_heard_at_once(world: World) -> None:
    assert drawn(world.graph, VIEW) is not None
    assert ended(elsewhere(world.path, LIKELY, Verdict.REFUSED, 1)) == 0
    assert drawn(world.graph, VIEW) is None
    assert ended(elsewhere(world.path, LIKELY, Verdict.WITHDRAWN, 1)) == 0
    assert drawn(world.graph, VIEW) is not None


def test_two_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path, gate, times = tmp_path / "judgements.jsonl", FORK.Barrier(3), 40
    processes = [elsewhere(path, edge, Verdict.CONFIRMED, times, gate) for edge in (LIKELY, WEAK)]
    here = Judgements(path)
    gate.wait(SOON)
    for number in range(times):
        here.judge(DECLARED, Verdict.REFUSED, f"here {number}", T0)
    assert [ended(process) for process in processes] == [0, 0]
    lines = path.read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == 3 * times
    assert {said.upstream for said in here.all()} == {VIEW, OTHER, DECLARED.upstream}
    assert Judgements(path).all() == here.all()
    assert here.version == 3 * times


@pytest.mark.parametrize(
    "damage",
    [
        b"not JSON",
        b"[1, 2]",
        b"\xff\xfe\x00",
        b'{"upstream": "festaf://flights/weather"}',
        b'{"upstream":"nothing","downstream":"mlflow://lab/runs/r","relation":"trains","verdict":"refused","by":"ada",'
        b'"at":"2026-11-21T15:00:00Z"}',
        b'{"upstream":"festaf://flights/weather","downstream":"mlflow://lab/runs/r","relation":"knows",'
        b'"verdict":"refused","by":"ada","at":"2026-11-21T15:00:00Z"}',
        b'{"upstream":"festaf://flights/weather","downstream":"mlflow://lab/runs/r","relation":"trains",'
        b'"verdict":"refused","by":"ada","at":"2026-11-21T15:00:00"}',
        b'{"upstream":"festaf://flights/weather","downstream":"mlflow://lab/runs/r","relation":"trains",'
        b'"verdict":"confirmed","by":"ada","at":"9999-12-31T23:59:59-12:00"}',
        b'{"upstream":"festaf://flights/weather","downstream":"mlflow://lab/ru',  # cut short by a crash
    ],
)
def test_a_line_that_is_damaged_is_told_kept_and_costs_no_other(
    world: World, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    world.say(WEAK, Verdict.CONFIRMED)
    with world.path.open("ab") as file:
        file.write(damage)
    with caplog.at_level(logging.WARNING):
        assert drawn(world.graph, VIEW) is not None
        assert not caplog.records  # it may be half of a line that is being written
        world.say(LIKELY, Verdict.REFUSED)
        assert drawn(world.graph, VIEW) is None
        assert drawn(world.graph, OTHER) is not None
    assert [str(world.path) in record.getMessage() for record in caplog.records] == [True]
    assert damage in world.path.read_bytes().splitlines()
    again = Judgements(world.path)
    assert again.all() == world.judgements.all()
    assert len(again.all()) == 2


@pytest.mark.parametrize("year", [1812, 2999])
def test_a_word_of_an_odd_time_is_drawn_all_the_same(world: World, year: int) -> None:
    world.judgements.judge(WEAK, Verdict.CONFIRMED, "ada", T0.replace(year=year))
    assert drawn(world.graph, OTHER) is not None


@pytest.mark.parametrize("how", ["grown", "same size", "shorter", "deleted"])
def test_a_file_that_is_replaced_is_read_from_the_start(world: World, tmp_path: Path, how: str) -> None:
    """As `git pull` does."""
    world.say(LIKELY, Verdict.REFUSED)
    other = Judgements(tmp_path / "theirs.jsonl")
    by = {"grown": "somebody else", "same size": "bob", "shorter": "b", "deleted": "b"}[how]
    other.judge(Edge(OTHER, RUN, Relation.TRAINS, Evidence.INFERRED, "6 of 10 columns  "), Verdict.CONFIRMED, by, T0)
    mine, theirs = world.path, tmp_path / "theirs.jsonl"
    if how == "same size":
        text = mine.read_bytes().replace(b'"refused"', b'"confirmed"').replace(b"9 of 10 columns", b"9 of 10 column")
        theirs.write_bytes(text.replace(b'"ada"', b'"a"').replace(b"T15:00:00Z", b"T15:00:00Z"))
        theirs.write_bytes(theirs.read_bytes().rstrip(b"\n").ljust(mine.stat().st_size - 1) + b"\n")
        assert theirs.stat().st_size == mine.stat().st_size
    assert drawn(world.graph, VIEW) is None
    if how == "deleted":
        mine.unlink()
    else:
        theirs.replace(mine)
    found = drawn(world.graph, VIEW)
    assert found is not None
    assert (found.evidence is Evidence.DECLARED) == (how == "same size")
    assert (drawn(world.graph, OTHER) is not None) == (how in ("grown", "shorter"))
    # and what is said from now on is appended there
    world.say(LIKELY, Verdict.REFUSED, "me")
    assert drawn(world.graph, VIEW) is None
    assert b'"me"' in mine.read_bytes()


def test_words_merged_in_front_of_ours_are_heard(world: World) -> None:
    world.say(LIKELY, Verdict.REFUSED)
    mine = world.path.read_bytes()
    theirs = mine.replace(str(VIEW).encode(), str(OTHER).encode()).replace(b"refused", b"confirmed")
    assert drawn(world.graph, OTHER) is None
    world.path.write_bytes(theirs + mine)
    assert drawn(world.graph, OTHER) is not None
    assert drawn(world.graph, VIEW) is None


def test_a_file_that_cannot_be_written_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    judgements = Judgements(tmp_path / "file" / "judgements.jsonl")
    with pytest.raises(OSError, match="file"):
        judgements.judge(LIKELY, Verdict.REFUSED, "ada")


def test_a_file_that_cannot_be_read_is_told_once_and_the_graph_stays(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.say(LIKELY, Verdict.REFUSED)
    kept = world.path.rename(world.path.with_name("kept"))
    world.path.mkdir()
    for _ in range(2):
        assert drawn(world.graph, VIEW) is None
    assert [str(world.path) in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(IsADirectoryError):
        world.say(WEAK, Verdict.CONFIRMED)
    world.path.rmdir()
    kept.rename(world.path)
    world.say(LIKELY, Verdict.WITHDRAWN)
    assert drawn(world.graph, VIEW) is not None


def test_words_in_memory_and_for_the_owner_alone(tmp_path: Path) -> None:
    memory = Judgements(None)
    said = memory.judge(LIKELY, Verdict.CONFIRMED, "ada")
    assert said.at - datetime.now(UTC) < timedelta(seconds=SOON)
    assert memory.all() == [said] == [memory.on(LIKELY)]
    path = tmp_path / "team" / "judgements.jsonl"
    Judgements(path).judge(LIKELY, Verdict.CONFIRMED, "ada")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
