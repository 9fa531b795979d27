"""`e2e-ml festaf plan | apply | list | show | schema`: definitions and their registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from e2e_ml.festaf.commands import json_option, project_option

_name = click.option("--name", help="What to call a new project; its folder's name unless said.")


@click.command()
@project_option
@_name
@json_option
def plan(project: Path, name: str | None, as_json: bool) -> None:
    """Show what an apply would change in the registry, and which feature services stand on it. Writes nothing."""
    planned = _plan(project, name)
    told = {"project", "base_version", "changes"}
    click.echo(planned.model_dump_json(indent=2, include=told) if as_json else planned)


@click.command()
@project_option
@_name
@json_option
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
@json_option
def list_(project: Path, as_json: bool) -> None:
    """List what has been applied: feature views with their features, then services."""
    from e2e_ml.festaf import registry
    from e2e_ml.festaf.registry.listing import listing, listing_json

    stored = registry.read(project)
    click.echo(json.dumps(listing_json(stored), indent=2, ensure_ascii=False) if as_json else listing(stored))


@click.command()
@click.argument("name")
@project_option
@json_option
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
