"""A DAG worker with the base install tells of its runs: neither a server nor a client is imported for that."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import sys
import e2e_ml.festaf.rows.telling, e2e_ml.openlineage.inbox, e2e_ml.openlineage.events
heavy = {"fastapi", "starlette", "uvicorn", "httpx", "httpx2", "requests", "openlineage", "airflow", "PySide6"}
print(sorted(heavy & set(sys.modules)))
"""


def test_telling_needs_the_base_install_alone() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
