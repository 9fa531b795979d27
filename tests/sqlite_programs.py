"""Another program that looks into a SQLite file, for tests of files that several programs share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT count(*) FROM sqlite_master").fetchone()
db.close()
"""


def come_and_go(path: Path) -> None:
    """Open the file, read and close it. Where nobody else holds it, the write-ahead log goes with that."""
    subprocess.run([sys.executable, "-c", _LOOK, str(path)], check=True)
