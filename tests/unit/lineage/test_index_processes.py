"""The index is used by several processes and threads at once, and by a process that is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.judgements import Verdict
from e2e_ml.refs import Kind
from tests.sqlite_programs import come_and_go
from tests.unit.lineage.index_files import FORK, SOON, T0, ended, in_another_process, page, said, upsert_one

DAG = refs.dag("local", "a")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


def write_pages(path: Path, collector: str, pages: int, gate: Any) -> None:
    gate.wait(SOON)
    index = Index(path)
    for number in range(pages):
        index.upsert(collector, page(number), T0)
        index.graph()
    index.close()


def test_processes_that_open_and_write_at_once_lose_nothing(path: Path) -> None:
    names, pages = ("one", "two", "three"), 8
    gate = FORK.Barrier(len(names))
    writers = [in_another_process(write_pages, path, name, pages, gate) for name in names]
    assert [ended(writer) for writer in writers] == [0, 0, 0]
    index = Index(path)
    assert [index.cursor(name) for name in names] == [{"n": pages}] * 3
    alone = Index(None)
    for name in names:
        for number in range(pages):
            alone.upsert(name, page(number), T0)
    assert said(index.graph()) == said(alone.graph())
    index.close()


def test_a_process_writes_while_another_does(path: Path) -> None:
    index = Index(path)
    gate = FORK.Barrier(2)
    writer = in_another_process(write_pages, path, "two", 8, gate)
    gate.wait(SOON)
    for number in range(8):
        index.upsert("one", page(number), T0)
        assert index.graph().count(Kind.RUN) >= (number + 1) * 40
    assert ended(writer) == 0
    assert index.cursor("two") == {"n": 8}
    assert {node.facts["name"] for node in index.graph().nodes(Kind.RUN)} == {f"run {i:03d}" for i in range(320)}
    index.close()


def test_a_program_that_comes_and_goes_takes_no_log_away_under_those_who_hold_it(path: Path) -> None:
    one, two = Index(path), Index(path)
    one.upsert("one", page(0), T0)
    come_and_go(path)
    assert path.with_name("index.sqlite-wal").exists()
    two.upsert("two", page(1), T0)
    assert one.graph().count(Kind.RUN) == two.graph().count(Kind.RUN) == 80
    one.close()
    two.close()


def test_the_first_sees_what_a_second_process_wrote(path: Path) -> None:
    index = Index(path)
    index.upsert("one", Batch((Record(Node(DAG, {"paused": True})),)), T0)
    before = index.graph()
    assert before.get(DAG) == Node(DAG, {"paused": True})
    other = Batch((Record(Node(DAG, {"paused": False})), Record(Node(refs.dag("local", "b")))))
    assert ended(in_another_process(upsert_one, path, other)) == 0
    assert index.graph() is not before
    assert [n.facts for n in index.graph().nodes(Kind.DAG)] == [{"paused": False}, {}]
    assert len(before) == 1  # a snapshot stays
    assert index.graph() is index.graph()
    index.close()


def test_a_graph_is_there_while_another_process_writes(path: Path, tmp_path: Path) -> None:
    """Also one with a judgement, whose words are nowhere in the file."""
    index = Index(path)
    weak = Edge(DAG, refs.run("lab", "r"), Relation.STARTED, Evidence.INFERRED, "so it seems", 0.5)
    index.upsert("one", Batch((Record(Node(DAG)), Record(Node(weak.downstream), (weak,)))), T0)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    index.judgements.judge(weak, Verdict.CONFIRMED, "ada", T0)
    assert [e.reason for e in index.graph().upstream(weak.downstream)] == [
        "confirmed by ada on 21 November 2026; inferred before: so it seems"
    ]
    writer.execute("ROLLBACK")
    writer.close()
    index.close()


# --- threads ---


def test_threads_that_have_ended_keep_no_file_open(path: Path) -> None:
    index = Index(path)
    index.upsert("one", page(0), T0)
    graph = index.graph()

    def look() -> None:
        assert graph.search("run 017")

    def handles() -> int:
        return sum(1 for fd in Path("/proc/self/fd").iterdir() if os.path.realpath(fd).startswith(str(path)))

    look()
    before = handles()
    for _ in range(20):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert handles() <= before + 2  # SQLite keeps some for the next one
    index.close()
    assert handles() == 0


# --- a process that is killed ---


def write_until_killed(path: Path, seconds: float) -> None:
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)  # it ends the process on the spot
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    index = Index(path)
    for number in range(10_000):
        index.upsert("one", page(number), T0)


def test_a_process_killed_while_it_writes_leaves_a_prefix_and_the_cursor_behind_it(tmp_path: Path) -> None:
    random = Random(7)  # noqa: S311 - the same each time
    alone, wanted = Index(None), [([], [], [])]
    reached: set[int] = set()
    for attempt in range(8):
        path = tmp_path / f"{attempt}.sqlite"
        # Of the time that the processor works on it: what comes is the same on a busy machine.
        assert ended(in_another_process(write_until_killed, path, random.uniform(0.02, 0.12))) == -signal.SIGVTALRM
        index = Index(path)
        count = index.cursor("one").get("n", 0)
        while len(wanted) <= count + 1:
            alone.upsert("one", page(len(wanted) - 1), T0)
            wanted.append(said(alone.graph()))
        assert said(index.graph()) == wanted[count]
        index.upsert("one", page(count), T0)  # and it goes on
        assert said(index.graph()) == wanted[count + 1]
        index.close()
        reached.add(count)
    assert len(reached) > 2  # at several points


# --- no file ---


def test_an_index_in_memory_is_nobody_elses() -> None:
    one, two = Index(None), Index(None)
    one.upsert("one", page(0), T0)
    assert one.graph().count(Kind.RUN) == 40
    assert len(two.graph()) == 0
    assert one.visits() == {"one": T0}
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(one.graph().search("run 007")))
    thread.start()
    thread.join()
    assert found == [[refs.run("lab", f"{7:08x}")]]
    one.close()
    two.close()
