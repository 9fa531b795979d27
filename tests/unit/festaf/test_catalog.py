"""The catalog's pure parts: words and numbers, drawings, search, facts, and who may ask. By tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from e2e_ml import resources
from e2e_ml.desktop.theme import DARK, LIGHT, Theme
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, Window, literal, to_json
from e2e_ml.festaf.model import Applied, Change, Constraint, Owner, Registry
from e2e_ml.festaf.registry.search import SearchIndex
from e2e_ml.festaf.rows.profile import Bin, FeatureProfile, ValueCount
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.festaf.server import changes, drawing, facts, presenting
from e2e_ml.festaf.server.catalog import Catalog
from e2e_ml.festaf.server.distribution import distribution
from e2e_ml.festaf.server.drawing import Box, outline
from e2e_ml.festaf.server.security import RefusedError, check_token, host_allowed
from e2e_ml.festaf.server.tags import known, tag_of
from tests.unit.festaf.worlds import T0, plane, weather

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)


# --- words and numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "true"),
        (1234567, "1,234,567"),
        (-40, "−40"),
        (0.0, "0"),
        (10.512345, "10.51"),
        (26115.4, "26,115"),
        (0.00012, "1.200e−04"),
        (-2.5e12, "−2.500e+12"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
        ("EWR", "EWR"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    assert presenting.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.012, "1.2 %"),
        (0.104, "10 %"),
        (0.994, "99 %"),
        (0.998, "99.8 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share: float | None, text: str) -> None:
    assert presenting.percent(share) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2013-01-01", "2013-01-02", "1 Jan 2013"),
        ("2013-01-01", "2013-02-01", "1 Jan – 1 Feb 2013"),
        ("2013-12-01", "2014-01-01", "1 Dec 2013 – 1 Jan 2014"),
        ("2013-01-01T13:00", "2013-01-01T14:00", "1 Jan 2013, 13:00 – 14:00"),
        ("2013-01-01T13:00", "2013-01-03T14:30", "1 Jan 2013, 13:00 – 3 Jan 2013, 14:30"),
    ],
)
def test_intervals(start: str, end: str, text: str) -> None:
    first, last = (datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (start, end))
    assert presenting.interval(first, last).striptags() == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW - timedelta(hours=3), "3 h ago"),
        (NOW + timedelta(minutes=18), "in 18 min"),
        (NOW, "now"),
        (None, "–"),
    ],
)
def test_times_are_relative_with_the_exact_one_on_hover(moment: datetime | None, text: str) -> None:
    html = presenting.ago(moment, NOW)
    assert html.striptags() == text
    assert moment is None or f'title="{presenting.exact(moment)}"' in html


def test_names_are_cut_in_the_middle_and_escaped() -> None:
    assert presenting.cut("short") == "short"
    cut = presenting.cut("a_very_long_name_of_a_feature_<b>_30d", 17)
    assert cut.striptags() == "a_very_l…_<b>_30d"
    assert "&lt;b&gt;" in cut
    assert presenting.breakable("a_<i>.b") == "a_<wbr>&lt;i&gt;.<wbr>b"


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (Constraint(rule="required"), "is never missing"),
        (Constraint(rule="lower_bound", value=-40), "is at least −40"),
        (Constraint(rule="upper_bound", value=130.5), "is at most 130.5"),
        (Constraint(rule="accepted_values", value=["rain", "snow"]), "is one of rain, snow"),
        (Constraint(rule="accepted_values", value=list(range(10))), "is one of 0, 1, 2, 3, 4, 5, 6, 7 and 2 more"),
    ],
)
def test_rules_as_sentences(constraint: Constraint, text: str) -> None:
    assert presenting.rule(constraint) == text


# --- drawings ----------------------------------------------------------------------------------------------------

WIND, VISIB = Column("wind_speed"), Column("visib")


def column(name: str) -> Box:
    return Box(name, "column")


def operation(label: str, *inputs: Box) -> Box:
    return Box(label, "operation", inputs)


@pytest.mark.parametrize(
    ("expression", "box"),
    [
        (Apply("le", (WIND, literal(32))), operation("≤ 32", column("wind_speed"))),
        (
            Apply("and", (Apply("gt", (WIND, literal(25))), Apply("lt", (VISIB, literal(3))))),
            operation("and", operation("> 25", column("wind_speed")), operation("< 3", column("visib"))),
        ),
        (Window(WIND, "mean", timedelta(hours=6)), operation("mean over 6 h", column("wind_speed"))),
        (Window(WIND, "count", timedelta(days=1)), operation("count over 1 day", column("wind_speed"))),
        (Window(WIND, "count", timedelta(days=30)), operation("count over 30 days", column("wind_speed"))),
        (Cast(WIND, "int32"), operation("as int32", column("wind_speed"))),
        (Apply("sub", (literal(1), WIND)), operation("1 −", column("wind_speed"))),
        (Apply("sub", (WIND, VISIB)), operation("−", column("wind_speed"), column("visib"))),
        (
            Apply("is_in", (Column("sky"), literal("rain"), literal("snow"))),
            operation("is in “rain”, “snow”", column("sky")),
        ),
        (Apply("fill_null", (WIND, literal(0.5))), operation("fill null 0.5", column("wind_speed"))),
        (literal(True), Box("true", "constant")),
    ],
)
def test_an_expression_as_boxes(expression: Expression, box: Box) -> None:
    assert outline(to_json(expression), "gusty") == Box("gusty", "result", (box,))


def rectangles(svg: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(r'<rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', svg)
    return [tuple(map(float, each)) for each in found]  # type: ignore[misc]


def test_boxes_lie_within_the_drawing_and_do_not_overlap() -> None:
    deep = Apply("and", (Apply("gt", (WIND, VISIB)), Apply("or", (Apply("lt", (WIND, literal(1))), Column("c")))))
    svg = str(drawing.tree(to_json(deep), "a_name"))
    found = re.search(r'viewBox="-1 0 (\d+) (\d+)"', svg)
    assert found is not None
    wide, high = map(int, found.groups())
    boxes = rectangles(svg)
    assert len(boxes) == len(re.findall(r'class="box ', svg)) == 9
    for i, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= wide
        assert y + h <= high
        for a, b, c, d in boxes[:i]:
            assert x + w <= a or a + c <= x or y + h <= b or b + d <= y


def test_a_drawing_speaks_and_escapes() -> None:
    svg = str(drawing.tree(to_json(Apply("eq", (Column("a"), literal("<script>")))), "x" * 60))
    assert "<script>" not in svg
    assert 'aria-label="' + "x" * 60 + " from = “&lt;script&gt;” from a" in svg
    assert "<title>" + "x" * 60 in svg
    assert ">" + "x" * 11 + "…" + "x" * 11 + "<" in svg


def test_what_is_there_at_all_stays_visible_beside_a_tall_bar() -> None:
    heights = re.findall(r'class="bar" [^>]*height="([\d.]+)"', str(drawing.histogram([100000, 1, 0], ["a", "b", "c"])))
    assert [float(h) for h in heights] == [96.0, 1.5, 0.0]


# --- distributions -----------------------------------------------------------------------------------------------


def test_numbers_become_bars_with_their_figures() -> None:
    bins = (Bin(low=0, high=5, count=6), Bin(low=5, high=10, count=3))
    shown = distribution(
        FeatureProfile(
            feature="temp", dtype="float64", count=10, missing=1, distinct=4, min=0.0, max=10.0, mean=3.0, median=2.0,
            histogram=bins,
        )
    )  # fmt: skip
    assert (shown.counts, shown.low, shown.high, shown.missing_share) == ((6, 3), "0", "10", 0.1)
    assert shown.titles[0] == "0 to 5: 6 rows (60 %)"
    assert dict(shown.figures)["Median"] == "2"


@pytest.mark.parametrize(
    ("below", "above", "says"),
    [
        (0, 0, ""),
        (0, 1, "1 value above 46 (1,048)"),
        (0, 3, "3 values above 46 (up to 1,048)"),
        (1, 2, "1 value below 0 (−900), 2 values above 46 (up to 1,048)"),
        (2, 0, "2 values below 0 (down to −900)"),
    ],
)
def test_the_axis_ends_where_the_bars_do_and_outliers_are_said_in_words(below: int, above: int, says: str) -> None:
    shown = distribution(
        FeatureProfile(
            feature="wind", dtype="float64", count=99, missing=0, distinct=9, min=-900.0, max=1048.4, mean=3.0,
            median=2.0, histogram=(Bin(low=0, high=46, count=90),), below=below, above=above,
        )
    )  # fmt: skip
    ends = ("0" if below else "−900", "46" if above else "1,048")
    assert (shown.low, shown.high, shown.outliers) == (*ends, says)
    assert ("not drawn" in shown.summary) == bool(says)


def test_a_bar_of_integers_names_just_those_it_holds() -> None:
    bins = (Bin(low=5, high=6, count=1), Bin(low=6, high=9, count=2))
    shown = distribution(
        FeatureProfile(feature="hour", dtype="int64", count=4, missing=1, distinct=3, min=5, max=8, histogram=bins)
    )
    assert shown.titles == ("5: 1 row (25 %)", "6 to 8: 2 rows (50 %)")
    assert shown.high == "8"


def test_texts_become_levels_and_the_rest_is_named() -> None:
    top = (ValueCount(value="rain", count=6), ValueCount(value=None, count=2))
    shown = distribution(
        FeatureProfile(feature="sky", dtype="string", count=10, missing=2, distinct=9, top=top),
    )
    assert [(level.label, level.share) for level in shown.levels] == [("rain", 0.6), ("other values", 0.2)]


# --- search ------------------------------------------------------------------------------------------------------

REGISTRY = Registry(
    project="flights",
    version=3,
    views=(weather(tags=("departure",)), plane()),
    history=(
        Applied(
            version=1,
            at=T0,
            by="ada",
            changes=(
                Change(action="add", kind="feature view", name="weather"),
                Change(action="add", kind="feature", name="weather.temp"),
                Change(action="add", kind="feature", name="weather.wind"),
                Change(action="add", kind="feature view", name="plane"),
            ),
        ),
        Applied(
            version=2,
            at=T0 + timedelta(days=1),
            by="ada",
            changes=(
                Change(action="change", kind="feature", name="weather.temp", details=("unit: °C -> °F",)),
                Change(action="remove", kind="feature", name="weather.gust"),
            ),
        ),
    ),
)
CATALOG = Catalog(REGISTRY)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("temp", "weather.temp"),
        ("weather", "weather"),
        ("weather.temp", "weather.temp"),
        ("WEATHER TEMP", "weather.temp"),
        ("mean", "weather.wind_mean_2h"),
        ("weather@example.com", "weather"),
        ("departure free", "weather.freezing"),
        ("seats", "plane.seats"),
        ("tailnum", "tailnum"),
        ("planes", "planes"),
        ("hour by", "weather"),
    ],
)
def test_search_puts_what_was_meant_first(query: str, first: str) -> None:
    assert SearchIndex(REGISTRY).search(query)[0].title == first


@pytest.mark.parametrize("query", ["", "   ", "zebra", "temp zebra", "cold"])
def test_search_finds_nothing_for_nothing_and_no_hidden_feature(query: str) -> None:
    assert SearchIndex(REGISTRY).search(query) == []


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("wether", "weather"),
        ("weather tmep", "weather"),
        ("setas", "plane.seats"),
        ("wind_mean", "weather.wind_mean_2h"),
    ],
)
def test_what_comes_near_a_name_that_nothing_has(wanted: str, title: str) -> None:
    assert title in [hit.title for hit in SearchIndex(REGISTRY).nearest(wanted)]


# --- facts -------------------------------------------------------------------------------------------------------


def test_additions_of_one_apply_share_a_row_and_changes_keep_theirs() -> None:
    rows = changes.latest(CATALOG, 12)
    assert [(row.version, row.verb, row.name + row.others) for row in rows] == [
        (2, "changed", "weather.temp"),
        (2, "removed", "weather.gust"),
        (1, "added", "weather, 2 features and 1 feature view"),
    ]
    assert [row.version for row in changes.of_names(CATALOG, ["weather.temp"])] == [2, 1]


def test_a_feature_that_came_with_its_view_begins_there() -> None:
    together = Applied(version=1, at=T0, by="ada", changes=(Change(action="add", kind="feature view", name="weather"),))
    registry = Registry(project="flights", version=1, views=(weather(),), history=(together,))
    (row,) = changes.of_feature(Catalog(registry), weather(), weather().feature("temp"))
    assert (row.version, row.verb, row.name, row.differences) == (1, "added", "weather.temp", ())
    first, last = changes.of_feature(CATALOG, weather(), weather().feature("temp"))
    assert (first.verb, last.verb) == ("changed", "added")


def test_bounds_that_hold_are_one_rule_and_broken_ones_stay_two() -> None:
    bounds = (Constraint(rule="lower_bound", value=0), Constraint(rule="upper_bound", value=10))
    temp = weather().feature("temp").model_copy(update={"constraints": (*bounds, Constraint(rule="required"))})
    view = weather(features=(temp,))
    assert [row.rule for row in facts.checks("flights", view, ())] == ["is between 0 and 10", "is never missing"]
    broken = Violation(feature="temp", rule="upper_bound", value=10, count=2, examples=({"temp": 11.0},))
    rows = facts.checks("flights", view, (broken,))
    assert [(row.rule, row.broken, row.examples) for row in rows] == [
        ("is at least 0", 0, ()),
        ("is at most 10", 2, (("11",),)),
        ("is never missing", 0, ()),
    ]
    assert {row.failure for row in facts.checks("flights", view, "The disk is gone.")} == {"The disk is gone."}


def test_a_feature_is_used_by_features_and_services() -> None:
    assert [use.name for use in CATALOG.uses("weather.temp")] == ["weather.freezing"]
    assert CATALOG.uses("weather.wind_mean_2h") == []


def test_an_owner_without_address_is_still_found() -> None:
    registry = Registry(project="p", views=(weather(owner=Owner(name="Ada")),))
    assert SearchIndex(registry).search("ada")[0].matched == "owner"


# --- who may ask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8787", True),
        ("127.0.0.1", True),
        ("127.8.9.10:80", True),
        ("localhost:8787", True),
        ("LOCALHOST", True),
        ("[::1]:8787", True),
        ("catalog.example.com", True),
        ("evil.example.com", False),
        ("localhost.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("192.168.0.2:8787", False),
        ("user@127.0.0.1", False),
        ("127.0.0.1@evil.com", False),
        ("127.0.0.1/x", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_hosts(host: str, allowed: bool) -> None:
    assert host_allowed(host, "127.0.0.1", ["Catalog.example.com"]) is allowed


def test_the_address_that_it_listens_on_is_its_own() -> None:
    assert host_allowed("10.0.0.5:80", "10.0.0.5")


@pytest.mark.parametrize(
    ("header", "token", "status", "says"),
    [
        (None, None, 403, "FESTAF_TOKEN"),
        ("Bearer x", None, 403, "takes no writes"),
        ("Bearer x", "", 403, "takes no writes"),
        (None, "secret", 401, "needs the server's token"),
        ("Basic secret", "secret", 401, "needs the server's token"),
        ("Bearer ", "secret", 401, "needs the server's token"),
        ("Bearer wrong", "secret", 401, "not this server's token"),
        ("Bearer secrét", "secret", 401, "not this server's token"),
    ],
)
def test_writes_are_refused_with_a_sentence(header: str | None, token: str | None, status: int, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as refused:
        check_token(header, token)
    assert refused.value.status == status
    assert token is None or not token or token not in refused.value.sentence


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret", "Bearer  secret "])
def test_the_token_lets_a_write_pass(header: str) -> None:
    check_token(header, "secret")


@pytest.mark.parametrize(
    ("header", "is_known"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("", False), (None, False)],
)
def test_if_none_match(header: str | None, is_known: bool) -> None:
    assert known('"a"', header) is is_known


def test_a_tag_changes_with_its_body() -> None:
    assert tag_of("a") == tag_of("a") != tag_of("b")


# --- the look ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_colours_are_those_of_the_window(theme: Theme) -> None:
    blocks = re.findall(r":root \{(.*?)\}", resources.text("catalog", "catalog.css"), re.DOTALL)
    assert len(blocks) == 2
    tokens = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[theme is DARK]))
    assert tokens == {name: getattr(theme, name.replace("-", "_")) for name in tokens}
    assert {"bg", "panel", "line", "ink", "dim", "accent", "ok", "warn", "bad"} <= tokens.keys()


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in resources.path("catalog").iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""(src|href|url|@import)\s*[=(]?\s*["']?(https?:)?//""", text), file.name
        assert " style=" not in text, file.name  # the content security policy would drop it
        assert not re.search(r"\son\w+=", text), file.name
