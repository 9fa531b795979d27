"""What the catalog's pages are made of: lookups, differences, trends, values that are typed, forms; by tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

from e2e_ml.festaf.model import (
    Applied,
    Change,
    FeatureService,
    FeatureStats,
    IntervalStats,
    Key,
    OnDemandView,
    Registry,
    RuleCount,
)
from e2e_ml.festaf.registry.search import SearchIndex
from e2e_ml.festaf.rows.profile import Correlation
from e2e_ml.festaf.server import asking, changes, drawing, facts, presenting
from e2e_ml.festaf.server.catalog import Catalog, page
from e2e_ml.festaf.server.changes import Difference, difference
from e2e_ml.festaf.server.rendering import names_linked
from e2e_ml.festaf.server.security import RefusedError, check_form, is_person_here
from tests.unit.festaf.worlds import T0, feature, plane, weather


def gate() -> OnDemandView:
    night = {"op": "lt", "args": [{"op": "column", "name": "hour"}, {"op": "literal", "dtype": "int64", "value": 6}]}
    cold = {"op": "and", "args": [{"op": "column", "name": "night"}, {"op": "column", "name": "weather.freezing"}]}
    return OnDemandView(
        name="at_the_gate",
        request=(Key(name="hour", dtype="int32"),),
        features=(
            feature("night", "bool").model_copy(update={"expression": night, "inputs": ("hour",), "hidden": True}),
            feature("cold_night", "bool").model_copy(
                update={"expression": cold, "inputs": ("night", "weather.freezing"), "code": "night & weather.freezing"}
            ),
        ),
        first_seen=T0,
        changed_at=T0,
    )


def service() -> FeatureService:
    return FeatureService(
        name="delay",
        features=("weather.temp", "at_the_gate.cold_night"),
        renamed_from="lateness",
        first_seen=T0,
        changed_at=T0,
    )


def catalog() -> Catalog:
    temp = weather().feature("temp").model_copy(update={"renamed_from": "heat"})
    view = weather(renamed_from="station", features=(temp, *(f for f in weather().features if f.name != "temp")))
    return Catalog(Registry(project="flights", views=(view, plane()), on_demand=(gate(),), services=(service(),)))


# --- lookups -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("weather", "/views/weather"),
        ("weather.temp", "/views/weather/features/temp"),
        ("at_the_gate", "/views/at_the_gate"),
        ("at_the_gate.cold_night", "/views/at_the_gate/features/cold_night"),
        ("delay", "/services/delay"),
        ("at_the_gate.night", None),  # hidden
        ("weather.gone", None),
        ("gone", None),
        ("", None),
    ],
)
def test_every_name_has_its_page(name: str, path: str | None) -> None:
    assert catalog().path(name) == path


def test_who_stands_on_what_across_views_and_through_hidden_features() -> None:
    known = catalog()
    assert [use.name for use in known.uses("weather.temp")] == ["weather.freezing", "delay"]
    assert [use.name for use in known.uses("weather.freezing")] == ["at_the_gate.cold_night"]
    assert [use.name for use in known.uses("weather")] == ["at_the_gate.cold_night", "delay"]
    assert [use.name for use in known.uses("at_the_gate")] == ["delay"]
    assert known.uses("plane.seats") == []


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("station", "weather"),
        ("station.wind", "weather.wind"),
        ("station.heat", "weather.temp"),
        ("weather.heat", "weather.temp"),
        ("lateness", "delay"),
        ("weather.temp", None),
        ("plane", None),
    ],
)
def test_former_names_lead_to_the_present_ones(former: str, now: str | None) -> None:
    assert catalog().renamed.get(former) == now


def test_on_demand_views_are_found_as_what_they_are() -> None:
    hits = SearchIndex(catalog().registry).search("gate")
    assert [(hit.title, hit.kind) for hit in hits] == [
        ("at_the_gate", "on-demand view"),
        ("at_the_gate.cold_night", "feature"),
    ]


def test_one_letter_is_looked_for_where_words_begin() -> None:
    index = SearchIndex(catalog().registry)
    assert {hit.title for hit in index.search("f")} >= {"weather.freezing"}
    assert "weather.temp" not in {hit.title for hit in index.search("m")}, "m is in the middle of temp"
    assert "weather.temp" in {hit.title for hit in index.search("em")}


@pytest.mark.parametrize(
    ("number", "rows", "first", "pages"),
    [(1, [0, 1, 2], 1, 3), (3, [6], 7, 3), (9, [6], 7, 3), (0, [0, 1, 2], 1, 3), (-1, [0, 1, 2], 1, 3)],
)
def test_a_long_list_is_cut_into_pages(number: int, rows: list[int], first: int, pages: int) -> None:
    part = page(range(7), number, 3)
    assert (list(part.rows), part.first, part.last, part.pages) == (rows, first, first + len(rows) - 1, pages)


def test_an_empty_list_has_one_page() -> None:
    assert (page([], 1, 3).pages, list(page([], 5, 3).rows)) == (1, [])


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("use `weather.wind`", ['<a href="/views/weather/features/wind">weather.wind</a>']),
        ("use wind, or freezing.", ['features/wind">wind</a>', 'features/freezing">freezing</a>.']),
        ("the weather is fine", []),  # a word that happens to be a view's name
        ("see `weather`", ['<a href="/views/weather">weather</a>']),
        ("<b>weather.gone</b>", []),
    ],
)
def test_names_in_a_sentence_are_links(text: str, links: list[str]) -> None:
    made = names_linked(catalog(), text, "weather")
    assert made.count("<a ") == len(links)
    assert all(link in made for link in links)
    assert "<b>" not in made


# --- what changed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "read"),
    [
        ("expression: temp <= 32 -> temp <= 30", Difference("expression", "temp <= 32", "temp <= 30")),
        ("description: nothing -> Cold: very.", Difference("description", None, "Cold: very.")),
        ("source uri: a.csv -> nothing", Difference("source uri", "a.csv", None)),
        ("features: + a.b, - c.d, + e.f", Difference("features", "c.d", "a.b, e.f")),
        ("constraints: + one of a, b", Difference("constraints", None, "one of a, b")),
        ("tags: in another order", Difference("tags", text="in another order")),
        ("order of features", Difference("", text="order of features")),
        ("http://a: b -> c", Difference("", text="http://a: b -> c")),
    ],
)
def test_a_line_of_a_plan_is_read_as_old_and_new(detail: str, read: Difference) -> None:
    assert difference(detail) == read


def test_a_long_expression_is_shown_whole_where_the_history_has_it() -> None:
    long = "temp <= 32" + " + 0" * 40
    detail = f"expression: temp -> {long[:99]}…"
    with_definitions = Change(
        action="change",
        kind="feature",
        name="weather.freezing",
        details=(detail,),
        before={"code": "temp"},
        after={"code": long},
    )
    assert changes.differences(with_definitions) == (Difference("expression", "temp", long),)
    without = with_definitions.model_copy(update={"before": None})
    assert changes.differences(without)[0].new == f"{long[:99]}…"


def test_every_action_of_the_history_has_a_word() -> None:
    for action in get_args(Change.model_fields["action"].annotation):
        change = Change(action=action, kind="feature", name="weather.temp", details=("mean: 3 -> 4",))
        applied = Applied(version=1, at=T0, by="ada", changes=(change,))
        (row,) = changes.latest(Catalog(catalog().registry.with_history(lambda: (applied,))), 5)  # noqa: B023
        assert row.verb


def test_a_features_history_goes_through_its_former_name() -> None:
    old = Applied(
        version=1, at=T0, by="ada", changes=(Change(action="add", kind="feature", name="weather.heat", details=("x",)),)
    )
    new = Applied(
        version=2,
        at=T0 + timedelta(days=1),
        by="grace",
        commit="abc",
        changes=(
            Change(action="rename", kind="feature", name="weather.temp", details=("name: heat -> temp",)),
            Change(action="change", kind="feature", name="weather.wind", impact=("delay",)),
        ),
    )
    known = Catalog(catalog().registry.with_history(lambda: (old, new)))
    view = known.views["weather"]
    rows = changes.of_feature(known, view, view.feature("temp"))
    assert [(row.verb, row.name, row.by) for row in rows] == [
        ("renamed", "weather.temp", "grace"),
        ("added", "weather.heat", "ada"),
    ]
    assert rows[0].differences == (Difference("name", "heat", "temp"),)
    assert (rows[0].path, rows[1].path) == ("/views/weather/features/temp", None)


# --- expressions -------------------------------------------------------------------------------------------------

WINDOW: dict[str, Any] = {"op": "window", "aggregate": "mean", "args": [{"op": "column", "name": "wind"}]}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({**WINDOW, "seconds": 21600}, "mean over 6 h"),
        ({**WINDOW, "seconds": 2592000}, "mean over 30 days"),
        ({**WINDOW, "rows": 1}, "mean of 1 row"),
        ({**WINDOW, "rows": 10, "by": ["carrier", "dest"]}, "mean of 10 rows by carrier, dest"),
        (WINDOW, "mean of all so far"),
        ({**WINDOW, "aggregate": "quantile", "quantile": 0.9, "rows": 5}, "90% quantile of 5 rows"),
        ({**WINDOW, "aggregate": "time_since_last"}, "time since last of all so far"),
    ],
)
def test_windows_in_words(node: dict[str, Any], words: str) -> None:
    assert facts.window_words(node) == words
    assert words in str(drawing.tree(node, "x")) or len(words) > 24


def test_a_python_function_is_marked_wherever_it_is_in_an_expression() -> None:
    node = {
        "op": "python", "module": "features", "function": "wind_chill", "sha256": "ab" * 32, "dtype": "float64",
        "args": [{"op": "column", "name": "temp"}],
    }  # fmt: skip
    inner = {"op": "gt", "args": [node, {"op": "literal", "dtype": "int64", "value": 3}]}
    marked = weather().feature("temp").model_copy(update={"expression": inner})
    assert facts.python_parts(marked) == (facts.PythonPart("features.wind_chill", "ab" * 32),)
    assert 'class="box python"' in drawing.tree(inner, "x")
    assert facts.python_parts(weather().feature("temp")) == ()


# --- over the runs -----------------------------------------------------------------------------------------------


def point(day: int, rows: int, broken: int, missing: int, mean: float | None) -> IntervalStats:
    start = T0 + timedelta(days=day)
    return IntervalStats(
        start=start,
        end=start + timedelta(days=1),
        rows=rows,
        written_at=start,
        checks=(RuleCount(feature="temp", rule="upper_bound", value=90, checked=rows, broken=broken),),
        features=(FeatureStats(feature="temp", missing=missing, mean=mean),),
    )


def test_trends_of_a_view_and_of_a_feature() -> None:
    points = [point(0, 10, 0, 0, 1.5), point(1, 12, 3, 1, None), point(2, 11, 0, 2, 2.5)]
    view = facts.view_trends(points)
    assert [(trend.label, trend.values, trend.newest) for trend in view] == [
        ("Rows", (10, 12, 11), "11"),
        ("Rows that break a rule", (0, 3, 0), "0"),
        ("Missing values", (0, 1, 2), "2"),
    ]
    assert view[1].titles[1].startswith("2 Jan 2013: 3 rows, written ")
    (mean, missing, broken) = facts.feature_trends(points, "temp", "float64")
    assert (mean.label, mean.values, mean.is_line) == ("Mean", (1.5, None, 2.5), True)
    assert (missing.values, broken.values) == ((0, 1, 2), (0, 3, 0))
    assert facts.feature_trends(points, "wind", "float64") == []
    assert facts.view_trends(points[:1]) == []


def test_what_never_happened_is_no_trend() -> None:
    assert [trend.label for trend in facts.view_trends([point(0, 1, 0, 0, 1.0), point(1, 1, 0, 0, 1.0)])] == ["Rows"]


def test_a_line_breaks_where_a_value_is_missing_and_stays_within_the_drawing() -> None:
    line = str(drawing.trend([1.0, 2.0, None, 5.0, 5.0], list("abcde"), is_line=True))
    assert line.count("<line") == 2
    assert line.count("<title>") == 5
    flat = str(drawing.trend([3.0, 3.0], ["a", "b"], is_line=True))
    assert 'y1="16.00"' in flat


def test_correlations_as_a_table_or_as_the_strongest_pairs() -> None:
    found = Correlation(
        features=("temp", "wind", "freezing"),
        matrix=((1.0, 0.2, -0.9), (0.2, 1.0, None), (-0.9, None, 1.0)),
        rows=24,
    )
    matrix = facts.matrix(found)
    assert matrix is not None
    assert (matrix.names, matrix.of) == (("temp", "wind", "freezing"), "24 rows")
    pairs = facts.strongest("flights", weather(), found)
    assert [(pair.name, pair.other, pair.coefficient) for pair in pairs] == [
        ("temp", "freezing", -0.9),
        ("temp", "wind", 0.2),
    ]
    assert [pair.other for pair in facts.strongest("flights", weather(), found, "wind")] == ["temp"]
    many = tuple(f"f{i}" for i in range(11))
    wide = Correlation(features=many, matrix=tuple((1.0,) * 11 for _ in many), rows=3)
    assert facts.matrix(wide) is None
    assert len(facts.strongest("flights", weather(), wide)) == facts.PAIRS


@pytest.mark.parametrize(
    ("value", "cell", "words"),
    [
        (None, "none", "–"),
        (0.0, "plus-0", "0.00"),
        (-0.001, "minus-0", "0.00"),
        (0.43, "plus-2", "+0.43"),
        (-1.0, "minus-4", "−1.00"),
    ],
)
def test_a_coefficient(value: float | None, cell: str, words: str) -> None:
    assert (presenting.strength(value), presenting.coefficient(value)) == (cell, words)


# --- trying it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        ("string", "JFK", "JFK"),
        ("category", "7", "7"),
        ("bool", "true", True),
        ("bool", "No", False),
        ("int8", "-128", -128),
        ("int64", "9223372036854775807", 2**63 - 1),
        ("float64", "1e3", 1000.0),
        ("decimal(12, 2)", "12.50", Decimal("12.50")),
        ("date", "2013-01-31", date(2013, 1, 31)),
        ("timestamp", "2013-01-31T12:00+02:00", datetime(2013, 1, 31, 10, tzinfo=UTC)),
        ("timestamp", "2013-01-31T12:00", datetime(2013, 1, 31, 12, tzinfo=UTC)),
        ("duration", "90", timedelta(seconds=90)),
        ("list(int64)", "[1, 2]", [1, 2]),
        ("embedding(2)", "[1, 2]", [1, 2]),
        ("struct(a: int64)", '{"a": 1}', {"a": 1}),
        ("int32", "", None),
    ],
)
def test_what_is_typed_is_read_by_its_type(dtype: str, text: str, value: Any) -> None:
    assert asking.value_of(dtype, text) == value


@pytest.mark.parametrize(
    ("dtype", "text", "says"),
    [
        ("int8", "128", "a whole number"),
        ("int64", "1.5", "a whole number"),
        ("float64", "much", "a number"),
        ("bool", "perhaps", "true or false"),
        ("date", "31.1.2013", "2013-01-31"),
        ("timestamp", "noon", "2013-01-31T12:00Z"),
        ("duration", "long", "seconds"),
        ("duration", "1e300", "seconds"),
        ("decimal(4, 1)", "1,5", "decimal number"),
        ("list(int64)", '{"a": 1}', "JSON list"),
        ("struct(a: int64)", "[1]", "JSON object"),
    ],
)
def test_what_is_no_value_of_its_type_is_said(dtype: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^Write .*{says}.*\\.$"):
        asking.value_of(dtype, text)


def test_an_on_demand_view_reads_what_its_features_name_in_full() -> None:
    assert asking.reads(catalog(), gate()) == ("weather.freezing",)


# --- who may write -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "host", "here"),
    [
        ("127.0.0.1", "127.0.0.1:8787", True),
        ("127.0.0.1", "localhost:8787", True),
        ("::1", "[::1]:8787", True),
        ("127.0.0.1", "catalog.example.com", False),  # a proxy on this machine
        ("192.168.0.7", "127.0.0.1:8787", False),
        (None, "127.0.0.1:8787", False),
        ("127.0.0.1", "", False),
    ],
)
def test_who_sits_at_this_machine(client: str | None, host: str, here: bool) -> None:
    assert is_person_here(client, host) is here


@pytest.mark.parametrize(
    ("given", "here", "site", "says"),
    [
        ("key", False, "same-origin", "needs the server's token"),
        ("key", True, "cross-site", "not of this server's own pages"),
        ("key", True, "none", "not of this server's own pages"),
        ("", True, "same-origin", "Send it once more"),
        ("kéy", True, None, "Send it once more"),
    ],
)
def test_a_form_that_may_not_write(given: str, here: bool, site: str | None, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as refused:
        check_form(given, "key", here=here, site=site)
    assert refused.value.status == 403


@pytest.mark.parametrize("site", ["same-origin", None])
def test_a_form_of_our_own_page_writes(site: str | None) -> None:
    check_form("key", "key", here=True, site=site)
