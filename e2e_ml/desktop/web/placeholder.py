"""What a web view shows while its page cannot be: the service's state in words, since when, its last lines, a retry."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.statedot import StateDot
from e2e_ml.desktop.theme import GRID
from e2e_ml.stack.service import State, Status

_HEADLINES = {
    State.STOPPED: "{} is stopped",
    State.STARTING: "{} is starting",
    State.UP: "Opening {}",
    State.UNREACHABLE: "{} does not answer",
    State.FAILED: "{} has failed",
    State.STOPPING: "{} is stopping",
}
_TRY = {State.STOPPED: "Start", State.FAILED: "Start again", State.UNREACHABLE: "Try again"}
WIDEST = 520  # px
_LOG_LINES = 12


class Placeholder(QWidget):
    retry = Signal()

    def __init__(self, title: str, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("placeholder")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = title
        self._since: datetime | None = None
        self._dot = StateDot(appearance, self)
        self.headline = _label("placeholderTitle", wrap=True)
        self._when = _label("placeholderWhen")
        self.sentence = _label("placeholderSentence", wrap=True)
        self._progress = QProgressBar(self)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(4)
        self._log = QPlainTextEdit(self)
        self._log.setObjectName("placeholderLog")
        self._log.setReadOnly(True)
        self._log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._log.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._log.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.button = QPushButton("Try again", self)
        self.button.setObjectName("primary")
        self.button.clicked.connect(self.retry)

        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self._dot)
        head.addWidget(self.headline, 1)
        column = QVBoxLayout()
        column.setSpacing(GRID)
        column.addLayout(head)
        column.addWidget(self._when)
        column.addWidget(self._progress)
        column.addSpacing(GRID // 2)
        column.addWidget(self.sentence)
        column.addWidget(self._log)
        buttons = QHBoxLayout()
        buttons.addWidget(self.button)
        buttons.addStretch(1)
        column.addSpacing(GRID // 2)
        column.addLayout(buttons)
        card = QWidget(self)
        card.setObjectName("placeholderCard")
        card.setLayout(column)
        card.setMaximumWidth(WIDEST)
        column.setContentsMargins(0, 0, 0, 0)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        outer.addStretch(2)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(card, 100)
        across.addStretch(1)
        outer.addLayout(across)
        outer.addStretch(3)

        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self.show_status(None)

    @property
    def log_text(self) -> str:
        """The service's last lines as they are shown; empty while hidden."""
        return "" if self._log.isHidden() else self._log.toPlainText()

    def show_status(self, status: Status | None) -> None:
        """Say how the service is; None: nothing has been heard of it yet."""
        if status is None:
            self._say(State.STARTING, f"Waiting for {self._title}", "The stack is coming up behind this window.", None)
            self._show_log(())
            self.button.hide()
            self._progress.show()
            self._progress.setRange(0, 0)
            return
        opening = status.state is State.UP  # the service has been up for long; its page is what is waited for
        since = None if opening else status.since
        self._say(status.state, _HEADLINES[status.state].format(self._title), status.sentence, since)
        self._show_log(() if opening else status.log_tail)
        busy = status.state in (State.STARTING, State.UP, State.STOPPING)
        self._progress.setVisible(busy)
        if status.progress is None:
            self._progress.setRange(0, 0)
        else:
            self._progress.setRange(0, 100)
            self._progress.setValue(round(status.progress * 100))
        self.button.setVisible(status.state in _TRY)
        self.button.setText(_TRY.get(status.state, "Try again"))

    def show_trouble(self, headline: str, sentence: str, button: str = "Load again") -> None:
        """The service is there and its page is not: a crash, a refused login, a broken load."""
        self._say(State.FAILED, headline, sentence, datetime.now(UTC))
        self._progress.hide()
        self._show_log(())
        self.button.setText(button)
        self.button.show()

    def _say(self, state: State, headline: str, sentence: str, since: datetime | None) -> None:
        self._dot.show_state(state)
        self.headline.setText(headline)
        self.sentence.setText(sentence)
        self._since = since
        self._clock.start()
        self._tick()

    def _show_log(self, lines: tuple[str, ...]) -> None:
        text = "\n".join(lines[-_LOG_LINES:])
        if text != self._log.toPlainText():
            self._log.setPlainText(text)
            bar = self._log.verticalScrollBar()
            bar.setValue(bar.maximum())
        self._log.setVisible(bool(text))
        self._log.ensurePolished()  # the style sheet's font, not the default one, gives the height
        rows = min(max(text.count("\n") + 1, 1), _LOG_LINES)
        self._log.setFixedHeight(rows * self._log.fontMetrics().lineSpacing() + 3 * GRID)

    def _tick(self) -> None:
        if self._since is None:
            self._when.setText("")
        else:
            seconds = max(0, round((datetime.now(UTC) - self._since).total_seconds()))
            self._when.setText(f"for {words.duration(seconds)}" if seconds else "just now")
            self._when.setToolTip(words.exact(self._since))
        self._when.setVisible(self._since is not None)
        if not self.isVisible():
            self._clock.stop()

    def showEvent(self, event: object) -> None:
        self._clock.start()
        self._tick()


def _label(name: str, *, wrap: bool = False) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(wrap)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
