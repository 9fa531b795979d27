"""Feast's registry as records: what real Feast wrote is read without it, and a part is not taken for the whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.feast import COMPLETE, feast_collector
from e2e_ml.lineage.collectors.feast_graph import registry_records
from e2e_ml.lineage.collectors.feast_projects import read_registry
from e2e_ml.lineage.collectors.feast_wire import WireError, parts
from e2e_ml.lineage.graph import Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.refs import FEAST, Kind, Ref
from e2e_ml.workspace import Feast

RECORDED = Path(__file__).with_name("feast") / "registry.db"
WHOLE = RECORDED.read_bytes()
FOLDER = Path("/project")
RECORDS = registry_records(read_registry(WHOLE), FOLDER)
FACTS: Mapping[Ref, Mapping[str, Any]] = {record.node.ref: record.node.facts for record in RECORDS}
EDGES = {(e.upstream, e.downstream, e.relation): e for record in RECORDS for e in record.edges}


def view(name: str, project: str = "trips") -> Ref:
    return refs.feature_view(project, name, FEAST)


def feature(view: str, name: str, project: str = "trips") -> Ref:
    return refs.feature(project, view, name, FEAST)


def source(name: str, project: str = "trips") -> Ref:
    return refs.source(project, name, FEAST)


def fed_by(ref: Ref) -> set[Ref]:
    return {up for up, down, relation in EDGES if down == ref and relation is Relation.FEEDS}


# --- what is read ----------------------------------------------------------------------------------------------------


def test_everything_in_the_registry_has_a_name_under_feast() -> None:
    assert {ref.scheme for ref in FACTS} == {"feast"}
    assert {ref.instance for ref in FACTS} == {"drivers", "trips"}
    assert len(FACTS) == len(RECORDS)
    assert {ref.kind for ref in FACTS} == set(COMPLETE)
    assert {facts["store"] for facts in FACTS.values()} == {"feast"}
    views = {ref.keys[0] for ref in FACTS if ref.kind is Kind.FEATURE_VIEW}
    assert views == {
        "driver_hourly_stats", "driver_hourly_stats_fresh", "driver_quality_labels", "transformed_conv_rate",
        "transformed_conv_rate_fresh", "weather", "sales", "visits", "asked_for", "clicked", "pushed", "twice",
        "heat", "words",
    }  # fmt: skip


def test_every_edge_is_declared_and_both_its_ends_are_there() -> None:
    for (up, down, _), edge in EDGES.items():
        assert up in FACTS
        assert down in FACTS
        assert edge.evidence is Evidence.DECLARED
        assert edge.reason
    held = {record.node.ref: record.edges for record in RECORDS}
    for ref, edges in held.items():
        assert {edge.downstream for edge in edges} <= {ref}


def test_a_project_says_whose_it_is_and_when_it_was_applied() -> None:
    facts = FACTS[refs.project("trips", FEAST)]
    assert (facts["description"], facts["owner_email"]) == ("From here to there.", "ana@example.com")
    assert facts["applied_at"] > "2026"


def test_a_view_has_its_keys_its_times_and_its_dag() -> None:
    facts = FACTS[view("weather")]
    assert {
        key: facts[key] for key in ("description", "owner", "source", "event_time", "ttl", "features", "version")
    } == {
        "description": "Weather, hour by hour.",
        "owner": "sky@example.com",
        "source": "places",
        "event_time": "seen_at",
        "ttl": 36 * 3600.0,
        "features": ["temp", "wind", "shape"],
        "version": 0,
    }
    assert facts["entities"] == ["place_id"]  # the column, not the entity
    assert (facts["dag_id"], facts["task_id"], facts["dag_tag"]) == ("make_weather", "write", "airflow.dag_id")
    assert (FACTS[view("sales")]["dag_id"], FACTS[view("sales")]["dag_tag"]) == ("make_sales", "dag")
    assert "dag_id" not in FACTS[view("visits")]
    assert "team:sky" in facts["tags"]
    assert facts["first_seen"] <= facts["changed_at"]
    assert fed_by(view("weather")) == {source("places")}
    assert (refs.entity("trips", "place", FEAST), view("weather"), Relation.KEYS) in EDGES
    assert FACTS[view("asked_for")]["entities"] == []  # Feast's stand-in for no entity is none


def test_what_was_materialized_is_written_until_then() -> None:
    facts = FACTS[view("driver_hourly_stats", "drivers")]
    assert facts["written_until"] == "2026-01-02T00:00:00+00:00"
    assert facts["last_written"] == facts["changed_at"]
    assert FACTS[feature("driver_hourly_stats", "conv_rate", "drivers")]["written_until"] == facts["written_until"]
    assert not {"written_until", "last_written"} & set(FACTS[view("driver_hourly_stats_fresh", "drivers")])


def test_a_feature_has_its_type_and_its_views_owner() -> None:
    facts = FACTS[feature("weather", "temp")]
    assert facts["dtype"] == "float64"
    assert (facts["description"], facts["owner"], facts["tags"]) == ("Air temperature.", "sky@example.com", ["unit:F"])
    assert facts["inputs"] == ["Air Temp (F)"]  # as its source calls it
    assert FACTS[feature("weather", "wind")]["dtype"] == "list(float32)"
    assert FACTS[feature("weather", "shape")]["dtype"] == "embedding(3)"
    profile = FACTS[feature("driver_hourly_stats", "driver_profile", "drivers")]
    assert (profile["dtype"], profile["tags"]) == ("struct(name: string, age: string)", [])
    assert (view("weather"), feature("weather", "temp"), Relation.CONTAINS) in EDGES


@pytest.mark.parametrize(
    ("name", "uri", "form", "place"),
    [
        ("places", "s3://lake/places", "delta", "s3://lake/places"),
        ("sales", "shop.public.SALES", "snowflake", None),
        ("visits", "acme.web.visits", "bigquery", "bigquery://acme/web/visits"),
        ("load", "SELECT load, at FROM web.load", "bigquery", None),
        ("clicks", "clicks", "kafka", "kafka://kafka:9092/clicks"),
        ("pushed", None, "push", None),
        ("asked", None, "request", None),
    ],
)
def test_a_source_says_what_it_is_and_where_it_lies(name: str, uri: str | None, form: str, place: str | None) -> None:
    facts = FACTS[source(name)]
    assert (facts.get("uri"), facts["format"], facts.get("place")) == (uri, form, place)


def test_a_path_is_seen_from_the_projects_folder_and_is_no_place_where_that_is_not_known() -> None:
    stats = source("driver_hourly_stats_source", "drivers")
    assert FACTS[stats]["uri"] == "data/driver_stats.parquet"
    assert FACTS[stats]["place"] == "file:///project/data/driver_stats.parquet"
    nowhere = {record.node.ref: record.node.facts for record in registry_records(read_registry(WHOLE))}
    assert "place" not in nowhere[stats]
    assert nowhere[source("places")]["place"] == "s3://lake/places"


def test_the_columns_of_a_source_are_those_that_views_read() -> None:
    assert FACTS[source("places")]["columns"] == [
        "Air Temp (F)", "clicks", "now", "place_id", "seen_at", "shape", "wind",
    ]  # fmt: skip
    assert FACTS[source("asked")]["columns"] == ["limit"]


def test_what_is_pushed_and_streamed_feeds_a_view_beside_its_rows() -> None:
    assert fed_by(view("pushed")) == {source("places"), source("pushed")}
    assert fed_by(view("clicked")) == {source("places"), source("clicks")}
    made = FACTS[feature("clicked", "sum_clicks_3600s")]
    assert (made["expression"], made["inputs"]) == ("sum(clicks) over 3600 s", ["clicks"])
    labels = view("driver_quality_labels", "drivers")
    names = ("driver_quality_labels_push", "driver_quality_labels_batch")
    assert fed_by(labels) == {source(name, "drivers") for name in names}


def test_on_demand_features_stand_on_the_features_that_their_function_reads() -> None:
    facts = FACTS[view("heat")]
    assert (facts["on_demand"], facts["request"]) == (True, ["limit"])
    assert fed_by(view("heat")) == {view("weather"), source("asked")}
    hot = FACTS[feature("heat", "hot")]
    assert (hot["expression"], hot["inputs"], hot["request"]) == (
        "temp - limit", ["limit", "weather.temp"], ["limit"],
    )  # fmt: skip
    assert fed_by(feature("heat", "hot")) == {feature("weather", "temp")}
    # A function that is more than arithmetic tells the columns that it names.
    assert FACTS[feature("words", "word")]["expression"].startswith("def words(inputs):")
    assert fed_by(feature("words", "word")) == {feature("weather", "wind")}


def test_a_service_names_features_by_their_views_and_says_how_runs_call_them() -> None:
    trip = refs.feature_service("trips", "trip", FEAST)
    facts = FACTS[trip]
    assert facts["features"] == ["weather.temp", "weather.wind", "sales.sum", "heat.hot", "words.word"]
    assert facts["aliases"] == {"from_weather": "weather", "to_weather": "weather"}
    assert (facts["owner"], facts["description"]) == ("Ana", "From here to there.")
    assert fed_by(trip) == {feature(*name.split(".")) for name in facts["features"]}


def test_one_project_of_several_can_be_asked_for() -> None:
    records = registry_records(read_registry(WHOLE), FOLDER, "trips")
    assert {record.node.ref.instance for record in records} == {"trips"}
    assert len(records) == sum(ref.instance == "trips" for ref in FACTS)


# --- what is linked to it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("project", "tags", "upstream"),
    [
        (
            "drivers",
            {"feast.feature_service": "driver_activity_v1", "feast.feature_refs": "driver_hourly_stats:conv_rate"},
            {refs.feature_service("drivers", "driver_activity_v1", FEAST)},
        ),
        (
            "drivers",
            {"feast.feature_refs": "driver_hourly_stats@v0:acc_rate,driver_hourly_stats_fresh:conv_rate"},
            {
                feature("driver_hourly_stats", "acc_rate", "drivers"),
                feature("driver_hourly_stats_fresh", "conv_rate", "drivers"),
            },
        ),
        (
            "trips",
            {"feast.feature_service": "trip", "feast.feature_refs": "from_weather:temp,to_weather:temp"},
            {refs.feature_service("trips", "trip", FEAST)},
        ),
        ("trips", {"feast.feature_service": "driver_activity_v1"}, set()),  # of another project
    ],
)
def test_a_run_of_feast_hangs_on_what_it_names(project: str, tags: dict[str, str], upstream: set[Ref]) -> None:
    run = refs.run("local", "r")
    graph = linked(Record(Node(run, {"tags": {"feast.project": project, **tags}})))
    assert {edge.upstream for edge in graph.upstream(run)} == upstream


def test_the_dag_that_a_tag_of_a_view_names_makes_the_view() -> None:
    dag = refs.dag("local", "make_weather")
    graph = linked(Record(Node(dag, {"schedule": "@hourly"})))
    made = [(e.downstream, e.relation, e.evidence) for e in graph.downstream(dag)]
    assert made == [(view("weather"), Relation.PRODUCES, Evidence.DECLARED)]


def linked(*others: Record) -> Graph:
    index = Index(None)
    index.upsert("feast:local", Batch(tuple(RECORDS), complete=COMPLETE))
    index.upsert("others", Batch(others))
    return index.graph()


# --- what is not whole -----------------------------------------------------------------------------------------------


def told(content: bytes) -> list[Record] | str:
    try:
        return registry_records(read_registry(content), FOLDER)
    except ValueError as error:
        return str(error)


def boundaries() -> dict[int, int]:
    """Where a field of the registry ends -> its number: Protocol Buffers take what is before it for a whole message."""
    found: dict[int, int] = {}
    start, view = 0, memoryview(WHOLE)
    for at in range(1, len(WHOLE)):
        try:
            ((number, _, _),) = parts(view[start:at])
        except WireError:
            continue
        found[at] = number
        start = at
    return found


ENDS = boundaries()
# Behind the projects and before the history of versions: no field tells that label views are still to come.
BLIND = max(end for end, number in ENDS.items() if number == 17)


def test_no_prefix_that_ends_with_a_field_is_taken_for_the_whole() -> None:
    assert len(ENDS) > 30
    assert {1, 6, 7, 8, 12, 14, 17, 18} <= set(ENDS.values())
    for end in ENDS:
        assert isinstance(told(WHOLE[:end]), str) or end == BLIND


@given(st.integers(0, len(WHOLE) - 1))
def test_a_prefix_is_an_error(end: int) -> None:
    assert isinstance(told(WHOLE[:end]), str) or end == BLIND


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damage_is_an_error_or_other_facts_but_never_a_crash(at: int, damage: bytes) -> None:
    told(WHOLE[:at] + damage + WHOLE[at + len(damage) :])


@given(st.binary(max_size=400))
def test_what_is_no_registry_never_crashes(content: bytes) -> None:
    assert isinstance(told(content), str)


def test_messages_within_messages_have_an_end() -> None:
    content = b""
    for _ in range(60):
        size, prefix = len(content), bytearray()
        while size > 0x7F:
            prefix.append(size & 0x7F | 0x80)
            size >>= 7
        content = b"\xd2\x01" + bytes(prefix) + bytes([size]) + content  # batch_source, field 26
    size = len(content)
    assert "without end" in str(told(b"\x62" + bytes([size & 0x7F | 0x80, size >> 7]) + content))


# --- visits ----------------------------------------------------------------------------------------------------------


def visit(settings: Feast, root: Path, cursor: Mapping[str, Any] | None = None) -> Batch:
    (batch,) = feast_collector(settings, root).collect(cursor or {})
    return batch


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "drivers" / "feature_repo"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "registry.db").write_bytes(WHOLE)
    (folder / "feature_store.yaml").write_text("project: drivers\nregistry: data/registry.db\n")
    return folder


def test_a_visit_brings_the_registry_and_the_next_one_nothing(project: Path) -> None:
    settings = Feast(registry="drivers/feature_repo/data/registry.db")
    first = visit(settings, project.parent.parent)
    assert first.complete == COMPLETE
    assert {record.node.ref for record in first.records} == set(FACTS)
    facts = {record.node.ref: record.node.facts for record in first.records}
    here = facts[source("driver_hourly_stats_source", "drivers")]["place"]
    assert here == (project / "data" / "driver_stats.parquet").as_uri()  # the folder with feature_store.yaml
    again = visit(settings, project.parent.parent, first.cursor)
    assert again == Batch(cursor=first.cursor)


def test_a_file_that_was_touched_brings_nothing_and_one_that_changed_brings_all(project: Path) -> None:
    settings = Feast(registry=(project / "data" / "registry.db").as_uri())
    first = visit(settings, project)
    os.utime(project / "data" / "registry.db", ns=(1, 1))
    touched = visit(settings, project, first.cursor)
    assert (touched.records, touched.complete) == ((), frozenset())
    assert touched.cursor != first.cursor
    assert touched.cursor["digest"] == first.cursor["digest"]
    (project / "data" / "registry.db").write_bytes(WHOLE.replace(b"Air temperature.", b"Its temperature."))
    changed = visit(settings, project, touched.cursor)
    assert changed.complete == COMPLETE
    facts = {record.node.ref: record.node.facts for record in changed.records}
    assert facts[feature("weather", "temp")]["description"] == "Its temperature."


def test_a_folder_says_its_registry_and_its_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_folder = visit(Feast(repo="drivers/feature_repo"), project.parent.parent)
    assert {record.node.ref.instance for record in by_folder.records} == {"drivers"}
    monkeypatch.setenv("FEAST_DATA", "data")
    (project / "feature_store.yaml").write_text(
        "project: trips\nregistry:\n  registry_type: file\n  path: ${FEAST_DATA}/registry.db\n  cache_ttl_seconds: 5\n"
    )
    # The cursor of another project is none: what it had read is not what is asked for.
    other = visit(Feast(repo="drivers/feature_repo"), project.parent.parent, by_folder.cursor)
    assert {record.node.ref.instance for record in other.records} == {"trips"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"is not there\. Run `feast apply`"),
        (b"", r"is empty\. It may be written just now"),
        (WHOLE[:5000], r"holds no whole registry: .*run `feast apply`"),
        (b"SQLite format 3\0 and more", r"a SQL registry.*`feast serve_registry`"),
        (b"project: drivers\n", r"holds no whole registry"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(project: Path, content: bytes | None, words: str) -> None:
    registry = project / "data" / "registry.db"
    registry.unlink()
    if content is not None:
        registry.write_bytes(content)
    with pytest.raises(CollectError, match=words):
        visit(Feast(registry=str(registry)), project)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (None, r"feature_store\.yaml is not there\. Give the folder"),
        ("project: [", r"cannot be read: it is not YAML"),
        ("- a\n", r"does not say its project"),
        ("project: a\n", r"does not say its project and the path"),
        ("project: a\nregistry: {registry_type: sql, path: 'postgresql://me:hunter2@db/feast'}\n", r"serve_registry"),
        ("project: a\nregistry: s3://bucket/registry.db\n", r"s3://bucket/registry\.db, which is not read directly"),
        ("project: nobody\nregistry: data/registry.db\n", r"holds no project nobody"),
    ],
)
def test_a_folder_that_cannot_be_read_says_what_to_do(project: Path, settings: str | None, words: str) -> None:
    (project / "feature_store.yaml").unlink()
    if settings is not None:
        (project / "feature_store.yaml").write_text(settings)
    with pytest.raises(CollectError, match=words) as caught:
        visit(Feast(repo=str(project)), project)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match=r"grpc://127\.0\.0\.1:1 does not answer\. Start it with `feast serve_reg"):
        visit(Feast(url="grpc://127.0.0.1:1"), tmp_path)


def test_a_servers_credential_that_leads_nowhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_FEAST_TOKEN", raising=False)
    with pytest.raises(CollectError, match="NO_FEAST_TOKEN is not set"):
        visit(Feast(url="grpc://127.0.0.1:1", credential="env:NO_FEAST_TOKEN"), tmp_path)
