"""The real data, ingested once for all tests of the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml.demo import ingest


@pytest.fixture(scope="session")
def flights_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `data` with every file that the DAG flights.ingest writes."""
    data = tmp_path_factory.mktemp("flights") / "data"
    ingest.ingest_flights(data)
    ingest.ingest_weather(data)
    ingest.ingest_reference(data)
    return data
