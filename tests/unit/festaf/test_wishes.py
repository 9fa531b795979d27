"""Wishes: who wants what, the answers, and that nothing is lost when many write at once. On real files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e_ml.festaf.commands import festaf
from e2e_ml.festaf.model import Registry
from e2e_ml.festaf.wishes import Vote, Wish, WishError, Wishes, suggestion
from tests.unit.festaf.worlds import T0, feature, project, weather


def test_nobody_has_wished(tmp_path: Path) -> None:
    assert Wishes(tmp_path).all() == ()
    assert list(tmp_path.iterdir()) == [], "reading makes no file"


def test_a_wish_is_kept_with_who_and_why_and_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    made = wishes.wish("  wind gusts ", by=" Ada  Lovelace", why="Delays.")
    assert (made.number, made.name, made.by, made.votes[0].why, made.status) == (
        1,
        "wind gusts",
        "Ada Lovelace",
        "Delays.",
        "open",
    )
    assert made.at.tzinfo is not None
    assert Wishes(tmp_path).get(1) == made
    assert wishes.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("again", ["wind gusts", "Wind_Gusts", "wind  gusts!"])
def test_the_same_wish_is_joined_while_it_is_open(tmp_path: Path, again: str) -> None:
    wishes = Wishes(tmp_path)
    wishes.wish("wind gusts", by="ada", why="Delays.")
    joined = wishes.wish(again, by="bob")
    assert (joined.number, [vote.by for vote in joined.votes]) == (1, ["ada", "bob"])
    wishes.answer(1, "Not measured.", by="ops")
    assert wishes.wish(again, by="eve").number == 2, "an answered wish stays as it was"


def test_who_joins_twice_counts_once_and_may_say_why_later(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    wishes.wish("gusts", by="ada", why="Delays.")
    wishes.join(1, by="bob")
    wishes.join(1, by="bob", why="Diversions.")
    assert [(vote.by, vote.why) for vote in wishes.join(1, by="bob").votes] == [
        ("ada", "Delays."),
        ("bob", "Diversions."),
    ]


def test_an_answer_in_words_a_feature_and_a_better_answer(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    wishes.wish("gusts", by="ada")
    answered = wishes.answer(1, "Not measured.", by="ops")
    assert (answered.status, answered.answer, answered.answered_by, answered.feature) == (
        "answered",
        "Not measured.",
        "ops",
        None,
    )
    made = wishes.answer(1, by="eve", feature="weather.gust")
    assert (made.status, made.answer, made.answered_by, made.feature) == ("made", "", "eve", "weather.gust")
    assert made.votes == answered.votes


def test_the_most_wanted_stand_first_and_the_answered_ones_last(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    for name in ("a1", "b2", "c3", "d4"):
        wishes.wish(name, by="ada")
    wishes.join(3, by="bob")
    wishes.answer(1, "No.", by="ops")
    wishes.answer(2, "No.", by="ops")
    assert [wish.number for wish in wishes.all()] == [3, 4, 2, 1]


@pytest.mark.parametrize(
    ("name", "by", "why", "says"),
    [
        ("", "ada", "", "name is missing"),
        ("  ", "ada", "", "name is missing"),
        ("!?", "ada", "", "no letter"),
        ("gusts", " ", "", "name of who asks is missing"),
        ("g" * 121, "ada", "", "121 characters"),
        ("gusts", "ada", "y" * 2001, "2,001 characters"),
    ],
)
def test_what_is_no_wish_is_refused_with_a_sentence(tmp_path: Path, name: str, by: str, why: str, says: str) -> None:
    with pytest.raises(WishError, match=says):
        Wishes(tmp_path).wish(name, by=by, why=why)
    assert Wishes(tmp_path).all() == ()


def test_a_wish_that_is_not_there(tmp_path: Path) -> None:
    wishes = Wishes(tmp_path)
    with pytest.raises(WishError, match="no wish 7"):
        wishes.get(7)
    wishes.wish("gusts", by="ada")
    for act in (lambda: wishes.join(7, by="ada"), lambda: wishes.answer(7, "No.", by="ada")):
        with pytest.raises(WishError, match="no wish 7"):
            act()
    with pytest.raises(WishError, match="answer is missing"):
        wishes.answer(1, by="ops")
    assert [vote.by for vote in wishes.get(1).votes] == ["ada"]


def test_a_file_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "wishes.db").write_text("this is no database, and longer than a header of one " * 9)
    with pytest.raises(WishError, match="move it away"):
        Wishes(tmp_path).all()


def test_many_at_once_lose_nothing_and_wish_for_nothing_twice(tmp_path: Path) -> None:
    """Eight people wish for the same three things at once: three wishes, eight votes each."""

    def wish(who: int) -> None:
        for name in ("wind gusts", "Wind Gusts ", "snow depth", "runway length"):
            Wishes(tmp_path).wish(name, by=f"person {who}")

    people = [threading.Thread(target=wish, args=(who,)) for who in range(8)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    found = Wishes(tmp_path).all()
    assert sorted(wish.name.casefold().strip() for wish in found) == ["runway length", "snow depth", "wind gusts"]
    assert [len({vote.by for vote in wish.votes}) for wish in found] == [8, 8, 8]


_WRITER = """
import sys
from pathlib import Path
from e2e_ml.festaf.wishes import Wishes
wishes = Wishes(Path(sys.argv[1]))
for i in range(10_000):
    wishes.wish(f"wish {i}", by="ada", why="because")
    print(i, flush=True)
"""


def test_a_writer_that_is_killed_leaves_whole_wishes(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
    told = int(said[-1])
    found = Wishes(tmp_path).all()
    assert told + 1 <= len(found) <= told + 2, "what was told is there; at most the next one too"
    assert {len(wish.votes) for wish in found} == {1}
    assert Wishes(tmp_path).wish("one more", by="bob").status == "open"


# --- what may be it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("wind gust", "weather.wind_gust"),
        ("gust wind", "weather.wind_gust"),
        ("weather wind gust", "weather.wind_gust"),
        ("wind gusts", "weather.wind_gust"),
        ("temp", None),  # it was there before somebody wished
        ("shoe size", None),
        ("cold", None),  # hidden
    ],
)
def test_a_feature_that_is_applied_later_and_called_like_it_is_suggested(name: str, likely: str | None) -> None:
    later = T0 + timedelta(days=2)
    view = weather(
        features=(*weather().features, feature("wind_gust", first_seen=later), feature("cold_2", hidden=True))
    )
    registry = Registry(project="flights", views=(view,))
    wish = Wish(number=1, name=name, votes=(Vote(by="ada", at=T0 + timedelta(days=1)),))
    assert suggestion(registry, wish) == likely
    settled = wish.model_copy(update={"status": "answered", "answer": "No.", "answered_at": datetime.now(UTC)})
    assert suggestion(registry, settled) is None


# --- on the command line -----------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(festaf, ["wishes", *arguments])
    return result.exit_code, result.output


def test_wishes_on_the_command_line(tmp_path: Path) -> None:
    project(tmp_path)
    there = ("--project", str(tmp_path))
    assert run(*there) == (0, "Nobody waits for a feature.\n")
    code, said = run(*there, "add", "wind gusts", "--why", "Delays.", "--by", "ada")
    assert (code, said.splitlines()[0]) == (0, "1  wind gusts  (open, wanted by ada)")
    assert "ada: Delays." in run(*there)[1]
    (data,) = json.loads(run(*there, "--json")[1])
    assert (data["name"], data["status"]) == ("wind gusts", "open")
    code, said = run(*there, "answer", "1", "--feature", "weather.gust", "--by", "ops")
    assert code == 1
    assert "nothing called weather.gust" in said
    code, said = run(*there, "answer", "1", "It is there.", "--feature", "weather.wind", "--by", "ops")
    assert (code, said.splitlines()[-1]) == (0, "   answered by ops: weather.wind. It is there.")
    assert run(*there) == (0, "Nobody waits for a feature.\n")
    assert "made" in run(*there, "--all")[1]
    code, said = run(*there, "answer", "9", "No.", "--by", "ops")
    assert code == 1
    assert "no wish 9" in said
