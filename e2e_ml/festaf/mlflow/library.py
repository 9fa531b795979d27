"""MLflow itself, imported when it is needed, or a sentence where it is not there."""

from __future__ import annotations

from typing import Any

from e2e_ml.festaf.errors import FeatureStoreError


def mlflow_library() -> Any:
    """The module `mlflow`. Raises FeatureStoreError where it is not installed."""
    try:
        import mlflow
    except ModuleNotFoundError:
        raise FeatureStoreError("MLflow is not installed here. Install it: pip install mlflow.") from None
    return mlflow
