"""What the demo tells MLflow: a run for each model, a version of `flight-delay` for each run, and the champion.

Every step can be done again for the same DAG run: it finds what it made before and makes nothing twice. A model is
logged with its features, so that `store.predict` asks it by a flight's keys alone.
"""

# scikit-learn and MLflow carry no types, or half of them.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportPrivateImportUsage=false

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e2e_ml.demo import models, trainingset
from e2e_ml.festaf import run_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "flight-delay"
EXPERIMENT = "flight-delay"
CHAMPION, CHALLENGER = "champion", "challenger"
METRIC = "test_auc"

_DAG_RUN, _KIND = "flights.dag_run_id", "flights.model"  # tags of a version: what it is found again by
_ABOUT = (
    "Will this flight land more than 15 minutes late? Asked at its scheduled departure, with what is known then: the "
    "timetable, the weather, and how late the airline's and the route's flights have been landing.\n\n"
    "Trained on 1 January to 10 March 2013, tested on 11 to 31 March. The better one by AUC on the test is `champion`. "
    "It gives the probabilities of in time and late."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version, and how good it is on the test."""

    kind: str
    version: str
    run_id: str
    auc: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they pass from one task to the next."""
        return asdict(self)

    @property
    def extra(self) -> dict[str, str]:
        """What an asset event says of it."""
        return {"mlflow.run_id": self.run_id, "mlflow.model_name": MODEL, "mlflow.model_version": self.version}


def train(kind: models.Kind, path: Path, dag_run_id: str) -> Version:
    """Train one model on the training set at `path`, log the run and register its version."""
    import mlflow

    client = mlflow.MlflowClient()
    if (known := _registered(client, kind, dag_run_id)) is not None:
        log.info("%s of this DAG run is registered already: %s version %s.", kind.title, MODEL, known.version)
        return known
    data = trainingset.read(path)
    fitted = models.fit(kind, data)
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=kind.title, description=f"{kind.title}: {_ABOUT}") as run:
        data.of.log(data.train, name="flight-delay-january-to-march")
        mlflow.log_params({"model": kind.name, **kind.params, "test_from": trainingset.TEST_FROM.isoformat()})
        mlflow.log_metrics(dict(fitted.metrics))
        mlflow.log_dict(dict(fitted.importance), "importance.json")
        mlflow.log_figure(_figure(fitted), "test.png")
        # The whole test decides which columns may be missing, five rows cannot.
        logged = data.of.log_model(
            fitted.model,
            name=kind.name,
            fitted_on=models.inputs(data.test, data),
            pyfunc_predict_fn="predict_proba",
            skops_trusted_types=models.TRUSTED_TYPES,
        )
    _ensure_registered_model(client)
    version = client.create_model_version(
        MODEL,
        source=logged.model_uri,
        run_id=run.info.run_id,
        tags={_DAG_RUN: dag_run_id, _KIND: kind.name, run_tags.FEATURE_SERVICE: trainingset.SERVICE},
        description=f"{kind.title}. AUC {fitted.metrics[METRIC]:.3f} on flights that it was not trained on.",
        model_id=logged.model_id,
    )
    return Version(kind.name, str(version.version), run.info.run_id, fitted.metrics[METRIC])


def promote(versions: list[Version]) -> Version:
    """Make the best of them by AUC on the test the champion, and the next one the challenger. Gives the champion."""
    import mlflow

    client = mlflow.MlflowClient()
    best, *others = sorted(versions, key=lambda v: (-v.auc, v.kind))
    client.set_registered_model_alias(MODEL, CHAMPION, best.version)
    if others:
        client.set_registered_model_alias(MODEL, CHALLENGER, others[0].version)
    return best


def _registered(client: MlflowClient, kind: models.Kind, dag_run_id: str) -> Version | None:
    """The version that an earlier try of the same task made, if it came so far."""
    for version in client.search_model_versions(f"name='{MODEL}'"):
        tags: Mapping[str, str] = version.tags
        if version.run_id and tags.get(_DAG_RUN) == dag_run_id and tags.get(_KIND) == kind.name:
            metrics: Mapping[str, float] = client.get_run(version.run_id).data.metrics
            return Version(kind.name, str(version.version), version.run_id, metrics[METRIC])
    return None


def _ensure_registered_model(client: MlflowClient) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL, description=_ABOUT, tags={run_tags.FEATURE_SERVICE: trainingset.SERVICE})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _figure(fitted: models.Fitted) -> Any:
    """How well its probabilities hold (left), and what it stands on (right)."""
    from matplotlib.figure import Figure
    from sklearn.calibration import calibration_curve

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    calibration, importance = figure.subplots(1, 2, width_ratios=(2, 3))
    happened, foretold = calibration_curve(fitted.late, fitted.predicted, n_bins=10, strategy="quantile")
    calibration.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    calibration.plot(foretold, happened, marker="o", color="#2563eb")
    calibration.set(xlabel="foretold share of late flights", ylabel="share that was late", title="Calibration")
    calibration.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    first = list(fitted.importance.items())[:12][::-1]
    importance.barh([name.replace("__", ".") for name, _ in first], [lost for _, lost in first], color="#2563eb")
    importance.set(xlabel="AUC lost when the column is shuffled", title="What it stands on")
    for axes in (calibration, importance):
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{fitted.kind.title}: AUC {fitted.metrics[METRIC]:.3f} on the test", fontsize=12)
    return figure
