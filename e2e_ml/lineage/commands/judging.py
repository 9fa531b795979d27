"""The verbs that keep what a person says of an inferred edge: candidates, confirm, refuse, withdraw."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from e2e_ml.lineage.commands import echo_json, evidence, found, index_of, json_option, title, workspace_option
from e2e_ml.lineage.graph import Edge, Evidence, Graph
from e2e_ml.lineage.judgements import Verdict


@click.command()
@click.argument("thing", required=False)
@workspace_option
@json_option
def candidates(thing: str | None, workspace: Path, as_json: bool) -> None:
    """Inferred edges (at THING) that wait for somebody's word: those drawn, and those too weak to be."""
    with index_of(workspace) as index:
        graph = index.graph()
        edges = _waiting(graph, thing)
        if as_json:
            echo_json(edges)
            return
        for edge in edges:
            click.echo(
                f"{title(graph, edge.upstream)} {edge.relation} {title(graph, edge.downstream)}: {evidence(edge)}"
            )
            click.echo(f"  {edge.upstream} {edge.downstream}")
        if not edges:
            click.echo("No inferred edge waits for a word.")


def _waiting(graph: Graph, thing: str | None) -> list[Edge]:
    if thing is None:
        return sorted(graph.inferred(), key=lambda edge: -edge.score)
    ref = found(graph, thing)
    drawn = [*graph.upstream(ref), *graph.downstream(ref)]
    return [*(edge for edge in drawn if edge.evidence is Evidence.INFERRED), *graph.candidates(ref)]


def _judge(upstream: str, downstream: str, workspace: Path, by: str | None, verdict: Verdict) -> None:
    with index_of(workspace) as index:
        graph = index.graph()
        up, down = found(graph, upstream), found(graph, downstream)
        known = [*graph.downstream(up), *graph.candidates(up)]
        edges = [edge for edge in known if edge.downstream == down]
        said = [j for j in index.judgements.all() if (j.upstream, j.downstream) == (up, down)]
        if not edges and not said:
            raise click.ClickException(f"There is no edge from {up} to {down}. `e2e-ml lineage candidates` lists them.")
        if edges and not said and all(edge.evidence is not Evidence.INFERRED for edge in edges):
            raise click.ClickException(f"That edge is {edges[0].evidence}, not inferred: {edges[0].reason}.")
        judged = [edge for edge in edges if edge.evidence is Evidence.INFERRED] or [
            Edge(up, down, judgement.relation, Evidence.INFERRED, judgement.reason) for judgement in said
        ]
        for edge in judged:
            try:
                index.judgements.judge(edge, verdict, by or getpass.getuser())
            except OSError as error:
                raise click.ClickException(f"That could not be written down: {error}") from None
            click.echo(f"{title(graph, up)} {edge.relation} {title(graph, down)}: {verdict}.")


_by = click.option("--by", help="Who says so; you unless said.")


@click.command()
@click.argument("upstream")
@click.argument("downstream")
@_by
@workspace_option
def confirm(upstream: str, downstream: str, by: str | None, workspace: Path) -> None:
    """The inferred edge from UPSTREAM to DOWNSTREAM is right."""
    _judge(upstream, downstream, workspace, by, Verdict.CONFIRMED)


@click.command()
@click.argument("upstream")
@click.argument("downstream")
@_by
@workspace_option
def refuse(upstream: str, downstream: str, by: str | None, workspace: Path) -> None:
    """The inferred edge from UPSTREAM to DOWNSTREAM is wrong."""
    _judge(upstream, downstream, workspace, by, Verdict.REFUSED)


@click.command()
@click.argument("upstream")
@click.argument("downstream")
@_by
@workspace_option
def withdraw(upstream: str, downstream: str, by: str | None, workspace: Path) -> None:
    """Nothing was said of the edge from UPSTREAM to DOWNSTREAM."""
    _judge(upstream, downstream, workspace, by, Verdict.WITHDRAWN)
