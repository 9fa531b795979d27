"""A model of the trips a day: MLflow's own logging, and nothing of any workbench. `python trips.py STATS.parquet`"""

# As people write it, whatever MLflow's types say.
# pyright: reportPrivateImportUsage=false, reportAttributeAccessIssue=false

import sys

import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

stats = pd.read_parquet(sys.argv[1])
mlflow.set_experiment("trips")
mlflow.sklearn.autolog(registered_model_name="trips")
with mlflow.start_run(run_name="nightly trips"):
    mlflow.log_input(mlflow.data.from_pandas(stats, source=sys.argv[1], targets="avg_daily_trips"), context="training")
    LinearRegression().fit(stats[["conv_rate", "acc_rate"]], stats["avg_daily_trips"])
