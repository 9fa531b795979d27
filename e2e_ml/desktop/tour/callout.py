"""The bubble that tells a step, beside the part of the window that it talks about."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.theme import GRID
from e2e_ml.desktop.tour.story import Step

WIDTH = 344  # px
MARGIN = 2 * GRID


def place(anchor: QRect, bubble: QSize, room: QRect) -> QPoint:
    """Where the bubble's top left goes: beside `anchor` where there is room, else inside its lower corner.

    Tried in this order: right, left, below, above of the anchor; below and above first of what stands in the middle;
    always within `room`. Beside something tall it stands low, where pages and panels say least.
    """
    w, h = bubble.width(), bubble.height()
    level = anchor.center().y() - h // 2 if anchor.height() < room.height() // 2 else anchor.bottom() - h - GRID
    sides = [QPoint(anchor.right() + MARGIN, level), QPoint(anchor.left() - MARGIN - w, level)]
    ends = [
        QPoint(anchor.center().x() - w // 2, anchor.bottom() + MARGIN),
        QPoint(anchor.center().x() - w // 2, anchor.top() - MARGIN - h),
    ]
    in_the_middle = abs(anchor.center().x() - room.center().x()) < room.width() // 8
    candidates = [*ends, *sides] if in_the_middle and anchor.height() < room.height() // 2 else [*sides, *ends]
    inner = room.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    for point in candidates:
        if inner.left() <= point.x() <= inner.right() - w:
            y = min(max(point.y(), inner.top()), inner.bottom() - h)
            if not QRect(QPoint(point.x(), y), bubble).intersects(anchor):
                return QPoint(point.x(), y)
    x = min(max(anchor.right() - w - MARGIN, inner.left()), inner.right() - w)
    y = min(max(anchor.bottom() - h - MARGIN, inner.top()), inner.bottom() - h)
    return QPoint(x, y)


class Callout(QWidget):
    """A card over the window: step number, title, text, and the keys that lead on. Emits what the person wants."""

    next_requested = Signal()
    back_requested = Signal()
    end_requested = Signal()

    def __init__(self, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setObjectName("tourCallout")
        self.setAccessibleName("Guided tour")
        self._appearance = appearance
        self._anchor = QRect()
        self._number, self._title, self._text = QLabel(self), QLabel(self), QLabel(self)
        self._text.setWordWrap(True)
        self._title.setWordWrap(True)
        self._back = QPushButton("Back", self)
        self._next = QPushButton("Next", self)
        self._end = QPushButton("End tour", self)
        self._back.clicked.connect(self.back_requested)
        self._next.clicked.connect(self.next_requested)
        self._end.clicked.connect(self.end_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addWidget(self._end)
        buttons.addStretch(1)
        buttons.addWidget(self._back)
        buttons.addWidget(self._next)
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(GRID // 2)
        for widget in (self._number, self._title, self._text):
            layout.addWidget(widget)
        layout.addSpacing(GRID)
        layout.addLayout(buttons)
        appearance.changed.connect(self._dress)
        self._dress()
        self.hide()

    def show_step(self, step: Step, number: int, count: int, anchor: QRect, *, status: str = "") -> None:
        """Tell `step` beside `anchor` (in the parent's coordinates). `status` says what is still awaited."""
        self._anchor = anchor
        self._number.setText(f"{number} of {count}" + (f"  ·  {status}" if status else ""))
        self._title.setText(step.title)
        self._text.setText(step.text)
        self._back.setEnabled(number > 1)
        self._next.setText("Done" if number == count else "Next")
        for label in (self._number, self._title, self._text):
            label.ensurePolished()  # its font comes with the style sheet, and its height from its font
        self._column.activate()
        self.setFixedSize(WIDTH, self._column.totalHeightForWidth(WIDTH))
        self.move(place(anchor, self.size(), self._window.rect()))
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._appearance.theme
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.accent), 1.5))
        painter.setBrush(QColor(theme.panel))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), GRID, GRID)

    def _dress(self) -> None:
        theme = self._appearance.theme
        self._number.setStyleSheet(f"color: {theme.dim}; font-size: 11px")
        self._title.setStyleSheet(f"color: {theme.ink}; font-size: 17px; font-weight: 600")
        self._text.setStyleSheet(f"color: {theme.ink}; font-size: 13px")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.update()
