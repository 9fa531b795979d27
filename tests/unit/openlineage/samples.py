"""Events for tests: small ones by hand, and those that Airflow's provider sent (2.20.3 on Airflow 3.3.2), cut down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RUN = "0190a1b2-0000-7000-8000-000000000001"


def recorded() -> list[dict[str, Any]]:
    """One DAG run of `weather.hourly`: `copy` reads a file and writes to S3, `part` is mapped, `breaks` breaks."""
    return json.loads((Path(__file__).parent / "airflow_provider.json").read_text())


def recorded_of(job: str, event_type: str) -> dict[str, Any]:
    return next(e for e in recorded() if (e["job"]["name"], e["eventType"]) == (job, event_type))


def run_event(**changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventType": "COMPLETE",
        "eventTime": "2026-01-02T00:00:00Z",
        "run": {"runId": RUN, "facets": {}},
        "job": {"namespace": "spark", "name": "clean"},
        "inputs": [{"namespace": "file", "name": "/data/raw.csv"}],
        "outputs": [{"namespace": "s3://lake", "name": "clean"}],
        "producer": "https://example.com/sender",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    return {**event, **changes}
