"""What has gone wrong, in lines that stay under the top bar until the person dismisses them or it is well again.

A line for each subject ("demo", "mlflow", "session", ...): what is told of one takes the place of what was told before.
What was dismissed comes back only when there is something else to tell.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.statedot import StateDot
from e2e_ml.desktop.theme import GRID
from e2e_ml.stack.service import State

Act = Callable[[], object]


class Line(QWidget):
    """One subject: a headline, the whole sentence, and what can be done about it."""

    dismissed = Signal()

    def __init__(
        self,
        headline: str,
        sentence: str,
        button: str,
        act: Act | None,
        appearance: Appearance,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("noticeLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        dot = StateDot(appearance, self)
        dot.show_state(State.FAILED)
        title = QLabel(headline, self)
        title.setObjectName("noticeTitle")
        title.setTextFormat(Qt.TextFormat.PlainText)
        self.text = QLabel(sentence, self)
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.headline, self.sentence = headline, sentence
        self.button = QPushButton(button, self)
        self.button.setVisible(act is not None)
        if act is not None:
            self.button.clicked.connect(self.dismissed)
            self.button.clicked.connect(lambda: act())
        self.dismiss = QPushButton("Dismiss", self)
        self.dismiss.setObjectName("quiet")
        self.dismiss.clicked.connect(self.dismissed)
        top = Qt.AlignmentFlag.AlignTop
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, GRID // 2, GRID, GRID // 2)
        row.setSpacing(GRID)
        words = QHBoxLayout()
        words.setContentsMargins(0, 6, 0, 6)  # on the line of the buttons' words
        words.setSpacing(GRID)
        mark = QVBoxLayout()
        mark.setContentsMargins(0, 3, 0, 0)
        mark.addWidget(dot)
        mark.addStretch(1)
        words.addLayout(mark)
        words.addWidget(title, 0, top)
        words.addWidget(self.text, 1, top)
        row.addLayout(words, 1)
        row.addWidget(self.button, 0, top)
        row.addWidget(self.dismiss, 0, top)


class Notices(QWidget):
    """The lines, newest last; without any it takes no room."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self._dismissed: dict[str, str] = {}
        self.lines: dict[str, Line] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.hide()

    def tell(self, subject: str, headline: str, sentence: str, button: str = "", act: Act | None = None) -> None:
        """Say what is wrong with a subject. `act` is called by the button, which takes the line away too."""
        known = self.lines.get(subject)
        if self._dismissed.get(subject) == sentence or (known is not None and known.sentence == sentence):
            return
        self.take_back(subject)
        line = Line(headline, sentence, button, act, self._appearance, self)
        line.dismissed.connect(lambda: self._dismiss(subject))
        self.lines[subject] = line
        self._column.addWidget(line)
        self.show()

    def take_back(self, subject: str) -> None:
        """It is well again, or something else is to be told: what was dismissed may be told once more."""
        self._dismissed.pop(subject, None)
        self._remove(subject)

    def _dismiss(self, subject: str) -> None:
        if (line := self.lines.get(subject)) is not None:
            self._dismissed[subject] = line.sentence
        self._remove(subject)

    def _remove(self, subject: str) -> None:
        if (line := self.lines.pop(subject, None)) is not None:
            self._column.removeWidget(line)
            line.hide()
            line.deleteLater()
        self.setVisible(bool(self.lines))
