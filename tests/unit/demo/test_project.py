"""The demo's workspace: laid out once, mended when something is missing, never against a person's changes."""

from __future__ import annotations

import py_compile
from pathlib import Path

import pytest

from e2e_ml.demo import project
from e2e_ml.festaf import DefinitionError, FeatureStore
from e2e_ml.workspace import Workspace, WorkspaceError


def _files(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def test_it_lays_out_a_workspace_that_opens_with_its_definitions_applied(tmp_path: Path) -> None:
    root = project.prepare(tmp_path / "new" / "demo")
    workspace = Workspace.load(root)
    assert (workspace.name, workspace.festaf_project, workspace.dags) == ("flights", root, root / "dags")
    registry = FeatureStore.open(root).registry
    assert registry.project == "flights"  # whatever the folder is called
    names = ["hourly_weather", "carrier_delay", "route_delay", "plane", "airport", "flights"]
    assert [view.name for view in registry.views] == names
    assert [view.name for view in registry.on_demand] == ["at_the_gate"]
    assert [service.name for service in registry.services] == ["flight_delay"]
    for name in project.FILES:
        py_compile.compile(str(root / name), doraise=True, cfile=str(tmp_path / "compiled"))


def test_every_view_feature_and_service_says_who_what_and_why(tmp_path: Path) -> None:
    registry = FeatureStore.open(project.prepare(tmp_path)).registry
    for record in (*registry.all_views(), *registry.services):
        assert record.owner
        assert record.owner.email
        assert record.description
        assert record.purpose
    silent = [
        f"{v.name}.{f.name}" for v in registry.all_views() for f in v.features if not f.hidden and not f.description
    ]
    assert silent == []


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    root = project.prepare(tmp_path)
    before = _files(root)
    assert project.prepare(tmp_path) == root
    assert _files(root) == before


def test_a_change_of_a_person_stays_and_a_missing_file_comes_back(tmp_path: Path) -> None:
    root = project.prepare(tmp_path)
    mine = (root / "features.py").read_text() + "\n# mine\n"
    (root / "features.py").write_text(mine)
    (root / "dags" / "flights_train.py").unlink()
    project.prepare(tmp_path)
    assert (root / "features.py").read_text() == mine
    assert "flights.train" in (root / "dags" / "flights_train.py").read_text()


def test_a_changed_definition_is_applied_by_the_story_once(tmp_path: Path) -> None:
    root = project.prepare(tmp_path)
    assert project.apply_definitions(root) == "The definitions are applied."
    file = root / "features.py"
    file.write_text(file.read_text().replace("temp <= 32", "temp <= 30"))
    assert project.apply_definitions(root) == "The definitions are applied: 7 views and 1 service."
    assert FeatureStore.open(root).registry.version == 2
    assert project.apply_definitions(root) == "The definitions are applied."


def test_a_broken_workspace_and_a_broken_definition_are_told_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "workbench.yaml").write_text("version: 1\nname: mine\nservices: {airflow: {port: 80}}\n")
    with pytest.raises(WorkspaceError, match=r"workbench\.yaml, line 3"):
        project.prepare(tmp_path)
    assert "name: mine" in (tmp_path / "workbench.yaml").read_text()
    (tmp_path / "workbench.yaml").unlink()
    (tmp_path / "features.py").write_text("from e2e_ml import festaf as fs\n\nfs.String().lower_bound(0)\n")
    with pytest.raises(DefinitionError, match=r"features\.py"):
        project.prepare(tmp_path)
    assert not (tmp_path / "registry.json").exists()
