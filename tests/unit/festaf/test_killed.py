"""kill -9 within a materialize and a push, with rows served from SQLite; within a write: `test_conformance`."""

from __future__ import annotations

from pathlib import Path

from tests.unit.festaf import killing


def test_a_materialize_that_is_killed_leaves_the_old_rows_or_the_new(tmp_path: Path) -> None:
    killing.materialize_is_whole(tmp_path, attempts=3)


def test_a_push_that_is_killed_is_there_whole_or_not_at_all_and_once(tmp_path: Path) -> None:
    killing.push_is_once(tmp_path, attempts=2)


def test_a_load_that_is_killed_while_rows_are_pushed_loses_none(tmp_path: Path) -> None:
    killing.loads_lose_no_push(tmp_path, attempts=2)
