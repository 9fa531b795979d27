"""Driver stats arrive; each time they do, a script with an environment of its own trains a model of them."""

# As people write it, whatever the types say.
# pyright: reportUnusedExpression=false

from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, task

ROOT = Path(__file__).resolve().parent.parent
STATS = ROOT / "drivers" / "feature_repo" / "data" / "driver_stats.parquet"
stats = Asset(STATS.as_uri())

with DAG("ingest_driver_stats", schedule=None, tags=["drivers"]):
    BashOperator(task_id="ingest", bash_command=f"touch {STATS}", outlets=[stats])

with DAG("train_trips", schedule=[stats], tags=["drivers"], default_args={"owner": "dispatch"}):
    fit = BashOperator(task_id="fit", bash_command=f"{ROOT}/venv/bin/python {ROOT}/training/trips.py {STATS}")

    @task
    def promote() -> None:
        from mlflow import MlflowClient

        client = MlflowClient()
        newest = max(int(version.version) for version in client.search_model_versions("name='trips'"))
        client.set_registered_model_alias("trips", "champion", str(newest))

    fit >> promote()
