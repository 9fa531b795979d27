"""The index's file holds what its memory holds: after errors in the middle, and after a restart."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.intake import Intake
from e2e_ml.refs import Kind
from tests.unit.lineage import worlds
from tests.unit.lineage.index_files import T0, page, said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


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
            patched.setattr(Intake, method, fails)
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
