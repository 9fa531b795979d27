"""Processes that are killed at any moment while they write, and what must hold then: the old or the new, never half of
it, never twice. The same for every online store."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl

from e2e_ml.festaf.model import Key, Registry, Source
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf.worlds import TIME, feature, hour, weather

ENTITIES = 3000

_START = """
import sys
import polars as pl
from e2e_ml.festaf.store import FeatureStore
from tests.unit.festaf import killing
from tests.unit.festaf.worlds import hour

store = FeatureStore.open(sys.argv[1])
"""
_MATERIALIZE = """
print("ready", flush=True)
while True:
    store.materialize("many")
"""
_LOAD = """
print("ready", flush=True)
for n in range(10_000):
    store.load("many", hour(0), hour(24))
    print(n, flush=True)
"""
_PUSH = """
print("ready", flush=True)
for n in range(int(sys.argv[2]), 10_000):
    store.push("many", killing.pushed(n))
    print(n, flush=True)
"""


def project(folder: Path, format_: str) -> FeatureStore:
    """A project with one view, of `ENTITIES` entities."""
    view = weather(
        name="many",
        source=Source.model_validate({"name": "many", "format": format_, "uri": "many.parquet"}),
        entities=(Key(name="id", dtype="int64"),),
        features=(feature("x", "int64"), feature("twice", "int64")),
        ttl_seconds=None,
    )
    (folder / "registry.json").write_text(Registry(project="killed", version=1, views=(view,)).model_dump_json())
    return FeatureStore.open(folder)


def generation(store: FeatureStore, n: int) -> None:
    """Store rows offline that all say `n`, each for another hour, so that none is older than what it replaces."""
    rows = pl.DataFrame(
        {"id": range(ENTITIES), "observed_at": [hour(1)] * ENTITIES, "x": n, "twice": 2 * n},
        schema_overrides={"observed_at": TIME, "x": pl.Int64, "twice": pl.Int64},
    )
    rows.write_parquet(store.path / "many.parquet")
    from e2e_ml.festaf.rows import pipeline

    interval = pipeline.Interval(store.path, store.view("many"), hour(0), hour(24))
    pipeline.write_offline(interval, pipeline.transform(interval, pipeline.extract(interval)))


def pushed(n: int) -> list[dict[str, object]]:
    """What is pushed n-th: a row of each of three entities, two at an hour of its own, one always at the same."""
    times = {1: hour(n), 2: hour(n), 3: hour(0)}
    return [{"id": i, "observed_at": time, "x": n, "twice": 2 * n} for i, time in times.items()]


def served(store: FeatureStore, ids: list[int]) -> list[tuple[int | None, int | None]]:
    found = store.online("many", [{"id": i} for i in ids], names="short").rows
    return [(row["x"], row["twice"]) for row in found]


def killed(
    folder: Path, script: str, *more: str, seconds: float, lines: int = 0, meanwhile: Callable[[], None] | None = None
) -> list[str]:
    """Run a script of this file and kill it so many seconds after it has said so many lines, and `meanwhile` is done;
    gives all of them."""
    command = [sys.executable, "-c", textwrap.dedent(_START + script), str(folder), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        said = [process.stdout.readline() for _ in range(lines)]
        if meanwhile is not None:
            meanwhile()
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        return [line.strip() for line in (*said, *process.stdout)]


def moments(count: int) -> Iterator[float]:
    chance = random.Random(7)  # noqa: S311 - the moments need not be secret
    return (chance.uniform(0.0, 0.15) for _ in range(count))


def materialize_is_whole(folder: Path, attempts: int) -> None:
    store = project(folder, "parquet")
    generation(store, 0)
    store.materialize("many")
    everyone = list(range(ENTITIES))
    for n, moment in enumerate(moments(attempts), 1):
        before = served(store, everyone)[0]
        generation(store, n)
        killed(folder, _MATERIALIZE, seconds=moment)
        found = set(served(store, everyone))
        assert found in ({before}, {(n, 2 * n)})
    store.materialize("many")  # the turn of the dead is free
    assert set(served(store, everyone)) == {(attempts, 2 * attempts)}


def push_is_once(folder: Path, attempts: int) -> None:
    store = project(folder, "push")
    begun = 0
    for moment in moments(attempts):
        said = int(killed(folder, _PUSH, str(begun), seconds=moment, lines=2)[-1])
        rows = store.offline("many").sort("observed_at", "id").collect()
        # Whole: what was said to be pushed is there, and what is there is there with its fellow, once.
        one, two, three = (rows.filter(pl.col("id") == i)["x"].to_list() for i in (1, 2, 3))
        assert one == two == list(range(len(one)))
        assert three == one[-1:]
        assert len(one) - 1 in (said, said + 1)
        begun = said + 1
    for push in (begun, begun):  # the last one is pushed again, as whoever got no answer does
        store.push("many", pushed(push))
    rows = store.offline("many").collect()
    assert len(rows) == 2 * (begun + 1) + 1
    assert served(store, [1, 2, 3]) == [(begun, 2 * begun)] * 3
    assert not list((folder / "store" / "pushes").rglob("*.*"))


def loads_lose_no_push(folder: Path, attempts: int) -> None:
    """Rows are pushed while another process loads their interval over and over, and is killed."""
    store = project(folder, "parquet")
    generation(store, 0)
    pushes = range(5)

    def push(attempt: int) -> None:
        for n in pushes:
            store.push("many", {"id": ENTITIES + n, "observed_at": hour(attempt), "x": n, "twice": 2 * n})

    for attempt, moment in enumerate(moments(attempts), 2):
        killed(folder, _LOAD, seconds=moment, lines=1, meanwhile=partial(push, attempt))
        rows = store.offline("many").collect()
        assert len(rows) == len(rows.unique(["id", "observed_at"])) == ENTITIES + len(pushes) * (attempt - 1)
        assert set(rows.filter(pl.col("id") < ENTITIES)["x"]) == {0}
        assert served(store, [ENTITIES + n for n in pushes]) == [(n, 2 * n) for n in pushes]
    assert store.load("many", hour(0), hour(24)).rows == ENTITIES + len(pushes) * attempts
