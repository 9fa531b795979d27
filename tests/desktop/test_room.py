"""The problem of width: where panes stand and how large their pages are drawn, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.desktop import fuzzy
from e2e_ml.desktop.canvas import GAP, Box, Layout, arrange, dragged, handle_at
from e2e_ml.desktop.web import zoom


@given(
    width=st.integers(240, 4000),
    height=st.integers(240, 2400),
    leading=st.integers(0, 2),
    layout=st.sampled_from(list(Layout)),
    share=st.floats(0.3, 0.9),
)
def test_panes_fill_the_room_and_never_overlap(
    width: int, height: int, leading: int, layout: Layout, share: float
) -> None:
    boxes = [box for box in arrange(width, height, 3, leading, layout, share) if box is not None]
    area = sum(box.width * box.height for box in boxes)
    assert width * height * 0.97 <= area <= width * height
    for box in boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= width
        assert box.y + box.height <= height
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart = (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
            )
            assert apart, (one, other)


@pytest.mark.parametrize(("width", "height"), [(844, 728), (940, 888), (1836, 1368), (2300, 1300)])
@pytest.mark.parametrize("leading", [0, 1, 2])
def test_the_leading_pane_is_the_widest(width: int, height: int, leading: int) -> None:
    boxes = arrange(width, height, 3, leading, Layout.AUTO, 0.64)
    assert all(isinstance(box, Box) for box in boxes)
    widths = [box.width for box in boxes if box]
    assert max(widths) == widths[leading]


@pytest.mark.parametrize("layout", [Layout.BESIDE, Layout.COLUMNS])
@pytest.mark.parametrize("leading", [0, 1, 2])
@pytest.mark.parametrize("by", [-60, 45])
def test_the_edge_of_the_leading_pane_goes_where_it_is_dragged(layout: Layout, leading: int, by: int) -> None:
    width, share = 2200, 0.6
    before = handle_at(arrange(width, 900, 3, leading, layout, share), leading)
    assert before is not None
    x, rate = before
    boxes = arrange(width, 900, 3, leading, layout, dragged(share, by, width, rate))
    after = handle_at(boxes, leading)
    assert after is not None
    assert abs(after[0] - (x + by)) <= 2 * GAP + 1


def test_a_pane_alone_has_no_edge_to_drag_and_none_is_dragged_away() -> None:
    assert handle_at([None, Box(0, 0, 500, 700), None], 1) is None
    assert dragged(0.6, 5000, 1000, 1.0) == 0.9
    assert dragged(0.6, -5000, 1000, 1.0) == 0.3


def test_where_there_is_no_room_the_leading_pane_has_all() -> None:
    assert arrange(500, 700, 3, 1, Layout.AUTO, 0.64) == [None, Box(0, 0, 500, 700), None]


@pytest.mark.parametrize(
    ("service", "width", "expected"),
    [
        ("airflow", 1020, 1.0),
        ("airflow", 2000, 1.0),
        ("airflow", 510, 0.5),
        ("airflow", 300, 0.38),
        ("mlflow", 756, 0.7),
    ],
)
def test_pages_are_drawn_so_small_that_they_lay_themselves_out_wide(service: str, width: int, expected: float) -> None:
    assert zoom.automatic(service, width) == expected


@given(steps=st.lists(st.sampled_from([-1, 1]), max_size=60))
def test_zooming_stays_within_bounds(steps: list[int]) -> None:
    own = 1.0
    for step in steps:
        own = zoom.stepped(own, step)
    assert 0.5 <= own <= 2.5
    assert 0.25 <= zoom.effective("airflow", 600, own) <= zoom.MOST


NAMES = [
    "hourly_weather.temp feature",
    "temp hourly_weather feature",
    "tempest other feature",
    "contemporary other feature",
    "carrier_delay delay_mean_30d feature",
]


@pytest.mark.parametrize(
    ("query", "first"),
    [("temp", 0), ("tempe", 2), ("contemp", 3), ("carrier mean", 4), ("cdm", 4), ("TEMP HOURLY", 0), ("delay", 4)],
)
def test_fuzzy_find(query: str, first: int) -> None:
    found = fuzzy.best(query, NAMES)
    assert found, query
    assert {found[0].index} <= ({0, 1} if first == 0 else {first})


def test_a_query_that_nothing_has_finds_nothing() -> None:
    assert fuzzy.best("zzzz", NAMES) == []


def test_no_query_gives_the_first() -> None:
    assert [match.index for match in fuzzy.best("", NAMES, limit=2)] == [0, 1]


@given(query=st.text("abc_. ", min_size=1, max_size=6), names=st.lists(st.text("abc_. ", max_size=20), max_size=30))
def test_every_match_holds_its_letters(query: str, names: list[str]) -> None:
    for match in fuzzy.best(query, names):
        letters = {names[match.index][place] for place in match.places}
        assert set(query.replace(" ", "")) == letters or not query.strip()
