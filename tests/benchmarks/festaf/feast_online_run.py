"""Feast's online store on the rows of `rows_world`, in Feast's own environment: nothing of festaf is here.

    PYTHON tests/benchmarks/festaf/feast_online_run.py materialize|read REPOSITORY ROWS

REPOSITORY has a feature_store.yaml, ROWS is the Parquet file. `materialize` prints JSON: seconds, and the process's
peak of resident memory in bytes. `read` takes a line of JSON for each question, `[keys, rounds]`, and prints one for
each: the rows that it gave, and the median of the rounds in milliseconds.
"""

# pyright: reportMissingImports=false

import json
import statistics
import sys
import time
from contextlib import redirect_stdout
from datetime import datetime, timedelta, timezone
from pathlib import Path

FEATURES = [f"f{i}" for i in range(10)]
ASKED = [f"things:{name}" for name in FEATURES]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - as Feast's own Python may be older


def store_of(repository):
    from feast import FeatureStore

    return FeatureStore(repo_path=repository)


def materialize(repository, rows):
    from feast import Entity, FeatureView, Field, FileSource
    from feast.types import Float64
    from feast.value_type import ValueType

    store = store_of(repository)
    thing = Entity(name="thing", join_keys=["id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="things",
        entities=[thing],
        ttl=timedelta(days=3650),
        schema=[Field(name=name, dtype=Float64) for name in FEATURES],
        source=FileSource(name="rows", path=rows, timestamp_field="at"),
    )
    store.apply([thing, view])
    start = time.perf_counter()
    store.materialize(START, START + timedelta(days=1))
    seconds = time.perf_counter() - start
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    yield {"seconds": seconds, "bytes": peak}


def read(repository, rows):
    store = store_of(repository)
    for line in sys.stdin:
        keys, rounds = json.loads(line)
        entities = [{"id": key} for key in keys]

        def ask(entities=entities):
            return store.get_online_features(features=ASKED, entity_rows=entities).to_dict()

        columns = ask()
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            ask()
            times.append(time.perf_counter() - start)
        names = ["id", *FEATURES]
        found = [dict(zip(names, row)) for row in zip(*(columns[name] for name in names))]  # noqa: B905
        yield {"rows": found, "milliseconds": statistics.median(times) * 1e3}


def main(work, repository, rows):
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # Feast tells of its progress
        for answer in {"materialize": materialize, "read": read}[work](repository, rows):
            print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
