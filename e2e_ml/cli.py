"""The command `e2e-ml`: thin, every verb a call into the rooms below. Rooms are imported when their verb runs."""

from __future__ import annotations

import click

from e2e_ml import __version__
from e2e_ml.verbs import LazyGroup, Verb

VERBS = {
    "open": Verb("e2e_ml.desktop.commands", "open_", "Open a workspace in the window."),
    "demo": Verb("e2e_ml.desktop.commands", "demo", "Open the demo: real flights, DAGs, features and models."),
    "tour": Verb("e2e_ml.desktop.commands", "tour", "Tell the story of a feature inside the window."),
    "up": Verb("e2e_ml.stack.commands", "up", "Start the services of a workspace."),
    "down": Verb("e2e_ml.stack.commands", "down", "Stop the services of a workspace."),
    "status": Verb("e2e_ml.stack.commands", "status", "Show the services of a workspace."),
    "logs": Verb("e2e_ml.stack.commands", "logs", "Show what a service wrote."),
    "doctor": Verb("e2e_ml.stack.commands", "doctor", "Check this machine and a workspace."),
    "lineage": Verb("e2e_ml.stack.lineage_commands", "lineage", "Ask the lifecycle: up, down, impact, diff, ..."),
    "festaf": Verb("e2e_ml.festaf.commands", "festaf", "The feature store: plan, apply, materialize, serve, ..."),
}


@click.group(cls=LazyGroup, verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="e2e-ml")
def main() -> None:
    """The machine-learning lifecycle in one window: Airflow, a feature store and MLflow, tied together."""


if __name__ == "__main__":
    main()
