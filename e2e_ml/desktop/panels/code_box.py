"""A piece of code in a panel: read-only, as high as its lines, broken where code is broken."""

from __future__ import annotations

import re

from PySide6.QtCore import QMimeData, QSize, Qt
from PySide6.QtGui import QFocusEvent, QResizeEvent, QTextCursor, QTextOption
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

_BREAK = "\u200b"  # a place where a line may end; it has no width and is never copied
_CHAINED = re.compile(r"(?<=\))(?=\.)")  # before a method that is called on a call
_PADDING = 4  # px inside the frame, above and below


class CodeBox(QTextEdit):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "code")
        self.setReadOnly(True)
        self.setAcceptRichText(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(_PADDING)
        self._code = ""

    def text(self) -> str:
        """The code as it was given."""
        return self._code

    def setText(self, text: str) -> None:
        if text != self._code:  # the same news again must not take a selection away
            self._code = text
            self.setPlainText(_CHAINED.sub(_BREAK, text))
            self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(40, 20)

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        data.setText(self.textCursor().selection().toPlainText().replace(_BREAK, ""))
        return data

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() is not Qt.FocusReason.PopupFocusReason:
            self.moveCursor(QTextCursor.MoveOperation.Start)  # a selection that is left behind looks like a mark

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.ensurePolished()  # the style sheet's font gives the height
        self.setFixedHeight(round(self.document().size().height()) + 2)
