"""A view as an Airflow asset: what its DAG emits, and what waits for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Asset

from e2e_ml import refs
from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.registry.asked import view_named

KIND_TAG = "ml:feature"


def asset(project: str | Path, view: str) -> Asset:
    """A view's asset, as its DAG emits it: what a DAG that waits for the view's rows puts into its `schedule`."""
    registry = registries.read(project)
    return asset_of(registry, view_named(registry, view))


def asset_of(registry: Registry, view: FeatureView) -> Asset:
    uri = str(refs.feature_view(registry.project, view.name))
    extra: dict[str, Any] = {"project": registry.project, "view": view.name, "registry_version": registry.version}
    return Asset(name=uri, uri=uri, group="feature_view", extra=extra)
