"""Paths, impact, standing, owners, orphans, differences and counterparts: tables over one small lifecycle in use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from e2e_ml import refs, routes
from e2e_ml.lineage import questions
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.lineage.questions import Person, counterparts, lookup
from e2e_ml.lineage.questions.difference import Change
from e2e_ml.refs import FEAST, Kind, Ref
from tests.unit.lineage import lifecycle as life

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
CHAMPION = refs.alias(life.M, "flight-delay", "champion")
ENDPOINT = refs.endpoint(life.M, "predict")
DRIFT = refs.monitor(life.A, "drift")
QUALITY = refs.monitor(life.A, "quality")
DATASET = refs.dataset("s3://lake", "weather")
COLUMN = refs.column("s3://lake", "weather", "temp")
INGEST = refs.dag(life.A, "ingest")
FEAST_VIEW = refs.feature_view("rides", "drivers", FEAST)
FEAST_FEATURE = refs.feature("rides", "drivers", "rating", FEAST)

MORE_FACTS: dict[Ref, dict[str, Any]] = {
    CHAMPION: {"version": "1"},
    DRIFT: {"dag_id": "watch"},
    QUALITY: {},
    DATASET: {"uri": "s3://lake/weather", "owner": "lake team"},
    COLUMN: {"dtype": "double"},
    INGEST: {"owner": "lake team"},
    FEAST_VIEW: {"owner": "rides", "owner_email": "rides@example.com"},
    FEAST_FEATURE: {},
    life.V1: {**life.FACTS[life.V1], "tags": {"serving.endpoint": "predict"}},
    life.VIEW: {**life.FACTS[life.VIEW], "owner": "ada", "owner_email": "ada@example.com"},
    life.SERVICE: {**life.FACTS[life.SERVICE], "owner": "bob"},
    life.TRAIN: {**life.FACTS[life.TRAIN], "owner": "bob"},
    life.WEATHER: {**life.FACTS[life.WEATHER], "owner": "airflow"},
}
MORE_EDGES: list[tuple[Ref, Ref, Relation]] = [
    (INGEST, DATASET, Relation.PRODUCES),
    (DATASET, life.VIEW, Relation.FEEDS),
    (DATASET, COLUMN, Relation.CONTAINS),
    (COLUMN, life.TEMP, Relation.FEEDS),
    (life.VIEW, DRIFT, Relation.WATCHED),
    (life.MODEL, QUALITY, Relation.WATCHED),
    (FEAST_VIEW, FEAST_FEATURE, Relation.CONTAINS),
]


def world(
    facts: Mapping[Ref, Mapping[str, Any]] | None = None,
    edges: Iterable[tuple[Ref, Ref, Relation]] = (),
    gone: tuple[Ref, ...] = (),
) -> Graph:
    """The lifecycle in use, with more laid over it."""
    known = {**life.FACTS, **MORE_FACTS}
    for ref, told in (facts or {}).items():
        known[ref] = {**known.get(ref, {}), **told}
    nodes = [Node(ref, told, NOW if ref in gone else None) for ref, told in known.items()]
    more = [Edge(up, down, relation, Evidence.DECLARED) for up, down, relation in (*MORE_EDGES, *edges)]
    return graph_of(nodes, [*life.edges(), *more])


@pytest.fixture(scope="module")
def graph() -> Graph:
    return world()


# --- paths ---


def test_a_tree_has_each_thing_once_below_the_one_it_was_reached_by(graph: Graph) -> None:
    for start in (life.SOURCE, life.V1, INGEST):
        for down in (True, False):
            tree = questions.tree(graph, start, down=down)
            assert len(tree.steps) == tree.total == len({step.ref for step in tree.steps})
            way = [start]
            for step in tree.steps:
                del way[step.distance :]
                assert way[-1] == (step.edge.upstream if down else step.edge.downstream)
                way.append(step.ref)


@pytest.mark.parametrize(
    ("start", "down", "depth", "kinds", "wanted"),
    [
        (life.SOURCE, True, 1, (), [(life.VIEW, 1)]),
        (INGEST, True, None, (Kind.COLUMN,), [(DATASET, 1), (COLUMN, 2)]),
        (life.V1, False, None, (Kind.DAG_RUN,), []),
        (ENDPOINT, False, 2, (Kind.RUN,), [(life.V1, 1), (life.TREES, 2)]),
        (ENDPOINT, True, None, (), []),
        (life.VIEW_ASSET, True, None, (Kind.DAG,), []),  # that it triggers one says nothing of what that is made of
    ],
)
def test_tree(
    graph: Graph, start: Ref, down: bool, depth: int | None, kinds: tuple[Kind, ...], wanted: list[tuple[Ref, int]]
) -> None:
    tree = questions.tree(graph, start, down=down, depth=depth, kinds=kinds)
    assert [(step.ref, step.distance) for step in tree.steps] == wanted


def test_a_tree_that_is_cut_has_no_step_without_the_one_before_it(graph: Graph) -> None:
    tree = questions.tree(graph, INGEST, down=True, most=5)
    assert len(tree.steps) == 5 < tree.total
    assert len(questions.tree(graph, INGEST, down=True, kinds=(Kind.ALIAS,), most=5).steps) <= 5


@pytest.mark.parametrize(
    ("start", "end", "way"),
    [
        (INGEST, life.VIEW, [DATASET, life.VIEW]),
        (life.VIEW, INGEST, [DATASET, life.VIEW]),  # whichever lies upstream
        (life.TREES, CHAMPION, [life.V1, CHAMPION]),
        (life.TEMP, life.TEMP, []),
        (life.TEMP, life.UNUSED, None),  # an ancestor in common is no way
        (life.TEMP, FEAST_FEATURE, None),
        (life.VIEW_ASSET, life.TRAIN, None),
    ],
)
def test_path(graph: Graph, start: Ref, end: Ref, way: list[Ref] | None) -> None:
    edges = questions.path(graph, start, end)
    assert (None if edges is None else [edge.downstream for edge in edges]) == way


# --- impact ---


@pytest.mark.parametrize(
    ("ref", "live"),
    [
        *((ref, True) for ref in (life.SOURCE, life.TEMP, COLUMN, INGEST, life.SERVICE, life.TREES, life.WEATHER)),
        (life.V1, True),  # the one in use itself
        *((ref, False) for ref in (life.LOGISTIC, life.V2, life.UNUSED, life.LOOSE, ENDPOINT, FEAST_VIEW)),
    ],
)
def test_impact_names_the_versions_in_use(graph: Graph, ref: Ref, live: bool) -> None:
    found = questions.impact(graph, ref).live
    assert [(each.version, each.aliases, each.endpoints) for each in found] == (
        [(life.V1, ("champion",), (ENDPOINT,))] if live else []
    )


def test_a_version_is_in_use_where_an_alias_of_it_is_served() -> None:
    other, shadow = refs.endpoint(life.M, "shadow"), refs.alias(life.M, "flight-delay", "shadow")
    graph = world({shadow: {"version": "2"}, other: {}}, [(shadow, other, Relation.SERVES)])
    found = {each.version: each for each in questions.impact(graph, life.TEMP).live}
    assert found[life.V2].aliases == ("shadow",)
    assert found[life.V2].endpoints == (other,)


def test_impact_counts_and_names_whom_to_tell(graph: Graph) -> None:
    answer = questions.impact(graph, life.TEMP)
    assert answer.counts[Kind.RUN] == 3
    assert answer.counts[Kind.MODEL_VERSION] == 2
    assert answer.refs(Kind.ALIAS) == [CHAMPION]
    assert answer.refs(Kind.MONITOR) == [QUALITY]
    assert {told.person.name: set(told.owns) for told in answer.people} == {"bob": {life.SERVICE}}
    people = {told.person: told.owns for told in questions.impact(graph, INGEST).people}
    assert people[Person("lake team")] == (INGEST, DATASET)
    assert people[Person("ada", "ada@example.com")] == (life.VIEW,)
    assert Person("airflow") not in people  # nobody's name


def test_nothing_stands_on_the_last(graph: Graph) -> None:
    answer = questions.impact(graph, ENDPOINT)
    assert (answer.counts, answer.live, answer.people) == ({}, (), ())


# --- standing ---

FAILED = {"state": "failed", "start": "2026-11-21T13:59:00Z", "reason": "extract failed: no such bucket."}
INGEST_RUN = refs.dag_run(life.A, "ingest", "r9")


@pytest.mark.parametrize(
    ("ref", "facts", "now", "troubles"),
    [
        (life.SERVICE, {}, NOW, []),
        # a source's DAG failed: the view is in time still
        (life.SERVICE, {INGEST_RUN: FAILED}, NOW, [INGEST]),
        # and then it is late: the DAG was first, the view is what came of it
        (life.SERVICE, {INGEST_RUN: FAILED}, NOW + timedelta(hours=1), [INGEST, life.VIEW]),
        (life.VIEW, {INGEST_RUN: FAILED}, NOW + timedelta(hours=1), [INGEST, life.VIEW]),
        (life.V1, {INGEST_RUN: FAILED}, NOW, [INGEST]),
        (life.SERVICE, {life.WEATHER: {"paused": True}}, NOW, [life.WEATHER]),
        (life.SERVICE, {INGEST: {"paused": True}}, NOW, []),  # nothing sets it off anyway
        (life.SERVICE, {life.WEATHER: {"import_errors": 1}}, NOW, [life.WEATHER]),
        (life.SERVICE, {life.WEATHER: {"next_run": "2026-11-21T14:02:00Z"}}, NOW, []),  # a scheduler's own delay
        (life.SERVICE, {life.WEATHER: {"next_run": "2026-11-21T13:02:00Z"}}, NOW, [life.WEATHER]),
        (life.WEATHER, {life.WEATHER: {"paused": True}}, NOW, [life.WEATHER]),
        # what is not upstream says nothing
        (life.VIEW, {life.TRAIN_RUN: {"state": "failed"}}, NOW, []),
        (life.TREES, {life.TRAIN_RUN: {"state": "failed"}}, NOW, [life.TRAIN]),
        (life.ORPHAN, {}, NOW, [life.ORPHAN]),  # it has no pipeline
        (refs.dag(life.A, "nobody"), {}, NOW, []),
    ],
)
def test_standing(ref: Ref, facts: dict[Ref, dict[str, Any]], now: datetime, troubles: list[Ref]) -> None:
    answer = questions.standing(world(facts), ref, now)
    assert [trouble.ref for trouble in answer.troubles] == troubles
    assert answer.first == (answer.troubles[0] if troubles else None)
    for trouble in answer.troubles:
        way = [trouble.ref, *(edge.downstream for edge in trouble.path)]
        assert [edge.upstream for edge in trouble.path] == way[:-1]
        assert way[-1] == ref


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({INGEST_RUN: FAILED}, "The last run of the DAG ingest failed. extract failed: no such bucket."),
        ({life.WEATHER: {"paused": True}}, f"The DAG {life.WEATHER.name} is paused."),
        ({life.WEATHER: {"import_errors": 1}}, "cannot be imported"),
        ({life.WEATHER: {"next_run": "2026-11-21T13:02:00Z"}}, "was due 63 min ago and has not begun."),
    ],
)
def test_a_trouble_is_told_as_a_sentence(facts: dict[Ref, dict[str, Any]], words: str) -> None:
    first = questions.standing(world(facts), life.SERVICE, NOW).first
    assert first is not None
    assert words in first.sentence


def test_a_deleted_dag_is_told_to_all_that_stand_on_it() -> None:
    first = questions.standing(world(gone=(INGEST,)), life.SERVICE, NOW).first
    assert first is not None
    assert (first.ref, first.sentence) == (INGEST, "ingest was deleted in its service.")


def test_the_first_late_one_has_none_upstream_of_it_however_short_the_ways() -> None:
    """Two late views, one made of the other, and both as near: their names must not decide."""
    first, second = refs.feature_view(life.P, "z_first"), refs.feature_view(life.P, "a_second")
    a, b = refs.feature(life.P, "z_first", "f"), refs.feature(life.P, "a_second", "g")
    late = {"schedule": "@hourly", "dag_id": "x", "written_until": "2026-11-21T09:00:00Z"}
    dag = refs.dag(life.A, "x")
    edges = [
        (first, a, Relation.CONTAINS), (second, b, Relation.CONTAINS), (a, b, Relation.FEEDS),
        (a, life.SERVICE, Relation.FEEDS), (b, life.SERVICE, Relation.FEEDS),
        (first, second, Relation.FEEDS),
    ]  # fmt: skip
    graph = world({first: late, second: late, a: {}, b: {}, dag: {"schedule": "@hourly"}}, edges)
    assert [t.ref for t in questions.standing(graph, life.SERVICE, NOW).troubles] == [first, second]


def test_standing_ends_in_a_cycle() -> None:
    graph = world({INGEST_RUN: FAILED}, [(life.V1, life.VIEW, Relation.FEEDS)])
    answer = questions.standing(graph, life.VIEW, NOW + timedelta(hours=1))
    assert {trouble.ref for trouble in answer.troubles} == {INGEST, life.VIEW}


# --- owners ---


@pytest.mark.parametrize(
    ("ref", "who", "by"),
    [
        (life.VIEW, "ada <ada@example.com>", life.VIEW),
        (life.TEMP, "ada <ada@example.com>", life.VIEW),
        (COLUMN, "lake team", DATASET),
        (life.TRAIN_RUN, "bob", life.TRAIN),
        (life.FIT_0, "bob", life.TRAIN),
        (FEAST_FEATURE, "rides <rides@example.com>", FEAST_VIEW),
        (life.WEATHER, None, None),  # `airflow` is nobody
        (life.WISH, None, None),
        (refs.dag(life.A, "nobody"), None, None),
    ],
)
def test_owner(graph: Graph, ref: Ref, who: str | None, by: Ref | None) -> None:
    answer = questions.owner(graph, ref)
    assert (str(answer[0]) if answer else None, answer[1] if answer else None) == (who, by)


def test_what_has_no_owner_has_that_of_what_it_is_made_by(graph: Graph) -> None:
    answer = questions.owner(graph, life.TREES)
    assert answer is not None
    assert (answer[0].name, answer[1]) in {("bob", life.TRAIN), ("bob", life.SERVICE)}


def test_owned(graph: Graph) -> None:
    assert questions.owned(graph) == {
        Person("ada", "ada@example.com"): [life.VIEW],
        Person("bob"): [life.SERVICE, life.TRAIN],
        Person("lake team"): [DATASET, INGEST],
        Person("rides", "rides@example.com"): [FEAST_VIEW],
    }
    assert list(questions.owned(graph, [Kind.DAG])) == [Person("bob"), Person("lake team")]


# --- orphans ---


def test_orphans_and_near_misses(graph: Graph) -> None:
    answer = questions.orphans(graph)
    assert set(answer.unused_features) == {life.UNUSED, FEAST_FEATURE}  # is_freezing: a run, though no service
    assert answer.unmade_views == ()  # those that nothing makes, no model stands on
    assert answer.unread_dags == ()
    assert answer.unknown_dags == ()


def test_each_list_of_orphans() -> None:
    lonely, idle, busy = (refs.dag(life.A, name) for name in ("lonely", "idle", "busy"))
    table = refs.dataset("s3://lake", "nobody_reads")
    tasks = [refs.task(life.A, "busy", f"t{i:03d}") for i in range(150)]
    facts: dict[Ref, dict[str, Any]] = {ref: {} for ref in (lonely, idle, busy, table, *tasks)}
    edges = [(lonely, table, Relation.PRODUCES), *((busy, task, Relation.CONTAINS) for task in tasks)]
    read = refs.dataset("s3://lake", "read")  # behind all the tasks
    facts[read] = {}
    edges += [
        (busy, read, Relation.PRODUCES),
        (read, life.VIEW, Relation.FEEDS),
        (life.ORPHAN, life.LOOSE, Relation.TRAINS),
    ]
    v3 = refs.model_version(life.M, "by-hand", 3)
    model = refs.registered_model(life.M, "by-hand")
    edges += [(life.LOOSE, v3, Relation.LOGGED), (v3, model, Relation.VERSION_OF)]
    answer = questions.orphans(world({**facts, v3: {}, model: {}}, edges))
    assert answer.unread_dags == (lonely,)
    assert answer.unknown_dags == (idle,)  # and not `busy`, whatever its many tasks
    assert [(unmade.view, unmade.models) for unmade in answer.unmade_views] == [(life.ORPHAN, (model,))]


def test_a_view_whose_dag_was_deleted_is_made_by_nothing() -> None:
    answer = questions.orphans(world(gone=(life.WEATHER,)))
    assert [(unmade.view, unmade.models) for unmade in answer.unmade_views] == [(life.VIEW, (life.MODEL,))]
    assert life.WEATHER not in (*answer.unread_dags, *answer.unknown_dags)


# --- differences ---

CODE = {"mlflow.source.git.commit": "abc"}


def test_difference_of_two_versions() -> None:
    old = {
        "tags": {**life.run_tags(0, {"feast.feature_refs": "hourly_weather:is_freezing"}), **CODE},
        "params": {"depth": 3, "rate": 0.1}, "metrics": {"auc": 0.7, "f1": 0.5},
        "inputs": [{"name": "dataset", "digest": "d1"}, {"name": "dataset", "digest": "d2"},
                   {"name": "gone", "digest": "g"}],
    }  # fmt: skip
    new = {
        "tags": {**life.run_tags(1, life.SERVED), "mlflow.source.git.commit": "def"},
        "params": {"depth": 3, "rate": 0.2, "seed": 0}, "metrics": {"auc": 0.74, "f1": 0.5},
        "inputs": [{"name": "dataset", "digest": "d1"}, {"name": "dataset", "digest": "d3"}],
    }  # fmt: skip
    changed = {"changed_at": "2026-11-21T13:51:30Z"}  # between the two trainings
    graph = world({life.LOGISTIC: old, life.TREES: new, life.TEMP: changed})
    answer = questions.difference(graph, life.V2, life.V1)
    assert set(answer.added[Kind.FEATURE_SERVICE]) == {life.SERVICE}
    assert answer.removed == {Kind.FEATURE: (life.FREEZING,)}
    assert answer.redefined == (life.TEMP,)
    assert answer.code == (Change("mlflow.source.git.commit", "abc", "def"),)
    assert answer.settings == (Change("rate", "0.1", "0.2"), Change("seed", "", "0"))
    assert answer.metrics == (Change("auc", "0.7", "0.74"),)
    assert answer.data == (Change("dataset", "d1; d2", "d1; d3"), Change("gone", "g", ""))
    assert answer.unknown == ()
    back = questions.difference(graph, life.V1, life.V2)
    assert (back.added, back.removed, back.redefined) == (answer.removed, answer.added, answer.redefined)


@pytest.mark.parametrize(
    ("changed_at", "redefined"),
    [
        ("2026-11-21T13:50:59Z", False),  # before both
        ("2026-11-21T13:51:30Z", True),
        ("2026-11-21T13:52:30Z", False),  # after both
        ("", False),
        ("some day", False),
    ],
)
def test_redefined_is_what_changed_between_the_two_trainings(changed_at: str, redefined: bool) -> None:
    graph = world({life.TEMP: {"changed_at": changed_at}})
    assert (life.TEMP in questions.difference(graph, life.V2, life.V1).redefined) == redefined


def test_a_version_without_a_run_says_so_and_one_is_no_different_from_itself(graph: Graph) -> None:
    v9 = refs.model_version(life.M, "flight-delay", 9)
    answer = questions.difference(world({v9: {}}), life.V1, v9)
    assert answer.unknown == (f"No run is known behind {v9}.",)
    assert set(answer.removed[Kind.FEATURE_SERVICE]) == {life.SERVICE}
    for before, after in ((life.V1, life.V1), (life.V1, CHAMPION), (life.TREES, life.TREES)):
        same = questions.difference(graph, before, after)
        assert not any((same.added, same.removed, same.redefined, same.data, same.code, same.settings, same.metrics))
        assert same.unknown == ()


# --- uses ---


def many_runs(count: int, champion: int) -> tuple[Graph, Ref, list[Ref]]:
    """A service with `count` runs, each of which was registered; an old one is the champion."""
    service, model = refs.feature_service("shop", "s"), refs.registered_model("lab", "m")
    runs = [refs.run("lab", f"{i:04d}") for i in range(count)]
    records = [Record(Node(model, {"aliases": {"champion": str(champion)}}))]
    for i, run in enumerate(runs):
        at = (NOW + timedelta(minutes=i)).isoformat()
        version = refs.model_version("lab", "m", i)
        trains = Edge(service, run, Relation.TRAINS, Evidence.DECLARED, "tag")
        records.append(Record(Node(run, {"start": at}), (trains,)))
        edges = (Edge(run, version, Relation.LOGGED, Evidence.DECLARED),
                 Edge(version, model, Relation.VERSION_OF, Evidence.DECLARED))  # fmt: skip
        records.append(Record(Node(version, {"created": at, "run_id": run.name}), edges))
    records.append(Record(Node(refs.alias("lab", "m", "champion"), {"version": str(champion)})))
    index = Index(None)
    index.upsert("festaf:shop", Batch((Record(Node(service)),)))
    index.upsert("mlflow:lab", Batch(tuple(records)))
    return index.graph(), service, runs


@pytest.mark.parametrize("of", ["service", "model"])
def test_of_many_runs_the_champions_comes_first_however_old_then_the_newest(of: str) -> None:
    graph, service, runs = many_runs(70, champion=3)
    ref = service if of == "service" else refs.registered_model("lab", "m")
    answer = questions.uses_in_all(graph, ref, 5)
    assert [use.run.ref for use in answer.runs] == [runs[3], *reversed(runs[-4:])]
    assert answer.runs[0].aliases == ("champion",)
    assert answer.total == 70
    assert counterparts(graph, service)["mlflow"] == refs.model_version("lab", "m", 3)
    assert [u.run.ref for u in questions.uses(graph, refs.alias("lab", "m", "champion"))] == [runs[3]]


def test_of_many_versions_without_a_name_the_newest_is_shown() -> None:
    graph, service, _ = many_runs(70, champion=999)
    assert counterparts(graph, service)["mlflow"] == refs.model_version("lab", "m", 69)
    assert len(questions.uses(graph, refs.registered_model("lab", "m"))) == 50


# --- counterparts ---


@pytest.mark.parametrize(
    ("ref", "airflow", "festaf", "mlflow"),
    [
        (DATASET, INGEST, None, life.V1),
        (COLUMN, INGEST, None, life.V1),
        (CHAMPION, life.TRAIN_RUN, life.SERVICE, CHAMPION),
        (ENDPOINT, life.TRAIN_RUN, life.SERVICE, ENDPOINT),
        (DRIFT, DRIFT, life.VIEW, life.V1),  # watches a view
        (QUALITY, QUALITY, life.SERVICE, life.MODEL),  # watches a model
        (INGEST, INGEST, life.SERVICE, life.V1),
        (FEAST_FEATURE, None, None, None),
    ],
)
def test_counterparts(graph: Graph, ref: Ref, airflow: Ref | None, festaf: Ref | None, mlflow: Ref | None) -> None:
    wanted = {"airflow": airflow, "festaf": festaf, "mlflow": mlflow, ref.scheme: ref}
    assert counterparts(graph, ref) == {service: other for service, other in wanted.items() if other}


def test_a_feast_view_is_shown_beside_the_model_that_learned_from_it() -> None:
    graph = world(edges=[(FEAST_FEATURE, life.LOGISTIC, Relation.TRAINS)], facts={life.LOGISTIC: {"tags": {}}})
    assert counterparts(graph, FEAST_VIEW)["mlflow"] == life.V2


# --- ids of pages ---


class Watched:
    """A graph that tells what was asked of it."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self.asked = graph, list[Ref]()

    def get(self, ref: Ref) -> Node | None:
        self.asked.append(ref)
        return self._graph.get(ref)

    def __getattr__(self, name: str) -> Any:
        assert name == "instances", f"all of the graph is read: {name}"
        return getattr(self._graph, name)


def test_a_page_costs_one_look_at_one_thing(graph: Graph) -> None:
    watched: Any = Watched(graph)
    known = lookup(watched)
    assert watched.asked == []
    assert known.experiments["bbb"] == "1"
    assert watched.asked == [life.TREES]
    assert known.monitors["drift"] == "watch"
    assert routes.path(DRIFT, known) == ("airflow", "/dags/watch")
    assert known.assets.get("nothing") is None
    with pytest.raises(KeyError):
        known.monitors["quality"]
    assert len(watched.asked) == 5


def test_all_ids_can_be_listed(graph: Graph) -> None:
    known = lookup(graph)
    assert dict(known.assets) == {life.VIEW_ASSET.name: 1, life.MODEL_ASSET.name: 2}
    assert dict(known.monitors) == {"drift": "watch"}
    assert set(known.experiments) == {"aaa", "bbb", "ccc", "m-1"}
    assert len(known.experiments) == 4
