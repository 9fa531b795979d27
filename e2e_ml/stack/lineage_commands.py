"""`e2e-ml lineage ...`: its table of verbs, and those that need the services: `refresh`, `status` and `receive`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from e2e_ml.lineage.commands import echo_json, index_of, json_option, opened, workspace_option
from e2e_ml.stack.reading import reading_of
from e2e_ml.stack.stack import Stack
from e2e_ml.verbs import LazyGroup, Verb

_ASKING, _JUDGING = "e2e_ml.lineage.commands.asking", "e2e_ml.lineage.commands.judging"
VERBS = {
    "search": Verb(_ASKING, "search", "Look for things by name."),
    "show": Verb(_ASKING, "show", "What is known of a thing, and every edge at it."),
    "up": Verb(_ASKING, "up", "What a thing comes from, as paths."),
    "down": Verb(_ASKING, "down", "What stands on a thing, as paths."),
    "path": Verb(_ASKING, "path", "The way from one thing to another."),
    "impact": Verb(_ASKING, "impact", "If it changes or is late: what breaks, and whom to tell."),
    "fresh": Verb(_ASKING, "fresh", "Whether it is as new as it should be, and who was late first."),
    "owner": Verb(_ASKING, "owner", "Who owns what."),
    "orphans": Verb(_ASKING, "orphans", "Unused features, features that nothing makes, unread DAGs."),
    "diff": Verb(_ASKING, "diff", "What sets two model versions apart."),
    "candidates": Verb(_JUDGING, "candidates", "Inferred edges that wait for somebody's word."),
    "confirm": Verb(_JUDGING, "confirm", "An inferred edge is right."),
    "refuse": Verb(_JUDGING, "refuse", "An inferred edge is wrong."),
    "withdraw": Verb(_JUDGING, "withdraw", "Take back what was said of an edge."),
    "refresh": Verb(__name__, "refresh", "Read what is new from the services now."),
    "status": Verb(__name__, "status", "When each service was read last."),
    "receive": Verb(__name__, "receive", "Take OpenLineage events, without a feature store's server."),
}


@click.group(cls=LazyGroup, verbs=VERBS)
def lineage() -> None:
    """The lifecycle as a graph: where things come from, what stands on them, and why we believe it."""


@click.command()
@workspace_option
@json_option
def refresh(workspace: Path, as_json: bool) -> None:
    """Read what is new from the services of the workspace, which have to be running."""
    found = opened(workspace)
    reading = reading_of(found, Stack(found).services)
    try:
        report = reading.visit_once()
    finally:
        reading.stop()
    if as_json:
        echo_json(report)
    else:
        for name, visit in report.items():
            click.secho(f"{name}: {visit.sentence}", fg=None if visit.ok else "red")
    if not any(visit.ok for visit in report.values()):
        raise SystemExit(1)


@click.command()
@workspace_option
@json_option
def status(workspace: Path, as_json: bool) -> None:
    """When each service of the workspace was read last, and how much is known."""
    with index_of(workspace) as index:
        graph, visits = index.graph(), index.visits()
        if as_json:
            echo_json({"visited_at": visits, "things": len(graph), "edges": graph.edge_count})
            return
        for name, at in visits.items():
            click.echo(f"{name:24} {f'{at:%d %B %Y, %H:%M:%S} UTC' if at else 'never'}")
        click.echo(f"{len(graph):,} things, {graph.edge_count:,} edges")


@click.command()
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1024, 65535), help="On this machine.")
@click.option("--key-from", "variable", default="OPENLINEAGE_API_KEY", show_default=True, help="The variable with it.")
@workspace_option
def receive(port: int, variable: str, workspace: Path) -> None:
    """Take OpenLineage run events on POST /api/v1/lineage of this machine, and keep them for the collectors.

    Whoever sends them says the key: it stands in the environment, never on the command line.
    """
    from e2e_ml.openlineage.server import serve

    key = os.environ.get(variable, "")
    if not key:
        raise click.ClickException(f"{variable} is not set. Put the key that senders say into it.")
    found = opened(workspace)
    serve(found.state / "openlineage.sqlite", key=key, port=port)
