"""Runs in Feast's own environment: a model is trained and asked by Feast's own integration with MLflow.

python feast_training.py REPOSITORY ANSWER.json

`mlflow` in feature_store.yaml says where MLflow is. The answer has the run that trained, the one that predicted and the
version of the model.
"""

# Feast is not installed where this is checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from feast import FeatureStore
from sklearn.linear_model import LinearRegression

SERVICE, MODEL = "driver_activity_v1", "driver-trips"
COLUMNS = ["conv_rate", "conv_rate_plus_val1", "conv_rate_plus_val2"]

repository, answer = (Path(argument).resolve() for argument in sys.argv[1:3])
store = FeatureStore(repo_path=str(repository))
service = store.get_feature_service(SERVICE)
stored = pd.read_parquet(repository / "data" / "driver_stats.parquet").tail(100)
asked = stored[["driver_id", "event_timestamp", "avg_daily_trips"]].assign(val_to_add=1, val_to_add_2=2)

with store.mlflow.start_run(run_name="training") as run:
    rows = store.get_historical_features(entity_df=asked, features=service).to_df()
    model = LinearRegression().fit(rows[COLUMNS], rows["avg_daily_trips"])
    store.mlflow.log_training_dataset(rows, "drivers")
    store.mlflow.log_model(model, "model")
version = store.mlflow.register_model(f"runs:/{run.info.run_id}/model", MODEL)

with store.mlflow.start_run(run_name="prediction") as prediction:
    known = store.mlflow.load_model(f"models:/{MODEL}/{version.version}")
    driver = {"driver_id": int(stored["driver_id"].iloc[0]), "val_to_add": 1, "val_to_add_2": 2}
    known.predict(store.get_online_features(features=service, entity_rows=[driver]).to_df()[COLUMNS])

with store.mlflow.start_run(run_name="without a service") as alone:
    names = ["driver_hourly_stats:acc_rate", "driver_hourly_stats_fresh:conv_rate"]
    store.get_historical_features(entity_df=asked, features=names, full_feature_names=True).to_df()

answer.write_text(
    json.dumps(
        {
            "run": run.info.run_id,
            "prediction": prediction.info.run_id,
            "alone": alone.info.run_id,
            "model": MODEL,
            "version": str(version.version),
        }
    )
)
