"""The owner that `e2e-ml up` leaves behind: a program of its own session that runs the stack until it is told to stop.

python -m e2e_ml.stack.background WORKSPACE
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

from e2e_ml.stack.component import rotate
from e2e_ml.stack.recipe import StackError, python
from e2e_ml.stack.service import Listener
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace, WorkspaceError

KIND = "background"


def launch(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Start the owner in the background; its messages go to `logs/owner.log`."""
    log = workspace.logs / "owner.log"
    rotate(log)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            python("-m", "e2e_ml.stack.background", str(workspace.root)),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=workspace.state,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def run(stack: Stack, listener: Listener) -> int:
    """Run a stack until SIGTERM, SIGINT or SIGHUP; 1 where another program has become the owner first.

    Raises StackError where the workspace's state cannot be written.
    """
    told = threading.Event()

    def tell(number: int, frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, tell)
    unsubscribe = stack.subscribe(listener)
    try:
        stack.start()
        if not stack.is_owner:
            return 1
        # A wait without end would keep Python from running the signal's handler.
        while not told.wait(1.0):
            pass
    finally:
        stack.stop()
        unsubscribe()
    return 0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        stack = Stack(Workspace.load(sys.argv[1]), kind=KIND)
        return run(stack, lambda status: logging.info("%s: %s. %s", status.service, status.state, status.sentence))
    except (StackError, WorkspaceError) as error:
        logging.error("%s", error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
