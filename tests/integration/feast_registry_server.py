"""Runs in Feast's own environment: Feast's registry server, which else listens on all interfaces, on loopback.

python feast_registry_server.py REPOSITORY PORT
"""

# Feast is not installed where this is checked.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

from __future__ import annotations

import sys
from typing import Any

import grpc
from feast import FeatureStore
from feast.registry_server import start_server

make = grpc.server


def on_loopback(*arguments: Any, **options: Any) -> Any:
    server = make(*arguments, **options)
    bind = server.add_insecure_port
    server.add_insecure_port = lambda address: bind(address.replace("[::]", "127.0.0.1"))
    return server


grpc.server = on_loopback
start_server(FeatureStore(repo_path=sys.argv[1]), int(sys.argv[2]))
