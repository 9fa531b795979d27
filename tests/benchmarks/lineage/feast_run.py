"""The same questions by Feast's registry lineage, in Feast's own environment: nothing of e2e-ml is here.

    build/feast/bin/python tests/benchmarks/lineage/feast_run.py REGISTRY VIEWS FEATURES SERVICES ROUNDS

Writes a registry of that size to REGISTRY, unless it is there. Prints JSON: seconds to read it and give a first answer,
and of each answer after that, about one feature view.
"""

# pyright: reportMissingImports=false

import json
import random
import sys
import time
from pathlib import Path


def write(path, views, features, services):
    from feast.protos.feast.core.Registry_pb2 import Registry

    registry = Registry()
    for v in range(views):
        source = registry.data_sources.add(name=f"source_{v % 18:03d}", project="shop", type=1)
        source.file_options.uri = f"s3://lake/{v % 18}"
        view = registry.feature_views.add()
        view.spec.name, view.spec.project = f"view_{v:04d}", "shop"
        view.spec.entities.append(f"entity_{v % 50}")
        view.spec.batch_source.CopyFrom(source)
        for f in range(features):
            view.spec.features.add(name=f"feature_{f:02d}", value_type=6)
    for e in range(50):
        entity = registry.entities.add()
        entity.spec.name, entity.spec.project = f"entity_{e}", "shop"
    for s in range(services):
        draw = random.Random(s)  # noqa: S311 - the same each time
        service = registry.feature_services.add()
        service.spec.name, service.spec.project = f"service_{s:04d}", "shop"
        for v in draw.sample(range(views), min(8, views)):
            projection = service.spec.features.add(feature_view_name=f"view_{v:04d}")
            for f in draw.sample(range(features), 5):
                projection.feature_columns.add(name=f"feature_{f:02d}", value_type=6)
    Path(path).write_bytes(registry.SerializeToString())


def main(path, views, features, services, rounds):
    from feast.lineage.registry_lineage import RegistryLineageGenerator
    from feast.protos.feast.core.Registry_pb2 import Registry

    if not Path(path).exists():
        write(path, int(views), int(features), int(services))

    def ask(registry, view):
        return RegistryLineageGenerator().get_object_relationships(registry, "featureView", view, include_indirect=True)

    start = time.perf_counter()
    registry = Registry.FromString(Path(path).read_bytes())
    ask(registry, "view_0007")
    opened = time.perf_counter() - start
    answers, found = [], []
    for v in range(int(rounds)):
        start = time.perf_counter()
        found = ask(registry, f"view_{v:04d}")
        answers.append(time.perf_counter() - start)
    print(json.dumps({"opened": opened, "answers": answers, "relations": len(found)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
