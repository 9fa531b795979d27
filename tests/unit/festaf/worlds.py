"""Small projects on disk for tests of the store: records written by hand, and data that can be counted on fingers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from e2e_ml.festaf.expression import Apply, Column, Window, columns, literal, to_json
from e2e_ml.festaf.model import (
    Constraint,
    Feature,
    FeatureService,
    FeatureView,
    Key,
    Owner,
    Registry,
    Source,
    Target,
)
from e2e_ml.festaf.store import FeatureStore

T0 = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def hour(h: float) -> datetime:
    return T0 + timedelta(hours=h)


def feature(name: str, dtype: str = "float64", expression: Any = None, **more: Any) -> Feature:
    tree = None if expression is None else to_json(expression)
    inputs = () if expression is None else columns(expression)
    fixed = {"name": name, "dtype": dtype, "expression": tree, "inputs": inputs, "first_seen": T0, "changed_at": T0}
    return Feature.model_validate({**fixed, **more})


def weather(**changes: Any) -> FeatureView:
    record: dict[str, Any] = {
        "name": "weather",
        "description": "Weather, hour by hour.",
        "purpose": "Wind explains delays.",
        "owner": Owner(name="weather-team", email="weather@example.com"),
        "source": Source(name="weather", format="parquet", uri="weather.parquet"),
        "entities": (Key(name="origin", dtype="string"),),
        "event_time": "observed_at",
        "ttl_seconds": 3 * 3600,
        "schedule": "@daily",
        "start": T0,
        "first_seen": T0,
        "changed_at": T0,
        "features": (
            feature("temp", constraints=(Constraint(rule="upper_bound", value=130),)),
            feature("wind", constraints=(Constraint(rule="required"),)),
            feature("freezing", "bool", Apply("le", (Column("temp"), literal(32)))),
            feature("wind_mean_2h", "float64", Window(Column("wind"), "mean", timedelta(hours=2))),
            feature("cold", "bool", Apply("lt", (Column("temp"), literal(10))), hidden=True),
        ),
    }
    return FeatureView.model_validate({**record, **changes})


def plane() -> FeatureView:
    return FeatureView(
        name="plane",
        source=Source(name="planes", format="csv", uri="planes.csv"),
        entities=(Key(name="tailnum", dtype="string"),),
        features=(feature("seats", "int32"), feature("jet", "bool")),
        first_seen=T0,
        changed_at=T0,
    )


def weather_rows(hours: range = range(48)) -> pl.DataFrame:
    """One row an hour for JFK: temperature 20 + hour, wind = hour; LGA has every second hour, and 100 more wind."""
    rows = [("JFK", hour(h), 20.0 + h, float(h)) for h in hours]
    rows += [("LGA", hour(h), 20.0 + h, 100.0 + h) for h in hours if h % 2 == 0]
    return pl.DataFrame(
        rows,
        schema={"origin": pl.String, "observed_at": TIME, "temp": pl.Float64, "wind": pl.Float64},
        orient="row",
    )


def project(folder: Path, *views: FeatureView) -> FeatureStore:
    """A project with the views weather and plane (or those given), the service `delay`, and data of two days."""
    folder.mkdir(parents=True, exist_ok=True)
    weather_rows().write_parquet(folder / "weather.parquet")
    (folder / "planes.csv").write_text("tailnum,seats,jet\nN1,100,true\nN2,,false\nN1,120,true\n")
    views = views or (weather(), plane())
    if not any(view.name == "plane" for view in views):
        views = (*views, plane())
    registry = Registry(
        project="flights",
        version=1,
        views=views,
        services=(
            FeatureService(
                name="delay",
                features=("weather.temp", "weather.wind_mean_2h", "plane.seats"),
                target=Target(view="weather", feature="cold", code="weather.temp < 10"),
                first_seen=T0,
                changed_at=T0,
            ),
        ),
    )
    (folder / "registry.json").write_text(registry.model_dump_json())
    return FeatureStore.open(folder)
