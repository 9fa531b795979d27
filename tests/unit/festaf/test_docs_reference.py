"""The reference tells the truth: its examples run, its tables are the code's, and nothing public is left out."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from e2e_ml import festaf as fs
from e2e_ml.festaf import airflow, settings
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.rows.training_set import HistoricalFeatures
from e2e_ml.festaf.server.app import create_app
from e2e_ml.festaf.store import FeatureStore
from tests.e2e.documents import ROOT, blocks
from tests.unit.festaf.reference_page import PAGE, PARTS, made
from tests.unit.festaf.worlds import project

_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def test_the_examples_of_the_reference_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in blocks(PAGE):
        if block.file is not None and "/" not in block.file and block.file != settings.FILE_NAME:
            (tmp_path / block.file).write_text(block.text.partition("\n")[2])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    said: list[str] = []
    test = doctest.DocTestParser().get_doctest(_examples(), {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) > 40
    doctest.DocTestRunner(optionflags=_OPTIONS).run(test, out=said.append)
    assert not said, "\n" + "".join(said)


def _examples() -> str:
    """The page with nothing but its examples, on their lines."""
    lines: list[str] = []
    inside = False
    for line in PAGE.read_text().splitlines():
        inside = line == "```pycon" or (inside and line != "```")
        lines.append(line if inside and not line.startswith("```") else "")
    return "\n".join(lines) + "\n"


def test_what_is_made_from_the_code_is_as_the_code_is() -> None:
    page = PAGE.read_text()
    assert re.findall(r"<!-- made: (\w+) -->", page) == list(PARTS)
    assert made(page) == page, "Write it anew: python -m tests.unit.festaf.reference_page"


def test_every_route_of_the_server_is_in_the_reference(tmp_path: Path) -> None:
    project(tmp_path)
    routes = create_app(tmp_path).openapi()["paths"]
    paths = [f"{method.upper()} {path}" for path, methods in routes.items() for method in methods]
    assert any("/lineage" in path for path in paths)
    page = PAGE.read_text()
    assert [path for path in paths if f"| `{path}` |" not in page] == []


def test_the_example_of_the_readme_is_a_definition(tmp_path: Path) -> None:
    example = next(b for b in blocks(ROOT / "README.md") if "FeatureView" in b.text)
    (tmp_path / "features.py").write_text(example.text)
    plan = FeatureStore.open(tmp_path).plan(load_definitions(tmp_path))
    assert [change.name for change in plan.changes] == ["hourly_weather"]


@pytest.mark.parametrize("name", fs.__all__)
def test_everything_public_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\bfs\.{name}\b", PAGE.read_text()) or name == "Column", (
        f"the reference says nothing of fs.{name}"
    )


@pytest.mark.parametrize("type_", [FeatureStore, HistoricalFeatures])
def test_every_method_is_in_the_reference(type_: type) -> None:
    page = PAGE.read_text()
    public = [name for name in vars(type_) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"\.{name}\b", page)] == []


def test_settings_and_airflow_files_of_the_reference_are_right(tmp_path: Path) -> None:
    files = {block.file: block.text for block in blocks(PAGE) if block.file is not None}
    (tmp_path / settings.FILE_NAME).write_text(files[settings.FILE_NAME])
    assert list(settings.read(tmp_path).connections) == ["warehouse", "api"]
    for name in ("dags/flights.py", "dags/weather.py"):
        compile(files[name], name, "exec")
    assert set(airflow.__all__) <= set(re.findall(r"\w+", PAGE.read_text()))
