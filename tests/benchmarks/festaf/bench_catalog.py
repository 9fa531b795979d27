"""How fast the catalog answers for a registry of 10,000 features: 1,000 views of 10, 100 services, 100 of them written.

    python -m tests.benchmarks.festaf.bench_catalog

The real server as a subprocess, asked over one connection. Each page is asked of another thing each time, so that what
is measured is the page and not what was kept of it; the first answer of a kind stands in a column of its own. The
first page after a start is that of servers of their own: asked for as soon as one is up, and a moment later.
"""

from __future__ import annotations

import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl

from e2e_ml.festaf.model import (
    Applied,
    Change,
    Constraint,
    Feature,
    FeatureService,
    FeatureView,
    Key,
    Owner,
    Registry,
    Source,
)
from e2e_ml.festaf.registry import history, to_text
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.festaf.wishes import Wishes

REACH, FIRST = 0.050, 0.300  # seconds
STARTS, MOMENT = 5, 2.0  # servers for each case; seconds until somebody has opened a browser
VIEWS, FEATURES, WRITTEN, ASKED = 1000, 10, 100, 60
START = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = [
    "wind",
    "temp",
    "delay",
    "seats",
    "gust",
    "visib",
    "pressure",
    "humid",
    "carrier",
    "origin",
    "dest",
    "speed",
    "mean",
    "count",
    "last",
    "first",
    "total",
    "ratio",
    "night",
    "winter",
    "runway",
    "cargo",
    "crew",
    "fuel",
    "gate",
]


def registry() -> Registry:
    chance = random.Random(1)  # noqa: S311 - data, no secret
    views = tuple(_view(chance, number) for number in range(VIEWS))
    services = tuple(
        FeatureService(
            name=f"model_{i}",
            description=f"Model {i} of a hundred.",
            features=tuple(f"{view.name}.{view.features[i % FEATURES].name}" for view in views[i::100]),
            first_seen=START,
            changed_at=START,
        )
        for i in range(100)
    )
    return Registry(project="large", version=201, views=views, services=services)


def _view(chance: random.Random, number: int) -> FeatureView:
    def feature(i: int) -> Feature:
        name = f"{chance.choice(_WORDS)}_{chance.choice(_WORDS)}_{i}"
        about = f"The {chance.choice(_WORDS)} of a {chance.choice(_WORDS)} that {chance.choice(_WORDS)} explains."
        return Feature(name=name, dtype="float64", description=about, first_seen=START, changed_at=START)

    plain = [feature(i) for i in range(FEATURES // 2)]
    plain[0] = plain[0].model_copy(update={"constraints": (Constraint(rule="upper_bound", value=3.0),)})
    computed = [
        feature(FEATURES // 2 + i).model_copy(
            update={
                "dtype": "bool",
                "expression": {
                    "op": "le",
                    "args": [
                        {"op": "column", "name": read.name},
                        {"op": "literal", "dtype": "float64", "value": 0.5},
                    ],
                },
                "code": f"{read.name} <= 0.5",
                "sql": f'"{read.name}" <= 0.5',
                "inputs": (read.name,),
            }
        )
        for i, read in enumerate(plain)
    ]
    return FeatureView(
        name=f"{chance.choice(_WORDS)}_{chance.choice(_WORDS)}_{number}",
        description=f"All that is known of a {chance.choice(_WORDS)}.",
        owner=Owner(name=f"team {number % 20}", email=f"team{number % 20}@example.com"),
        source=Source(name=f"source {number % 100}", format="parquet", uri="rows.parquet"),
        source_columns={f.name: f"x{i}" for i, f in enumerate(plain)},
        entities=(Key(name=f"key_{number % 5}", dtype="string"),),
        event_time="at",
        schedule="@daily",
        start=START,
        features=(*plain, *computed),
        first_seen=START,
        changed_at=START,
        tags=(f"area {number % 7}",),
    )


def make(folder: Path) -> Registry:
    """The project on disk: the registry, its history, a hundred views with a thousand rows each, and wishes."""
    made = registry()
    names = [view.name for view in made.views]
    applies = [Applied(version=1, at=START, by="ada", changes=tuple(_added(name) for name in names))]
    applies += [
        Applied(
            version=2 + i,
            at=START + timedelta(hours=i),
            by="grace",
            commit="0123456789abcdef",
            changes=(
                Change(
                    action="change",
                    kind="feature",
                    name=f"{view.name}.{view.features[-1].name}",
                    details=("expression: x <= 0.4 -> x <= 0.5",),
                ),
            ),
        )
        for i, view in enumerate(made.views[:200])
    ]
    (folder / "registry.json").write_text(to_text(made))
    history.append(folder / "registry.json", applies)
    chance = random.Random(2)  # noqa: S311 - data, no secret
    for view in made.views[:WRITTEN]:
        rows = [START + timedelta(seconds=86 * i) for i in range(1000)]
        frame = pl.DataFrame({"at": rows, view.entities[0].name: [f"k{i % 50}" for i in range(1000)]}).with_columns(
            pl.Series(f"x{i}", [chance.gauss(0, 1) for _ in rows]) for i in range(FEATURES // 2)
        )
        frame.write_parquet(folder / "rows.parquet")
        store = FeatureStore.open(folder)
        store.load(view.name, START, START + timedelta(days=1))
    wishes = Wishes(folder)
    for i in range(50):
        wishes.wish(f"{_WORDS[i % 25]} of the {_WORDS[i // 2]}", by=f"person {i}", why="It is not there.")
    return made


def _added(name: str) -> Change:
    return Change(action="add", kind="feature view", name=name)


@contextmanager
def server(folder: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "e2e_ml.cli", "festaf", "serve", "--project", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            while True:
                try:
                    client.get("/health").raise_for_status()
                    break
                except httpx.TransportError:
                    if process.poll() is not None:
                        raise SystemExit("The server did not start.") from None
                    time.sleep(0.02)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def pages(made: Registry) -> dict[str, Callable[[int], str]]:
    """Each page, by what it is of: the address of its nth thing."""
    written = made.views[:WRITTEN]
    unwritten = made.views[WRITTEN:]

    def view(of: FeatureView) -> str:
        return f"/views/{of.name}"

    return {
        "home": lambda n: "/",
        "list of views": lambda n: f"/views?page={1 + n % 20}",
        "view, written": lambda n: view(written[n % WRITTEN]),
        "view, not written": lambda n: view(unwritten[n]),
        "feature, written": lambda n: (
            f"{view(written[n % WRITTEN])}/features/{written[n % WRITTEN].features[n % 10].name}"
        ),
        "feature, not written": lambda n: f"{view(unwritten[n])}/features/{unwritten[n].features[n % 10].name}",
        "service": lambda n: f"/services/{made.services[n % 100].name}",
        "entity": lambda n: f"/entities/key_{n % 5}?page={1 + n % 4}",
        "source": lambda n: f"/sources/source%20{n % 100}",
        "search, page": lambda n: f"/search?q={_WORDS[n % 25]}",
        "search, first letter": lambda n: f"/api/v1/search?limit=12&q={chr(97 + n % 26)}",
        "search, two letters": lambda n: f"/api/v1/search?limit=12&q={_WORDS[n % 25][:2]}",
        "search, two words": lambda n: f"/api/v1/search?limit=12&q={_WORDS[n % 25]}%20{_WORDS[-1 - n % 25][:3]}",
        "not here": lambda n: f"/views/{unwritten[n].name[:-2]}x",
        "wishes": lambda n: "/wishes",
        "wish": lambda n: f"/wishes/{1 + n % 50}",
        "has anything changed": lambda n: "/api/v1/stats",
    }


def main() -> None:
    print("| page of 10,000 features | first | p50 | p95 | reach |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder))
        with server(Path(folder)) as client:
            for name, address in pages(made).items():
                method = "HEAD" if name == "has anything changed" else "GET"
                times = [_seconds(client, method, address(n)) for n in range(WRITTEN + ASKED)]
                # The first hundred are each written view's own first page: its rows are counted then, and kept.
                again = sorted(times[WRITTEN:] if "written" in name and "not" not in name else times[1 : 1 + ASKED])
                middle, high = statistics.median(again), again[int(len(again) * 0.95)]
                verdict = "met" if high < REACH else "met by the median" if middle < REACH else "missed"
                print(
                    f"| {name} | {times[0] * 1000:.0f} ms | {middle * 1000:.1f} ms | {high * 1000:.1f} ms "
                    f"| < {REACH * 1000:.0f} ms: {verdict} |",
                    flush=True,
                )
        print("\n| after a start | median | slowest | reach |\n| --- | --- | --- | --- |")
        for name, pause, reach in (("the first page, at once", 0.0, FIRST), ("... after 2 s", MOMENT, FIRST)):
            times = sorted(_first(Path(folder), pause) for _ in range(STARTS))
            middle = times[STARTS // 2]
            verdict = "met" if middle < reach else "missed"
            print(
                f"| {name} | {middle * 1000:.0f} ms | {times[-1] * 1000:.0f} ms | < {reach * 1000:.0f} ms: {verdict} |",
                flush=True,
            )


def _first(folder: Path, pause: float) -> float:
    with server(folder) as client:
        time.sleep(pause)
        return _seconds(client, "GET", "/")


def _seconds(client: httpx.Client, method: str, address: str) -> float:
    start = time.perf_counter()
    answer = client.request(method, address)
    elapsed = time.perf_counter() - start
    if answer.status_code >= 500:
        raise SystemExit(f"{address} answered {answer.status_code}.")
    return elapsed


if __name__ == "__main__":
    main()
