"""The index's file: several processes at once, one that is killed, and a file that breaks or goes away while open."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.file import VERSION
from e2e_ml.lineage.judgements import Verdict
from e2e_ml.refs import Kind
from tests.sqlite_programs import come_and_go
from tests.unit.lineage import worlds

T0 = datetime(2026, 11, 21, tzinfo=UTC)
SOON = 60  # seconds; a test that waits longer has found a fault
FORK = multiprocessing.get_context("fork")
DAG = refs.dag("local", "a")


def said(graph: Graph) -> tuple[list[Edge], list[Edge], list[Any]]:
    """All that a graph tells."""
    return (
        sorted((e for ref in graph.refs() for e in graph.downstream(ref)), key=str),
        sorted((e for ref in graph.refs() for e in graph.candidates(ref)), key=str),
        sorted(((n.ref, dict(n.facts), n.gone_since, n.title) for n in graph.nodes()), key=str),
    )


def page(number: int, size: int = 40) -> Batch:
    """A batch like those of a first visit: runs in DAG runs, each with words of its own."""
    records: list[Record] = []
    for i in range(number * size, (number + 1) * size):
        run, dag = refs.run("lab", f"{i:08x}"), refs.dag("local", f"train_{i % 7}")
        edge = Edge(dag, run, Relation.STARTED, Evidence.DECLARED, f"word {i % 11} of {number}")
        records.append(Record(Node(run, {"name": f"run {i:03d}", "start": str(T0 + timedelta(hours=i))}), (edge,)))
        records.append(Record(Node(dag, {"owner": f"team {number}"}), partial=True))
    return Batch(tuple(records), {"n": number + 1})


def in_another_process(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    process.join(SOON)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


# --- several processes ---


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


def upsert_one(path: Path, batch: Batch) -> None:
    index = Index(path)
    index.upsert("other", batch, T0)
    index.close()


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


# --- an error in the middle ---


class WrongError(Exception):
    pass


def test_what_ends_with_an_error_changes_neither_file_nor_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(path)
    index.upsert("one", page(0), T0)
    before, cursor = said(index.graph()), index.cursor("one")
    for method in ("_put_title", "_unswept", "_mark_gone", "_tell", "_next_sweep"):
        calls = 0

        def fails(*_: Any, method: str = method) -> Any:
            nonlocal calls
            calls += 1
            raise WrongError(method)

        with monkeypatch.context() as patched:
            patched.setattr(index, method, fails)
            batch = Batch((*page(1).records, Record(Node(refs.run("lab", f"{1:08x}"), {"name": "other"}))), {"n": 9},
                          gone=(refs.run("lab", f"{0:08x}"),))  # fmt: skip
            with pytest.raises(WrongError):
                index.upsert("one", batch, T0)
        assert calls
        assert said(index.graph()) == before
        assert index.cursor("one") == cursor
    # Memory and file go on alike.
    index.upsert("one", page(1), T0)
    after = said(index.graph())
    index.close()
    again = Index(path)
    assert said(again.graph()) == after
    alone = Index(None)
    for number in (0, 1):
        alone.upsert("one", page(number), T0)
    assert after == said(alone.graph())
    again.close()


def test_a_transaction_that_sqlite_itself_took_back_is_not_kept_in_memory(path: Path) -> None:
    index = Index(path)
    index.upsert("one", page(0), T0)
    before = said(index.graph())
    db: sqlite3.Connection = index._db  # pyright: ignore[reportPrivateUsage]
    full = db.execute("PRAGMA page_count").fetchone()[0] + 2
    db.execute(f"PRAGMA max_page_count = {full}")  # as where the disk is full
    with pytest.raises(sqlite3.OperationalError, match="full"):
        index.upsert("one", page(1, 400), T0)
    assert said(index.graph()) == before
    db.execute("PRAGMA max_page_count = 1000000")
    assert index.upsert("one", page(1, 400), T0)
    assert index.cursor("one") == {"n": 2}
    index.close()


# --- a file that breaks or goes away ---


def overwrite(path: Path) -> None:
    """All pages but the first one, in place, as a broken disk does."""
    size = path.stat().st_size
    assert size > 40_000
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def cut(path: Path) -> None:
    os.truncate(path, 10_000)


@pytest.fixture
def full(path: Path) -> Iterator[Index]:
    """An index whose file holds all that it knows."""
    first = Index(path)
    for number in range(5):
        first.upsert("one", page(number), T0)
    first.close()
    index = Index(path)
    yield index
    index.close()


@pytest.mark.parametrize("harm", [overwrite, cut])
@pytest.mark.parametrize("asked", ["upsert", "cursor", "visits", "facts", "search", "newest"])
def test_a_file_that_breaks_while_it_is_open_is_built_anew(
    full: Index, path: Path, harm: Callable[[Path], None], asked: str, caplog: pytest.LogCaptureFixture
) -> None:
    graph = full.graph()
    harm(path)
    with caplog.at_level(logging.WARNING):
        match asked:
            case "upsert":
                with pytest.raises(CollectError, match="begins from the start"):
                    full.upsert("one", page(5), T0)
            case "cursor":
                assert full.cursor("one") == {}
            case "visits":
                assert full.visits() == {}
            case "facts":
                assert [dict(node.facts) for node in graph.nodes(Kind.RUN)] == [{}] * 200
            case "search":
                assert graph.search("run 007") == []
            case _:
                assert len(graph.newest(Kind.RUN, 7)) == 7
    assert caplog.text.count("built anew") == 1
    assert full.cursor("one") == {}
    assert len(full.graph()) == 0
    for number in range(2):
        full.upsert("one", page(number), T0)
    assert full.graph().count(Kind.RUN) == 80
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_visit_that_began_before_the_file_broke_does_not_skip_what_it_had_read(full: Index, path: Path) -> None:
    """Else its cursor would say that the index holds what is lost."""
    assert full.cursor("one") == full.cursor("one") == {"n": 5}
    assert full.cursor("two") == {}
    overwrite(path)
    for collector in ("one", "two", "one"):
        with pytest.raises(CollectError, match="begins from the start"):
            full.upsert(collector, page(5), T0)
    assert full.cursor("one") == {}
    assert full.upsert("one", page(0), T0)
    assert full.upsert("three", page(1), T0)


def rebuild(path: Path) -> None:
    Index(path).close()


@pytest.mark.parametrize("how", ["deleted", "another version"])
def test_a_file_that_is_deleted_or_replaced_while_it_is_open_is_followed(full: Index, path: Path, how: str) -> None:
    graph = full.graph()
    assert full.cursor("one") == {"n": 5}
    if how == "deleted":
        path.unlink()
    else:  # as the program does after an update, while the old one is open
        db = sqlite3.connect(path)
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.close()
        assert ended(in_another_process(rebuild, path)) == 0
    with pytest.raises(CollectError, match="begins from the start"):
        full.upsert("one", page(5), T0)
    assert len(full.graph()) == 0
    assert full.cursor("one") == {}
    full.upsert("one", page(0), T0)
    assert full.graph().count(Kind.RUN) == 40
    # What was shown before tells nothing wrong: its numbers mean other things now.
    assert all(node.facts.get("name", "") == "" for node in graph.nodes(Kind.RUN))
    assert graph.search("run") == []
    second = Index(path)
    assert said(second.graph()) == said(full.graph())
    second.close()


def test_an_index_that_is_closed_is_not_built_anew(full: Index, path: Path) -> None:
    full.close()
    with pytest.raises(sqlite3.ProgrammingError):
        full.upsert("one", page(5), T0)
    second = Index(path)
    assert second.cursor("one") == {"n": 5}
    second.close()


def open_in_a_folder_for_reading(folder: Path, answer: Any) -> None:
    if os.getuid() == 0:
        os.seteuid(65534)  # root may write anywhere
    try:
        Index(folder / "index.sqlite").close()
        answer.put("opened")
    except (OSError, sqlite3.Error) as error:
        answer.put(type(error).__name__)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_written_is_an_error_and_costs_nothing(there: bool) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        file = folder / "index.sqlite"
        if there:
            upsert_one(file, page(0))
        content = file.read_bytes() if there else b""
        for each in (folder, *folder.iterdir()):
            if os.getuid() == 0:
                os.chown(each, 65534, 65534)
        folder.chmod(0o500)
        answer = FORK.Queue()
        assert ended(in_another_process(open_in_a_folder_for_reading, folder, answer)) == 0
        assert answer.get(timeout=SOON) in ("PermissionError", "OperationalError")
        folder.chmod(0o700)
        assert (file.read_bytes() if there else b"") == content
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


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


# --- whatever is taken in ---


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1).map(Random))
def test_a_restart_changes_nothing_whatever_was_taken_in(random: Random) -> None:
    steps = worlds.history(random)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "index.sqlite"
        index = Index(path)
        waiting, now = [list(told) for told in steps], T0
        while waiting:
            now += timedelta(seconds=random.choice((0, 1, 60)))
            collector = random.choice(waiting)[0].collector
            mine = [told for told in waiting if told[0].collector == collector]
            taken = [told.pop(0) for told in random.sample(mine, random.randint(1, min(len(mine), 12)))]
            records = tuple(
                Record(Node(s.ref, s.facts), edges(random), random.random() < 0.2) for s in taken if s.facts is not None
            )
            complete = frozenset({random.choice(tuple(Kind))}) if random.random() < 0.2 else frozenset[Kind]()
            name = random.choice((collector, "another"))
            gone = tuple(s.ref for s in taken if s.facts is None)
            index.upsert(name, Batch(records, {"n": len(records)}, complete, gone=gone), now)
            waiting = [told for told in waiting if told]
        before, visits = said(index.graph()), index.visits()
        index.close()
        index = Index(path)
        stack.callback(index.close)
        assert said(index.graph()) == before
        assert index.visits() == visits


def edges(random: Random) -> tuple[Edge, ...]:
    """What a record may claim, of things that others tell of as well, in words and as surely as another says it."""
    pool = [refs.dag("local", dag) for dag in worlds.DAGS] + [refs.run("lab", run) for run in worlds.MLFLOW_RUNS]
    found: list[Edge] = []
    for _ in range(random.choice((0, 0, 1, 2))):
        up, down = random.choices(pool, k=2)
        relation = random.choice((Relation.STARTED, Relation.FEEDS))
        evidence, score = random.choice(tuple(Evidence)), random.choice((0.3, 0.9))
        found.append(Edge(up, down, relation, evidence, random.choice(("so", "thus")), score))
    return tuple(found)
