"""A dataset source of MLflow that is an asset's URI, such as `festaf://flights/services/flight_delay`.

MLflow's own sources know the schemes of storage alone and refuse any other. This module imports MLflow: import it late.
"""

from __future__ import annotations

from typing import Any, Self

from mlflow.data.dataset_source import DatasetSource


class AssetSource(DatasetSource):
    def __init__(self, uri: str) -> None:
        self.uri = uri

    @staticmethod
    def _get_source_type() -> str:
        return "asset"

    def load(self, **_: Any) -> Any:
        """An asset has a name, not a place: open the feature store and ask for the rows there."""
        raise NotImplementedError(
            f"{self.uri} is read through its feature store: FeatureStore.open(...).historical(...)."
        )

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith("festaf://")

    @classmethod
    def _resolve(cls, raw_source: str) -> Self:
        return cls(raw_source)

    def to_dict(self) -> dict[Any, Any]:
        return {"uri": self.uri}

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> Self:
        return cls(source_dict["uri"])
