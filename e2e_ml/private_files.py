"""Files that are their owner's alone from the first moment, before anything stands in them."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def make(path: Path) -> None:
    """An empty file of mode 0600 at `path`, where there is none yet. Raises OSError, also for one that is of no use.

    One that is there is not opened, not even for a moment: as its descriptor is closed, the system takes from this
    process every lock on the file, those of SQLite's open connections too. Another program's connection then believes
    to be the last one and takes the write-ahead log away under them (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)) from None
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
