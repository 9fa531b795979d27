"""`e2e-ml festaf ...`: the feature store on the command line. Here are the group and its table of verbs.

Each verb is a row of `VERBS` and imported when it is called, so that `plan` need not wait for a web framework.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import click

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.verbs import LazyGroup, Verb

P = ParamSpec("P")

VERBS = {
    "plan": Verb(f"{__name__}.definitions", "plan", "Show what an apply would change, and who stands on it."),
    "apply": Verb(f"{__name__}.definitions", "apply", "Write the definitions into the registry."),
    "list": Verb(f"{__name__}.definitions", "list_", "List feature views, features and services."),
    "show": Verb(f"{__name__}.definitions", "show", "Explain one of them: who, what, when, how, why."),
    "schema": Verb(f"{__name__}.definitions", "schema", "Print the JSON Schema of registry.json."),
    "validate": Verb(f"{__name__}.data", "validate", "Check a view's rows against its constraints."),
    "profile": Verb(f"{__name__}.data", "profile", "Describe a view's values."),
    "historical": Verb(f"{__name__}.data", "historical", "Join features to entity rows as of their times."),
    "learn": Verb(f"{__name__}.data", "learn", "Learn the parameters of scaled features."),
    "materialize": Verb(f"{__name__}.data", "materialize", "Write data intervals offline and online."),
    "reopen": Verb(f"{__name__}.data", "reopen", "Load written intervals anew, after a late correction."),
    "push": Verb(f"{__name__}.push", "push", "Write rows into both stores as they come."),
    "consume": Verb(f"{__name__}.push", "consume", "Push what comes through a view's stream."),
    "online": Verb(f"{__name__}.data", "online", "Look the newest values up."),
    "predict": Verb(f"{__name__}.data", "predict", "Ask a model in MLflow by entity keys alone."),
    "import-feast": Verb("e2e_ml.festaf.feast.commands", "import_feast", "Turn a Feast repository into definitions."),
    "wishes": Verb(f"{__name__}.wishes", "wishes", "List the features that people wished for, and answer."),
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


def json_option(verb: Callable[P, None]) -> Callable[P, None]:
    """`--json`: the answer as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(verb)
