"""What is left of a registry in which some views are wrong: the right ones, and why the others are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from e2e_ml.festaf import model
from e2e_ml.festaf.registry.checking import problems
from e2e_ml.festaf.registry.file import RegistryError, path_of, read

_STEP = "Restore registry.json from version control, or correct the definition and apply it."


def salvage(project: Path | str) -> tuple[model.Registry, dict[str, str]]:
    """The registry with the views that can be read, and a sentence for each of the others, by its name.

    Services, on-demand views and the history are left out where a view is wrong: they may stand on it.
    Raises RegistryError where the file as a whole is none: no JSON, or of a newer form.
    """
    try:
        return read(project), {}
    except RegistryError:
        found = _views(path_of(project))
        if found is None:
            raise
        data, views = found
        wrong: dict[str, str] = {}
        right: list[model.FeatureView] = []
        for i, each in enumerate(views):
            try:
                right.append(model.FeatureView.model_validate_json(json.dumps(each)))
            except ValidationError as invalid:
                first = invalid.errors()[0]
                where = ".".join(map(str, first["loc"]))
                wrong[_name(each, i)] = f"{path_of(project)}: {where}: {first['msg']}."
        for view in right:
            alone = model.Registry(project=data["project"], views=(view,))
            if problem := next(problems(alone), None):
                wrong[view.name] = f"{path_of(project)}: {problem[0]}: {problem[1]}"
            elif sum(other.name == view.name for other in right) > 1:
                wrong[view.name] = f"{path_of(project)}: There are two views called {view.name}."
        if not wrong:
            raise  # it is no view that is wrong
        kept = tuple(view for view in right if view.name not in wrong)
        registry = model.Registry(project=data["project"], version=int(data.get("version") or 0), views=kept)
        return registry, {name: f"{sentence} {_STEP}" for name, sentence in wrong.items()}


def _views(path: Path) -> tuple[dict[str, Any], list[Any]] | None:
    """The file's object and its views, where it has that much of a registry's form, and a form that is known."""
    try:
        data: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    fields = cast("dict[str, Any]", data)
    views, project = fields.get("views"), fields.get("project")
    if (
        not isinstance(views, list)
        or not isinstance(project, str)
        or fields.get("schema_version") != model.SCHEMA_VERSION
    ):
        return None
    return fields, cast("list[Any]", views)


def _name(view: Any, at: int) -> str:
    name = cast("dict[str, Any]", view).get("name") if isinstance(view, dict) else None
    return name if isinstance(name, str) and name.isidentifier() else f"view_{at}"
