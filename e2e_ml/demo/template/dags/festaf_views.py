"""The DAGs of the feature views, made by festaf from registry.json: one for each view, named festaf.flights.<view>."""

from __future__ import annotations

from pathlib import Path

from e2e_ml.festaf.airflow import load

globals().update(load(Path(__file__).resolve().parent.parent))
