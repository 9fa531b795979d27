"""The verbs that ask: search, show, up, down, path, impact, fresh, owner, orphans, diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from e2e_ml.lineage import questions
from e2e_ml.lineage.commands import (
    MARKS,
    as_json,
    echo_json,
    evidence,
    found,
    json_option,
    snapshot_of,
    title,
    workspace_option,
)
from e2e_ml.lineage.graph import Edge, Graph
from e2e_ml.lineage.questions.difference import Change
from e2e_ml.refs import Kind, Ref

_KINDS: Any = click.Choice([str(kind) for kind in Kind], case_sensitive=False)
_kind_option = click.option("--kind", "kinds", multiple=True, type=_KINDS, help="Only things of this kind.")
_MOST = 1_000  # edges of a thing that `show` tells
_SHOWN = 20  # things listed for a person; JSON has all


def _kinds(names: Iterable[str]) -> list[Kind]:
    return [Kind(name) for name in names]


@click.command()
@click.argument("text")
@_kind_option
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="This many at most.")
@workspace_option
@json_option
def search(text: str, kinds: Sequence[str], limit: int, workspace: Path, as_json: bool) -> None:
    """Look for things whose name has every word of TEXT in it."""
    with snapshot_of(workspace) as graph:
        refs = graph.search(text, _kinds(kinds), limit)
        if as_json:
            echo_json(refs)
            return
        for ref in refs:
            click.echo(f"{title(graph, ref):60} {ref}")
        if not refs:
            click.echo(f"Nothing has {text!r} in its name.")


@click.command()
@click.argument("thing")
@workspace_option
@json_option
def show(thing: str, workspace: Path, as_json: bool) -> None:
    """What is known of THING, and every edge at it with its evidence."""
    with snapshot_of(workspace) as graph:
        ref = found(graph, thing)
        node = graph.get(ref)
        facts: Mapping[str, Any] = node.facts if node else {}
        edges = {
            "upstream": graph.upstream(ref, _MOST),
            "downstream": graph.downstream(ref, _MOST),
            "candidates": graph.candidates(ref),
        }
        totals = {"upstream": graph.degree(ref, down=False), "downstream": graph.degree(ref, down=True)}
        if as_json:
            gone = node.gone_since if node else None
            echo_json({"ref": ref, "kind": ref.kind, "facts": facts, "gone_since": gone, **edges, "totals": totals})
            return
        click.secho(title(graph, ref), bold=True)
        click.echo(str(ref))
        for name, value in facts.items():
            click.echo(f"  {name}: {_brief(value)}")
        for heading, found_edges in edges.items():
            _echo_edges(graph, ref, heading, found_edges, totals.get(heading, 0))


def _echo_edges(graph: Graph, ref: Ref, heading: str, edges: Sequence[Edge], total: int) -> None:
    if not edges:
        return
    click.secho(f"{heading.capitalize()}:" if heading != "candidates" else "Perhaps:", bold=True)
    for edge in edges[:_SHOWN]:
        there = edge.upstream if edge.downstream == ref else edge.downstream
        click.echo(f"  {MARKS[edge.evidence]} {title(graph, there)}: {edge.relation}; {evidence(edge)}")
    if (more := max(total, len(edges)) - _SHOWN) > 0:
        click.echo(f"  and {more:,} more; --json has them")


@click.command()
@click.argument("thing")
@click.option("--depth", type=click.IntRange(1), help="This many edges away at most.")
@_kind_option
@workspace_option
@json_option
def up(thing: str, depth: int | None, kinds: Sequence[str], workspace: Path, as_json: bool) -> None:
    """What THING comes from, as paths."""
    _tree(thing, depth, kinds, workspace, as_json, down=False)


@click.command()
@click.argument("thing")
@click.option("--depth", type=click.IntRange(1), help="This many edges away at most.")
@_kind_option
@workspace_option
@json_option
def down(thing: str, depth: int | None, kinds: Sequence[str], workspace: Path, as_json: bool) -> None:
    """What stands on THING, as paths."""
    _tree(thing, depth, kinds, workspace, as_json, down=True)


def _tree(thing: str, depth: int | None, kinds: Sequence[str], workspace: Path, as_json: bool, *, down: bool) -> None:
    with snapshot_of(workspace) as graph:
        tree = questions.tree(graph, found(graph, thing), down=down, depth=depth, kinds=_kinds(kinds))
        if as_json:
            echo_json(tree)
            return
        click.secho(title(graph, tree.start), bold=True)
        for step in tree.steps:
            indent = "  " * step.distance
            click.echo(f"{indent}{MARKS[step.edge.evidence]} {title(graph, step.ref)}: {evidence(step.edge)}")
        if not tree.steps:
            click.echo("  Nothing stands on it." if down else "  Nothing is known of where it comes from.")
        elif not kinds and len(tree.steps) < tree.total:
            click.echo(f"  and {tree.total - len(tree.steps):,} more; --depth or --kind narrows it")


@click.command()
@click.argument("thing")
@click.argument("other")
@workspace_option
@json_option
def path(thing: str, other: str, workspace: Path, as_json: bool) -> None:
    """The way from THING to OTHER, edge by edge with its evidence."""
    with snapshot_of(workspace) as graph:
        edges = questions.path(graph, found(graph, thing), found(graph, other))
        if as_json:
            echo_json(edges)
            return
        if edges is None:
            click.echo("Neither comes from the other.")
            return
        if not edges:
            click.echo("They are the same thing.")
            return
        click.echo(title(graph, edges[0].upstream))
        for edge in edges:
            click.echo(f"  {MARKS[edge.evidence]} {edge.relation} {title(graph, edge.downstream)}: {evidence(edge)}")


@click.command()
@click.argument("thing")
@workspace_option
@json_option
def impact(thing: str, workspace: Path, as_json: bool) -> None:
    """If THING changes or is late: what stands on it, what of that is in use, and whom to tell."""
    with snapshot_of(workspace) as graph:
        answer = questions.impact(graph, found(graph, thing))
        if as_json:
            kinds = (Kind.FEATURE_SERVICE, Kind.RUN, Kind.MODEL_VERSION, Kind.ALIAS, Kind.ENDPOINT, Kind.MONITOR)
            echo_json({**_dict(answer), "things": {kind: answer.refs(kind) for kind in kinds}})
            return
        click.secho(title(graph, answer.ref), bold=True)
        if not answer.counts:
            click.echo("  Nothing stands on it.")
            return
        for kind, count in sorted(answer.counts.items(), key=lambda item: -item[1]):
            click.echo(f"  {count:8,} {kind}{'' if count == 1 else 's'}")
        click.secho(
            "In use:" if answer.live else "No version that stands on it has an alias or an endpoint.", bold=True
        )
        for live in answer.live:
            at = [f"as {', '.join(live.aliases)}"] if live.aliases else []
            at += [f"at {', '.join(e.name for e in live.endpoints)}"] if live.endpoints else []
            click.echo(f"  {title(graph, live.version)} {' '.join(at)}")
        click.secho("To tell:" if answer.people else "No owner is known.", bold=True)
        for told in answer.people:
            names = ", ".join(title(graph, ref) for ref in told.owns[:3])
            more = f" and {len(told.owns) - 3} more" if len(told.owns) > 3 else ""
            click.echo(f"  {told.person}: {names}{more}")


def _dict(value: Any) -> dict[str, Any]:
    told: dict[str, Any] = as_json(value)
    return told


@click.command()
@click.argument("thing")
@workspace_option
@json_option
def fresh(thing: str, workspace: Path, as_json: bool) -> None:
    """Whether THING and all that it comes from is as new as its schedule says, and who was late first."""
    with snapshot_of(workspace) as graph:
        answer = questions.standing(graph, found(graph, thing), datetime.now(UTC))
        if as_json:
            echo_json({**_dict(answer), "first": answer.first})
            return
        click.secho(title(graph, answer.ref), bold=True)
        if answer.freshness is not None:
            click.echo(f"  {answer.freshness.sentence}")
        if not answer.troubles:
            click.echo("  Nothing that it comes from is late or has failed.")
        for trouble in answer.troubles:
            if trouble.ref == answer.ref and answer.freshness is not None:
                continue  # its own sentence stands above
            click.echo(f"  {'First: ' if trouble is answer.first else ''}{trouble.sentence}")
            for edge in trouble.path:
                click.echo(f"      {MARKS[edge.evidence]} {edge.relation} {title(graph, edge.downstream)}")


@click.command()
@click.argument("thing", required=False)
@workspace_option
@json_option
def owner(thing: str | None, workspace: Path, as_json: bool) -> None:
    """Who owns THING; without it, everybody and what they own."""
    with snapshot_of(workspace) as graph:
        if thing is None:
            everybody = questions.owned(graph)
            if as_json:
                echo_json([{"person": who, "owns": refs} for who, refs in everybody.items()])
                return
            for who, refs in everybody.items():
                more = f" and {len(refs) - _SHOWN} more" if len(refs) > _SHOWN else ""
                click.echo(f"{who}: {', '.join(title(graph, ref) for ref in refs[:_SHOWN])}{more}")
            return
        answer = questions.owner(graph, found(graph, thing))
        if as_json:
            echo_json(None if answer is None else {"person": answer[0], "told_by": answer[1]})
        elif answer is None:
            click.echo("Nobody is known to own it.")
        else:
            click.echo(f"{answer[0]}, as {title(graph, answer[1])} says")


@click.command()
@workspace_option
@json_option
def orphans(workspace: Path, as_json: bool) -> None:
    """Features that no model uses, models whose features nothing makes, DAGs that nobody reads."""
    with snapshot_of(workspace) as graph:
        answer = questions.orphans(graph)
        if as_json:
            echo_json(answer)
            return
        _listed(graph, "Features that no model uses", answer.unused_features)
        click.secho(f"Feature views that no pipeline makes: {len(answer.unmade_views)}", bold=True)
        for unmade in answer.unmade_views[:_SHOWN]:
            models = ", ".join(ref.name for ref in unmade.models)
            click.echo(
                f"  {title(graph, unmade.view)}, and {models} stand{'s' if len(unmade.models) == 1 else ''} on it"
            )
        _listed(graph, "DAGs whose results nobody reads", answer.unread_dags)
        _listed(graph, "DAGs of which it is not known what they make", answer.unknown_dags)


def _listed(graph: Graph, heading: str, refs: Sequence[Ref]) -> None:
    click.secho(f"{heading}: {len(refs)}", bold=True)
    for ref in refs[:_SHOWN]:
        click.echo(f"  {title(graph, ref)}")
    if len(refs) > _SHOWN:
        click.echo(f"  and {len(refs) - _SHOWN:,} more; --json has them")


@click.command()
@click.argument("before")
@click.argument("after")
@workspace_option
@json_option
def diff(before: str, after: str, workspace: Path, as_json: bool) -> None:
    """What sets two model versions (or runs) apart: features, definitions, data, code, settings."""
    with snapshot_of(workspace) as graph:
        answer = questions.difference(graph, found(graph, before), found(graph, after))
        if as_json:
            echo_json(answer)
            return
        click.secho(f"{title(graph, answer.before)} -> {title(graph, answer.after)}", bold=True)
        for sentence in answer.unknown:
            click.echo(f"  {sentence}")
        for sign, things in (("+", answer.added), ("-", answer.removed)):
            for refs in things.values():
                for ref in refs:
                    click.echo(f"  {sign} {title(graph, ref)}")
        for ref in answer.redefined:
            click.echo(f"  ~ {title(graph, ref)}: its definition changed between the two trainings")
        for heading in ("data", "code", "settings", "metrics"):
            changes: tuple[Change, ...] = getattr(answer, heading)
            for change in changes:
                click.echo(f"  {heading}: {change.what}: {change.before or 'none'} -> {change.after or 'none'}")


def _brief(value: Any) -> str:
    text = ", ".join(map(str, cast(list[Any], value))) if isinstance(value, list) else str(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
