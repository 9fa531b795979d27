"""The parameters of a scaled feature, from the values of a training set."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Learned


def learn(feature: str, scaling: str, values: pl.Series, at: datetime) -> Learned:
    """Mean and standard deviation of the values (of all of them, as scikit-learn has it), or their minimum and maximum.

    Missing values, NaN and the infinities teach nothing. Raises FeatureStoreError where no value is left.
    """
    numbers = values.cast(pl.Float64).drop_nulls()
    numbers = numbers.filter(numbers.is_finite())
    if numbers.is_empty():
        raise FeatureStoreError(
            f"{feature} has no value in these {len(values)} rows, and nothing can be learned from them. Ask for rows "
            "that it is known of."
        )
    if scaling == "standard_scale":
        parameters = {"mean": numbers.mean(), "std": numbers.std(ddof=0)}
    else:
        parameters = {"min": numbers.min(), "max": numbers.max()}
    return Learned.model_validate({"parameters": parameters, "rows": len(numbers), "at": at})
