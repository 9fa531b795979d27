"""Wishes: features that people looked for and that do not exist, who wants them and why, and the answer given.

They are kept beside the rows, in `store/wishes.db` of the project folder: a SQLite file that its owner alone can read.
Every change is one transaction, so that two people wishing at once both stay, and one wish is never there twice.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from e2e_ml import private_files
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Record, Registry, View

FILE_NAME = "wishes.db"
LONGEST_NAME, LONGEST_TEXT = 120, 2000  # characters
_ALIKE = 0.82  # of 1: how like two names are before one is suggested for the other
_BUSY = 10.0  # seconds to wait for another writer

Status = Literal["open", "answered", "made"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS wishes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,     -- the name's words in lower case: one open wish for each
    answer TEXT NOT NULL DEFAULT '',
    answered_by TEXT NOT NULL DEFAULT '',
    answered_at TEXT,         -- ISO 8601, in UTC; NULL: open
    feature TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS open_once ON wishes (folded) WHERE answered_at IS NULL;
CREATE TABLE IF NOT EXISTS votes (
    wish INTEGER NOT NULL REFERENCES wishes (number),
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (wish, by)
) WITHOUT ROWID;
"""


class WishError(FeatureStoreError):
    """A wish that cannot be written down, or that is not there. The message is a sentence with the next step."""


class Vote(Record):
    """One person who wants it. The first of a wish is the one who wished."""

    by: str
    why: str = ""
    at: datetime


class Wish(Record):
    """`status` is "made" once a feature fulfils it, "answered" where the answer names none, before that "open"."""

    number: int
    name: str  # what is wished for, in the words of who looked for it
    votes: tuple[Vote, ...]  # oldest first
    status: Status = "open"
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    feature: str | None = None  # the full name of the feature that fulfils it

    @property
    def by(self) -> str:
        return self.votes[0].by

    @property
    def at(self) -> datetime:
        return self.votes[0].at


class Wishes:
    """The wishes of a project. The file is made with the first one."""

    def __init__(self, project: Path) -> None:
        self.path = project / "store" / FILE_NAME

    def all(self) -> tuple[Wish, ...]:
        """Every wish: the open ones first, the most wanted before, then the answered ones, newest first."""
        with self._read() as db:
            found = [] if db is None else _wishes(db)
        waiting = [wish for wish in found if wish.status == "open"]
        settled = [wish for wish in found if wish.status != "open"]
        waiting.sort(key=lambda wish: (-len(wish.votes), wish.number))
        settled.sort(key=lambda wish: (wish.answered_at or wish.at, wish.number), reverse=True)
        return (*waiting, *settled)

    def get(self, number: int) -> Wish:
        """One wish. Raises WishError for a number that none has."""
        with self._read() as db:
            found = [] if db is None else _wishes(db, number)
        if not found:
            raise WishError(f"There is no wish {number}. `e2e-ml festaf wishes` lists them.")
        return found[0]

    def wish(self, name: str, *, by: str, why: str = "") -> Wish:
        """Wish for a feature. Where the same is wished for already and still open, this joins it.

        Raises WishError for a name or a person left out, and for texts that are too long.
        """
        name = _text("name", name, LONGEST_NAME)
        vote = _person(by), _text("reason", why, LONGEST_TEXT, needed=False)
        folded = " ".join(_words(name))
        if not folded:
            raise WishError(f"{name!r} has no letter in it. Say what you look for, as you would search for it.")
        with self._write() as db:
            row = db.execute("SELECT number FROM wishes WHERE folded = ? AND answered_at IS NULL", (folded,)).fetchone()
            if row is None:
                new = "INSERT INTO wishes (name, folded) VALUES (?, ?) RETURNING number"
                row = db.execute(new, (name, folded)).fetchone()
            _vote(db, row[0], *vote)
            return _wishes(db, row[0])[0]

    def join(self, number: int, *, by: str, why: str = "") -> Wish:
        """Want it too. Who has joined before changes the reason, where a new one is given. Raises WishError."""
        vote = _person(by), _text("reason", why, LONGEST_TEXT, needed=False)
        with self._write() as db:
            _there(db, number)
            _vote(db, number, *vote)
            return _wishes(db, number)[0]

    def answer(self, number: int, answer: str = "", *, by: str, feature: str | None = None) -> Wish:
        """Answer a wish, in words, with the feature that fulfils it (its full name), or both. A later answer replaces
        the one before. Raises WishError."""
        answer = _text("answer", answer, LONGEST_TEXT, needed=feature is None)
        with self._write() as db:
            _there(db, number)
            db.execute(
                "UPDATE wishes SET answer = ?, answered_by = ?, answered_at = ?, feature = ? WHERE number = ?",
                (answer, _person(by), _now(), feature or "", number),
            )
            return _wishes(db, number)[0]

    # --- inside ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Generator[sqlite3.Connection | None]:
        """A connection, or None where nobody has wished yet: reading makes no file."""
        if not self.path.exists():
            yield None
            return
        with self._connected() as db:
            yield db

    @contextmanager
    def _write(self) -> Generator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Made before SQLite opens it, so that it is never readable by others, not for a moment.
            private_files.make(self.path)
        except OSError as error:
            raise WishError(f"{self.path} cannot be written: {error.strerror}. Give yourself the right to.") from error
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _SCHEMA.split(";\n")):
                db.execute(statement)
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        """Closing without a commit takes back what was written."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None)) as db:
                yield db
        except sqlite3.Error as error:
            raise WishError(
                f"{self.path} cannot be used: {error}. Where the file is broken, move it away; a new one is made."
            ) from error


def suggestion(registry: Registry, wish: Wish) -> str | None:
    """The full name of a feature that may be what was wished for: applied after the wish, and called like it.

    Like it means: the same words, or nearly the same letters, whether the view's name is said or not.
    """
    if wish.status != "open":
        return None
    likeness = _Likeness(wish.name)
    best, found = _ALIKE, None
    for view, name, born in _born(registry):
        if born < wish.at:
            continue
        for called in (name, f"{view.name} {name}"):
            if (like := likeness.to(called, best)) > best or (found is None and like == best):
                best, found = like, f"{view.name}.{name}"
    return found


def _born(registry: Registry) -> Iterable[tuple[View, str, datetime]]:
    for view in (*registry.views, *registry.on_demand):
        for feature in view.features:
            if not feature.hidden:
                yield view, feature.name, feature.first_seen


class _Likeness:
    """How like other names are to one: 1 for the same words, else the share of letters in the same order."""

    def __init__(self, name: str) -> None:
        self._words = _words(name)
        self._letters = difflib.SequenceMatcher(b=" ".join(self._words))

    def to(self, name: str, least: float) -> float:
        """The likeness, or 0 where it is surely below `least`: the exact measure is slow."""
        words = _words(name)
        if set(words) == set(self._words):
            return 1.0
        self._letters.set_seq1(" ".join(words))
        if self._letters.real_quick_ratio() < least or self._letters.quick_ratio() < least:
            return 0.0
        return self._letters.ratio()


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", name.casefold()) if word]


def _text(what: str, text: str, most: int, *, needed: bool = True) -> str:
    text = text.strip()
    if needed and not text:
        raise WishError(f"The {what} is missing. Write it, and send it again.")
    if len(text) > most:
        raise WishError(f"The {what} has {len(text):,} characters. Say it in {most:,}.")
    return text


def _person(by: str) -> str:
    return _text("name of who asks", " ".join(by.split()), LONGEST_NAME)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _there(db: sqlite3.Connection, number: int) -> None:
    if db.execute("SELECT 1 FROM wishes WHERE number = ?", (number,)).fetchone() is None:
        raise WishError(f"There is no wish {number}. `e2e-ml festaf wishes` lists them.")


def _vote(db: sqlite3.Connection, number: int, by: str, why: str) -> None:
    db.execute(
        "INSERT INTO votes VALUES (?, ?, ?, ?) ON CONFLICT (wish, by) DO UPDATE SET why = excluded.why "
        "WHERE excluded.why != ''",
        (number, by, why, _now()),
    )


def _wishes(db: sqlite3.Connection, number: int | None = None) -> list[Wish]:
    votes: dict[int, list[Vote]] = {}
    one = {"number": number}
    some = "SELECT wish, by, why, at FROM votes WHERE wish = :number OR :number IS NULL ORDER BY at"
    for wish, by, why, at in db.execute(some, one):
        votes.setdefault(wish, []).append(Vote(by=by, why=why, at=at))
    rows = db.execute(
        "SELECT number, name, answer, answered_by, answered_at, feature FROM wishes "
        "WHERE number = :number OR :number IS NULL",
        one,
    )
    return [
        Wish(
            number=found,
            name=name,
            votes=tuple(votes[found]),
            status="made" if feature else "answered" if answered_at else "open",
            answer=answer,
            answered_by=answered_by,
            answered_at=answered_at,
            feature=feature or None,
        )
        for found, name, answer, answered_by, answered_at, feature in rows
    ]
