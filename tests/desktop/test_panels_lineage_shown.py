"""What the drawing shows, as tables: fans, hubs, filters, columns, ways and cycles. No widget."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.desktop.panels.lineage.columns import ROWS, columns_of
from e2e_ml.desktop.panels.lineage.explored import OPENED, Bounds, explore
from e2e_ml.desktop.panels.lineage.faces import face, label
from e2e_ml.desktop.panels.lineage.judging import as_edge, said_in_words, verdicts
from e2e_ml.desktop.panels.lineage.neighbourhood import (
    Detail,
    Fold,
    Key,
    Neighbourhood,
    Tie,
    anchor,
    neighbourhood,
    surroundings,
)
from e2e_ml.desktop.panels.lineage.ways import TOLD, between
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.lineage.judgements import Judgements, Verdict
from e2e_ml.refs import Kind, Ref
from tests.desktop import lifecycles as flights

GRAPH = flights.flights()
SERVICE = refs.feature_service("p", "all")


def ends(shown: Neighbourhood) -> set[tuple[Key, Key]]:
    return {(tie.upstream, tie.downstream) for tie in shown.ties}


def folds(shown: Neighbourhood) -> list[Fold]:
    return [key for key in shown.keys if isinstance(key, Fold)]


def of_kind(shown: Neighbourhood, kind: Kind) -> list[Ref]:
    return [key for key in shown.keys if isinstance(key, Ref) and key.kind is kind]


def tied(*pairs: tuple[Ref, Ref], relation: Relation = Relation.FEEDS) -> Graph:
    nodes = dict.fromkeys(ref for pair in pairs for ref in pair)
    return graph_of(map(Node, nodes), [Edge(a, b, relation, Evidence.DECLARED) for a, b in pairs])


def hub(n: int) -> tuple[Graph, Ref, Ref]:
    """A service with `n` runs and versions, its view's source, and its model, whose champion is version 77."""
    view, source, model = refs.feature_view("p", "v"), refs.source("p", "s"), refs.registered_model("l", "m")
    runs = [refs.run("l", f"{i:032x}") for i in range(n)]
    versions = [refs.model_version("l", "m", i + 1) for i in range(n)]
    edges = [
        Edge(source, view, Relation.FEEDS, Evidence.DECLARED),
        Edge(view, SERVICE, Relation.FEEDS, Evidence.DECLARED),
    ]
    for run, version in zip(runs, versions, strict=True):
        edges += [
            Edge(SERVICE, run, Relation.TRAINS, Evidence.DECLARED),
            Edge(run, version, Relation.LOGGED, Evidence.OBSERVED),
            Edge(version, model, Relation.VERSION_OF, Evidence.DECLARED),
        ]
    nodes = [Node(view), Node(source), Node(SERVICE), Node(model, {"aliases": {"champion": "77"}})]
    return graph_of([*nodes, *map(Node, runs), *map(Node, versions)], edges), source, model


# --- fans and hubs ---------------------------------------------------------------------------------------------------


def test_what_a_longer_path_says_is_not_drawn_twice() -> None:
    shown = neighbourhood(GRAPH, flights.GUSTY, Detail())
    assert (flights.feature_ref("hourly_weather", "visib"), flights.GUSTY) in ends(shown)
    assert (flights.view_ref("hourly_weather"), flights.GUSTY) not in ends(shown)


def test_a_fold_keeps_the_lines_of_what_it_holds() -> None:
    shown = neighbourhood(flights.fan(20), SERVICE, Detail())
    (fold,) = folds(shown)
    assert fold.fan == Fan(Kind.FEATURE, False, 1)
    assert {(refs.feature_view("p", "wide"), fold), (fold, SERVICE)} <= ends(shown)


def test_a_fold_keeps_its_line_though_one_that_it_holds_leads_there_another_way() -> None:
    graph = flights.fan(20)
    made_of_one = refs.feature("p", "gate", "cold")
    edges = [edge for node in graph.nodes() for edge in graph.downstream(node.ref)]
    edges.append(Edge(refs.feature("p", "wide", "f019"), made_of_one, Relation.FEEDS, Evidence.DECLARED))
    edges.append(Edge(made_of_one, SERVICE, Relation.FEEDS, Evidence.DECLARED))
    shown = neighbourhood(graph_of([Node(made_of_one), *graph.nodes()], edges), SERVICE, Detail(up=1))
    assert made_of_one in shown.keys
    assert (folds(shown)[0], SERVICE) in ends(shown)


def test_a_fan_of_thousands_opens_step_by_step() -> None:
    graph, view = flights.flights(extra_features=3000), flights.view_ref("telemetry")
    fan = Fan(Kind.FEATURE, True, 1)
    for times in (0, 1, 2):
        shown = neighbourhood(graph, view, Detail(fan=8), Asked(opened=(fan,) * times))
        features = of_kind(shown, Kind.FEATURE)
        assert len(features) == 7 + OPENED * times
        assert [fold.count for fold in folds(shown)] == [3000 - len(features)]


def test_behind_a_hub_everything_is_counted_and_some_of_each_kind_is_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, source, model = hub(2000)
    read: list[Ref] = []
    get = Graph.get
    monkeypatch.setattr(Graph, "get", lambda self, ref: read.append(ref) or get(self, ref))
    around = surroundings(graph, source, Detail())
    assert around.kinds[Kind.RUN] == 2000
    assert around.kinds[Kind.MODEL_VERSION] == 2000
    texts = [fold.text for fold in folds(around.whole())]
    assert texts == ["+1,993 more runs", "+1,993 more model versions"]
    assert model in around.keys
    assert len(set(read)) <= 80  # no facts of what is folded
    fold = folds(around.whole())[0]
    assert (SERVICE, fold) in ends(around.whole())


def test_the_champion_of_a_model_with_thousands_of_versions_is_shown() -> None:
    graph, _, model = hub(2000)
    shown = neighbourhood(graph, model, Detail())
    assert refs.model_version("l", "m", 77) in shown.keys
    assert len(of_kind(shown, Kind.MODEL_VERSION)) == 7


def test_a_hub_is_looked_at_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, source, model = hub(3000)
    looked: list[int] = []
    edges = Graph._edges  # pyright: ignore[reportPrivateUsage]

    def counted(self: Graph, ref: Ref, limit: int | None, *, down: bool) -> list[Edge]:
        found = edges(self, ref, limit, down=down)
        looked.append(len(found))
        return found

    monkeypatch.setattr(Graph, "_edges", counted)
    for focus in (source, SERVICE, model):
        looked.clear()
        surroundings(graph, focus, Detail())
        assert max(looked) <= Bounds().hub
        assert sum(looked) <= 2 * Bounds().looks + Bounds().hub


def test_two_hubs_that_share_what_hangs_on_them_count_it_once() -> None:
    view, a, b = refs.feature_view("p", "v"), refs.feature_service("p", "a"), refs.feature_service("p", "b")
    runs = [refs.run("l", f"{i:032x}") for i in range(Bounds().hub + 200)]
    graph = tied((view, a), (view, b), *((s, run) for s in (a, b) for run in runs))
    around = surroundings(graph, view, Detail())
    assert around.kinds[Kind.RUN] == len(runs)
    assert sum(fold.count for fold in folds(around.whole())) + len(of_kind(around.whole(), Kind.RUN)) == len(runs)


def test_what_only_lies_behind_a_hub_is_led_to() -> None:
    view = refs.feature_view("p", "v")
    features = [refs.feature("p", "v", f"f{i:04d}") for i in range(Bounds().hub + 300)]
    services = [refs.feature_service("p", f"s{i}") for i in range(40)]
    graph = tied(*((view, f) for f in features), *zip(features[-40:], services, strict=True))
    around = surroundings(graph, view, Detail())
    assert around.kinds[Kind.FEATURE_SERVICE] == 40
    whole = around.whole()
    assert 1 <= len(of_kind(whole, Kind.FEATURE_SERVICE)) <= Bounds().behind
    assert {fold.text for fold in folds(whole)} == {f"+{len(features) - 7} more features", "+33 more feature services"}
    for service in of_kind(whole, Kind.FEATURE_SERVICE):
        assert any(tie.downstream == service for tie in whole.ties)


# --- what a person asks for ------------------------------------------------------------------------------------------


def test_what_is_closed_is_counted_and_the_rest_stays() -> None:
    side = Side(flights.SERVICE, True)
    around = surroundings(GRAPH, flights.GUSTY, Detail(), Asked().close(side))
    assert around.more[side] == 4
    assert not of_kind(around.whole(), Kind.RUN)
    assert flights.view_ref("hourly_weather") in around.keys


def test_what_was_expanded_is_closed_before_what_was_there() -> None:
    side = Side(flights.view_ref("hourly_weather"), True)
    asked = Asked().expand(side)
    assert asked.expanded == (side,)
    assert asked.close(side) == Asked()
    assert asked.close(side).close(side).closed == {side}
    assert asked.close(side).close(side).expand(side) == Asked()


def test_another_focus_forgets_what_was_opened_and_keeps_the_filters() -> None:
    asked = Asked().open(Fan(Kind.RUN, True, 1)).toggle_kind(Kind.DAG).toggle_columns()
    assert asked.about_another() == Asked(left_out=frozenset({Kind.DAG}), columns=True)
    assert asked.fold(Fan(Kind.RUN, True, 1)).opened == ()
    assert asked.toggle_evidence(Evidence.INFERRED).unfiltered().unbelieved == frozenset()


@pytest.mark.parametrize(
    ("left_out", "bridge"),
    [
        ({Kind.RUN}, (flights.SERVICE, flights.CHAMPION)),
        ({Kind.FEATURE_SERVICE}, (flights.GUSTY, refs.run("local", flights.RUNS[0][0]))),
        ({Kind.FEATURE_SERVICE, Kind.RUN}, (flights.GUSTY, flights.CHAMPION)),
        ({Kind.FEATURE_VIEW, Kind.FEATURE}, (refs.source("flights", "weather"), flights.GUSTY)),
    ],
)
def test_kinds_that_are_left_out_are_bridged(left_out: set[Kind], bridge: tuple[Ref, Ref]) -> None:
    shown = neighbourhood(GRAPH, flights.GUSTY, Detail(), Asked(left_out=frozenset(left_out)))
    assert not {key.kind for key in shown.keys if key != flights.GUSTY} & left_out
    assert bridge in ends(shown)
    joined = next(tie for tie in shown.ties if (tie.upstream, tie.downstream) == bridge)
    assert joined.edges


def test_a_bridge_is_as_weak_as_its_weakest_part() -> None:
    shown = neighbourhood(GRAPH, flights.GUSTY, Detail(), Asked(left_out=frozenset({Kind.RUN})))
    tie = next(t for t in shown.ties if t.downstream == flights.CHAMPION)
    assert tie.evidence is Evidence.OBSERVED


@pytest.mark.parametrize("evidence", list(Evidence))
def test_what_is_not_believed_is_not_drawn(evidence: Evidence) -> None:
    around = surroundings(GRAPH, flights.GUSTY, Detail(), Asked(unbelieved=frozenset({evidence})))
    assert all(tie.evidence is not evidence for tie in around.ties)
    assert around.evidence[evidence]  # the chip still tells how many there are
    told = {end for tie in around.ties for end in (tie.upstream, tie.downstream)}
    assert set(around.keys) <= told | {flights.GUSTY}


# --- kinds -----------------------------------------------------------------------------------------------------------


def test_a_dataset_that_a_source_stands_for_is_drawn_as_that_source_unless_it_is_in_focus() -> None:
    graph = flights.with_serving()
    lake, source = refs.dataset("s3://lake", "raw/weather/hourly"), refs.source("flights", "weather")
    fetch = flights.dag_ref("flights.fetch")
    shown = neighbourhood(graph, flights.GUSTY, Detail())
    assert lake not in shown.keys
    assert (fetch, source) in ends(shown)
    shown = neighbourhood(graph, lake, Detail())
    assert {(fetch, lake), (lake, source)} <= ends(shown)


def test_aliases_endpoints_and_monitors_stand_at_the_end() -> None:
    graph = flights.with_serving()
    shown = neighbourhood(graph, flights.GUSTY, Detail())
    alias, endpoint = refs.alias("local", "flight-delay", "champion"), refs.endpoint("local", "gate")
    monitor = refs.monitor("local", "gate-drift")
    assert {(flights.CHAMPION, alias), (alias, endpoint), (endpoint, monitor)} <= ends(shown)
    told = {ref: face(graph, ref, flights.NOW, focus=False, large=True) for ref in (alias, endpoint, monitor)}
    assert [(f.label, f.caption) for f in told.values()] == [
        ("@champion", "alias · flight-delay"), ("gate", "endpoint · online"), ("gate-drift", "monitor"),
    ]  # fmt: skip


def test_labels_are_the_short_names() -> None:
    assert label(GRAPH, flights.CHAMPION) == "v3"
    assert label(GRAPH, flights.dag_ref("festaf.flights.plane")) == "plane"
    assert label(GRAPH, refs.source("flights", "weather")) == "weather.csv"
    assert label(GRAPH, refs.run("local", flights.RUNS[0][0])) == "boosted-trees"
    assert label(GRAPH, refs.dataset("s3://lake", "raw/weather/hourly")) == "hourly"


def test_what_is_gone_says_since_when() -> None:
    dag, view = flights.dag_ref("old"), refs.feature_view("p", "v")
    edge = Edge(dag, view, Relation.PRODUCES, Evidence.OBSERVED, "it wrote it")
    graph = graph_of([Node(dag, {}, flights.NOW.replace(day=3)), Node(view)], [edge])
    told = face(graph, dag, flights.NOW, focus=False, large=True)
    assert told.gone
    assert told.caption == "gone since 3 Nov"


def test_what_has_no_lines_is_told_by_what_holds_it() -> None:
    assert anchor(flights.TRAIN_TASK) == flights.TRAIN
    assert anchor(refs.source_column("flights", "weather", "temp")) == refs.source("flights", "weather")
    assert anchor(flights.GUSTY) == flights.GUSTY
    assert anchor(None) is None


# --- columns ---------------------------------------------------------------------------------------------------------


def test_columns_that_feed_something_drawn_come_first_and_the_rest_is_counted() -> None:
    graph, source = flights.with_columns(), refs.source("flights", "weather")
    shown = neighbourhood(graph, flights.GUSTY, Detail())
    columns = columns_of(graph, shown.keys)
    assert [ref.name for ref in columns.rows[source].columns] == ["visib", "wind_speed", "temp", "origin", "time_hour"]
    assert {(start.name if start else "", tie.downstream.name) for tie, start, _ in columns.ties
            if isinstance(tie.downstream, Ref)} == {("visib", "visib"), ("wind_speed", "wind_speed")}  # fmt: skip


def test_a_source_with_hundreds_of_columns_shows_some() -> None:
    source, view = refs.source("p", "s"), refs.feature_view("p", "v")
    columns = [refs.source_column("p", "s", f"c{i:03d}") for i in range(300)]
    edges = [Edge(source, c, Relation.CONTAINS, Evidence.DECLARED) for c in columns]
    edges.append(Edge(source, view, Relation.FEEDS, Evidence.DECLARED))
    graph = graph_of([Node(source, {"columns": [c.name for c in columns]}), Node(view), *map(Node, columns)], edges)
    rows = columns_of(graph, neighbourhood(graph, view, Detail()).keys).rows[source]
    assert len(rows.columns) == ROWS
    assert rows.more == 300 - ROWS


# --- ways and cycles -------------------------------------------------------------------------------------------------


def test_a_cycle_is_drawn_and_not_followed_for_ever() -> None:
    a, b, c = (refs.feature_view("p", name) for name in "abc")
    shown = neighbourhood(tied((a, b), (b, c), (c, a), (b, a)), a, Detail())
    assert set(shown.keys) == {a, b, c}
    reached = {a}
    for _ in range(3):
        reached |= {t.downstream for t in shown.ties if t.upstream in reached}  # pyright: ignore[reportAssignmentType]
    assert reached == {a, b, c}


def test_all_ways_are_lit_and_the_shortest_are_told() -> None:
    names = {name: refs.feature_view("p", name) for name in "abcdx"}
    a, b, c, d, x = names.values()
    ties = [Tie(p, q, Evidence.DECLARED, ()) for p, q in [(a, b), (b, d), (a, c), (c, b), (a, x)]]
    ways = between(ties, d, a)  # whichever lies upstream
    assert ways.keys == {a, b, c, d}
    assert ways.told == ((a, b, d), (a, c, b, d))
    assert not ways.more
    assert ways.sentences(lambda key: key.kind.value if isinstance(key, Fold) else key.name)[0] == "a → b → d"


def test_ways_beyond_number_are_not_all_told() -> None:
    steps = [[refs.feature_view("p", f"s{i}_{j}") for j in range(4)] for i in range(8)]
    ties = [Tie(a, b, Evidence.DECLARED, ()) for x, y in pairwise(steps) for a in x for b in y]
    ways = between(ties, steps[0][0], steps[-1][0])
    assert len(ways.told) <= TOLD
    assert ways.more
    assert len(ways.keys) == 2 + 6 * 4


def test_what_stands_beside_is_reached_against_the_lines() -> None:
    view, a, b = (refs.feature_view("p", name) for name in ("view", "a", "b"))
    ties = [Tie(view, a, Evidence.DECLARED, ()), Tie(view, b, Evidence.DECLARED, ())]
    assert between(ties, a, b).told == ((a, view, b),)
    assert not between(ties[:1], a, b)


# --- what may be said ------------------------------------------------------------------------------------------------


def test_only_what_was_inferred_is_judged_and_what_was_said_is_withdrawn() -> None:
    up, down = flights.SERVICE, refs.run("local", flights.RUNS[3][0])
    inferred = Edge(up, down, Relation.TRAINS, Evidence.INFERRED, "columns", 0.9)
    declared = Edge(up, down, Relation.TRAINS, Evidence.DECLARED)
    assert verdicts(inferred, None) == (Verdict.CONFIRMED, Verdict.REFUSED)
    assert verdicts(declared, None) == ()
    said = Judgements(None).judge(inferred, Verdict.REFUSED, "ada", flights.NOW)
    assert verdicts(declared, said) == (Verdict.WITHDRAWN,)
    assert said_in_words(said, flights.NOW) == "Refused by ada just now"
    taken = as_edge(said)
    assert (taken.upstream, taken.downstream, taken.relation) == (up, down, Relation.TRAINS)


# --- any graph -------------------------------------------------------------------------------------------------------

THINGS = [
    *(refs.feature("p", "v", f"f{i}") for i in range(8)), *(refs.run("l", f"r{i}") for i in range(8)),
    *(refs.feature_view("p", f"v{i}") for i in range(4)), *(refs.dataset("s3", f"d{i}") for i in range(3)),
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(THINGS), st.sampled_from(THINGS), st.sampled_from(list(Evidence))), max_size=40),
    st.sampled_from(THINGS),
    st.sets(st.sampled_from([Kind.FEATURE, Kind.RUN, Kind.FEATURE_VIEW])),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_graph(pairs: list[tuple[Ref, Ref, Evidence]], focus: Ref, left_out: set[Kind], runs: bool) -> None:
    edges = [Edge(a, b, Relation.FEEDS, evidence, "it is said", 0.9) for a, b, evidence in pairs if a != b]
    graph = graph_of(map(Node, THINGS), edges)
    asked = Asked(left_out=frozenset(left_out))
    around = surroundings(graph, focus, Detail(fan=3, runs=runs), asked)
    keys = set(around.keys)
    assert focus in keys
    assert len(keys) == len(around.keys)
    assert all(tie.upstream in keys and tie.downstream in keys for tie in around.ties)
    assert len({(tie.upstream, tie.downstream) for tie in around.ties}) == len(around.ties)
    assert all(tie.upstream != tie.downstream for tie in around.ties)
    found = explore(graph, focus, asked, Bounds()).counts()
    if not left_out and runs:
        shown = sum(key.count if isinstance(key, Fold) else 1 for key in around.keys if key != focus)
        assert shown == sum(found.values())
