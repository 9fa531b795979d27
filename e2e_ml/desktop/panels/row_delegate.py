"""Paints one row of the explorer: chevron, mark, name cut in the middle, and at the right a chip or a dim word."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels import marks
from e2e_ml.desktop.panels.tree import Shown
from e2e_ml.desktop.panels.tree_model import RowModel
from e2e_ml.desktop.theme import SMALL, TEXT, Theme

ROW_HEIGHT = 26
INDENT = 16
EDGE = 8  # from the panel's edge to a heading; a row's highlight stands 4 outside
CHEVRON = 16
MARK = 8
_GAP = 8
_SELECTED, _MOUSEOVER, _HASFOCUS, _CHILDREN, _OPEN = (
    flag.value
    for flag in (
        QStyle.StateFlag.State_Selected, QStyle.StateFlag.State_MouseOver, QStyle.StateFlag.State_HasFocus,
        QStyle.StateFlag.State_Children, QStyle.StateFlag.State_Open,
    )
)  # fmt: skip

Index = QModelIndex | QPersistentModelIndex


def row_left(depth: int) -> int:
    """Where the chevron of a row begins; headings are depth 0, and what stands under them is not indented."""
    return EDGE + max(0, depth - 1) * INDENT


class RowDelegate(QStyledItemDelegate):
    def __init__(self, appearance: Appearance, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        del option, index
        return QSize(80, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        if not isinstance(model, RowModel):
            return
        row, shown = model.row_at(index), model.shown_at(index)
        if row is None or shown is None:
            return
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: int = option.state.value  # type: ignore[attr-defined]
        base: QFont = option.font  # type: ignore[attr-defined]
        theme = self._appearance.theme
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.ref is None:
            _heading(painter, rect, shown.text, theme, base)
        else:
            _row(painter, rect, shown, state, model.depth(index), theme, base)
        painter.restore()


def _heading(painter: QPainter, rect: QRect, text: str, theme: Theme, base: QFont) -> None:
    small = QFont(marks.font(base, SMALL, QFont.Weight.DemiBold))
    small.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 104)
    painter.setFont(small)
    painter.setPen(QColor(theme.dim))
    where = rect.adjusted(EDGE, 0, -EDGE, -4)
    painter.drawText(where, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, text)


def _row(painter: QPainter, rect: QRect, row: Shown, state: int, depth: int, theme: Theme, base: QFont) -> None:
    selected = bool(state & _SELECTED)
    hover = bool(state & _MOUSEOVER)
    if selected or hover:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent_soft if selected else theme.bg))
        painter.drawRoundedRect(QRectF(rect).adjusted(4, 1, -4, -1), 6, 6)
    if selected and state & _HASFOCUS:
        painter.setPen(QPen(QColor(theme.accent), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(QRectF(rect).adjusted(4.5, 1.5, -4.5, -1.5), 6, 6)

    left = rect.left() + row_left(depth)
    if state & _CHILDREN:
        box = QRectF(left, rect.top(), CHEVRON, rect.height())
        _chevron(painter, box, bool(state & _OPEN), QColor(theme.dim))
    left += CHEVRON
    if row.mark is not None:
        box = QRectF(left, rect.center().y() + 0.5 - MARK / 2, MARK, MARK)
        marks.draw_mark(painter, box, row.mark.tone, theme)
        left += MARK + _GAP

    text = marks.font(base, TEXT, QFont.Weight.DemiBold if selected else QFont.Weight.Normal)
    right = rect.right() + 1 - EDGE - 4
    room = right - left
    if row.chip is not None:
        plain = row.mark is not None  # the shape stands at the left already
        name = QFontMetricsF(text).horizontalAdvance(row.text)  # a chip gives way to it, as far as it can be read
        width = min(marks.chip_width(row.chip, base, mark=not plain), max(room - name - _GAP, room * 0.4))
        chip = marks.middle_row(QRect(left, rect.top(), int(room), rect.height()), width, marks.CHIP_HEIGHT)
        marks.draw_chip(painter, chip.translated(0, 0.5), row.chip, theme, base, mark=not plain)
        right = chip.left() - _GAP
    if row.right:
        right -= _secondary(painter, rect, row, left, right, theme, base)

    painter.setFont(text)
    painter.setPen(QColor(theme.accent if selected else theme.ink))
    name = QFontMetricsF(text).elidedText(row.text, Qt.TextElideMode.ElideMiddle, right - left)
    where = QRectF(left, rect.top(), right - left, rect.height())
    painter.drawText(where, marks.LEFT, name)


def _secondary(
    painter: QPainter, rect: QRect, row: Shown, left: float, right: float, theme: Theme, base: QFont
) -> float:
    """The dim word at the right; returns the width it took. Beside a chip it gives way to the name."""
    small = marks.font(base, SMALL)
    width = QFontMetricsF(small).horizontalAdvance(row.right)
    if row.chip is not None:
        name = QFontMetricsF(marks.font(base, TEXT)).horizontalAdvance(row.text)
        if name + width + _GAP > right - left:
            return 0
    painter.setFont(small)
    painter.setPen(QColor(theme.dim))
    where = QRectF(right - width - 1, rect.top(), width + 1, rect.height())
    painter.drawText(where, marks.RIGHT, row.right)
    return width + _GAP + 1


def _chevron(painter: QPainter, box: QRectF, is_open: bool, colour: QColor) -> None:
    painter.setPen(QPen(colour, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    c = QPointF(box.left() + 6, box.center().y())
    if is_open:
        painter.drawPolyline(QPolygonF([c + QPointF(-3.5, -1.7), c + QPointF(0, 1.8), c + QPointF(3.5, -1.7)]))
    else:
        painter.drawPolyline(QPolygonF([c + QPointF(-1.7, -3.5), c + QPointF(1.8, 0), c + QPointF(-1.7, 3.5)]))
