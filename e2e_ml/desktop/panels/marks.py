"""State marks and chips, drawn the same way by the tree, the inspector, the table and the lineage."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.desktop.theme import SMALL, Theme

CHIP_HEIGHT = 18
_PAD = 7.0
_MARK = 6.0  # the mark inside a chip
_GAP = 5.0
# To join two flags takes as long as to draw a line, and a list asks for hundreds.
LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
_INK = {Tone.OK: "ok", Tone.WARN: "warn", Tone.BAD: "bad", Tone.LIVE: "accent", Tone.QUIET: "dim"}
_WASH = {Tone.OK: "ok_soft", Tone.WARN: "warn_soft", Tone.BAD: "bad_soft", Tone.LIVE: "accent_soft", Tone.QUIET: "bg"}


def ink(tone: Tone, theme: Theme) -> QColor:
    return QColor(getattr(theme, _INK[tone]))


def wash(tone: Tone, theme: Theme) -> QColor:
    """The soft background that goes with `ink`."""
    return QColor(getattr(theme, _WASH[tone]))


# A row asks for several each time it is painted; there are few bases, and to compare them costs less than their keys.
_fonts: list[tuple[QFont, dict[tuple[int, QFont.Weight], QFont]]] = []


def font(base: QFont, pixels: int, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """`base` in another size, with figures that stand in columns; copy it before you change it."""
    fonts = next((fonts for known, fonts in _fonts if known == base), None)
    if fonts is None:
        fonts = dict[tuple[int, QFont.Weight], QFont]()
        _fonts.append((QFont(base), fonts))
    made = fonts.get((pixels, weight))
    if made is None:
        made = fonts[pixels, weight] = QFont(base)
        made.setPixelSize(pixels)
        made.setWeight(weight)
        made.setFeature(QFont.Tag.fromString("tnum"), 1)
    return made


def draw_mark(painter: QPainter, box: QRectF, tone: Tone, theme: Theme) -> None:
    """The tone's shape, filling `box`: dot, square, triangle, ring, or a small hollow dot."""
    colour = ink(tone, theme)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    match tone:
        case Tone.OK:
            painter.drawEllipse(box)
        case Tone.WARN:
            painter.drawRoundedRect(box.adjusted(0.4, 0.4, -0.4, -0.4), 1.5, 1.5)
        case Tone.BAD:
            top = QPointF(box.center().x(), box.top() - 0.5)
            painter.drawPolygon(QPolygonF([top, QPointF(box.right() + 0.5, box.bottom()), box.bottomLeft()]))
        case Tone.LIVE:
            _ring(painter, box.adjusted(1, 1, -1, -1), colour, 2)
        case Tone.QUIET:
            _ring(painter, box.adjusted(1.2, 1.2, -1.2, -1.2), colour, 1.2)
    painter.restore()


def _ring(painter: QPainter, box: QRectF, colour: QColor, width: float) -> None:
    painter.setPen(QPen(colour, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(box)


def chip_width(sign: Sign, base: QFont, *, mark: bool = True) -> float:
    return QFontMetricsF(font(base, SMALL)).horizontalAdvance(sign.word) + 2 * _PAD + 1 + (_MARK + _GAP if mark else 0)


def draw_chip(painter: QPainter, box: QRectF, sign: Sign, theme: Theme, base: QFont, *, mark: bool = True) -> None:
    """A pill with the tone's mark and the word, filling `box`; leave the mark out where it stands beside the chip."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.line), 1) if sign.tone is Tone.QUIET else Qt.PenStyle.NoPen)
    painter.setBrush(wash(sign.tone, theme))
    painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
    left = box.left() + _PAD
    if mark:
        draw_mark(painter, QRectF(left, box.center().y() - _MARK / 2, _MARK, _MARK), sign.tone, theme)
        left += _MARK + _GAP
    small = font(base, SMALL)
    painter.setFont(small)
    painter.setPen(ink(sign.tone, theme))
    room = QRectF(left, box.top(), box.right() - _PAD - left + 1, box.height())
    word = QFontMetricsF(small).elidedText(sign.word, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, LEFT, word)
    painter.restore()


def middle_row(rect: QRect, width: float, height: float) -> QRectF:
    """A box of `width` by `height` at the right end of `rect`, centred in its height."""
    return QRectF(rect.right() + 1 - width, rect.top() + (rect.height() - height) / 2, width, height)


class Chip(QWidget):
    """A sign as a widget; hidden while it has none."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance
        self._sign: Sign | None = None
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.hide()
        appearance.changed.connect(self.update)

    @property
    def sign(self) -> Sign | None:
        return self._sign

    def show_sign(self, sign: Sign | None) -> None:
        self._sign = sign
        self.setVisible(sign is not None)
        self.setToolTip(sign.tip if sign else "")
        self.setAccessibleName(sign.word if sign else "")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = chip_width(self._sign, self.font()) if self._sign else 0
        return QSize(int(width) + 1, CHIP_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, CHIP_HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        if self._sign is None:
            return
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        draw_chip(painter, box, self._sign, self._appearance.theme, self.font())
        painter.end()
