"""The page of a stage that is not built yet: which questions it will answer, and where to look until then."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from e2e_ml.desktop.stages import Promise
from e2e_ml.desktop.theme import GRID

WIDEST = 720  # px


class PromisePage(QScrollArea):
    go_to = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("promise")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)

    def show_promise(self, promise: Promise) -> None:
        page = QWidget()
        page.setObjectName("promisePage")
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(_label("Coming to this stage", "promiseEyebrow"))
        column.addWidget(_label(promise.headline, "promiseTitle"))
        column.addWidget(_label(promise.sentence, "promiseSentence"))
        column.addSpacing(2 * GRID)
        grid = QGridLayout()
        grid.setSpacing(2 * GRID)
        for number, (question, answer) in enumerate(promise.questions):
            card = QFrame()
            card.setObjectName("promiseCard")
            inside = QVBoxLayout(card)
            inside.setContentsMargins(2 * GRID, 2 * GRID - 2, 2 * GRID, 2 * GRID)
            inside.setSpacing(GRID // 2)
            inside.addWidget(_label(question, "promiseQuestion"))
            inside.addWidget(_label(answer, "promiseAnswer"))
            inside.addStretch(1)
            grid.addWidget(card, number // 2, number % 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        column.addLayout(grid)
        column.addSpacing(GRID)
        foot = QHBoxLayout()
        foot.addWidget(_label(promise.meanwhile, "promiseSentence"), 1)
        button = QPushButton(f"Go to {promise.go_to}")
        button.setObjectName("primary")
        button.clicked.connect(lambda: self.go_to.emit(promise.go_to))
        foot.addWidget(button)
        column.addLayout(foot)
        body = QWidget()
        body.setLayout(column)
        body.setMaximumWidth(WIDEST)
        outer = QVBoxLayout(page)
        outer.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(body, 100)
        across.addStretch(1)
        outer.addStretch(1)
        outer.addLayout(across)
        outer.addStretch(2)
        self.setWidget(page)


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
