"""The same answer by Feast, on its DuckDB store, in Feast's own environment: nothing of festaf is here.

    build/feast/bin/python tests/benchmarks/festaf/feast_run.py REPOSITORY ENTITIES VIEWS [OUT]

REPOSITORY has a Parquet file for each view. Prints JSON as `historical_run` does.
"""

# pyright: reportMissingImports=false

import json
import sys
import time
from datetime import timedelta
from pathlib import Path


def main(folder, entities, views, out=None):
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
    from feast.types import Float64
    from feast.value_type import ValueType

    names = views.split(",")
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(Path(folder) / "registry.db"),
        offline_store=DuckDBOfflineStoreConfig(),
        online_store={"type": "sqlite", "path": str(Path(folder) / "online.db")},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    made = [
        FeatureView(
            name=name,
            entities=[driver],
            ttl=timedelta(days=2),
            schema=[Field(name=f"f{i}", dtype=Float64) for i in range(10)],
            source=FileSource(
                name=f"{name}_source",
                path=str(Path(folder) / f"{name}.parquet"),
                timestamp_field="at",
                created_timestamp_column="created",
            ),
        )
        for name in names
    ]
    store.apply([driver, *made])
    asked = pd.read_parquet(entities)
    wanted = [f"{name}:f{i}" for name in names for i in range(10)]
    start = time.perf_counter()
    answer = store.get_historical_features(entity_df=asked, features=wanted, full_feature_names=True).to_df()
    seconds = time.perf_counter() - start
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    print(json.dumps({"seconds": seconds, "bytes": peak}))
    if out:
        answer.to_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
