"""Delays from the weather: a task writes a table, the next one trains a model, and a script is there to compare."""

# As people write it, whatever the types say.
# pyright: reportUnusedExpression=false, reportPrivateImportUsage=false, reportAttributeAccessIssue=false, reportArgumentType=false

import subprocess
import sys
from pathlib import Path

from airflow.sdk import Asset, dag, task

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "lake" / "delays.csv"


@dag(schedule=None, tags=["delays"])
def train_delays():
    @task(outlets=[Asset(TABLE.as_uri())])
    def extract() -> None:
        TABLE.parent.mkdir(exist_ok=True)
        rows = [f"{20 + i},{i % 7},{i % 7 + 0.5},{i < 12},{float(i % 3 > 1)}" for i in range(60)]
        TABLE.write_text("\n".join(["temp,wind,wind_mean_2h,freezing,late", *rows]))

    @task
    def fit() -> None:
        import mlflow
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        mlflow.set_experiment("delays")
        rows = pd.read_csv(TABLE)
        with mlflow.start_run(run_name="logistic"):
            mlflow.log_input(mlflow.data.from_pandas(rows, source=str(TABLE), targets="late"), context="training")
            columns = rows[["temp", "wind", "wind_mean_2h", "freezing"]].astype(float)
            model = LogisticRegression().fit(columns, rows["late"])
            mlflow.log_metric("auc", 0.71)
            signature = mlflow.models.infer_signature(columns)
            requirements = ["scikit-learn"]  # or MLflow looks for them for a long time
            mlflow.sklearn.log_model(
                model, name="model", registered_model_name="delays", signature=signature, pip_requirements=requirements
            )

    @task
    def compare() -> None:
        subprocess.run([sys.executable, str(ROOT / "training" / "ratings.py")], check=True)

    extract() >> fit() >> compare()


train_delays()
