"""A `Ref` as the path of what contains it, each part clickable: `flights / hourly_weather / gusty`.

A page that shows no single thing has its words there instead, and beside them what follows from that, in a `Remark`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSizePolicy, QWidget

from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.refs import Kind, Ref

CHAIN = 6  # a chain of containers is never longer


def chain(ref: Ref) -> list[Ref]:
    """`ref` and what contains it, outermost first."""
    found: list[Ref] = [ref]
    while (up := found[0].parent) is not None and len(found) < CHAIN:
        found.insert(0, up)
    return found


def own_name(ref: Ref, known: str | None, *, whole: bool) -> str:
    """The last part: what people call it, and for a version its number, with its model where that is not shown."""
    if ref.kind is Kind.MODEL_VERSION:
        return f"v{ref.name}" if whole else f"{ref.keys[0]} v{ref.name}"
    return known or ref.name


@dataclass(frozen=True, slots=True)
class Remark:
    """Quiet words beside a place: the longest of `phrases` that there is room for, all of it when one rests on it."""

    phrases: tuple[str, ...]  # the longest first
    whole: str
    leads_back: bool = False  # whether a click on it does something


class _Part(ElidedLabel):
    clicked = Signal()

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        if ev.button() is Qt.MouseButton.LeftButton and self.rect().contains(ev.position().toPoint()):
            self.clicked.emit()


class _RemarkLabel(_Part):
    def __init__(self, remark: Remark, parent: QWidget) -> None:
        super().__init__(remark.phrases[-1], parent)
        self._remark = remark
        self.setObjectName("crumb")
        self.setAccessibleName(remark.whole)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        if remark.leads_back:
            self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        width = max(self.fontMetrics().horizontalAdvance(phrase) for phrase in self._remark.phrases)
        return QSize(width + 2, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        advance, phrases = self.fontMetrics().horizontalAdvance, self._remark.phrases
        self.setText(next((phrase for phrase in phrases if advance(phrase) <= event.size().width()), phrases[-1]))

    def setToolTip(self, _tip: str) -> None:
        """An elided label tells of its own words alone; this tells all, elided or not."""
        if self.toolTip() != self._remark.whole:
            super().setToolTip(self._remark.whole)


class Breadcrumb(QWidget):
    chosen = Signal(object)  # the Ref of the part that was clicked
    led_back = Signal()  # the remark was clicked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("breadcrumb")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        self._ref: Ref | None = None
        self._shown: tuple[str, ...] = ()
        self._remark: Remark | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def text(self) -> str:
        """What it shows, for tests and for those who read screens."""
        return " / ".join(self._shown)

    @property
    def remark(self) -> Remark | None:
        """What it says besides; None for most places."""
        return self._remark

    def show_ref(self, ref: Ref, name_of: Callable[[Ref], str | None] = lambda _: None, *, whole: bool = True) -> None:
        """Show where `ref` lies; `name_of` gives what people call each part, where that is not its id.

        Without `whole` its own name alone, where the pane is narrow.
        """
        parts = chain(ref)
        if not whole:
            parts = parts[-1:]
        names = [name_of(p) or p.name for p in parts[:-1]] + [own_name(ref, name_of(ref), whole=whole)]
        self._fill(list(zip(names, parts, strict=True)))
        self._ref = ref

    def show_text(self, text: str, remark: Remark | None = None) -> None:
        self._ref = None
        self._fill([(text, None)] if text else [], remark)

    def _fill(self, parts: list[tuple[str, Ref | None]], remark: Remark | None = None) -> None:
        names = tuple(name for name, _ in parts)
        if (names, remark) == (self._shown, self._remark):
            return
        self._shown, self._remark = names, remark
        while (item := self._row.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for number, (name, ref) in enumerate(parts):
            if number:
                slash = QLabel("/", self)
                slash.setObjectName("crumbSlash")
                self._row.addWidget(slash)
            is_last = number == len(parts) - 1
            part = _Part(name, self)
            part.setObjectName("crumbLast" if is_last else "crumb")
            if ref is not None and not is_last:
                part.setCursor(Qt.CursorShape.PointingHandCursor)
                part.clicked.connect(lambda ref=ref: self.chosen.emit(ref))
            self._row.addWidget(part)
        if remark is None:
            self._row.addStretch(1)
        else:
            self._remark_on(remark, after_a_name=bool(parts))

    def _remark_on(self, remark: Remark, *, after_a_name: bool) -> None:
        if after_a_name:
            dot = QLabel("·", self)
            dot.setObjectName("crumbSlash")
            dot.setContentsMargins(0, 0, 2, 0)  # as much as a name has after it
            self._row.addWidget(dot)
        label = _RemarkLabel(remark, self)
        if remark.leads_back:
            label.clicked.connect(self.led_back)
        self._row.addWidget(label, 1)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._ref is None:
            return
        menu = QMenu(self)
        name, uri = self._ref.name, str(self._ref)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy name", lambda: clipboard.setText(name))
        menu.addAction("Copy reference", lambda: clipboard.setText(uri))
        menu.exec(event.globalPos())
