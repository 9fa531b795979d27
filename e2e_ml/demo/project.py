"""The demo's workspace: a folder with `workbench.yaml`, the definitions and the DAG files, ready to be opened.

What a person has changed is theirs: a file that is there is left as it is, and a second `prepare` puts back only what
is missing. Everything else in the folder is made by the services and the DAGs.
"""

from __future__ import annotations

from pathlib import Path

from e2e_ml.demo.files import replacing
from e2e_ml.festaf import FeatureStore
from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.settings_file import Problem
from e2e_ml.workspace import FILE_NAME, Workspace, WorkspaceError

PROJECT = "flights"
FILES = ("features.py", "dags/festaf_views.py", "dags/flights_ingest.py", "dags/flights_train.py")
_TEMPLATE = Path(__file__).parent / "template"


def prepare(folder: Path | str) -> Path:
    """Lay out the workspace in `folder`, or put back what is missing of it. Gives the folder's absolute path.

    The definitions are applied once, so that Airflow finds the views' DAGs from its first look on. Raises
    WorkspaceError, DefinitionError or FeatureStoreError, each with the next step, for what a person has broken in it.
    """
    root = Path(folder).expanduser().absolute()
    try:
        for name in FILES:
            place = root / name
            if not place.exists():
                with replacing(place) as fresh:
                    fresh.write_text((_TEMPLATE / name).read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        sentence = f"The demo cannot be laid out here: {error.strerror or error}. Choose another folder: --workspace."
        raise WorkspaceError(Problem(root, sentence)) from error
    workspace = Workspace.load(root) if (root / FILE_NAME).exists() else Workspace.create(root, name=PROJECT)
    project = workspace.festaf_project
    if not registries.path_of(project).exists():
        apply_definitions(project)
    return workspace.root


def apply_definitions(project: Path) -> str:
    """Make the registry what `features.py` says. Gives a sentence. Raises DefinitionError or FeatureStoreError."""
    store = FeatureStore.open(project, name=PROJECT)
    plan = store.plan(load_definitions(project))
    if plan.is_empty:
        return "The definitions are applied."
    registry = store.apply(plan)
    return f"The definitions are applied: {len(registry.all_views())} views and {len(registry.services)} service."
