"""`e2e-ml festaf ...`: the feature store on the command line. Here are the verbs of definitions and of the registry.

Each verb is a row of `VERBS` and imported when it is called, so that `plan` need not wait for a web framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import click

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.verbs import LazyGroup, Verb

P = ParamSpec("P")

VERBS = {
    "plan": Verb(__name__, "plan", "Show what an apply would change, and who stands on it."),
    "apply": Verb(__name__, "apply", "Write the definitions into the registry."),
    "list": Verb(__name__, "list_", "List feature views, features and services."),
    "show": Verb(__name__, "show", "Explain one of them: who, what, when, how, why."),
    "schema": Verb(__name__, "schema", "Print the JSON Schema of registry.json."),
    "validate": Verb("e2e_ml.festaf.data_commands", "validate", "Check a view's rows against its constraints."),
    "profile": Verb("e2e_ml.festaf.data_commands", "profile", "Describe a view's values."),
    "historical": Verb("e2e_ml.festaf.data_commands", "historical", "Join features to entity rows as of their times."),
    "learn": Verb("e2e_ml.festaf.data_commands", "learn", "Learn the parameters of scaled features."),
    "materialize": Verb("e2e_ml.festaf.data_commands", "materialize", "Write data intervals offline and online."),
    "reopen": Verb("e2e_ml.festaf.data_commands", "reopen", "Load written intervals anew, after a late correction."),
    "push": Verb("e2e_ml.festaf.push_commands", "push", "Write rows into both stores as they come."),
    "consume": Verb("e2e_ml.festaf.push_commands", "consume", "Push what comes through a view's stream."),
    "online": Verb("e2e_ml.festaf.data_commands", "online", "Look the newest values up."),
    "predict": Verb("e2e_ml.festaf.data_commands", "predict", "Ask a model in MLflow by entity keys alone."),
    "import-feast": Verb("e2e_ml.festaf.feast.commands", "import_feast", "Turn a Feast repository into definitions."),
    "wishes": Verb("e2e_ml.festaf.wish_commands", "wishes", "List the features that people wished for, and answer."),
    "serve": Verb("e2e_ml.festaf.server.commands", "serve", "Serve the catalog and the API."),
}


class _Verbs(LazyGroup):
    """A group whose errors are sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FeatureStoreError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Verbs, verbs=VERBS)
def festaf() -> None:
    """The feature store: definitions, their registry, and the data."""


def project_option(verb: Callable[P, None]) -> Callable[P, None]:
    """`--project PATH`: the folder with the definitions and registry.json."""
    path: Any = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option("--project", type=path, default=".", help="The project's folder; this one unless said.")(verb)


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_name = click.option("--name", help="What to call a new project; its folder's name unless said.")


@click.command()
@project_option
@_name
@_json
def plan(project: Path, name: str | None, as_json: bool) -> None:
    """Show what an apply would change in the registry, and which feature services stand on it. Writes nothing."""
    planned = _plan(project, name)
    told = {"project", "base_version", "changes"}
    click.echo(planned.model_dump_json(indent=2, include=told) if as_json else planned)


@click.command()
@project_option
@_name
@_json
def apply(project: Path, name: str | None, as_json: bool) -> None:
    """Write the definitions into registry.json, unless somebody else has changed it meanwhile."""
    from e2e_ml.festaf import registry

    planned = _plan(project, name)
    applied = registry.apply(project, planned)
    if as_json:
        click.echo(applied.history[-1].model_dump_json(indent=2) if not planned.is_empty else "null")
        return
    click.echo(planned)
    if not planned.is_empty:
        click.echo(f"Applied: version {applied.version} is in {registry.path_of(project)}.")


def _plan(project: Path, name: str | None) -> Any:
    from e2e_ml.festaf import registry
    from e2e_ml.festaf.definition.loading import load_definitions
    from e2e_ml.festaf.registry.planning import plan

    return plan(registry.read(project, name=name), load_definitions(project))


@click.command("list")
@project_option
@_json
def list_(project: Path, as_json: bool) -> None:
    """List what has been applied: feature views with their features, then services."""
    from e2e_ml.festaf import registry
    from e2e_ml.festaf.registry.listing import listing, listing_json

    stored = registry.read(project)
    click.echo(json.dumps(listing_json(stored), indent=2, ensure_ascii=False) if as_json else listing(stored))


@click.command()
@click.argument("name")
@project_option
@_json
def show(name: str, project: Path, as_json: bool) -> None:
    """Explain NAME: a feature (hourly_weather.temp), a feature view or a feature service."""
    from e2e_ml.festaf.registry.listing import answers
    from e2e_ml.festaf.store import FeatureStore

    explanation = FeatureStore.open(project).explain(name)
    click.echo(explanation.model_dump_json(indent=2) if as_json else answers(explanation))


@click.command()
def schema() -> None:
    """Print the JSON Schema of registry.json, for readers in other languages."""
    from e2e_ml.festaf.registry import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
