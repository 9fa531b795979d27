"""`e2e-ml festaf wishes`: the features that people wished for, and the answers given."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import click

from e2e_ml.festaf.commands import json_option, project_option
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.store import FeatureStore
from e2e_ml.festaf.wishes import Wish, suggestion

_by = click.option("--by", help="Your name; the one that you are logged in as unless said.")


@click.group(invoke_without_command=True)
@project_option
@click.option("--all", "every", is_flag=True, help="The answered ones too.")
@json_option
@click.pass_context
def wishes(context: click.Context, project: Path, every: bool, as_json: bool) -> None:
    """List the features that people wished for, the most wanted first; with a verb, wish or answer."""
    context.obj = FeatureStore.open(project)
    if context.invoked_subcommand is None:
        _list(context.obj, every=every, as_json=as_json)


def _list(store: FeatureStore, *, every: bool, as_json: bool) -> None:
    found = [wish for wish in store.wishes.all() if every or wish.status == "open"]
    if as_json:
        click.echo(json.dumps([wish.model_dump(mode="json") for wish in found], indent=2, ensure_ascii=False))
    elif not found:
        click.echo("Nobody waits for a feature." if not every else "Nobody has wished for anything yet.")
    else:
        registry = store.registry
        click.echo("\n\n".join(_told(wish, suggestion(registry, wish)) for wish in found))


@wishes.command()
@click.argument("name")
@click.option("--why", default="", help="What you want it for, so that others can judge it.")
@_by
@click.pass_obj
def add(store: FeatureStore, name: str, why: str, by: str | None) -> None:
    """Wish for NAME, in the words that you would look for it with; the same wish of others is joined."""
    wish = store.wishes.wish(name, by=by or _me(), why=why)
    click.echo(_told(wish))


@wishes.command()
@click.argument("number", type=int)
@click.argument("text", default="")
@click.option("--feature", help="The feature that fulfils it, as view.feature.")
@_by
@click.pass_obj
def answer(store: FeatureStore, number: int, text: str, feature: str | None, by: str | None) -> None:
    """Answer the wish NUMBER with TEXT, with the feature that fulfils it, or with both."""
    if feature is not None:
        store.explain(feature)  # says which name comes near, where there is no such feature
        if "." not in feature:
            raise FeatureStoreError(f"{feature} is no feature. Name it in full, as view.feature.")
    click.echo(_told(store.wishes.answer(number, text, by=by or _me(), feature=feature)))


def _told(wish: Wish, likely: str | None = None) -> str:
    lines = [f"{wish.number}  {wish.name}  ({wish.status}, wanted by {', '.join(vote.by for vote in wish.votes)})"]
    lines += [f"   {vote.by}: {' '.join(vote.why.split())}" for vote in wish.votes if vote.why]
    if wish.status != "open":
        said = " ".join(part for part in (wish.feature and f"{wish.feature}.", " ".join(wish.answer.split())) if part)
        lines.append(f"   answered by {wish.answered_by}: {said}")
    if likely:
        lines.append(f"   {likely} is called like it: e2e-ml festaf wishes answer {wish.number} --feature {likely}")
    return "\n".join(lines)


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise FeatureStoreError("This user has no name here. Say who you are with --by NAME.") from error
