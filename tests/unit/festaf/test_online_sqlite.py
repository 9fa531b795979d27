"""The online store in SQLite: the suite of all online stores, and what is its own."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows.online.sqlite import SqliteStore
from tests.sqlite_programs import come_and_go
from tests.unit.festaf.online_conformance import OnlineConformance, X, at, frame, read, view_of
from tests.unit.festaf.worlds import feature


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "online.db")


class TestSqlite(OnlineConformance):
    pass


def test_a_file_that_is_not_there_has_no_rows_and_is_not_made_by_reading(store: SqliteStore, tmp_path: Path) -> None:
    assert read(store, X, 1) == [None]
    assert store.count(X) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_died_before_its_tables_leaves_no_rows(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "online.db").touch()
    assert read(store, X, 1) == [None]
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    assert read(store, X, 1) == [[1.0]]


def test_the_file_and_its_log_are_the_owners_alone(store: SqliteStore, tmp_path: Path) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert found == dict.fromkeys(("online.db", "online.db-wal", "online.db-shm"), 0o600)


def test_a_file_that_was_replaced_is_read_anew(store: SqliteStore, tmp_path: Path) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    assert read(store, X, 1) == [[1.0]]
    for path in tmp_path.iterdir():
        path.unlink()
    assert read(store, X, 1) == [None]
    SqliteStore(tmp_path / "online.db").upsert(X, frame(X, [at(1, 1, 2.0)]))
    assert read(store, X, 1) == [[2.0]]


def test_who_reads_again_need_not_see_that_the_file_was_replaced_but_sees_what_is_in_it(
    store: SqliteStore, tmp_path: Path
) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    reader = store.reader(X, ["x"])
    assert reader([1], True)[1][3] == 1.0  # nothing was read before: it looks all the same
    store.upsert(X, frame(X, [at(1, 2, 2.0)]))
    assert reader([1], True)[1][3] == 2.0
    for path in tmp_path.iterdir():
        path.unlink()
    assert reader([1], True)[1][3] == 2.0
    assert reader([1]) == {}


def test_a_forked_process_reads_by_a_connection_of_its_own(store: SqliteStore) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    reader = store.reader(X, ["x"])
    reader([1])
    parent, child = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(child, b"yes" if reader([1])[1][3] == 1.0 else b"no")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(parent, 10) == b"yes"
    os.close(parent)
    os.close(child)
    store.upsert(X, frame(X, [at(1, 2, 2.0)]))
    assert reader([1])[1][3] == 2.0


def test_a_damaged_file_is_a_sentence(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "online.db").write_bytes(b"this is no database" * 100)
    for use in (lambda: read(store, X, 1), lambda: store.upsert(X, frame(X, [at(1, 1, 1.0)]))):
        with pytest.raises(FeatureStoreError, match=r"online\.db cannot be used: file is not a database"):
            use()


def test_features_may_be_called_as_the_tables_own_columns_or_differ_by_case(store: SqliteStore) -> None:
    view = view_of(tuple(feature(name) for name in ("key", "Event", "event", "EVENT", "odd", "select")))
    row = {"k0": 1, "observed_at": at(1, 1, 0.0)["observed_at"]}
    values = {f.name: float(i) for i, f in enumerate(view.features)}
    store.upsert(view, frame(view, [{**row, **values}]))
    assert read(store, view, 1) == [list(values.values())]


def test_another_key_starts_the_table_anew(store: SqliteStore) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    named = view_of((feature("x"),), "string")
    assert read(store, named, "1") == [None]
    store.upsert(named, frame(named, [at("1", 1, 2.0)]))
    assert read(store, named, "1") == [[2.0]]
    assert store.count(named) == 1


def test_each_thread_has_its_own_connection(store: SqliteStore) -> None:
    store.upsert(X, frame(X, [at(1, 1, 1.0)]))
    reader, failures = store.reader(X, ["x"]), list[Exception]()

    def use() -> None:
        try:
            reader([1])
        except sqlite3.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_program_that_comes_and_goes_takes_no_log_away_under_a_writer(store: SqliteStore, tmp_path: Path) -> None:
    for n in (1, 2):
        store.upsert(X, frame(X, [at(n, 1, float(n))]))
        come_and_go(tmp_path / "online.db")
        assert (tmp_path / "online.db-wal").exists()
    assert read(store, X, 1, 2) == [[1.0], [2.0]]
