"""The services with their states: what runs, since when, where it listens, and the last lines that it wrote.

It shows `stack.service.Status` values as they come; what a button asks for is a signal, answered by the window.
"""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.panels import marks, words
from e2e_ml.desktop.panels.signs import Tone
from e2e_ml.desktop.theme import GRID
from e2e_ml.stack.service import State, Status

TITLES = {"airflow": "Airflow", "festaf": "Feature store", "mlflow": "MLflow"}
TONES = {
    State.UP: Tone.OK,
    State.STARTING: Tone.LIVE,
    State.STOPPING: Tone.LIVE,
    State.STOPPED: Tone.QUIET,
    State.UNREACHABLE: Tone.WARN,
    State.FAILED: Tone.BAD,
}
_LOG_LINES = 6  # of the tail, seen without scrolling
_TICK = 10_000  # ms; "since" grows old
_RUNNING = (State.UP, State.STARTING)


class Mark(QWidget):
    """A tone's shape as a widget."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self.tone = Tone.QUIET
        self.setFixedSize(10, 10)
        appearance.changed.connect(self.update)

    def show_tone(self, tone: Tone) -> None:
        self.tone = tone
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        marks.draw_mark(painter, QRectF(1, 1, 8, 8), self.tone, self._appearance.theme)
        painter.end()


class ServiceCard(QFrame):
    start_requested = Signal(str)
    stop_requested = Signal(str)
    open_log_requested = Signal(str)

    def __init__(self, service: str, appearance: Appearance, clock: words.Clock, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("serviceCard")
        self._service, self._clock = service, clock
        self.status: Status | None = None

        self.mark = Mark(appearance, self)
        title = QLabel(TITLES.get(service, service), self)
        title.setProperty("role", "strong")
        self.state = _label(self, "state")
        self.version = _label(self, "dim")
        self.sentence = _label(self, "")
        self.sentence.setWordWrap(True)
        self.where = ElidedLabel(parent=self)
        self.where.setProperty("role", "small")
        self.where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.progress = QProgressBar(self)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(3)
        self.log = QPlainTextEdit(self)
        self.log.setObjectName("logTail")
        self.log.setReadOnly(True)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.log.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.log.setAccessibleName(f"Last lines of the log of {TITLES.get(service, service)}")
        self.start = self._button("Start", self.start_requested)
        self.stop = self._button("Stop", self.stop_requested)
        self.open_log = self._button("Open log", self.open_log_requested)

        head = QHBoxLayout()
        head.setSpacing(GRID)
        for part in (self.mark, title, self.version):
            head.addWidget(part)
        head.addStretch(1)
        for button in (self.open_log, self.start, self.stop):
            head.addWidget(button)
        under = QHBoxLayout()
        under.setSpacing(GRID)
        under.addWidget(self.state)
        under.addWidget(self.where, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, GRID + 4, 2 * GRID, GRID + 4)
        column.setSpacing(GRID - 2)
        column.addLayout(head)
        column.addLayout(under)
        column.addWidget(self.progress)
        column.addWidget(self.sentence)
        column.addWidget(self.log)

    def _button(self, text: str, signal: object) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setProperty("role", "quiet")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda: signal.emit(self._service))  # type: ignore[attr-defined]
        return button

    def show_status(self, status: Status) -> None:
        self.status = status
        tone = TONES[status.state]
        self.mark.show_tone(tone)
        self.state.setProperty("tone", tone.value)
        self.state.style().polish(self.state)
        self.version.setText(status.version or "")
        self.sentence.setText(status.sentence)
        self.sentence.setVisible(bool(status.sentence))
        waiting = status.state in (State.STARTING, State.STOPPING)
        self.progress.setVisible(waiting)
        self.progress.setRange(0, 0 if status.progress is None else 100)
        self.progress.setValue(round((status.progress or 0) * 100))
        self.where.setText(status.url or "")
        self._show_log(status)
        running = status.state in _RUNNING
        # A stopped or failed service can be started; an attached one that is silent can be asked again.
        self.start.setText("Try again" if status.state in (State.UNREACHABLE, State.FAILED) else "Start")
        self.start.setVisible(not running and status.state is not State.STOPPING)
        self.stop.setVisible(running and bool(status.pids))
        self.tell_time()

    def _show_log(self, status: Status) -> None:
        lines = list(status.log_tail)
        self.log.setVisible(bool(lines) and status.state is not State.UP)
        self.open_log.setVisible(bool(lines) or bool(status.pids))
        if lines and self.log.toPlainText() != "\n".join(lines):
            self.log.setPlainText("\n".join(lines))
            bar = self.log.verticalScrollBar()
            bar.setValue(bar.maximum())
        self.log.ensurePolished()  # the style sheet's font, not the default one, gives the height
        rows = min(max(len(lines), 1), _LOG_LINES)
        self.log.setFixedHeight(rows * self.log.fontMetrics().lineSpacing() + 2 * GRID + 2)

    def tell_time(self) -> None:
        if self.status is None:
            return
        now = self._clock()
        lasted = words.age(self.status.since, now)
        state = self.status.state.value
        self.state.setText(state if lasted == "now" else f"{state} for {lasted}")
        pids = ", ".join(map(str, self.status.pids))
        self.state.setToolTip(f"since {words.exact(self.status.since)}" + (f"\nprocess {pids}" if pids else ""))


def _label(parent: QWidget, role: str) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label


class ServicesPanel(QWidget):
    start_requested = Signal(str)  # the service's name
    stop_requested = Signal(str)
    open_log_requested = Signal(str)
    closed = Signal()

    def __init__(
        self, appearance: Appearance, parent: QWidget | None = None, *, clock: words.Clock = words.utc_now
    ) -> None:
        super().__init__(parent)
        self.setObjectName("services")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # it may stand alone, as a popup
        self._appearance, self._clock = appearance, clock
        self.cards: dict[str, ServiceCard] = {}
        self._sheet = QWidget(self)
        self._sheet.setObjectName("servicesSheet")
        self._column = QVBoxLayout(self._sheet)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.empty = QLabel("No service is known yet. A workspace names them in workbench.yaml.", self._sheet)
        self.empty.setObjectName("emptyState")
        self.empty.setWordWrap(True)
        self._column.addWidget(self.empty)
        self._column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setObjectName("servicesScroll")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._sheet)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head())
        column.addWidget(scroll)
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK)
        self._tick.timeout.connect(self._tell_time)
        self._tick.start()

    def _head(self) -> QWidget:
        head = QWidget(self)
        title = QLabel("Services", head)
        title.setProperty("role", "title")
        close = self.close_button = QToolButton(head)
        close.setObjectName("closeServices")
        close.setToolTip("Back to the inspector")
        close.setAccessibleName("Back to the inspector")
        close.setFixedSize(28, 28)
        close.clicked.connect(self.closed)

        def ink() -> None:
            close.setIcon(icon("close", self._appearance.theme.dim))

        self._appearance.changed.connect(ink)
        ink()
        row = QHBoxLayout(head)
        row.setContentsMargins(2 * GRID, GRID + 4, GRID + 4, 0)
        row.addWidget(title, 1)
        row.addWidget(close)
        return head

    def sizeHint(self) -> QSize:
        return QSize(420, min(max(self._sheet.sizeHint().height(), 160), 560))

    def update_status(self, status: Status) -> None:
        """Show one moment of one service; a service never heard of before gets a card, in the order of the panes."""
        card = self.cards.get(status.service)
        if card is None:
            card = ServiceCard(status.service, self._appearance, self._clock, self._sheet)
            card.start_requested.connect(self.start_requested)
            card.stop_requested.connect(self.stop_requested)
            card.open_log_requested.connect(self.open_log_requested)
            self.cards[status.service] = card
            order = sorted(self.cards, key=lambda name: (list(TITLES).index(name) if name in TITLES else 99, name))
            self._column.insertWidget(order.index(status.service), card)
            card.show()
            self.empty.hide()
        card.show_status(status)

    def _tell_time(self) -> None:
        for card in self.cards.values():
            card.tell_time()
