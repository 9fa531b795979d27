"""The command `e2e-ml`: thin, every verb a call into the rooms below. Rooms are imported when their verb runs."""

from __future__ import annotations

import importlib

import click

from e2e_ml import __version__

# verb -> (module, attribute, line for --help); the module is imported only when its verb is called.
VERBS: dict[str, tuple[str, str, str]] = {
    "open": ("e2e_ml.desktop.commands", "open_", "Open a workspace in the window."),
    "demo": ("e2e_ml.desktop.commands", "demo", "Open the demo: real flights, DAGs, features and models."),
    "tour": ("e2e_ml.desktop.commands", "tour", "Tell the story of a feature inside the window."),
    "up": ("e2e_ml.stack.commands", "up", "Start the services of a workspace."),
    "down": ("e2e_ml.stack.commands", "down", "Stop the services of a workspace."),
    "status": ("e2e_ml.stack.commands", "status", "Show the services of a workspace."),
    "logs": ("e2e_ml.stack.commands", "logs", "Show what a service wrote."),
    "doctor": ("e2e_ml.stack.commands", "doctor", "Check this machine and a workspace."),
    "festaf": ("e2e_ml.festaf.commands", "festaf", "The feature store: plan, apply, materialize, serve, ..."),
}


class LazyGroup(click.Group):
    """A group whose verbs are imported on use, so that `--help` costs no imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, help_) for verb, (_, _, help_) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="e2e-ml")
def main() -> None:
    """The machine-learning lifecycle in one window: Airflow, a feature store and MLflow, tied together."""


if __name__ == "__main__":
    main()
