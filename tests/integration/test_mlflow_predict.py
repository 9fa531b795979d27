"""A model is asked by entity keys alone: it fetches its own features, in history and online, and refuses what no longer
fits. On a real tracking store, with real models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner, Result
from mlflow import sklearn as sklearn_models
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from e2e_ml.festaf import FeatureStoreError, HistoricalFeatures
from e2e_ml.festaf.commands.data import predict
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.store import FeatureStore

DEFINITIONS = """
from datetime import timedelta

from e2e_ml import festaf as fs


class Weather(fs.FeatureView):
    source = fs.parquet("weather.parquet")
    ttl = timedelta(hours=3)

    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()

    temp = fs.Float64().required()
    wind = fs.Float64()
    freezing = temp <= 32
    wind_mean_2h = wind.mean().over(timedelta(hours=2))


class Plane(fs.FeatureView):
    source = fs.csv("planes.csv")

    tailnum = fs.Entity(fs.String())
    seats = fs.Int32()
    maker = fs.String()


class AtTheGate(fs.OnDemandView):
    waiting = fs.Int64().request()
    cold_wait = waiting * Weather.freezing.cast(fs.Int64)


class WindSoon(fs.FeatureService):
    features = (Weather.temp, Weather.freezing, Weather.wind_mean_2h, Plane.seats)
    target = Weather.wind > 10


class Boarding(fs.FeatureService):
    features = (Plane.seats, AtTheGate.cold_wait)
"""
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
FIRST = NOW - timedelta(hours=47)
INPUTS = ["weather__temp", "weather__freezing", "weather__wind_mean_2h", "plane__seats"]


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("test", artifact_location=(tmp_path / "artifacts").as_uri())
    mlflow.set_experiment("test")
    yield
    mlflow.set_tracking_uri(before)


def define(store: FeatureStore, text: str) -> None:
    (store.path / "features.py").write_text(text)
    store.apply(store.plan(load_definitions(store.path)), by="ana")


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """48 hours of weather at JFK, up to now; LGA has been silent for half a day."""
    rows = [("JFK", FIRST + timedelta(hours=h), 20.0 + h, float(h)) for h in range(48)]
    rows += [("LGA", FIRST + timedelta(hours=h), 20.0 + h, 100.0) for h in range(36)]
    weather = pl.DataFrame(rows, schema=["origin", "observed_at", "temp", "wind"], orient="row")
    weather.write_parquet(tmp_path / "weather.parquet")
    (tmp_path / "planes.csv").write_text("tailnum,seats,maker\nN1,100,Boeing\nN2,200,Airbus\nN3,,\n")
    store = FeatureStore.open(tmp_path, name="flights")
    define(store, DEFINITIONS)
    store.load("weather", FIRST, FIRST + timedelta(days=2))
    store.load("plane")
    return store


def flights() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "origin": ["JFK"] * 40,
            "tailnum": ["N1", "N2"] * 20,
            "event_timestamp": [FIRST + timedelta(hours=h, minutes=30) for h in range(40)],
        }
    )


def inputs(rows: pl.DataFrame) -> pd.DataFrame:
    """As a person would: all of them numbers."""
    return rows.select(pl.col(INPUTS).cast(pl.Float64)).to_pandas()


@pytest.fixture
def data(store: FeatureStore) -> HistoricalFeatures:
    return store.historical("wind_soon", flights())


@pytest.fixture
def regression(data: HistoricalFeatures) -> Any:
    """Champion of `wind`: version 1, a regression on the wind itself."""
    rows = data.to_polars()
    given = inputs(rows)
    fitted = LinearRegression().fit(given, rows["weather__wind_mean_2h"] * 2)
    with mlflow.start_run():
        assert data.log()
        data.log_model(fitted, name="linear", registered_model_name="wind", fitted_on=given)
    mlflow.MlflowClient().set_registered_model_alias("wind", "champion", "1")
    return fitted


def test_history_gives_what_the_model_would_have_said_then(
    store: FeatureStore, data: HistoricalFeatures, regression: Any
) -> None:
    asked = flights().sample(fraction=1, shuffle=True, seed=1).with_columns(pl.lit("x").alias("note"))
    found = store.predict("models:/wind@champion", asked)
    rows = data.to_polars().join(
        asked, on=["origin", "tailnum", "event_timestamp"], how="right", maintain_order="right"
    )
    assert found.to_polars()["prediction"].to_list() == pytest.approx(regression.predict(inputs(rows)).tolist())
    assert found.to_polars().columns == ["origin", "tailnum", "event_timestamp", "note", "prediction"]
    assert found.to_polars(features=True).columns[4:-1] == INPUTS
    assert found.model == "models:/wind/1"


def test_rows_without_a_time_are_asked_of_the_online_store(store: FeatureStore, regression: Any) -> None:
    keys = [{"origin": "JFK", "tailnum": "N2"}, {"origin": "JFK", "tailnum": "N1"}]
    found = store.predict("models:/wind@champion", keys)
    rows = pd.DataFrame([[67.0, 0.0, 46.5, 200.0], [67.0, 0.0, 46.5, 100.0]], columns=INPUTS)
    assert found.to_dicts() == [
        {**key, "prediction": pytest.approx(value)}
        for key, value in zip(keys, regression.predict(rows).tolist(), strict=True)
    ]
    assert found.missing == ({}, {})
    one = store.predict("models:/wind@champion", keys[1])
    assert one.to_dicts() == [{**keys[1], "prediction": pytest.approx(found.to_dicts()[1]["prediction"])}]


def test_a_frame_of_pandas_asks_as_well(store: FeatureStore, regression: Any) -> None:
    found = store.predict("models:/wind@champion", flights().to_pandas())
    assert found.to_pandas()["prediction"].tolist() == pytest.approx(
        store.predict("models:/wind@champion", flights()).to_pandas()["prediction"].tolist()
    )


def test_a_required_feature_must_be_there_and_another_may_be_missing(
    store: FeatureStore, data: HistoricalFeatures
) -> None:
    rows = data.to_polars()
    with_gaps = inputs(rows)
    with_gaps.loc[0, "plane__seats"] = float("nan")
    tree = DecisionTreeRegressor(random_state=1).fit(with_gaps, rows["weather__temp"])
    with mlflow.start_run() as run:
        with pytest.raises(FeatureStoreError, match=r"skops_trusted_types=\['sklearn.tree._tree.Tree'\]"):
            data.log_model(tree, name="tree", fitted_on=with_gaps)
        trusted = ["sklearn.tree._tree.Tree"]
        with pytest.raises(FeatureStoreError, match=r"log it with skops_trusted_types=\['sklearn.tree._tree.Tree'\]"):
            data.log_model(tree, name="tree", fitted_on=with_gaps)
        logged = data.log_model(tree, name="tree", fitted_on=with_gaps, skops_trusted_types=trusted)
    model = logged.model_uri
    (row,) = store.predict(model, {"origin": "JFK", "tailnum": "N3"}).to_dicts()
    assert row["prediction"] > 50
    unknown = store.predict(f"runs:/{run.info.run_id}/tree", {"origin": "JFK", "tailnum": "N9"})
    assert unknown.missing == ({"plane__seats": "absent"},)
    asked = [{"origin": "JFK", "tailnum": "N1"}, {"origin": "LGA", "tailnum": "N1"}]
    sentence = r"weather.temp is required, and missing \(expired\) in 1 of 2 rows, first for origin=LGA, tailnum=N1. "
    with pytest.raises(FeatureStoreError, match=sentence):
        store.predict(model, asked)
    passed = store.predict(model, asked, missing="pass")
    assert len(passed.to_dicts()) == 2
    assert set(passed.missing[1].values()) == {"expired"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("Plane.seats", "Plane.maker", None),  # the service asks for something else: the model knows its own features
        ("temp <= 32", "temp <= 30", "weather.freezing was redefined in version 2 (ana, "),
        ("seats = fs.Int32()", "seats = fs.Float64()", "plane.seats is float64 now, and was int32"),
        ("class WindSoon", "class WindLater", "the feature service wind_soon was removed in version 2 (ana, "),
    ],
)
def test_a_model_that_no_longer_fits_is_not_asked(
    store: FeatureStore, regression: Any, old: str, new: str, sentence: str | None
) -> None:
    assert old in DEFINITIONS
    define(store, DEFINITIONS.replace(old, new))
    keys = {"origin": "JFK", "tailnum": "N1"}
    if sentence is None:
        assert len(store.predict("models:/wind@champion", keys).to_dicts()) == 1
        return
    with pytest.raises(FeatureStoreError) as refused:
        store.predict("models:/wind@champion", keys)
    told = str(refused.value)
    assert told.startswith("The model models:/wind/1 does not fit the registry any more: ")
    assert sentence in told
    assert "It learned from version 1, and this is version 2. Train it anew" in told


def test_chances_of_a_classifier_are_named_and_the_alias_is_followed(
    store: FeatureStore, data: HistoricalFeatures, regression: Any
) -> None:
    train, test = data.split(test=0.25)
    assert train.target is not None
    windy = LogisticRegression(max_iter=1000).fit(inputs(train.frame), train.target)
    with mlflow.start_run():
        data.log_model(
            windy, name="logistic", registered_model_name="wind", fitted_on=inputs(train.frame),
            pyfunc_predict_fn="predict_proba",
        )  # fmt: skip
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("wind", "champion", "2")
    asked = test.frame.select("origin", "tailnum", "event_timestamp")
    found = store.predict("models:/wind@champion", asked)
    assert found.model == "models:/wind/2" == store.predict("models:/wind/latest", asked).model
    chances = found.predictions.select("prediction_0", "prediction_1").to_numpy()
    assert np.allclose(chances, windy.predict_proba(inputs(test.frame)))
    tags = client.get_model_version("wind", "2").tags
    assert {k: tags[k] for k in ("feast.project", "feast.feature_service", "festaf.registry_version")} == {
        "feast.project": "flights", "feast.feature_service": "wind_soon", "festaf.registry_version": "1",
    }  # fmt: skip


def test_what_a_request_brings_is_asked_with_the_keys(store: FeatureStore) -> None:
    waiting = pl.Series("waiting", range(40), dtype=pl.Int64)
    data = store.historical("boarding", flights().with_columns(waiting))
    rows = data.to_polars().select(pl.col(data.columns).cast(pl.Float64))
    assert rows["at_the_gate__cold_wait"].to_list() == [float(h) if 20 + h <= 32 else 0.0 for h in range(40)]
    fitted = LinearRegression().fit(rows.to_pandas(), range(40))
    with mlflow.start_run():
        logged = data.log_model(fitted, name="boarding", fitted_on=rows)
    then = {"origin": "JFK", "tailnum": "N2", "waiting": 9, "event_timestamp": FIRST + timedelta(hours=3)}
    now = {"origin": "JFK", "tailnum": "N2", "waiting": 9}
    for key, cold in ((then, 9.0), (now, 0.0)):
        found = store.predict(logged.model_uri, key)
        assert found.features.row(0) == (200, cold)
        wanted = fitted.predict(pd.DataFrame([[200.0, cold]], columns=rows.columns))[0]
        assert found.to_dicts()[0]["prediction"] == pytest.approx(wanted)
    with pytest.raises(FeatureStoreError, match="waiting"):
        store.predict(logged.model_uri, {"origin": "JFK", "tailnum": "N2"})


def test_a_training_set_from_a_file_trains_the_same_model(store: FeatureStore, data: HistoricalFeatures) -> None:
    again = HistoricalFeatures.read_parquet(data.write_parquet(store.path / "training" / "set.parquet"))
    assert again.contract == data.contract
    assert again.to_polars().equals(data.to_polars())
    rows = again.to_polars()
    fitted = LinearRegression().fit(rows.select(INPUTS[1:]).cast(pl.Int64).to_pandas(), rows["weather__temp"])
    with mlflow.start_run():
        logged = again.log_model(fitted, name="some", fitted_on=rows.select(INPUTS[1:]).cast(pl.Int64))
    found = store.predict(mlflow.pyfunc.load_model(logged.model_uri), {"origin": "JFK", "tailnum": "N1"})
    assert found.features.columns == INPUTS[1:]
    assert found.model == ""
    with pytest.raises(
        FeatureStoreError, match="plane__seats is missing in 1 of 1 rows, and the model takes long valu"
    ):
        store.predict(logged.model_uri, {"origin": "JFK", "tailnum": "N9"})
    other = pl.DataFrame({"a": [1]})
    other.write_parquet(store.path / "other.parquet")
    with pytest.raises(FeatureStoreError, match=r"other.parquet is no training set that write_parquet wrote"):
        HistoricalFeatures.read_parquet(store.path / "other.parquet")


def test_a_model_of_ones_own_is_asked_by_keys_too(
    store: FeatureStore, data: HistoricalFeatures, tmp_path: Path
) -> None:
    code = tmp_path / "mean.py"
    code.write_text(
        "import mlflow\nfrom mlflow.pyfunc import PythonModel\n\n\nclass Mean(PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input[['weather__temp', 'weather__wind_mean_2h']].mean(axis=1)\n\n\n"
        "mlflow.models.set_model(Mean())\n"
    )
    with mlflow.start_run():
        logged = data.log_model(str(code), name="mean", fitted_on=inputs(data.to_polars()), pip_requirements=["mlflow"])
    (row,) = store.predict(logged.model_uri, {"origin": "JFK", "tailnum": "N1"}).to_dicts()
    assert row["prediction"] == pytest.approx((67.0 + 46.5) / 2)


def test_what_cannot_be_logged_or_asked_is_a_sentence(
    store: FeatureStore, data: HistoricalFeatures, regression: Any
) -> None:
    with pytest.raises(FeatureStoreError, match=r"The model was fitted on humidity, which the training set does not"):
        data.log_model(regression, name="x", fitted_on=pd.DataFrame({"weather__temp": [1.0], "humidity": [2.0]}))
    with pytest.raises(FeatureStoreError, match=r"fitted_on is a ndarray: give a Polars or pandas frame"):
        data.log_model(regression, name="x", fitted_on=np.zeros((2, 4)))
    with pytest.raises(FeatureStoreError, match=r"MLflow stores no models of builtins by that name"):
        data.log_model(object(), name="x")
    with mlflow.start_run():
        bare = sklearn_models.log_model(regression, name="bare", pip_requirements=[])
    with pytest.raises(FeatureStoreError, match=r"was logged without its features. Log it with data.log_model"):
        store.predict(bare.model_uri, {"origin": "JFK"})
    with pytest.raises(
        FeatureStoreError, match=r"The model models:/nobody@champion could not be loaded: .*MLFLOW_TRACK"
    ):
        store.predict("models:/nobody@champion", {"origin": "JFK"})
    with pytest.raises(FeatureStoreError, match="Nothing was asked"):
        store.predict("models:/wind@champion", [])
    with pytest.raises(FeatureStoreError, match="already have a column 'prediction'"):
        store.predict("models:/wind@champion", {"origin": "JFK", "tailnum": "N1", "prediction": 1})


def test_logging_tells_the_dataset_the_features_and_the_version(store: FeatureStore, data: HistoricalFeatures) -> None:
    train, _ = data.split(test=0.25)
    run = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("test").experiment_id)  # type: ignore[union-attr]
    assert data.log(train, run_id=run.info.run_id, name="early")
    told = mlflow.get_run(run.info.run_id)
    assert told.data.tags["feast.feature_refs"] == "weather:temp,weather:freezing,weather:wind_mean_2h,plane:seats"
    assert told.data.tags["festaf.registry_version"] == "1"
    assert told.inputs is not None
    (given,) = told.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.source) == ("early", '{"uri": "festaf://flights/services/wind_soon"}')
    assert f'"num_rows": {train.frame.height}' in (given.dataset.profile or "")
    assert given.dataset.digest
    assert mlflow.active_run() is None


def test_the_command_line_asks_a_model(store: FeatureStore, regression: Any) -> None:
    def ask(*arguments: str) -> Result:
        return CliRunner().invoke(predict, ["models:/wind@champion", "--project", str(store.path), *arguments])

    key = {"origin": "JFK", "tailnum": "N1"}
    then = {**key, "event_timestamp": (FIRST + timedelta(hours=5)).isoformat()}
    now, past = (json.loads(ask("--row", json.dumps(row)).output) for row in (key, then))
    assert now["prediction"] == pytest.approx(2 * 46.5)
    assert past["prediction"] == pytest.approx(2 * 4.5)
    assert json.loads(ask("--features", "--row", json.dumps(key)).output)["plane__seats"] == 100
    (store.path / "keys.csv").write_text("origin,tailnum\nJFK,N1\nJFK,N2\n")
    told = ask("--rows", str(store.path / "keys.csv"), "--output", str(store.path / "told.csv"))
    assert "2 rows written to" in told.output
    assert pl.read_csv(store.path / "told.csv").columns == ["origin", "tailnum", "prediction"]
