"""A worker that imports festaf, and a module of definitions, pays for neither window, scheduler nor engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FORBIDDEN = (
    "PySide6",
    "shiboken6",
    "airflow",
    "mlflow",
    "fastapi",
    "polars",
    "narwhals",
    "deltalake",
    "pandas",
    "pyarrow",
)


def _loaded(code: str, cwd: Path) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd)
    return set(answer.stdout.split())


def test_importing_festaf_loads_no_qt_airflow_mlflow_nor_engine(tmp_path: Path) -> None:
    loaded = _loaded("import e2e_ml.festaf", tmp_path)
    assert "e2e_ml" in loaded
    assert loaded.isdisjoint(FORBIDDEN)


def test_defining_and_planning_loads_none_either(tmp_path: Path) -> None:
    loaded = _loaded(
        "from e2e_ml import festaf as fs\n"
        "from e2e_ml.festaf.registry.planning import plan\n"
        "from e2e_ml.festaf.registry import read\n"
        "class V(fs.FeatureView):\n"
        "    source = fs.csv('a.csv')\n"
        "    k = fs.Entity(fs.String())\n"
        "    x = fs.Int32()\n"
        "    y = x + 1\n"
        "assert not plan(read('.'), [V]).is_empty\n",
        tmp_path,
    )
    assert loaded.isdisjoint(FORBIDDEN)


def test_the_store_is_there_when_asked_for() -> None:
    from e2e_ml import festaf as fs
    from e2e_ml.festaf.store import FeatureStore

    assert fs.FeatureStore is FeatureStore
    assert all(hasattr(fs, name) for name in fs.__all__)
