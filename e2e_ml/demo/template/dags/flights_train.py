"""The DAG `flights.train`: two models of late arrivals, and which one is the champion."""

# pyright: reportUnknownVariableType=false, reportUnusedExpression=false, reportArgumentType=false
# (Airflow's decorators are typed by half; `a >> b` is how tasks are put in order.)

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import Asset, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from e2e_ml.festaf.airflow import asset

PROJECT = Path(__file__).resolve().parent.parent
MODEL = Asset(name="flight-delay", uri="models:/flight-delay", group="model")
# Trained anew when all of these have moved on. Planes and airports hardly change: they call for no new model.
VIEWS = [asset(PROJECT, view) for view in ("flights", "hourly_weather", "carrier_delay", "route_delay")]


@dag(
    dag_id="flights.train",
    description="Two models of late arrivals, trained when the features have moved on; the better one is champion.",
    schedule=VIEWS,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "passenger care", "retries": 1, "retry_delay": 10},
    owner_links={"passenger care": "mailto:passenger-care@example.com"},
    tags=["flights", "ml:train"],
)
def flights_train() -> None:
    """
    # Which flights will land more than 15 minutes late?

    Asked at the scheduled departure, so that a passenger with a tight connection hears of it in time.

    1. **coverage**: is January to March 2013 in the feature store? If not, the run is skipped and says what is missing.
    2. **training_set**: the service `flight_delay`, for each flight as of its scheduled departure. No value stands on a
       flight that landed later.
    3. **logistic_regression** and **gradient_boosting**: trained up to 10 March, tested on 11 to 31 March, logged and
       registered as `flight-delay`.
    4. **promote**: the better one by AUC on the test is `champion`, the other one `challenger`.
    5. **foretell**: the champion is asked about the flights of 31 March, by their keys alone: the store finds the
       features that it was trained on, as they were known at each departure.

    A repeated task finds what it made before, and registers nothing twice.
    """

    @task
    def coverage() -> None:
        """Skip, with a sentence, where the store does not hold what is needed."""
        from e2e_ml.demo import trainingset
        from e2e_ml.festaf import FeatureStore

        if missing := trainingset.gaps(FeatureStore.open(PROJECT)):
            raise AirflowSkipException("There is nothing to train on yet. " + " ".join(missing))

    @task
    def training_set(run_id: str | None = None) -> str:
        """Ask the feature store, point in time; gives the file's place."""
        from e2e_ml.demo import trainingset

        path = trainingset.build(PROJECT, run_id or "")
        print(f"The training set is in {path}.")
        return str(path)

    def trained(kind: str, path: str, run_id: str | None, outlet_events: Any) -> dict[str, Any]:
        from e2e_ml.demo import models, tracking

        version = tracking.train(models.KINDS[kind], Path(path), run_id or "")
        outlet_events[MODEL].extra = version.extra
        print(f"{models.KINDS[kind].title}: {tracking.MODEL} version {version.version}, AUC {version.auc:.3f}.")
        return version.as_dict()

    @task(outlets=[MODEL])
    def logistic_regression(path: str, run_id: str | None = None, outlet_events: Any = None) -> dict[str, Any]:
        """Weights that can be read."""
        return trained("logistic_regression", path, run_id, outlet_events)

    @task(outlets=[MODEL])
    def gradient_boosting(path: str, run_id: str | None = None, outlet_events: Any = None) -> dict[str, Any]:
        """Trees, which find what works together."""
        return trained("gradient_boosting", path, run_id, outlet_events)

    @task(outlets=[MODEL])
    def promote(found: list[dict[str, Any]], outlet_events: Any = None) -> dict[str, Any]:
        """The better one is champion."""
        from e2e_ml.demo import tracking

        champion = tracking.promote([tracking.Version(**version) for version in found])
        outlet_events[MODEL].extra = {**champion.extra, "mlflow.alias": tracking.CHAMPION}
        print(f"Champion is version {champion.version}, {champion.kind}, with AUC {champion.auc:.3f} on the test.")
        return champion.as_dict()

    @task
    def foretell() -> str:
        """The flights of the last day, the likeliest to be late first."""
        from e2e_ml.demo import foretelling

        file, rows = foretelling.foretell(PROJECT)
        first = rows.row(0, named=True)
        said = f"{first['chance_of_late']:.0%} for {first['flight']}"
        print(f"{rows.height} flights are in {file}, by {first['model']}. The likeliest to be late: {said}.")
        return str(file)

    path = training_set()
    coverage() >> path
    promote([logistic_regression(path), gradient_boosting(path)]) >> foretell()


flights_train()
