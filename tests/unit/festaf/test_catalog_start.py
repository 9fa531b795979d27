"""A server that has started: what its first page and the first letter typed need is made beside what is asked."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from e2e_ml.festaf.rows import offline
from e2e_ml.festaf.server import live as lives
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.wishes import Wishes
from tests.unit.festaf.worlds import T0, hour, project

PATIENCE = 30.0  # seconds


def test_the_search_is_ready_though_nobody_has_asked(tmp_path: Path) -> None:
    project(tmp_path)
    app = create_app(tmp_path)
    catalog: Any = app.state.live.catalog
    assert "search" not in vars(catalog)
    with TestClient(app, base_url="http://127.0.0.1"):
        deadline = time.monotonic() + PATIENCE
        while "search" not in vars(catalog):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_server_starts_though_its_first_page_fails(tmp_path: Path) -> None:
    project(tmp_path)
    Wishes(tmp_path).wish("snow", by="ada", why="It is not there.")
    (tmp_path / "store" / "wishes.db").write_text("this is no database, and longer than a header of one " * 9)
    with TestClient(create_app(tmp_path), base_url="http://127.0.0.1") as client:
        assert client.get("/health").status_code == 200


def test_a_table_is_opened_once_for_all_that_it_tells_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = project(tmp_path)
    store.load("weather", hour(0), hour(24))
    live = create_app(tmp_path).state.live
    view = store.view("weather")
    wanted = (store.stats("weather"), store.intervals("weather"), store.trend("weather"))
    opened: list[Any] = []
    real = offline.DeltaTable
    monkeypatch.setattr(offline, "DeltaTable", lambda path: opened.append(path) or real(path))
    assert (live.stats(view), live.intervals(view), live.trend(view)) == wanted
    assert live.written_until(view) == hour(24)
    assert live.verdict(view).sentence
    assert len(opened) == 1
    store.load("weather", hour(24), hour(48))
    assert live.stats(view).rows > wanted[0].rows


@pytest.mark.parametrize(("wished", "looks"), [(datetime.now(UTC), 0), (T0, 1)])
def test_no_feature_is_suggested_for_a_wish_that_is_younger_than_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wished: datetime, looks: int
) -> None:
    project(tmp_path)
    wishes = Wishes(tmp_path)
    wishes.wish("temp", by="ada", why="It is not there.")
    (wish,) = wishes.all()
    wish = wish.model_copy(update={"votes": (wish.votes[0].model_copy(update={"at": wished}),)})
    asked: list[Any] = []
    monkeypatch.setattr(lives, "suggestion", lambda *given: asked.append(given) or "weather.temp")
    live = create_app(tmp_path).state.live
    assert live.suggestion(wish) == ("weather.temp" if looks else None)
    assert len(asked) == looks
