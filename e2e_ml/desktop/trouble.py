"""A window for a workspace that cannot be opened: which file, which line, what to do, and another try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from e2e_ml.desktop.theme import GRID
from e2e_ml.festaf import DefinitionError, FeatureStoreError
from e2e_ml.settings_file import Problem
from e2e_ml.workspace import Workspace, WorkspaceError

Refusal = WorkspaceError | FeatureStoreError
WIDTH = 600  # px


class Trouble(QDialog):
    """Accepted once the workspace can be loaded: it is in `workspace` then."""

    def __init__(self, error: Refusal, again: Callable[[], Workspace]) -> None:
        super().__init__()
        self.workspace: Workspace | None = None
        self._again = again
        self.setWindowTitle("e2e-ml")
        title = QLabel("This workspace cannot be opened", self)
        title.setObjectName("troubleTitle")
        self.file = QLabel(self)
        self.file.setObjectName("troubleFile")
        self.sentences = QLabel(self)
        for label in (self.file, self.sentences):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setFixedWidth(WIDTH - 6 * GRID)  # so that the height follows from the words
        self.edit = QPushButton("Open the file", self)
        self.edit.clicked.connect(self._edit)
        leave = QPushButton("Quit", self)
        leave.clicked.connect(self.reject)
        self.retry = QPushButton("Try again", self)
        self.retry.setObjectName("primary")
        self.retry.setDefault(True)
        self.retry.clicked.connect(self.try_again)
        buttons = QHBoxLayout()
        buttons.addWidget(self.edit)
        buttons.addStretch(1)
        buttons.addWidget(leave)
        buttons.addWidget(self.retry)
        column = QVBoxLayout(self)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(title)
        column.addWidget(self.file)
        column.addSpacing(GRID)
        column.addWidget(self.sentences)
        column.addSpacing(2 * GRID)
        column.addLayout(buttons)
        self._say(error)

    def _say(self, error: Refusal) -> None:
        self._file = _file(error)
        self.file.setText(str(self._file or ""))
        self.file.setVisible(self._file is not None)
        self.edit.setVisible(self._file is not None and self._file.is_file())
        self.sentences.setText(_sentences(error))

    def _edit(self) -> None:
        if self._file is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._file)))

    def try_again(self) -> None:
        try:
            self.workspace = self._again()
        except (WorkspaceError, FeatureStoreError) as error:
            self._say(error)
        else:
            self.accept()


def _file(error: Refusal) -> Path | None:
    """The file that a person has to look at."""
    if isinstance(error, WorkspaceError):
        return error.problems[0].file if error.problems else None
    if isinstance(error, DefinitionError) and error.place is not None:
        return Path(error.place.file)
    return None


def _sentences(error: Refusal) -> str:
    """Each problem with its line and field; the file's name stands above them all."""
    if isinstance(error, WorkspaceError) and error.problems:
        return "\n\n".join(map(_of_file, _by_line(error.problems)))
    if isinstance(error, DefinitionError) and error.place is not None:
        named = ".".join(part for part in (error.place.owner, error.field) if part)
        head = f"Line {error.place.line}{f', {named}' if named else ''}"
        return f"{head}\n{error.sentence[:1].upper()}{error.sentence[1:]}"
    return str(error)


def _by_line(problems: Sequence[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line or 0)


def _of_file(problem: Problem) -> str:
    head = ", ".join(part for part in (f"Line {problem.line}" if problem.line else "", problem.field or "") if part)
    return f"{head}\n{problem.sentence}" if head else problem.sentence
