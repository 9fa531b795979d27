"""Airflow's savepoints on SQLite: they wait for their turn to write, and count only with what is around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from e2e_ml.stack.airflow_database import ARGS

COUNT = text("SELECT count(*) FROM run")


def add(number: int) -> Any:
    return text(f"INSERT INTO run VALUES ({number})")


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """Ours, and another writer's that does not wait; on one database, in the journal mode that Airflow sets."""
    found: list[Engine] = []
    for arguments in (ARGS, {"timeout": 0}):
        engine = create_engine(f"sqlite:///{tmp_path / 'db'}", connect_args=dict(arguments))
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode=WAL"))
        found.append(engine)
    with found[0].begin() as connection:
        connection.execute(text("CREATE TABLE run (number INTEGER)"))
    yield found[0], found[1]
    for engine in found:
        engine.dispose()


def test_what_a_savepoint_has_read_nobody_changes_before_it_writes(engines: tuple[Engine, Engine]) -> None:
    ours, another = engines
    with ours.begin() as one, another.connect() as two, one.begin_nested():
        one.execute(COUNT)
        with pytest.raises(OperationalError, match="locked"):
            two.execute(add(1))
        two.rollback()
        one.execute(add(2))
    with another.connect() as two:
        assert two.scalar(COUNT) == 1


def test_savepoints_come_whole_or_not_at_all(engines: tuple[Engine, Engine]) -> None:
    ours, another = engines
    with ours.connect() as one, another.connect() as two:
        for number in (1, 2):
            with one.begin_nested():
                one.execute(add(number))
            assert two.scalar(COUNT) == 0
        one.rollback()
        assert two.scalar(COUNT) == 0
        with one.begin_nested():
            one.execute(add(3))
        one.commit()
        assert two.scalar(COUNT) == 1


def test_a_savepoint_inside_a_transaction_is_taken_back_alone(engines: tuple[Engine, Engine]) -> None:
    ours, _ = engines
    with ours.begin() as one:
        one.execute(add(1))
        nested = one.begin_nested()
        one.execute(add(2))
        nested.rollback()
        assert one.scalar(COUNT) == 1


def test_reading_locks_nobody_out(engines: tuple[Engine, Engine]) -> None:
    ours, another = engines
    with ours.connect() as one, another.begin() as two:
        assert one.scalar(COUNT) == 0
        two.execute(add(1))


def test_the_drivers_own_savepoint_does_neither(tmp_path: Path) -> None:
    """Why all this: where it fails one day, the driver has changed, and `airflow_database` can go."""
    one, two = (sqlite3.connect(tmp_path / "db", timeout=0) for _ in range(2))
    one.execute("PRAGMA journal_mode=WAL")
    one.execute("CREATE TABLE run (number INTEGER)")
    one.execute("SAVEPOINT s")
    one.execute("SELECT count(*) FROM run").fetchall()
    two.execute("INSERT INTO run VALUES (1)")
    two.commit()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        one.execute("INSERT INTO run VALUES (2)")
    one.close()
    two.close()
