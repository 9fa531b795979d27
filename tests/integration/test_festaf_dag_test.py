"""A person who writes a DAG tries it with `dag.test()`: the views' own DAGs and a decorated task run in one process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.festaf.worlds import hour, project, weather

pytestmark = pytest.mark.timeout(300)
FILE = textwrap.dedent(
    '''
    """DAGs to try."""
    from datetime import UTC, datetime

    from airflow.sdk import DAG, task
    from e2e_ml.festaf.airflow import load, produces

    PROJECT = {path!r}
    globals().update(load(PROJECT))

    with DAG("own", schedule="@daily", start_date=datetime(2013, 1, 1, tzinfo=UTC)) as own:

        @produces("pier", project=PROJECT)
        @task
        def read(data_interval_start=None, data_interval_end=None):
            import polars as pl

            rows = pl.read_parquet(PROJECT + "/weather.parquet")
            return rows.filter(pl.col("observed_at").is_between(data_interval_start, data_interval_end, closed="left"))

        read()

    if __name__ == "__main__":
        day = datetime(2013, 1, 2, tzinfo=UTC)
        for name in ("festaf.flights.weather", "own"):
            print("ended:", name, globals().get(name, own).test(logical_date=day).state)
    '''
)


def test_dags_are_tried_in_one_process(tmp_path: Path) -> None:
    store = project(tmp_path / "flights", weather(), weather(name="pier", schedule=None))
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "to_try.py"
    file.write_text(FILE.format(path=str(store.path)))
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    for command in (["-m", "airflow", "db", "migrate"], [str(file)]):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    told = [line for line in done.stdout.splitlines() if line.startswith("ended:")]
    assert told == ["ended: festaf.flights.weather success", "ended: own success"]
    for view in ("weather", "pier"):
        assert [(e.start, e.end, e.rows) for e in store.intervals(view)] == [(hour(0), hour(24), 36)]
        found = store.online(f"{view}.temp", [{"origin": "JFK"}], at=hour(24))
        assert found.rows[0][f"{view}__temp"] == 43.0
