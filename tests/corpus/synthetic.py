"""Generated projects with known links: what was made of what is drawn first, and what collectors would see of it after.

Nothing here knows the rules. A project is one number; the same number gives the same project.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.graph import Evidence, Node, Relation
from e2e_ml.refs import FEAST, FESTAF, Ref
from tests.corpus.cases import AIRFLOW, MLFLOW, Case, Link, at

SUBJECTS = ("driver", "customer", "order", "basket", "sensor", "claim", "flight", "card", "meter", "store", "ad",
            "seller", "parcel", "loan", "patient", "session")  # fmt: skip
MEASURES = ("trips", "spend", "clicks", "delay", "returns", "rating", "load", "errors", "visits", "refunds", "distance",
            "weight", "wait", "calls", "fare", "temperature", "balance", "stock", "views", "tickets")  # fmt: skip
FORMS = ("mean", "sum", "count", "max", "last", "std", "share", "p95", "rate")
WINDOWS = ("1h", "24h", "7d", "30d", "90d", "")
PLAIN = ("age", "price", "amount", "city", "country", "status", "type", "count", "score", "category", "weekday", "hour",
         "region", "gender", "total", "value")  # fmt: skip
LABELS = ("label", "target", "y", "is_fraud", "churned", "delayed", "converted", "defaulted", "label_value")
TIMES = ("event_timestamp", "observed_at", "created_at", "ts", "event_time")
OWN = ("holiday", "campaign", "bucket", "embedding_0", "embedding_1", "ratio_ab", "manual_flag", "fold", "segment_x",
       "prior_score", "is_weekend", "distance_to_hub", "text_length", "season")  # fmt: skip


def cases(first: int, count: int) -> Iterator[Case]:
    """Half of them are about columns, half about tasks."""
    for number in range(first, first + count):
        yield (_columns if number % 2 else _tasks)(Random(number), number)  # noqa: S311 - the same each time


# --- columns ---------------------------------------------------------------------------------------------------------


class _Store:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.scheme = random.choice((FEAST, FESTAF))
        self.project = random.choice(("alpha", "beta"))
        self.views: dict[str, list[str]] = {}
        self.keys: dict[str, str] = {}
        self.services: dict[str, list[str]] = {}
        self.doubles: set[str] = set()  # views that another one has all columns of
        for _ in range(random.randint(2, 7)):
            self._view()
        if random.random() < 0.4:
            self._generation()
        if random.random() < 0.2:
            self._wide()
        for _ in range(random.randint(0, 3)):
            self._service()

    def _view(self) -> None:
        subject = self.random.choice(SUBJECTS)
        name = f"{subject}_{self.random.choice(('stats', 'profile', 'hourly', 'history', 'daily'))}"
        if name in self.views:
            return
        measures = self.random.sample(MEASURES, self.random.randint(2, 6))
        size = self.random.choice((3, 4, 5, 6, 8, 12, 20, 35))
        features: dict[str, None] = {}
        for _ in range(size):
            parts = [self.random.choice(measures), self.random.choice(FORMS), self.random.choice(WINDOWS)]
            if self.random.random() < 0.3:
                parts.insert(0, subject)
            features["_".join(p for p in parts if p)] = None
        features.update(dict.fromkeys(self.random.sample(PLAIN, self.random.choice((0, 0, 1, 2, 3)))))
        self.views[name], self.keys[name] = list(features), f"{subject}_id"

    def _generation(self) -> None:
        old = self.random.choice(list(self.views))
        kept = [f for f in self.views[old] if self.random.random() < 0.9]
        new = [f"{self.random.choice(MEASURES)}_new_{n}" for n in range(self.random.randint(0, 3))]
        self.views[f"{old}_v2"], self.keys[f"{old}_v2"] = [*kept, *new], self.keys[old]

    def _wide(self) -> None:
        taken = [f for features in list(self.views.values())[:3] for f in features]
        more = [f"wide_{self.random.choice(MEASURES)}_{n}" for n in range(80)]
        self.views["everything"], self.keys["everything"] = list(dict.fromkeys([*taken, *more])), "row_id"

    def _service(self) -> None:
        views = self.random.sample(list(self.views), min(len(self.views), self.random.choice((1, 1, 2, 3))))
        features = [
            f"{view}.{f}"
            for view in views
            for f in self.random.sample(self.views[view], self.random.randint(1, len(self.views[view])))
        ]
        self.services[f"{self.random.choice(SUBJECTS)}_model_{len(self.services)}"] = features

    def view(self, name: str) -> Ref:
        return refs.feature_view(self.project, name, self.scheme)

    def nodes(self) -> Iterator[Node]:
        for name, features in self.views.items():
            facts = {"features": features, "entities": [self.keys[name]], "event_time": self.random.choice(TIMES)}
            yield Node(self.view(name), facts)
            yield from (Node(refs.feature(self.project, name, f, self.scheme)) for f in features)
        for name, features in self.services.items():
            yield Node(refs.feature_service(self.project, name, self.scheme), {"features": features})

    def makes(self, view: str, names: list[str]) -> list[str]:
        """The other views that have all of these columns."""
        return [o for o, features in self.views.items() if o != view and set(names) <= set(features)]


def _columns(random: Random, number: int) -> Case:
    store, true, also = _Store(random), set[Link](), set[Link]()
    nodes = list(store.nodes())
    for index in range(random.randint(4, 8)):
        run = refs.run(MLFLOW, f"r{index}")
        made = random.choice((_of_view, _of_view, _of_view, _of_service, _of_two_views, _of_own_data, _of_own_data))
        columns, ups, must = made(store, random)
        (true if must else also).update((up, Relation.TRAINS, run) for up in ups if must != "no")
        also.update((view, Relation.TRAINS, run) for view in _views_below(ups, store))
        nodes.append(Node(run, _seen(columns, store, random)))
    return Case(f"columns {number}", tuple(nodes), {Evidence.INFERRED: frozenset(true)}, frozenset(also))


def _seen(columns: list[str], store: _Store, random: Random) -> dict[str, Any]:
    around = random.sample([*store.keys.values(), *TIMES], random.randint(0, 2))
    label = [random.choice(LABELS)] if random.random() < 0.8 else []
    named = list(dict.fromkeys([*around, *columns, *label]))
    if random.random() < 0.3:
        random.shuffle(named)
    data = {"name": "dataset", "context": random.choice(("train", "training")), "columns": named}
    return {"inputs": [data], "start": at("12:00"), "tags": {}}


def _of_view(store: _Store, random: Random) -> tuple[list[str], list[Ref], Any]:
    name = random.choice(list(store.views))
    features = store.views[name]
    size = len(features) if random.random() < 0.6 else random.randint(max(2, len(features) * 2 // 5), len(features))
    taken = random.sample(features, min(size, len(features)))
    share = random.choice((0, 0, 0, 0.1, 0.15, 0.3, 0.6))  # of columns that are somebody's own
    own = random.sample(OWN, min(len(OWN), round(len(taken) * share / (1 - share))))
    names = _changed(taken, name, random)
    # It can be told where one fifth at most is its own, three names are telling, and no other view has them all.
    told = len(own) <= 0.2 * (len(own) + len(taken)) and len([t for t in taken if t not in PLAIN]) >= 3
    return [*names, *own], [store.view(name)], told and not store.makes(name, taken)


def _changed(names: list[str], view: str, random: Random) -> list[str]:
    kind = random.choice(("", "", "", "", "full", "scaled", "renamed"))
    if kind == "full":
        return [f"{view}__{name}" for name in names]
    if kind == "scaled":
        return [f"{name}_scaled" if random.random() < 0.5 else name for name in names]
    if kind == "renamed":
        return [f"feat_{n}" if random.random() < 0.1 else name for n, name in enumerate(names)]
    return names


def _of_service(store: _Store, random: Random) -> tuple[list[str], list[Ref], Any]:
    if not store.services:
        return _of_view(store, random)
    name = random.choice(list(store.services))
    features = store.services[name]
    columns = [f.partition(".")[2] for f in features]
    if random.random() < 0.4 and store.scheme == FESTAF:
        columns = [f.replace(".", "__") for f in features]
    # A service of a view's own columns cannot be told from the view.
    views = {f.partition(".")[0] for f in features}
    alone = not any(set(features) <= set(other) for n, other in store.services.items() if n != name)
    must = alone and len(features) >= 4 and len(views) > 1
    return columns, [refs.feature_service(store.project, name, store.scheme)], must


def _of_two_views(store: _Store, random: Random) -> tuple[list[str], list[Ref], Any]:
    names = [name for name, features in store.views.items() if len(features) >= 3 and name != "everything"]
    if len(names) < 2:
        return _of_view(store, random)
    two = random.sample(names, 2)
    columns = list(dict.fromkeys(f for name in two for f in store.views[name]))
    telling = all(
        len(
            [
                f
                for f in store.views[n]
                if f not in PLAIN and not any(f in store.views[o] for o in store.views if o != n)
            ]
        )
        >= 3
        for n in two
    )
    return columns, [store.view(name) for name in two], telling


def _of_own_data(store: _Store, random: Random) -> tuple[list[str], list[Ref], Any]:
    """Data that has nothing to do with the store, in the words of the same trade."""
    names = [*random.sample(PLAIN, random.randint(0, 6)), *random.sample(OWN, random.randint(2, 8))]
    names += ["_".join((random.choice(MEASURES), random.choice(FORMS), random.choice(WINDOWS))).rstrip("_")
              for _ in range(random.randint(0, 8))]  # fmt: skip
    names += [f for f in random.sample([f for fs in store.views.values() for f in fs], 2) if random.random() < 0.5]
    return list(dict.fromkeys(names)), [], "no"


def _views_below(ups: list[Ref], store: _Store) -> Iterator[Ref]:
    """The views that a service was made of are the run's too; so is a service that has just what the run has."""
    for up in ups:
        for feature in store.services.get(up.name, ()):
            yield store.view(feature.partition(".")[0])


# --- tasks -----------------------------------------------------------------------------------------------------------


def _tasks(random: Random, number: int) -> Case:
    """A day of an Airflow: loads and trainings by the clock, backfills now and then, and people who try things."""
    nodes: dict[Ref, Node] = {}
    true, also = set[Link](), set[Link]()
    at_home = random.random() < 0.25  # Airflow and people share a user
    worker = "ada" if at_home else random.choice(("airflow", "airflow", "root", None))
    busy: list[tuple[int, int, str, bool]] = []  # start and end in seconds, DAG, whether it waits
    runs: list[tuple[Ref, Ref, dict[str, Any], int, int]] = []
    for index in range(random.randint(2, 6)):
        trains = index == 0 or random.random() < 0.4
        dag_id = f"{random.choice(('nightly', 'weekly', 'daily', 'train', 'load', 'sync'))}_{SUBJECTS[index]}"
        dag, experiment = refs.dag(AIRFLOW, dag_id), f"{SUBJECTS[index]}-models"
        facts: dict[str, Any] = {"tags": ["ml:train"] if trains and random.random() < 0.3 else []}
        if trains and random.random() < 0.5:
            facts["constants"] = {"experiments": [experiment], "models": [], "uris": [], "features": [], "columns": []}
            nodes[refs.experiment(MLFLOW, experiment)] = Node(refs.experiment(MLFLOW, experiment), {"name": experiment})
            true.add((dag, Relation.PRODUCES, refs.experiment(MLFLOW, experiment)))
        nodes[dag] = Node(dag, facts)
        clock = random.choice((0, 0, 3_600, 7_200, random.randint(0, 80_000)))  # many begin on the hour
        for task_id in ("extract", "fit") if trains else ("copy",):
            operator = random.choice(("PythonOperator", "BashOperator", "KubernetesPodOperator"))
            length = random.choice((60, 300, 900, 2_400)) if task_id != "copy" else random.choice((60, 900, 5_000))
            start, end = clock + random.randint(0, 4), clock + 4 + length
            instance = refs.task_instance(AIRFLOW, dag_id, "d1", task_id)
            told = {"start": _time(start), "end": _time(end), "state": "success", "user": worker}
            nodes[instance] = Node(instance, {k: v for k, v in told.items() if v})
            nodes[refs.task(AIRFLOW, dag_id, task_id)] = Node(
                refs.task(AIRFLOW, dag_id, task_id), {"operator": operator}
            )
            busy.append((start, end, dag_id, False))
            if task_id == "fit":
                script = "/home/airflow/.local/bin/airflow" if operator == "PythonOperator" else "train.py"
                for trial in range(random.choice((1, 1, 1, 1, 3, 12))):
                    step = (end - start - 8) // 12
                    first = start + 3 + trial * step
                    last = (end - 3) if trial == 0 else first + max(1, step - 1)
                    run = refs.run(MLFLOW, f"{dag_id}{trial}")
                    seen = {"experiment": experiment, "user": worker, "tags": {"mlflow.source.name": script}}
                    runs.append((instance, run, seen, first, min(last, end - 1)))
            clock = end + 2
        if random.random() < 0.3:
            sensor = refs.task_instance(AIRFLOW, dag_id, "d1", "wait")
            told = {"start": _time(max(0, clock - 20_000)), "end": _time(clock), "state": "success", "user": worker}
            nodes[sensor] = Node(sensor, {k: v for k, v in told.items() if v})
            nodes[refs.task(AIRFLOW, dag_id, "wait")] = Node(
                refs.task(AIRFLOW, dag_id, "wait"), {"operator": "S3KeySensor"}
            )
    for instance, run, seen, first, last in runs:
        nodes[run] = _run(run, seen, first, last)
        dag = refs.dag(AIRFLOW, instance.keys[0])
        others = [b for b in busy if b[0] <= first and last <= b[1] and b[2] != instance.keys[0]]
        named = bool(nodes[dag].facts.get("constants"))
        # It can be told where no other task was at work, or the source names the experiment; and by somebody known.
        must = (not others or named) and (worker is not None or named)
        for up in (instance, dag):
            (true if must else also).add((up, Relation.STARTED, run))
    for index in range(random.randint(1, 8)):
        run = refs.run(MLFLOW, f"by-hand{index}")
        first = random.choice((random.randint(0, 86_000), random.randint(0, 12_000)))
        by_notebook = random.random() < 0.5
        script = "/opt/venv/lib/python3.12/site-packages/ipykernel_launcher.py" if by_notebook else "train.py"
        user = "ada" if at_home else random.choice(("ada", "bob"))
        experiment = random.choice(("Default", "tries", f"{SUBJECTS[0]}-models"))
        seen = {"experiment": experiment, "user": user, "tags": {"mlflow.source.name": script}}
        nodes[run] = _run(run, seen, first, first + random.choice((5, 40, 300, 1_500)))
    return Case(f"tasks {number}", tuple(nodes.values()), {Evidence.INFERRED: frozenset(true)}, frozenset(also))


def _run(run: Ref, seen: dict[str, Any], first: int, last: int) -> Node:
    facts = {k: v for k, v in seen.items() if v}
    return Node(run, {**facts, "start": _time(first), "end": _time(last)})


def _time(second: int) -> str:
    return str(at(f"{second // 3600}:{second // 60 % 60}:{second % 60}"))
