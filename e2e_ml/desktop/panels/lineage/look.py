"""Fonts, widths of text and colours, made once for a theme and a font, for everything that paints the drawing."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPen

from e2e_ml.desktop.panels import marks
from e2e_ml.desktop.theme import Theme
from e2e_ml.lineage.graph import Evidence

_KEPT = 20_000  # texts whose width is remembered
# How a line is dashed, in widths of the pen. Declared: not at all.
DASHES: dict[Evidence, list[float]] = {Evidence.OBSERVED: [9, 3], Evidence.INFERRED: [3, 3.5]}


class Look:
    def __init__(self, theme: Theme, base: QFont) -> None:
        self.theme, self.base = theme, QFont(base)
        self._fonts: dict[tuple[int, bool], tuple[QFont, QFontMetricsF]] = {}
        self._widths: dict[tuple[str, int, bool], float] = {}
        self._cut: dict[tuple[str, int, bool, int], str] = {}
        self._colours: dict[str, QColor] = {}

    def again(self) -> Look:
        """The same, for another thread: metrics are not shared between threads."""
        return Look(self.theme, self.base)

    def font(self, pixels: int, *, bold: bool = False) -> QFont:
        return self._font(pixels, bold)[0]

    def _font(self, pixels: int, bold: bool) -> tuple[QFont, QFontMetricsF]:
        found = self._fonts.get((pixels, bold))
        if found is None:
            font = marks.font(self.base, pixels, QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
            found = self._fonts[pixels, bold] = font, QFontMetricsF(font)
        return found

    def width(self, text: str, pixels: int, *, bold: bool = False) -> float:
        key = text, pixels, bold
        found = self._widths.get(key)
        if found is None:
            if len(self._widths) > _KEPT:
                self._widths.clear()
            found = self._widths[key] = self._font(pixels, bold)[1].horizontalAdvance(text)
        return found

    def cut(self, text: str, pixels: int, room: float, *, bold: bool = False) -> str:
        """`text` in at most `room` px; what is cut is cut in the middle."""
        if self.width(text, pixels, bold=bold) <= room + 0.5:
            return text
        key = text, pixels, bold, int(room)
        found = self._cut.get(key)
        if found is None:
            if len(self._cut) > _KEPT:
                self._cut.clear()
            found = self._font(pixels, bold)[1].elidedText(text, Qt.TextElideMode.ElideMiddle, room + 0.5)
            self._cut[key] = found
        return found

    def colour(self, name: str) -> QColor:
        """The theme's colour of this name."""
        found = self._colours.get(name)
        if found is None:
            found = self._colours[name] = QColor(getattr(self.theme, name))
        return found

    def line(self, evidence: Evidence, *, lit: bool, turned: bool) -> QPen:
        pen = QPen(self.colour("accent" if lit else "dim"), 1.7 if lit else 1.1)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        if turned:
            pen.setDashPattern([0.6, 2.6])
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        elif evidence in DASHES:
            pen.setDashPattern(DASHES[evidence])
        return pen
