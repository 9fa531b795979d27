"""Records `registry.db`, which the tests read: `python -m tests.unit.lineage.feast.record`.

Real Feast makes it: what `feast init` writes, applied and materialized once, and the project in `trips.py`, in one
registry. Then the pickled functions, the tables of the online store and the bodies of old versions are taken out, for
the first are code, the second hold paths of the machine, and none of them is read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.feast_environment import feast_python

HERE = Path(__file__).parent
SETTINGS = """
project: trips
provider: local
registry: {registry}
online_store:
  path: {folder}/online.db
entity_key_serialization_version: 3
"""
STRIP = """
import sys
from feast.protos.feast.core.Registry_pb2 import Registry

registry = Registry.FromString(open(sys.argv[1], "rb").read())
registry.ClearField("infra")
for record in registry.feature_view_version_history.records:
    record.ClearField("feature_view_proto")
for view in (*registry.on_demand_feature_views, *registry.stream_feature_views, *registry.feature_views):
    if view.spec.HasField("feature_transformation"):
        view.spec.feature_transformation.user_defined_function.ClearField("body")
    if hasattr(view.spec, "user_defined_function"):
        view.spec.user_defined_function.ClearField("body")
open(sys.argv[2], "wb").write(registry.SerializeToString(deterministic=True))
"""


def main() -> None:
    python = feast_python()
    feast = str(python.with_name("feast"))
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory(prefix="feast-") as folder:
        subprocess.run([feast, "init", "drivers"], cwd=folder, check=True, capture_output=True, env=quiet)
        drivers = Path(folder) / "drivers" / "feature_repo"
        subprocess.run([feast, "apply"], cwd=drivers, check=True, env=quiet)
        span = ["2026-01-01T00:00:00", "2026-01-02T00:00:00"]
        subprocess.run([feast, "materialize", *span, "-v", "driver_hourly_stats"], cwd=drivers, check=True, env=quiet)
        trips = Path(folder) / "trips"
        trips.mkdir()
        shutil.copy(HERE / "trips.py", trips)
        registry = drivers / "data" / "registry.db"
        (trips / "feature_store.yaml").write_text(SETTINGS.format(registry=registry, folder=folder))
        subprocess.run([feast, "apply", "--skip-source-validation"], cwd=trips, check=True, env=quiet)
        subprocess.run([python, "-c", STRIP, registry, HERE / "registry.db"], check=True, env=quiet)


if __name__ == "__main__":
    main()
