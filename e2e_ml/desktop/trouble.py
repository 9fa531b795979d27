"""A window for a workspace that cannot be opened: which file, which line, what to do, and another try."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from e2e_ml.desktop.theme import GRID
from e2e_ml.workspace import Workspace, WorkspaceError


class Trouble(QDialog):
    """Accepted once the workspace can be loaded: it is in `workspace` then."""

    def __init__(self, error: WorkspaceError, again: Callable[[], Workspace]) -> None:
        super().__init__()
        self.workspace: Workspace | None = None
        self._again = again
        self.setWindowTitle("e2e-ml")
        self.setMinimumWidth(560)
        title = QLabel("This workspace cannot be opened", self)
        title.setObjectName("troubleTitle")
        self.sentences = QLabel(self)
        self.sentences.setWordWrap(True)
        self.sentences.setTextFormat(Qt.TextFormat.PlainText)
        self.sentences.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._file = error.problems[0].file if error.problems else None
        edit = QPushButton("Open the file", self)
        edit.clicked.connect(self._edit)
        edit.setVisible(self._file is not None and self._file.exists())
        leave = QPushButton("Quit", self)
        leave.clicked.connect(self.reject)
        self.retry = QPushButton("Try again", self)
        self.retry.setObjectName("primary")
        self.retry.setDefault(True)
        self.retry.clicked.connect(self.try_again)
        buttons = QHBoxLayout()
        buttons.addWidget(edit)
        buttons.addStretch(1)
        buttons.addWidget(leave)
        buttons.addWidget(self.retry)
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        column.setSpacing(2 * GRID)
        column.addWidget(title)
        column.addWidget(self.sentences)
        column.addStretch(1)
        column.addLayout(buttons)
        self._say(error)

    def _say(self, error: WorkspaceError) -> None:
        self.sentences.setText(str(error))

    def _edit(self) -> None:
        if self._file is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._file)))

    def try_again(self) -> None:
        try:
            self.workspace = self._again()
        except WorkspaceError as error:
            self._say(error)
        else:
            self.accept()
