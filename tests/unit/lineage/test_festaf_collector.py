"""A registry as nodes and edges: what a panel reads is what the definitions say."""

from __future__ import annotations

from datetime import UTC, datetime

from e2e_ml import refs
from e2e_ml.festaf.model import (
    Applied,
    Constraint,
    Feature,
    FeatureService,
    FeatureView,
    Key,
    OnDemandView,
    Owner,
    Registry,
    Source,
    Target,
    TaskRef,
)
from e2e_ml.festaf.wishes import Vote, Wish
from e2e_ml.lineage.collectors.festaf import COMPLETE, registry_graph
from e2e_ml.lineage.graph import FACTS, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Kind, Ref

T = datetime(2026, 1, 3, tzinfo=UTC)
SOURCE = Source(name="weather", format="csv", uri="data/weather.csv")


def feature(name: str, **more: object) -> Feature:
    return Feature.model_validate({"name": name, "dtype": "float64", "first_seen": T, "changed_at": T, **more})


WEATHER = FeatureView(
    name="weather",
    source=SOURCE,
    owner=Owner(name="weather-team", email="w@example.com"),
    purpose="Wind explains delays.",
    entities=(Key(name="origin", dtype="string"),),
    schedule="@hourly",
    features=(
        feature("temp", constraints=(Constraint(rule="lower_bound", value=-40), Constraint(rule="required"))),
        feature("wind", constraints=(Constraint(rule="accepted_values", value=["a", "b"]),)),
        feature("_low", expression={"op": "lt"}, inputs=("temp", "visib"), hidden=True),
        feature("gusty", expression={"op": "and"}, code="(wind > 25) & (visib < 3)", inputs=("wind", "_low")),
    ),
    first_seen=T,
    changed_at=T,
)
LEGACY = FeatureView(
    name="plane", source=SOURCE, entities=(Key(name="origin", dtype="string", description="The airport."),),
    produced_by=TaskRef(dag_id="legacy", task_id="load"), features=(feature("seats"),), first_seen=T, changed_at=T,
)  # fmt: skip
MANUAL = LEGACY.model_copy(update={"name": "manual", "produced_by": None})
DELAY = FeatureService(
    name="delay",
    features=("weather.temp", "weather.gusty"),
    target=Target(view="flights", feature="late", code="flights.arr_delay > 15"),
    first_seen=T,
    changed_at=T,
)
GATE = OnDemandView(
    name="gate",
    owner=Owner(name="gate-team"),
    purpose="Frost and the hour, together.",
    request=(Key(name="leaves_at", dtype="timestamp"),),
    features=(
        feature("_hour", expression={"op": "hour"}, inputs=("leaves_at",), hidden=True),
        feature("cold", expression={"op": "and"}, code="...", inputs=("_hour", "weather.temp")),
        feature(
            "odd",
            expression={"op": "python", "module": "features", "function": "encode", "args": []},
            inputs=("cold",),
            deprecated="Use cold.",
        ),
    ),
    first_seen=T,
    changed_at=T,
)
WISH = Wish(number=3, name="crew on duty", votes=(Vote(by="ada", why="Hours run out.", at=T), Vote(by="ben", at=T)))
REGISTRY = Registry(
    project="flights",
    version=7,
    views=(WEATHER, LEGACY, MANUAL),
    on_demand=(GATE,),
    services=(DELAY,),
    history=(Applied(version=7, at=T, by="ada", changes=()),),
)
STATS = {"weather": {"rows": 26115, "newest_event": "2013-12-30T23:00:00Z", "last_written": None}}
GRAPH = graph_of(*registry_graph(REGISTRY, STATS, [WISH]))


def facts(ref: Ref) -> dict[str, object]:
    node = GRAPH.get(ref)
    assert node is not None
    return dict(node.facts)


def test_every_kind_of_the_feature_store_is_there() -> None:
    assert {node.ref.kind for node in GRAPH.nodes()} == COMPLETE


def test_the_project_says_who_applied_what() -> None:
    assert facts(refs.project("flights")) == {
        "registry_version": 7,
        "applied_at": "2026-01-03T00:00:00+00:00",
        "applied_by": "ada",
    }


def test_a_view_brings_its_definition_and_what_is_stored() -> None:
    view = facts(refs.feature_view("flights", "weather"))
    assert (view["rows"], view["newest_event"]) == (26115, "2013-12-30T23:00:00Z")
    assert "last_written" not in view
    assert (view["owner"], view["owner_email"], view["purpose"]) == (
        "weather-team", "w@example.com", "Wind explains delays.",
    )  # fmt: skip
    assert view["features"] == ["temp", "wind", "gusty"]


def test_who_makes_a_view() -> None:
    made = {name: facts(refs.feature_view("flights", name)) for name in ("weather", "plane", "manual")}
    assert made["weather"]["dag_id"] == "festaf.flights.weather"
    assert (made["plane"]["dag_id"], made["plane"]["task_id"]) == ("legacy", "load")
    assert "dag_id" not in made["manual"]


def test_a_feature_inherits_its_views_owner_and_says_its_constraints_in_words() -> None:
    temp = facts(refs.feature("flights", "weather", "temp"))
    assert temp["owner"] == "weather-team"
    assert temp["constraints"] == ["at least -40", "required"]
    assert temp["inputs"] == ["temp"]
    assert facts(refs.feature("flights", "weather", "wind"))["constraints"] == ["one of a, b"]


def test_a_hidden_intermediate_is_seen_through() -> None:
    gusty = refs.feature("flights", "weather", "gusty")
    assert facts(gusty)["inputs"] == ["wind", "temp", "visib"]
    fed = {(e.upstream.kind, e.upstream.name) for e in GRAPH.upstream(gusty) if e.relation is Relation.FEEDS}
    assert fed == {(Kind.FEATURE, "wind"), (Kind.FEATURE, "temp"), (Kind.COLUMN, "visib")}
    assert refs.feature("flights", "weather", "_low") not in GRAPH


def test_a_source_shared_by_views_has_the_columns_of_all() -> None:
    assert facts(refs.source("flights", "weather"))["columns"] == ["origin", "seats", "temp", "visib", "wind"]
    fed = GRAPH.downstream(refs.source("flights", "weather"))
    assert {e.downstream.name for e in fed if e.relation is Relation.FEEDS} == {"weather", "plane", "manual"}
    columns = {e.downstream.name for e in fed if e.relation is Relation.CONTAINS}
    assert columns == {"seats", "temp", "visib", "wind"}


def test_an_entity_keeps_the_description_that_any_view_gives() -> None:
    assert facts(refs.entity("flights", "origin"))["description"] == "The airport."


def test_a_service_is_fed_by_its_features() -> None:
    service = refs.feature_service("flights", "delay")
    assert [e.upstream.name for e in GRAPH.upstream(service)] == ["temp", "gusty"]
    assert facts(service)["target"] == "flights.arr_delay > 15"
    assert service.kind is Kind.FEATURE_SERVICE


def test_an_on_demand_view_is_fed_by_what_it_reads_and_by_no_source() -> None:
    view = refs.feature_view("flights", "gate")
    assert facts(view)["on_demand"] is True
    assert facts(view)["request"] == ["leaves_at"]
    assert facts(view)["features"] == ["cold", "odd"]
    assert not {"source", "schedule", "dag_id", "rows"} & set(facts(view))
    assert [(e.upstream.name, e.relation) for e in GRAPH.upstream(view)] == [("weather", Relation.FEEDS)]


def test_a_feature_on_demand_is_made_of_the_request_and_of_features_of_other_views() -> None:
    cold = refs.feature("flights", "gate", "cold")
    assert facts(cold)["inputs"] == ["leaves_at", "weather.temp"]
    assert facts(cold)["request"] == ["leaves_at"]
    assert (facts(cold)["owner"], facts(cold)["purpose"]) == ("gate-team", "Frost and the hour, together.")
    fed = [e.upstream for e in GRAPH.upstream(cold) if e.relation is Relation.FEEDS]
    assert fed == [refs.feature("flights", "weather", "temp")]


def test_code_of_the_projects_own_and_an_announced_end_are_told() -> None:
    odd = facts(refs.feature("flights", "gate", "odd"))
    assert (odd["marks"], odd["deprecated"]) == (["python features.encode"], "Use cold.")
    assert "marks" not in facts(refs.feature("flights", "gate", "cold"))


def test_a_wish_brings_who_wants_it_and_why() -> None:
    wish = facts(refs.wish("flights", 3))
    assert (wish["name"], wish["status"]) == ("crew on duty", "open")
    assert wish["votes"] == [{"by": "ada", "why": "Hours run out."}, {"by": "ben", "why": ""}]
    assert "feature" not in wish


def test_every_fact_is_one_that_panels_are_promised() -> None:
    for node in GRAPH.nodes():
        assert set(node.facts) <= set(FACTS[node.ref.kind]), node.ref
