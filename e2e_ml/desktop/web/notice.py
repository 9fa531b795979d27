"""A line under a view's bar that asks or tells without stopping anything: a link that leads outside, a download."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from e2e_ml.desktop.theme import GRID


class Notice(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.button = QPushButton(self)
        self.button.setObjectName("primary")
        dismiss = QPushButton("Dismiss", self)
        dismiss.setObjectName("quiet")
        dismiss.clicked.connect(self.hide)
        self.button.clicked.connect(self._act)
        self._action: Callable[[], object] | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, GRID // 2, GRID, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        row.addWidget(dismiss)
        self.hide()

    def tell(self, sentence: str, button: str = "", action: Callable[[], object] | None = None) -> None:
        self.text.setText(sentence)
        self.button.setText(button)
        self.button.setVisible(action is not None)
        self._action = action
        self.show()

    def _act(self) -> None:
        self.hide()
        if self._action:
            self._action()
