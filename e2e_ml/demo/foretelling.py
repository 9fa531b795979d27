"""The champion at work: how likely each flight of the last day lands late, asked by the flights' keys alone.

Which features the model needs, and what they were at each flight's departure, the store finds out by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from e2e_ml.demo import trainingset
from e2e_ml.demo.files import replacing
from e2e_ml.demo.tracking import CHAMPION, MODEL
from e2e_ml.festaf import FeatureStore

DAY = datetime(2013, 3, 31, 4, tzinfo=UTC)  # the last one of the test, as New York counts


def foretell(project: Path) -> tuple[Path, pl.DataFrame]:
    """Ask the champion and write its answer, with the version that gave it. Gives the file and its rows, the likeliest
    to be late first."""
    store = FeatureStore.open(project)
    of_the_day = pl.col(trainingset.AT).is_between(DAY, DAY + timedelta(days=1), closed="left")
    asked = trainingset.entities(project / "data" / "flights.parquet").filter(of_the_day)
    found = store.predict(f"models:/{MODEL}@{CHAMPION}", asked, at=trainingset.AT)
    rows = found.keys.with_columns(
        found.predictions["prediction_1"].alias("chance_of_late"), pl.lit(found.model).alias("model")
    ).sort("chance_of_late", descending=True)
    path = project / "data" / "predictions" / f"{MODEL}-{DAY:%Y-%m-%d}.parquet"
    with replacing(path) as fresh:
        rows.write_parquet(fresh)
    return path, rows
