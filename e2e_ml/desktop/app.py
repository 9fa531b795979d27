"""Boot and quit, in order.

    1. environment     what Chromium reads before there is a QApplication: flags, sandbox, scale
    2. application     QApplication, its name, its font; Ctrl-C and SIGTERM end it as closing the window does
    3. window          appears at once, as it was left
    4. services        the stack and the readers come up behind it
    5. loop
    6. quitting        layout saved, readers ended, services stopped (off the UI thread), pages, profiles, application

Nothing outside this file knows the order.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QCoreApplication, Qt, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from e2e_ml import resources
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.interpreter import Interpreter
from e2e_ml.desktop.panels.lineage.judging import Judging
from e2e_ml.desktop.tour.guide import guide
from e2e_ml.desktop.trouble import Refusal, Trouble
from e2e_ml.desktop.workbench import Workbench, dress
from e2e_ml.lineage import questions
from e2e_ml.stack.reading import INSTANCE, reading_of
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Workspace

log = logging.getLogger(__name__)

# What the pages of three local services do not need. https://peter.sh/experiments/chromium-command-line-switches/
_CHROMIUM = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-breakpad",
    "--no-pings",
    "--disable-features=Translate,MediaRouter,OptimizationHints,AutofillServerCommunication",
)


def prepare_environment(
    environ: dict[str, str] | os._Environ[str], *, root: bool, say: Callable[[str], object]
) -> None:
    """Phase 1. Chromium reads these once. Its sandbox cannot work as root, and is switched off then and only then."""
    flags = environ.get("QTWEBENGINE_CHROMIUM_FLAGS", "").split()
    environ["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join([*flags, *(flag for flag in _CHROMIUM if flag not in flags)])
    if root and environ.get("QTWEBENGINE_DISABLE_SANDBOX") != "1":
        environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
        say(
            "Running as root: the web engine's sandbox cannot work and is switched off for this run. "
            "Run e2e-ml as an ordinary user to keep it."
        )


def make_application(arguments: list[str]) -> QApplication:
    """Phase 2; the one there is, where an earlier window has made it."""
    known = QApplication.instance()
    if isinstance(known, QApplication):
        return known
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    QCoreApplication.setOrganizationName("e2e-ml")
    QCoreApplication.setApplicationName("e2e-ml")
    application = QApplication(arguments)
    application.setApplicationDisplayName("e2e-ml")
    application.setStyle("Fusion")  # the one style that a style sheet fully governs
    application.setWindowIcon(QIcon(str(resources.path("icons", "app.svg"))))
    return application


def ask_to_mend(error: Refusal, again: Callable[[], Workspace]) -> Workspace | None:
    """Before phase 3: say what is wrong with a workspace, until `again` gives one or the person leaves."""
    prepare_environment(os.environ, root=os.geteuid() == 0, say=_warn)
    application = make_application(sys.argv[:1])
    dress(application, Appearance(application))
    trouble = Trouble(error, again)
    return trouble.workspace if trouble.exec() else None


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def ended_by_signals(end: Callable[[], object]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `end` on the UI thread. A timer lets Python see signals while Qt runs its loop."""
    timer = QTimer()
    timer.timeout.connect(lambda: None)
    timer.start(200)
    before = {number: signal.signal(number, lambda *_: end()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        timer.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def make_workbench(workspace: Workspace, stack: Stack | None = None) -> Workbench:
    """Phase 3: the window over a workspace, with its stack and its index. Nothing is started."""
    stack = stack or Stack(workspace)
    instances = dict.fromkeys(stack.services, INSTANCE)
    reading = reading_of(workspace, stack.services)
    workbench = Workbench(
        workspace.name, workspace.state, stack, reading, instances, questions.counterparts, questions.lookup
    )
    judgements = reading.judgements
    workbench.window.lineage.judge_by(Judging(reading.judge, judgements.on, judgements.all))
    if reading.trouble:
        workbench.window.notices.tell("lineage", "What is read is not kept", reading.trouble)
    return workbench


def quit_workbench(workbench: Workbench) -> None:
    """Phase 6. The window is gone at once; services and readers end off the UI thread while the loop goes on."""
    workbench.window.hide()
    workbench.close()
    ending = workbench.operations.run("Ending", lambda: (workbench.reader.stop(), workbench.stack.stop()))
    ending.success(lambda _: QCoreApplication.quit()).failure(lambda _: QCoreApplication.quit()).start()


def run(
    workspace: Workspace, stack: Stack | None = None, *, opened: Callable[[Workbench], object] | None = None
) -> int:
    """Open `workspace` in a window and stay until it is closed; the exit code.

    `stack` is the workspace's own where none is given. `opened` is called once the window shows and its services are
    starting, e.g. to run the demo or the tour.
    """
    prepare_environment(os.environ, root=os.geteuid() == 0, say=_warn)
    application = make_application(sys.argv[:1])
    application.setQuitOnLastWindowClosed(False)  # quitting has phases
    workbench = make_workbench(workspace, stack)
    workbench.window.tour_requested.connect(lambda: guide(workbench))
    workbench.window.closing.connect(lambda: QTimer.singleShot(0, lambda: quit_workbench(workbench)))
    workbench.open()
    Interpreter(application)
    workbench.start()
    if opened is not None:
        opened(workbench)
    with ended_by_signals(workbench.window.close):
        code = application.exec()
    workbench.dispose()
    # The engine draws in threads of its own: they end before the display does, which may be a virtual one of ours.
    application.shutdown()
    return code
