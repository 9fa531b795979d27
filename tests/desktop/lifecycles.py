"""A lifecycle shaped like the flights demo, for tests and pictures: long names, a late and a failing view."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index.given import graph_of
from e2e_ml.refs import Ref

NOW = datetime(2026, 11, 21, 14, 12, tzinfo=UTC)
P, AIR, ML = "flights", "local", "local"
LONG = "departure_delay_of_the_previous_leg_of_the_same_aircraft_mean_over_30_days"
RUNS = (
    # id, name, minutes ago, model version, auc, evidence, score
    ("4f1c9a7be0d24b0c9a51c3de7f1a2b30", "boosted-trees", 95, 3, 0.74127, Evidence.DECLARED, 1.0),
    ("0b7d21f4a4e34f29b1a2f6d54c9e8a11", "logistic", 97, 2, 0.70214, Evidence.DECLARED, 1.0),
    ("9c2e55d1f0aa4d6c8e7b3a1f2d4c6b88", "logistic-first-try", 60 * 24 * 9, 1, 0.68801, Evidence.DECLARED, 1.0),
    ("77aa10b2c3d44e5f96a7b8c9d0e1f203", "nightly-check", 60 * 13, None, 0.73302, Evidence.INFERRED, 0.91),
)


def ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat()


def view_ref(name: str) -> Ref:
    return refs.feature_view(P, name)


def feature_ref(view: str, name: str) -> Ref:
    return refs.feature(P, view, name)


def dag_ref(name: str) -> Ref:
    return refs.dag(AIR, name)


GUSTY = feature_ref("hourly_weather", "gusty")
SERVICE = refs.feature_service(P, "flight_delay")
CHAMPION = refs.model_version(ML, "flight-delay", 3)
TRAIN = dag_ref("flights.train")
TRAIN_RUN = refs.dag_run(AIR, "flights.train", "asset_triggered__2026-11-21T12:37:00+00:00")
TRAIN_TASK = refs.task_instance(AIR, "flights.train", TRAIN_RUN.name, "train")

# view -> features: name, dtype, code or None, inputs
FEATURES: dict[str, list[tuple[str, str, str | None, tuple[str, ...]]]] = {
    "hourly_weather": [
        ("temp", "float64", None, ()),
        ("wind_speed", "float64", None, ()),
        ("visib", "float64", None, ()),
        ("gusty", "bool", "(wind_speed > 25) & (visib < 3)", ("wind_speed", "visib")),
        ("is_freezing", "bool", "temp <= 32", ("temp",)),
        ("wind_mean_6h", "float64", "wind_speed.mean().over(timedelta(hours=6))", ("wind_speed",)),
    ],
    "carrier_delay": [
        ("arr_delay", "float64", None, ()),
        ("delay_mean_30d", "float64", "arr_delay.mean().over(timedelta(days=30))", ("arr_delay",)),
        ("flights_7d", "int64", "arr_delay.count().over(timedelta(days=7))", ("arr_delay",)),
    ],
    "route_delay": [
        ("arr_delay", "float64", None, ()),
        ("delay_mean_14d", "float64", "arr_delay.mean().over(timedelta(days=14))", ("arr_delay",)),
        (LONG, "float64", None, ()),
    ],
    "plane": [("year", "int32", None, ()), ("seats", "int32", None, ()), ("engines", "int32", None, ())],
    "airport": [("alt", "int32", None, ()), ("lat", "float64", None, ()), ("lon", "float64", None, ())],
    "runway_in_use": [("heading", "int32", None, ())],
}
SERVED = [
    ("hourly_weather", "temp"),
    ("hourly_weather", "gusty"),
    ("hourly_weather", "wind_mean_6h"),
    ("carrier_delay", "delay_mean_30d"),
    ("carrier_delay", "flights_7d"),
    ("route_delay", "delay_mean_14d"),
    ("route_delay", LONG),
    ("plane", "year"),
    ("plane", "seats"),
    ("airport", "alt"),
]
# view: entity, source file, event time, schedule, owner, purpose, minutes since written, last state, minutes to next
VIEWS: dict[str, tuple[str, str, str | None, str | None, str, str, float, str, float | None]] = {
    "hourly_weather": (
        "origin", "data/weather.csv", "observed_at", "@hourly", "weather-team",
        "Wind and visibility at the origin explain most winter delays.", 12, "success", 48,
    ),
    "carrier_delay": (
        "carrier", "data/flights.csv", "landed_at", "@hourly", "ops-analytics",
        "A carrier that ran late this month runs late next week.", 72, "success", -12,
    ),
    "route_delay": (
        "route", "data/flights.csv", "landed_at", "@daily", "ops-analytics",
        "Some routes are late whoever flies them.", 60 * 26, "failed", 60 * 10,
    ),
    "plane": ("tailnum", "data/planes.csv", None, "@weekly", "fleet", "Older and larger planes turn round more slowly.",
              60 * 40, "success", 60 * 24 * 3),
    "airport": ("faa", "data/airports.csv", None, "@weekly", "fleet", "", 60 * 41, "success", 60 * 24 * 3),
    "runway_in_use": ("origin", "data/runways.csv", "observed_at", None, "", "", 60 * 24 * 30, "", None),
}  # fmt: skip


def _recent(state: str, every: float, n: int = 14) -> list[dict[str, Any]]:
    states = [state, *("failed" if i == 5 and state == "failed" else "success" for i in range(1, n))]
    return [
        {
            "run_id": f"scheduled__{ago(12 + i * every)}",
            "state": s,
            "start": ago(12 + i * every),
            "end": ago(12 + i * every - 0.15),
        }
        for i, s in enumerate(states)
    ]


def flights(*, extra_features: int = 0) -> Graph:
    """The demo's graph; `extra_features` more in one wide view `telemetry`, for the large case."""
    nodes: list[Node] = [
        Node(refs.project(P), {"registry_version": 7, "applied_at": ago(60 * 24 * 2), "applied_by": "ada"})
    ]
    edges: list[Edge] = []

    def join(up: Ref, down: Ref, relation: Relation, evidence: Evidence = Evidence.DECLARED, reason: str = "") -> None:
        edges.append(Edge(up, down, relation, evidence, reason))

    for name, (key, file, time, schedule, owner, purpose, written, state, due) in VIEWS.items():
        view = view_ref(name)
        source = refs.source(P, file.split("/")[-1].split(".")[0])
        entity = refs.entity(P, key)
        common = {
            "owner": owner, "owner_email": f"{owner}@example.com" if owner else None, "purpose": purpose,
            "source": source.name, "schedule": schedule, "first_seen": "2026-01-03T09:00:00+00:00",
            "last_written": ago(written),
        }  # fmt: skip
        # The newest data interval ends with the hour; a late view lacks the last one.
        ends = NOW.replace(minute=0) - timedelta(hours=1 if due is not None and due < 0 else 0)
        if schedule:
            common["written_until"] = ends.isoformat()
        common = {k: v for k, v in common.items() if v}
        nodes.append(
            Node(view, {
                **common, "description": f"{name.replace('_', ' ').capitalize()}, row by row.", "entities": [key],
                "ttl": 3 * 3600, "tags": ["winter"], "rows": 26115, "newest_event": "2013-03-31T23:00:00+00:00",
                "features": [f for f, *_ in FEATURES[name]],
                **({"event_time": time} if time else {}), **({"dag_id": f"festaf.flights.{name}"} if schedule else {}),
            })
        )  # fmt: skip
        nodes.append(Node(source, {"uri": file, "format": "csv", "columns": ["origin", "time_hour", "temp", "visib"]}))
        nodes.append(Node(entity, {"dtype": "string", "description": f"The {key} that a row is about."}))
        join(source, view, Relation.FEEDS)
        join(entity, view, Relation.KEYS)
        if schedule:
            every = {"@hourly": 60, "@daily": 1440, "@weekly": 10080}[schedule]
            dag = dag_ref(f"festaf.flights.{name}")
            begins = ends - timedelta(minutes=every)
            facts = {
                "description": "Extract, transform, validate, write offline, materialize online.", "owner": owner,
                "tags": ["festaf", "ml:feature"], "schedule": schedule,
                "paused": False, "last_run": ago(written), "last_state": state, "last_duration": 9.2,
                "last_interval_start": begins.isoformat(), "last_interval_end": ends.isoformat(),
                "recent": _recent(state, every),
            }  # fmt: skip
            nodes.append(Node(dag, {**facts, **({"next_run": ago(-due)} if due is not None else {})}))
            join(dag, view, Relation.PRODUCES, Evidence.OBSERVED, "asset event of the last run")
        for feature, dtype, code, inputs in FEATURES[name]:
            ref = feature_ref(name, feature)
            nodes.append(
                Node(ref, {
                    **common, "dtype": dtype, "description": f"{feature.replace('_', ' ').capitalize()}.",
                    "inputs": list(inputs) or [feature], **({"expression": code} if code else {}),
                    "constraints": ["lower_bound 0"] if dtype != "bool" else [],
                })
            )  # fmt: skip
            join(view, ref, Relation.CONTAINS)
            for other in inputs:
                join(feature_ref(name, other), ref, Relation.FEEDS)
    nodes.append(
        Node(SERVICE, {
            "description": "What the delay model asks for at the gate.", "features": [f"{v}.{f}" for v, f in SERVED],
            "target": "flights.arr_delay > 15", "owner": "ml-team", "owner_email": "ml-team@example.com",
            "purpose": "One contract between the store and flight-delay.", "first_seen": "2026-02-11T09:00:00+00:00",
        })
    )  # fmt: skip
    for v, f in SERVED:
        join(feature_ref(v, f), SERVICE, Relation.FEEDS)
    nodes += _training(edges)
    if extra_features:
        wide = view_ref("telemetry")
        nodes.append(Node(wide, {"description": "Many columns.", "event_time": "at"}))
        for i in range(extra_features):
            ref = feature_ref("telemetry", f"sensor_{i:05d}")
            nodes.append(Node(ref, {"dtype": "float64", "description": "One of many."}))
            join(wide, ref, Relation.CONTAINS)
    return graph_of(nodes, edges)


def _training(edges: list[Edge]) -> list[Node]:
    nodes = [
        Node(TRAIN, {
            "description": "Trains flight-delay.", "owner": "ml-team", "tags": ["ml:train"], "schedule": "5 assets",
            "paused": False, "last_run": ago(95), "last_state": "running", "last_duration": 212.0,
            "recent": [{"run_id": "asset_triggered__" + ago(3), "state": "running", "start": ago(3), "end": None},
                       *({**r, "run_id": r["run_id"].replace("scheduled", "asset_triggered")}
                         for r in _recent("success", 400, 5))],
        }),
        Node(TRAIN_RUN, {"state": "success", "start": ago(95), "end": ago(91), "run_type": "asset_triggered"}),
        Node(TRAIN_TASK, {"state": "success", "start": ago(95), "end": ago(91), "try_number": 1}),
        Node(refs.experiment(ML, "1"), {"name": "flight-delay"}),
    ]  # fmt: skip
    model = refs.registered_model(ML, "flight-delay")
    nodes.append(Node(model, {"description": "Late by more than 15 minutes?", "aliases": {"champion": "3"}}))
    for run_id, name, minutes, version, auc, evidence, score in RUNS:
        run = refs.run(ML, run_id)
        facts = {
            "name": name, "status": "FINISHED", "start": ago(minutes), "end": ago(minutes - 1.6), "user": "ada",
            "experiment_id": "1", "experiment": "flight-delay",
            "metrics": {"auc": auc, "log_loss": 0.41, "rows_train": 80789.0}, "params": {"max_depth": "6"},
        }  # fmt: skip
        nodes.append(Node(run, facts))
        reason = "10 of 11 columns match flight_delay" if evidence is Evidence.INFERRED else "tag feast.feature_service"
        edges.append(Edge(SERVICE, run, Relation.TRAINS, evidence, reason, score))
        edges.append(Edge(refs.experiment(ML, "1"), run, Relation.CONTAINS, Evidence.DECLARED))
        if evidence is Evidence.DECLARED:
            edges.append(Edge(TRAIN, run, Relation.STARTED, Evidence.DECLARED, "tag airflow.dag_id of the run"))
            edges.append(Edge(TRAIN_TASK, run, Relation.STARTED, Evidence.DECLARED, "tags airflow.* of the run"))
        if version is not None:
            ref = refs.model_version(ML, "flight-delay", version)
            aliases = ["champion"] if version == 3 else []
            nodes.append(Node(ref, {
                "version": str(version), "aliases": aliases, "created": ago(minutes - 2), "run_id": run_id,
                "metrics": {"auc": auc}, "description": "",
            }))  # fmt: skip
            edges.append(Edge(run, ref, Relation.LOGGED, Evidence.OBSERVED, "registered from the run"))
            edges.append(Edge(ref, model, Relation.VERSION_OF, Evidence.DECLARED))
    return nodes


# --- more than the demo has -------------------------------------------------------------------------------------------


def plus(nodes: list[Node], edges: list[Edge]) -> Graph:
    """The demo's graph and more."""
    known = flights()
    told = [edge for node in known.nodes() for edge in known.downstream(node.ref)]
    return graph_of([*known.nodes(), *nodes], [*told, *edges])


def with_columns() -> Graph:
    """The columns of the weather, and the features that are made of them."""
    weather = refs.source(P, "weather")
    nodes: list[Node] = []
    edges: list[Edge] = []
    for name in ("origin", "time_hour", "temp", "visib", "wind_speed"):
        column = refs.source_column(P, "weather", name)
        nodes.append(Node(column, {"dtype": "float64"}))
        edges.append(Edge(weather, column, Relation.CONTAINS, Evidence.DECLARED, "a column of the source"))
        if name in {feature for feature, *_ in FEATURES["hourly_weather"]}:
            feature = feature_ref("hourly_weather", name)
            edges.append(Edge(column, feature, Relation.FEEDS, Evidence.DECLARED, "an input of its expression"))
    return plus(nodes, edges)


def with_candidate() -> tuple[Graph, Ref]:
    """A run whose columns match the service's too little to be drawn."""
    run = refs.run(ML, "c0ffee00c0ffee00c0ffee00c0ffee00")
    match = Edge(SERVICE, run, Relation.TRAINS, Evidence.INFERRED, "6 of 11 columns match flight_delay", 0.55)
    return plus([Node(run, {"name": "somebody's try", "status": "FINISHED", "start": ago(300)})], [match]), run


def with_serving() -> Graph:
    """The champion's alias, the endpoint that serves it, what watches that, and the file that the weather comes in."""
    alias, endpoint = refs.alias(ML, "flight-delay", "champion"), refs.endpoint(ML, "gate")
    monitor, lake = refs.monitor(AIR, "gate-drift"), refs.dataset("s3://lake", "raw/weather/hourly")
    nodes = [
        Node(alias), Node(endpoint, {"url": "https://gate.example.com", "mode": "online"}), Node(monitor),
        Node(lake, {"uri": "s3://lake/raw/weather/hourly"}),
    ]  # fmt: skip
    edges = [
        Edge(CHAMPION, alias, Relation.ALIASED, Evidence.DECLARED, "the alias of the registered model"),
        Edge(alias, endpoint, Relation.SERVES, Evidence.OBSERVED, "the endpoint's configuration"),
        Edge(endpoint, monitor, Relation.WATCHED, Evidence.DECLARED, "the monitor's asset"),
        Edge(lake, refs.source(P, "weather"), Relation.STANDS_FOR, Evidence.OBSERVED, "their URIs are equal"),
        Edge(dag_ref("flights.fetch"), lake, Relation.PRODUCES, Evidence.OBSERVED, "it wrote it"),
    ]
    return plus([*nodes, Node(dag_ref("flights.fetch"), {"schedule": "@hourly", "last_state": "success"})], edges)


def fan(n: int) -> Graph:
    """A view with `n` features that one service asks for."""
    view, service = refs.feature_view("p", "wide"), refs.feature_service("p", "all")
    features = [refs.feature("p", "wide", f"f{i:03d}") for i in range(n)]
    edges = [Edge(view, f, Relation.CONTAINS, Evidence.DECLARED) for f in features]
    edges += [Edge(f, service, Relation.FEEDS, Evidence.DECLARED) for f in features]
    return graph_of([Node(view), Node(service), *(Node(f) for f in features)], edges)


def wide(n: int, steps: int = 10) -> tuple[Graph, Ref]:
    """`n` features in `steps` steps of computation, each made of one or two of those before, and the service that asks
    for the last of them: a drawing with that many boxes once its fans are opened."""
    service, made, edges = refs.feature_service("p", "all"), [], list[Edge]()
    per = max(1, n // steps)
    for step in range(steps):
        features = [refs.feature("p", f"step_{step}", f"sensor_{i:03d}_mean_over_{step + 1}_days") for i in range(per)]
        for i, ref in enumerate(features):
            for other in {(i * 7 + step) % per, i} if step else ():
                edges.append(Edge(made[-1][other], ref, Relation.FEEDS, Evidence.DECLARED))
        made.append(features)
    edges += [Edge(ref, service, Relation.FEEDS, Evidence.DECLARED) for ref in made[-1]]
    nodes = [Node(ref, {"dtype": "float64"}) for features in made for ref in features]
    return graph_of([*nodes, Node(service)], edges), service
