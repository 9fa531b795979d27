"""The lineage as large as the middle of the window: the whole drawing, what its lines mean, and the way back."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.panels.lineage_view import LineageView
from e2e_ml.desktop.theme import GRID

HEIGHT = 44  # px, the bar above
_STROKE = 20  # px
EMPTY = "Choose anything, in the tree or with Ctrl+K: its lineage is drawn here."


class _Key(QWidget):
    """A line as the drawing has it, and the word for it."""

    def __init__(self, text: str, appearance: Appearance, parent: QWidget, *, dashed: bool = False) -> None:
        super().__init__(parent)
        self._appearance, self._dashed = appearance, dashed
        label = QLabel(text, self)
        label.setProperty("role", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(_STROKE + GRID - 2, 0, 0, 0)
        row.addWidget(label)
        appearance.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        pen = QPen(QColor(self._appearance.theme.dim), 1.4)
        if self._dashed:
            pen.setDashPattern([4, 3.5])
        painter.setPen(pen)
        y = self.height() / 2 + 0.5
        painter.drawLine(QPointF(0, y), QPointF(_STROKE, y))
        painter.end()


class LineagePage(QWidget):
    closed = Signal()  # back to what was there before

    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        parent: QWidget | None = None,
        *,
        clock: words.Clock = words.utc_now,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("lineagePage")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock
        self.back = QPushButton("Back", self)
        self.back.setToolTip("Back to the views (Esc)")
        self.back.clicked.connect(self.closed)
        self.title = ElidedLabel(parent=self)
        self.title.setObjectName("chromeTitle")
        self.view = LineageView(lifecycle, focus, appearance, self, large=True, clock=clock)
        self.smaller = self._button("\N{MINUS SIGN}", "Smaller (-)")
        self.fit = self._button("Fit", "The whole drawing (0)")
        self.larger = self._button("+", "Larger (+)")
        self.smaller.clicked.connect(lambda: self.view.zoom(1 / 1.2))
        self.fit.clicked.connect(self.view.fit)
        self.larger.clicked.connect(lambda: self.view.zoom(1.2))
        bar = QWidget(self)
        bar.setObjectName("lineageBar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setFixedHeight(HEIGHT)
        row = QHBoxLayout(bar)
        row.setContentsMargins(GRID, 0, GRID + 4, 0)
        row.setSpacing(GRID + 4)
        row.addWidget(self.back)
        row.addWidget(self.title, 1)
        row.addWidget(_Key("declared or observed", appearance, bar))
        row.addWidget(_Key("inferred", appearance, bar, dashed=True))
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID // 2)
        for button in (self.smaller, self.fit, self.larger):
            buttons.addWidget(button)
        row.addLayout(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self.view, 1)
        focus.changed.connect(self._name)
        lifecycle.changed.connect(self._name)
        appearance.changed.connect(self._ink)
        self._ink()
        self._name()

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("lineageButton")
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFixedHeight(28)
        button.setMinimumWidth(28)
        return button

    def _ink(self) -> None:
        self.back.setIcon(icon("back", self._appearance.theme.dim))
        self.back.setIconSize(QSize(14, 14))

    def _name(self) -> None:
        ref = self._focus.current
        if ref is None:
            self.title.setText(EMPTY)
            return
        self.title.setText(f"Lineage of {signs.title(self._lifecycle.graph, ref, self._clock()) or ref.name}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
            return
        super().keyPressEvent(event)
