"""festaf, the feature store on Airflow. Importing it loads no Qt, no Airflow and no MLflow, and no dataframe engine.

    from e2e_ml import festaf as fs

Definitions are written with what stands here; `FeatureStore` plans, applies and serves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from e2e_ml.festaf.definition.classes import (
    FeatureService,
    FeatureView,
    OnDemandView,
    Owner,
    Task,
)
from e2e_ml.festaf.definition.columns import Column
from e2e_ml.festaf.definition.escape import python
from e2e_ml.festaf.definition.places import DefinitionError
from e2e_ml.festaf.definition.roles import CreatedTime, Entity, EventTime
from e2e_ml.festaf.definition.sources import Source, csv, delta, http, parquet, push, redis_stream, sql
from e2e_ml.festaf.definition.types import (
    Bool,
    Category,
    Date,
    Decimal,
    Duration,
    Embedding,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    List,
    String,
    Struct,
    Timestamp,
    when,
)
from e2e_ml.festaf.errors import FeatureStoreError

if TYPE_CHECKING:
    from e2e_ml.festaf.rows.training_set import HistoricalFeatures
    from e2e_ml.festaf.store import FeatureStore

__all__ = [
    "Bool",
    "Category",
    "Column",
    "CreatedTime",
    "Date",
    "Decimal",
    "DefinitionError",
    "Duration",
    "Embedding",
    "Entity",
    "EventTime",
    "FeatureService",
    "FeatureStore",
    "FeatureStoreError",
    "FeatureView",
    "Float32",
    "Float64",
    "HistoricalFeatures",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "List",
    "OnDemandView",
    "Owner",
    "Source",
    "String",
    "Struct",
    "Task",
    "Timestamp",
    "csv",
    "delta",
    "http",
    "parquet",
    "push",
    "python",
    "redis_stream",
    "sql",
    "when",
]


def __getattr__(name: str) -> Any:
    # The store needs the engines; a module of definitions does not.
    if name == "FeatureStore":
        from e2e_ml.festaf.store import FeatureStore

        return FeatureStore
    if name == "HistoricalFeatures":
        from e2e_ml.festaf.rows.training_set import HistoricalFeatures

        return HistoricalFeatures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
