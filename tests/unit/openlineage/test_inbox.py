"""The inbox: numbered, idempotent, forgetful at its beginning, and whole after a kill."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.openlineage.inbox import Inbox, InboxError, Page
from tests.sqlite_programs import come_and_go


def event(n: int, **more: Any) -> dict[str, Any]:
    return {"n": n, **more}


def held(inbox: Inbox) -> list[int]:
    return [kept.event["n"] for kept in inbox.page(limit=10_000).events]


def test_an_empty_inbox_has_no_file(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "folder" / "events.db")
    assert inbox.page() == Page("", (), 0, 0, 0)
    assert not (tmp_path / "folder").exists()


def test_events_are_numbered_and_read_page_by_page(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    assert inbox.append([event(1), event(2)]) == (1, 2)
    assert inbox.append([event(3)]) == (3,)
    first = inbox.page(limit=2)
    assert [(kept.number, kept.event) for kept in first.events] == [(1, event(1)), (2, event(2))]
    assert (first.next, first.newest, first.oldest) == (2, 3, 1)
    assert [kept.number for kept in inbox.page(after=first.next).events] == [3]
    assert inbox.page(after=3).events == ()
    assert inbox.page(after=3).next == 3
    assert first.inbox == inbox.page().inbox != ""
    inbox.close()
    assert Inbox(tmp_path / "events.db").page().inbox == first.inbox


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        inbox = Inbox(tmp_path / "events.db")
        inbox.append([event(1)])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {"events.db": 0o600, "events.db-wal": 0o600, "events.db-shm": 0o600}
    finally:
        os.umask(before)
    inbox.close()


def test_the_same_event_is_kept_once(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    assert inbox.append([{"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}]) == (1,)
    assert inbox.append([{"a": 1, "b": {"c": 2, "d": 3}}]) == ()
    assert inbox.append([{"a": 2}]) == (2,)


@settings(max_examples=40, deadline=None)
@given(sent=st.lists(st.lists(st.integers(0, 12), max_size=4), max_size=8))
def test_however_often_it_is_sent(sent: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> None:
    inbox = Inbox(tmp_path_factory.mktemp("inbox") / "events.db")
    for batch in sent:
        inbox.append([event(n) for n in batch])
    once = list(dict.fromkeys(n for batch in sent for n in batch))
    assert held(inbox) == once
    seen: list[int] = []
    after = 0
    while page := inbox.page(after, limit=3).events:  # a reader sees each once, whatever its pages
        seen += [kept.event["n"] for kept in page]
        after = page[-1].number
    assert seen == once
    inbox.close()


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db", most_events=100)
    for start in range(0, 1000, 10):
        inbox.append([event(n) for n in range(start, start + 10)])
    page = inbox.page(limit=1000)
    assert 100 <= len(page.events) <= 111
    assert page.newest == 1000
    assert page.oldest == page.events[0].number >= 890
    assert inbox.append([event(0)]) == (1001,)  # a number is never given again


def test_a_file_that_grows_too_large_forgets(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db", most_bytes=1 << 20)
    chance = random.Random(3)  # noqa: S311
    for n in range(200):
        inbox.append([event(n, text=chance.randbytes(10_000).hex())])
    kept = held(inbox)
    assert kept[-1] == 199
    assert kept == list(range(kept[0], 200))
    assert (tmp_path / "events.db").stat().st_size < 2 << 20


def test_long_events_make_short_pages(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    inbox.append([event(n, text="x" * (5 << 20)) for n in range(3)])
    assert len(inbox.page(limit=100).events) == 1


def test_a_removed_file_is_made_anew(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    inbox.append([event(1)])
    first = inbox.page().inbox
    for path in tmp_path.iterdir():
        path.unlink()
    assert inbox.append([event(2)]) == (1,)
    assert inbox.page().inbox != first


def test_what_is_no_inbox_is_said(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("no database " * 100)
    with pytest.raises(InboxError, match=r"is damaged.*Move it away"):
        Inbox(tmp_path / "events.db").append([event(1)])
    (tmp_path / "file").write_text("")
    with pytest.raises(InboxError, match="cannot be written"):
        Inbox(tmp_path / "file" / "events.db").append([event(1)])


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    inbox.append([event(1)])
    with sqlite3.connect(tmp_path / "events.db") as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON events WHEN (SELECT count(*) FROM events) >= 3 "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    db.close()
    with pytest.raises(InboxError):
        inbox.append([event(n) for n in range(2, 10)])
    assert held(inbox) == [1]


def test_threads_write_and_read_together(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    other = Inbox(tmp_path / "events.db")
    seen: list[int] = []

    def write(to: Inbox, start: int) -> None:
        for n in range(start, start + 50):
            to.append([event(n)])

    writers = [threading.Thread(target=write, args=(to, i * 50)) for i, to in enumerate((inbox, inbox, other))]
    for writer in writers:
        writer.start()
    after = 0
    while any(w.is_alive() for w in writers) or after < 150:
        page = other.page(after, limit=7)
        seen += [kept.event["n"] for kept in page.events]
        after = page.next
    for writer in writers:
        writer.join()
    assert sorted(seen) == list(range(150))
    inbox.close()
    other.close()


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from e2e_ml.openlineage.inbox import Inbox

    inbox = Inbox(Path(sys.argv[1]))
    print("ready", flush=True)
    for n in range(int(sys.argv[2]), 1_000_000, 3):
        inbox.append([{"n": n}, {"n": n + 1}, {"n": n + 2}])
        print(n, flush=True)
    """
)


def test_a_writer_that_is_killed_loses_nothing_that_it_answered(tmp_path: Path) -> None:
    chance = random.Random(11)  # noqa: S311 - the moments need not be secret
    start = 0
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "events.db"), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            timer = threading.Timer(chance.uniform(0.0, 0.1), lambda: os.kill(process.pid, signal.SIGKILL))
            timer.start()
            answered = [int(line) for line in process.stdout]
            timer.join()
        inbox = Inbox(tmp_path / "events.db")
        kept = held(inbox)
        assert kept == list(range(len(kept)))  # batches of three, in order, each once
        assert len(kept) % 3 == 0
        assert not answered or kept[-1] >= answered[-1] + 2
        start = len(kept)
        inbox.close()


def test_a_program_that_comes_and_goes_takes_no_log_away_under_a_writer(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "events.db")
    for n in (1, 2):
        inbox.append([event(n)])
        come_and_go(tmp_path / "events.db")
        assert (tmp_path / "events.db-wal").exists()
    assert held(inbox) == [1, 2]
