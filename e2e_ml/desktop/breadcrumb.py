"""A `Ref` as the path of what contains it, each part clickable: `flights / hourly_weather / gusty`."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QMouseEvent
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


class _Part(ElidedLabel):
    clicked = Signal()

    def mouseReleaseEvent(self, ev: QMouseEvent) -> None:
        if ev.button() is Qt.MouseButton.LeftButton and self.rect().contains(ev.position().toPoint()):
            self.clicked.emit()


class Breadcrumb(QWidget):
    chosen = Signal(object)  # the Ref of the part that was clicked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("breadcrumb")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        self._ref: Ref | None = None
        self._shown: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def text(self) -> str:
        """What it shows, for tests and for those who read screens."""
        return " / ".join(self._shown)

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

    def show_text(self, text: str) -> None:
        self._ref = None
        self._fill([(text, None)] if text else [])

    def _fill(self, parts: list[tuple[str, Ref | None]]) -> None:
        names = tuple(name for name, _ in parts)
        if names == self._shown:
            return
        self._shown = names
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
        self._row.addStretch(1)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._ref is None:
            return
        menu = QMenu(self)
        name, uri = self._ref.name, str(self._ref)
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy name", lambda: clipboard.setText(name))
        menu.addAction("Copy reference", lambda: clipboard.setText(uri))
        menu.exec(event.globalPos())
