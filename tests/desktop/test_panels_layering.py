"""The layered drawing: nothing overlaps, edges go right, cycles are tolerated."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml.desktop.panels.lineage.layering import Box, Place, arrange, crossings, layers_of, width_of


def overlap(a: Place, b: Place) -> bool:
    wide = a.x < b.right - 1e-6 and b.x < a.right - 1e-6
    return wide and a.y < b.y + b.height - 1e-6 and b.y < a.y + a.height - 1e-6


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box[int]], list[tuple[int, int]]]:
    n = draw(st.integers(0, 14))
    size = st.floats(10, 200)
    boxes = [Box(i, draw(size), draw(size)) for i in range(n)]
    ends = st.integers(0, n - 1)
    return boxes, draw(st.lists(st.tuples(ends, ends), max_size=30)) if n else []


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_any_graph(given_graph: tuple[list[Box[int]], list[tuple[int, int]]]) -> None:
    boxes, edges = given_graph
    drawing = arrange(boxes, edges)
    assert set(drawing.places) == {box.key for box in boxes}
    for a, b in combinations(drawing.places.values(), 2):
        assert not overlap(a, b)
    wanted = {(a, b) for a, b in edges if a != b}
    assert {(r.start, r.end) for r in drawing.routes} == wanted
    for route in drawing.routes:
        start, end = drawing.places[route.start], drawing.places[route.end]
        left, right = (end, start) if route.turned else (start, end)
        assert left.right < right.x
        xs = [x for x, _ in (route.points[::-1] if route.turned else route.points)]
        assert xs == sorted(xs)
        assert xs[0] == left.right
        assert xs[-1] == right.x
    for place in drawing.places.values():
        assert place.x >= 0
        assert place.y >= -1e-6
        assert place.right <= drawing.width + 1e-6
        assert place.y + place.height <= drawing.height + 1e-6
    assert arrange(boxes, edges) == drawing  # deterministic
    assert width_of(boxes, layers_of([box.key for box in boxes], edges)) == pytest.approx(drawing.width)


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_only_cycles_are_turned(given_graph: tuple[list[Box[int]], list[tuple[int, int]]]) -> None:
    boxes, edges = given_graph
    upwards = [(a, b) for a, b in edges if a < b]  # cannot hold a cycle
    assert not any(route.turned for route in arrange(boxes, upwards).routes)


def test_a_cycle_turns_one_edge() -> None:
    boxes = [Box(name, 50, 20) for name in "abc"]
    drawing = arrange(boxes, [("a", "b"), ("b", "c"), ("c", "a")])
    assert [(r.start, r.end) for r in drawing.routes if r.turned] == [("c", "a")]


def test_a_ladder_that_can_be_drawn_without_crossings_is() -> None:
    # Given in the worst order: the second layer upside down.
    boxes = [Box(name, 40, 20) for name in ("a1", "a2", "a3", "b3", "b2", "b1")]
    drawing = arrange(boxes, [("a1", "b1"), ("a2", "b2"), ("a3", "b3")])
    rises = [drawing.places[f"a{i}"].y - drawing.places[f"b{i}"].y for i in (1, 2, 3)]
    assert rises == pytest.approx([0, 0, 0])


def test_a_long_edge_passes_beside_the_boxes_between() -> None:
    boxes = [Box(name, 40, 20) for name in "abc"]
    drawing = arrange(boxes, [("a", "b"), ("b", "c"), ("a", "c")])
    middle = drawing.places["b"]
    long = next(r for r in drawing.routes if (r.start, r.end) == ("a", "c"))
    inside = [y for x, y in long.points if middle.x <= x <= middle.right]
    assert inside
    assert all(not middle.y < y < middle.y + middle.height for y in inside)


def test_crossings_are_counted() -> None:
    assert crossings([[0, 1], [2, 3]], [[3], [2], [], []]) == 1
    assert crossings([[0, 1], [2, 3]], [[2], [3], [], []]) == 0


def test_an_edge_without_a_box_is_refused() -> None:
    with pytest.raises(KeyError):
        arrange([Box("a", 1, 1)], [("a", "b")])


def test_several_lines_of_a_pair_leave_at_their_ports() -> None:
    boxes = [Box("a", 40, 80), Box("b", 40, 20)]
    drawing = arrange(boxes, [("a", "b")], ports={("a", "b"): [(0, 0), (-30, 0), (30, 0)]})
    assert [r.port for r in drawing.routes] == [0, 1, 2]
    middle = drawing.places["a"].middle
    assert [r.points[0][1] - middle for r in drawing.routes] == [0, -30, 30]
    assert {r.points[-1] for r in drawing.routes} == {(drawing.places["b"].x, drawing.places["b"].middle)}


def test_boxes_of_a_layer_may_be_as_wide_as_the_widest() -> None:
    boxes = [Box("a", 40, 20), Box("b", 90, 20), Box("c", 30, 20)]
    drawing = arrange(boxes, [("a", "c"), ("b", "c")], even=True)
    assert {drawing.places[k].width for k in "ab"} == {90}
    assert drawing.places["c"].width == 30


def test_crossings_agree_with_counting_every_pair() -> None:
    left, right = [0, 1, 2, 3], [4, 5, 6, 7]
    down = [[7, 4], [6], [4, 5, 6], [5], [], [], [], []]
    ends = [(i, right.index(o)) for i, slot in enumerate(left) for o in down[slot]]
    wanted = sum(1 for a in ends for b in ends if a[0] < b[0] and a[1] > b[1])
    assert crossings([left, right], down) == wanted
