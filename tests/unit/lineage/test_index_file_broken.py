"""The index's file breaks or goes away while it is open, or cannot be written."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.file import VERSION
from e2e_ml.refs import Kind
from tests.unit.lineage.index_files import FORK, SOON, T0, ended, in_another_process, page, said, upsert_one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


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
