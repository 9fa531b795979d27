"""Labels whose words are links: `Span`s rendered as rich text, one tooltip a word, a click gives the `Ref`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels.spans import Span
from e2e_ml.desktop.theme import Theme
from e2e_ml.refs import Ref

_TIP = "tip:"


def html(lines: Iterable[Sequence[Span]], theme: Theme) -> str:
    """The lines as Qt rich text. A word with a tooltip alone is a link that goes nowhere and looks like text."""
    return "<br>".join("".join(_span(span, theme) for span in line) for line in lines)


def _span(span: Span, theme: Theme) -> str:
    text = escape(span.text)
    if span.ref is not None:
        return f'<a href="{escape(str(span.ref))}" style="color:{theme.accent};text-decoration:none">{text}</a>'
    colour = theme.dim if span.dim else theme.ink
    if span.tip:
        return f'<a href="{_TIP}{escape(span.tip)}" style="color:{colour};text-decoration:none">{text}</a>'
    return f'<span style="color:{colour}">{text}</span>' if span.dim else text


class RichLabel(QLabel):
    """Lines of spans; `chosen` carries the `Ref` of the link that was clicked or entered by keyboard."""

    chosen = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self._lines: tuple[tuple[Span, ...], ...] = ()
        self._heights: dict[int, int] = {}  # by width
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.linkActivated.connect(self._activate)
        self.linkHovered.connect(self._hover)
        appearance.changed.connect(self._render)

    @property
    def lines(self) -> tuple[tuple[Span, ...], ...]:
        return self._lines

    @property
    def plain(self) -> str:
        return "\n".join("".join(span.text for span in line) for line in self._lines)

    @property
    def links(self) -> dict[str, Ref]:
        """The links by the words they stand on."""
        return {span.text: span.ref for line in self._lines for span in line if span.ref is not None}

    def show_lines(self, lines: Iterable[Sequence[Span]]) -> None:
        told = tuple(tuple(line) for line in lines)
        if told != self._lines:  # the same news again must not take a selection away
            self._lines = told
            self._render()

    # A layout asks for the height dozens of times, and each time the toolkit would lay the text out. How wide the text
    # would like to be is nobody's business: it takes what there is.

    def heightForWidth(self, width: int) -> int:
        height = self._heights.get(width)
        if height is None:
            height = self._heights[width] = super().heightForWidth(width)
        return height

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint() if self.wordWrap() else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self.fontMetrics().height()) if self.wordWrap() else super().minimumSizeHint()

    def changeEvent(self, event: QEvent) -> None:
        self._heights.clear()
        super().changeEvent(event)

    def _render(self) -> None:
        self._heights.clear()
        self.setText(html(self._lines, self._appearance.theme))
        self.setAccessibleName(self.plain)

    def _activate(self, link: str) -> None:
        if not link.startswith(_TIP):
            self.chosen.emit(Ref.parse(link))

    def _hover(self, link: str) -> None:
        if not link:
            QToolTip.hideText()
            return
        is_tip = link.startswith(_TIP)
        self.setCursor(Qt.CursorShape.ArrowCursor if is_tip else Qt.CursorShape.PointingHandCursor)
        tip = link.removeprefix(_TIP) if is_tip else self._tip_of(link)
        QToolTip.showText(QCursor.pos(), tip, self)

    def _tip_of(self, link: str) -> str:
        ref = Ref.parse(link)
        tips = [span.tip for line in self._lines for span in line if span.ref == ref and span.tip]
        return tips[0] if tips else f"{ref.kind}: {ref.name}"
