"""The real data, ingested once for all tests of the demo, and a feature store filled from it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from e2e_ml.demo import ingest, project
from e2e_ml.festaf import FeatureStore

MONTHS = [datetime(2013, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]


@pytest.fixture(scope="session")
def flights_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `data` with every file that the DAG flights.ingest writes."""
    data = tmp_path_factory.mktemp("flights") / "data"
    ingest.ingest_flights(data)
    ingest.ingest_weather(data)
    ingest.ingest_reference(data)
    return data


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], FeatureStore]:
    """`filled(data)`: a workspace with these files, January to March loaded as the views' DAGs load them."""

    def fill(data: Path) -> FeatureStore:
        root = project.prepare(tmp_path_factory.mktemp("workspace"))
        shutil.copytree(data, root / "data")
        store = FeatureStore.open(root)
        for view in store.registry.views:
            for start, end in itertools.pairwise(MONTHS):
                store.load(view, start, end)
        return store

    return fill


@pytest.fixture(scope="session")
def store(flights_data: Path, filled: Callable[[Path], FeatureStore]) -> FeatureStore:
    return filled(flights_data)
