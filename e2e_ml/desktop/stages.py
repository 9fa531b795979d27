"""The stages of the lifecycle, as values: which panels and views a stage shows, and where its views point."""

from __future__ import annotations

from dataclasses import dataclass, field

SERVICES = ("airflow", "festaf", "mlflow")  # in the order of the panes


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the rail. `name` is also what the explorer knows it by."""

    name: str
    icon: str
    tip: str
    leading: str = "festaf"  # the service whose view takes most of the room
    home: dict[str, str] = field(default_factory=dict[str, str])  # service -> path where nothing is in focus
    promise: Promise | None = None  # what it will hold, where it is not built yet


@dataclass(frozen=True, slots=True)
class Promise:
    """The page of a stage that is not built yet: what it will answer, and what does so meanwhile."""

    headline: str
    sentence: str
    questions: tuple[tuple[str, str], ...]
    meanwhile: str
    go_to: str  # the stage that helps until then


STAGES: tuple[Stage, ...] = (
    Stage("Data", "data", "Where features come from: sources, entities, assets", "festaf", {"airflow": "/assets"}),
    Stage("Features", "features", "Feature views, features and feature services", "festaf"),
    Stage("Pipelines", "pipelines", "DAGs and their runs", "airflow"),
    Stage("Experiments", "experiments", "Training runs, their metrics and parameters", "mlflow"),
    Stage("Models", "models", "Registered models, versions and aliases", "mlflow", {"mlflow": "/#/models"}),
    Stage(
        "Serving",
        "serving",
        "Endpoints and the versions they answer with",
        "mlflow",
        promise=Promise(
            "Serving",
            "Which version answers which request, with which features, and how to change that without a gap.",
            (
                ("Which version answers?", "Every endpoint with its champion, its challenger and its shadow."),
                ("With which features?", "The feature service that each answer read, and how old its rows were."),
                ("How do I change it?", "Promote, roll back or share the traffic, with a plan shown before."),
                ("How does it do?", "Latency, errors and load of each endpoint, beside the runs that made its model."),
            ),
            "Until then the aliases of each model say what is meant to serve.",
            "Models",
        ),
    ),
    Stage(
        "Monitoring",
        "monitoring",
        "Drift of features and predictions",
        "festaf",
        promise=Promise(
            "Monitoring",
            "Whether what the models see today still looks like what they learned from.",
            (
                ("Has the data moved?", "Each feature's distribution against its training set, by interval."),
                ("Do the answers still hold?", "Predictions joined to what really happened, as soon as it is known."),
                ("Who must know?", "An alarm goes to the owner of the feature and to those whose models use it."),
                ("What caused it?", "From an alarm back along the lineage, to the source and the DAG run."),
            ),
            "Until then the freshness of every view and the state of every DAG are shown where they are listed.",
            "Features",
        ),
    ),
)  # fmt: skip

BY_NAME = {stage.name: stage for stage in STAGES}
FIRST = "Features"
