"""What a managed Airflow's tasks are given, so that their events arrive, and nothing that is secret goes elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml.stack.airflow import AirflowRecipe
from e2e_ml.stack.recipe import Layout
from e2e_ml.workspace import Workspace


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "API_KEY", "NAMESPACE", "ENDPOINT"):
        monkeypatch.delenv(f"OPENLINEAGE_{name}", raising=False)


def environment(root: Path, text: str = "") -> dict[str, str]:
    root.mkdir()
    (root / "workbench.yaml").write_text(f"version: 1\nname: flights\n{text}")
    layout = Layout(Workspace.load(root), owner=True)
    (*_, command) = AirflowRecipe(layout).commands()
    return {k: v for k, v in (command.environment or {}).items() if k.startswith("OPENLINEAGE_")} | {
        "festaf": layout.url("festaf"),
        "token": layout.secrets.password("festaf.token"),
    }


def test_events_go_to_the_managed_feature_store(tmp_path: Path) -> None:
    found = environment(tmp_path / "w")
    assert found["OPENLINEAGE_URL"] == found["festaf"]
    assert found["OPENLINEAGE_API_KEY"] == found["token"]
    assert found["OPENLINEAGE_ENDPOINT"] == "api/v1/lineage"
    assert found["OPENLINEAGE_NAMESPACE"] == "flights"


def test_events_go_to_an_attached_one_with_its_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attached = "services:\n  festaf: {url: https://festaf.example.com%s}\n"
    monkeypatch.setenv("THE_TOKEN", "theirs")
    found = environment(tmp_path / "w", attached % ", credential: env:THE_TOKEN")
    assert (found["OPENLINEAGE_URL"], found["OPENLINEAGE_API_KEY"]) == ("https://festaf.example.com", "theirs")
    assert "OPENLINEAGE_URL" not in environment(tmp_path / "without", attached % "")
    missing = environment(tmp_path / "missing", attached % ", credential: env:THAT_IS_NOT_THERE")
    assert "OPENLINEAGE_URL" not in missing  # Airflow starts all the same


def test_a_receiver_of_ones_own_is_kept_and_gets_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "https://marquez.example.com")
    found = environment(tmp_path / "w")
    assert found["OPENLINEAGE_URL"] == "https://marquez.example.com"
    assert "OPENLINEAGE_API_KEY" not in found
