"""Columns against features: what is drawn, what is a candidate, what is left out, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Node, Relation
from e2e_ml.lineage.index.drawing import LIKELY
from e2e_ml.lineage.rules.columns import MOST_COLUMNS
from e2e_ml.refs import FEAST, Ref
from tests.unit.lineage.looks import Known

RUN = refs.run("lab", "r")
WEATHER = ["temp", "dewp", "wind_dir", "gust_max", "precip", "visib", "pressure_fall", "foggy"]


def view(name: str, features: list[str], project: str = "flights", **facts: Any) -> list[Node]:
    ref = refs.feature_view(project, name, FEAST)
    told = {"features": features, "entities": ["origin"], "event_time": "observed_at", **facts}
    return [Node(ref, told), *(Node(refs.feature(project, name, f, FEAST)) for f in features)]


def service(name: str, features: list[str]) -> Node:
    return Node(refs.feature_service("flights", name, FEAST), {"features": features})


def run(columns: list[str], context: str = "training", **facts: Any) -> Node:
    return Node(RUN, {"inputs": [{"context": context, "columns": columns}], **facts})


def version(columns: list[str], **facts: Any) -> Node:
    return Node(refs.model_version("lab", "m", 1), {"columns": columns, **facts})


def of(node: Node, *others: Node) -> dict[Ref, Edge]:
    """What the rules infer of its features: upstream end -> edge."""
    edges = Known([node, *others]).edges(node)
    return {e.upstream: e for e in edges if e.evidence is Evidence.INFERRED and e.relation is Relation.TRAINS}


def drawn(node: Node, *others: Node) -> set[str]:
    return {ref.name for ref, edge in of(node, *others).items() if edge.score >= LIKELY}


def test_the_reason_says_how_many_columns_fit_and_what_was_left_out() -> None:
    columns = ["origin", "observed_at", *WEATHER, "carrier_rank", "delayed_label"]
    (edge,) = of(run(columns), *view("hourly_weather", WEATHER), *view("planes", ["seats", "foggy"])).values()
    assert edge.reason == (
        "8 of 9 columns of the training data are features of hourly_weather, none of another view fits better; "
        "left out: delayed_label, origin, observed_at"
    )
    assert edge.score >= LIKELY
    assert edge.downstream == RUN


@pytest.mark.parametrize(
    "spelled",
    [
        [f"hourly_weather__{name}" for name in WEATHER],
        [f"hourly_weather@v2__{name}" for name in WEATHER],
        [f"hourly_weather:{name}" for name in WEATHER],
        [name.upper() for name in WEATHER],
        [f"{name}_scaled" for name in WEATHER],
        [f"num__{name}" for name in WEATHER],
        [*WEATHER[:-1], "foggy_yes", "foggy_no"],
        ["hourly_weather__temp", "hourly_weather__visib"],
    ],
)
def test_spellings_of_columns(spelled: list[str]) -> None:
    assert drawn(run(spelled), *view("hourly_weather", WEATHER)) == {"hourly_weather"}


@pytest.mark.parametrize(
    "columns",
    [
        ["temp", "dewp"],  # two names are no proof
        [*WEATHER[:4], "a1", "a2", "a3"],  # four of seven
        ["origin", "observed_at", "flight_id"],
        ["label", "y"],
        [],
        ["f0", "f1", "f2"],
    ],
)
def test_too_little_is_not_drawn(columns: list[str]) -> None:
    assert drawn(run(columns), *view("hourly_weather", WEATHER)) == set()


def test_everyday_names_say_little() -> None:
    plain = ["age", "city", "country", "price"]
    assert drawn(run(plain), *view("person", plain)) == set()
    assert (
        drawn(run(["debt_ratio", "late_30d", "open_lines", "bureau"]), *view("person", [*plain, "debt_ratio"])) == set()
    )


def test_views_that_fit_alike_are_candidates_with_their_shares() -> None:
    found = of(run(WEATHER), *view("one", WEATHER), *view("two", WEATHER))
    assert {ref.name for ref in found} == {"one", "two"}
    assert all(edge.score <= 0.5 for edge in found.values())
    assert all("another fits as well" in edge.reason for edge in found.values())


def test_one_column_more_tells_two_generations_apart() -> None:
    assert drawn(run([*WEATHER, "icing"]), *view("one", WEATHER), *view("two", [*WEATHER, "icing"])) == {"two"}


def test_two_projects_and_the_one_that_a_param_names() -> None:
    copies = [*view("w", WEATHER, "prod"), *view("w", WEATHER, "staging")]
    assert drawn(run(WEATHER), *copies) == set()
    found = of(run(WEATHER, params={"feast_project": "prod"}), *copies)
    assert {(ref.instance, edge.score >= LIKELY) for ref, edge in found.items()} == {("prod", True)}


def test_pieces_of_two_views() -> None:
    planes = ["seats", "engines", "year_built", "range_km"]
    views = [*view("weather", WEATHER), *view("planes", planes), *view("other", ["x1", "x2"])]
    assert drawn(run([*WEATHER, *planes, "y"]), *views) == {"weather", "planes"}


def test_a_service_that_the_columns_tell_from_its_views() -> None:
    planes = ["seats", "engines", "year_built", "range_km"]
    views = [*view("weather", WEATHER), *view("planes", planes)]
    delay = service("delay", [f"weather.{name}" for name in WEATHER[:3]] + ["planes.seats", "planes.engines"])
    large = service("large", [*(f"weather.{name}" for name in WEATHER), *(f"planes.{name}" for name in planes)])
    assert drawn(run([*WEATHER[:3], "seats", "engines", "y"]), *views, delay, large) == {"delay"}
    assert drawn(run([*WEATHER, *planes, "y"]), *views, delay, large) == {"large"}


def test_a_service_of_all_of_a_view_is_a_candidate_beside_the_view() -> None:
    whole = service("whole", [f"weather.{name}" for name in WEATHER])
    found = of(run(WEATHER), *view("weather", WEATHER), whole)
    assert {ref.name: edge.score >= LIKELY for ref, edge in found.items()} == {"weather": True, "whole": False}


def test_the_target_of_a_service_is_left_out() -> None:
    served = service("delay", ["weather.temp", "weather.dewp"])
    target = Node(served.ref, {**served.facts, "target": "arrivals.minutes_late"})
    (edge,) = (
        e for e in of(run([*WEATHER, "minutes_late"]), *view("weather", WEATHER), target).values() if e.score >= LIKELY
    )
    assert edge.reason.startswith("8 of 8 columns")
    assert edge.reason.endswith("left out: minutes_late")
    computed = Node(served.ref, {**served.facts, "target": "arrivals.late > 15"})
    assert drawn(run([*WEATHER, "late"]), *view("weather", WEATHER), computed) == {"weather"}


def test_what_was_declared_is_not_inferred_again() -> None:
    tags = {"feast.project": "flights", "feast.feature_refs": "weather:temp"}
    views = view("weather", WEATHER)
    assert of(run(WEATHER, tags=tags), *views) == {}
    assert of(run(WEATHER, params={"feature_view": "weather"}), *views) == {}
    told = version([], run_id="r", tags={"feature_refs": '["feature_view:weather:temp"]'})
    assert of(run(WEATHER), *views, told) == {}


def test_a_signature_tells_the_label_of_the_data() -> None:
    columns = [*WEATHER[:4], "arrival_minutes", "departure_rank"]
    views = view("weather", WEATHER)
    assert drawn(run(columns), *views) == {"weather"}  # one of the two is the label
    assert drawn(run([*columns, "label"]), *views) == set()
    assert (
        drawn(run(columns), *views, version(columns, run_id="r")) == set()
    )  # both are asked for: neither is the label
    found = of(run([*columns, "spare"]), *views, version(WEATHER[:4], run_id="r"))
    assert [edge.score >= LIKELY for edge in found.values()] == [True]
    assert "of the model are features" in next(iter(found.values())).reason


def test_a_model_whose_run_is_there_hangs_on_it_by_the_run_alone() -> None:
    model, views = version(WEATHER, run_id="r"), view("weather", WEATHER)
    assert of(model, *views, Node(RUN)) == {}
    assert drawn(Node(RUN), *views, model) == {"weather"}
    assert drawn(model, *views) == {"weather"}
    logged = Node(refs.logged_model("lab", "m-1"), {"columns": WEATHER})
    assert drawn(logged, *views) == {"weather"}


def test_data_that_a_model_is_tested_on_is_none_that_it_learned_from() -> None:
    assert of(run(WEATHER, "eval"), *view("weather", WEATHER)) == {}


def test_a_run_looks_up_a_bounded_number_of_names() -> None:
    wide = run([f"c{n}_part_{n}" for n in range(5_000)])
    look = Known([wide, *view("weather", WEATHER)])
    look.edges(wide)
    assert len(set(look.looked)) <= 2 * MOST_COLUMNS + 20
