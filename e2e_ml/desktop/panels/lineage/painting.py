"""How the boxes and lines of the lineage drawing look, at every distance: painted, on a screen or into a picture."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from e2e_ml.desktop.panels import glyphs, marks
from e2e_ml.desktop.panels.lineage.faces import Face
from e2e_ml.desktop.panels.lineage.layering import Place
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.desktop.theme import SMALL, TEXT
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Kind

ROW = 19.0  # px, a column inside a box
HEAD = 44.0  # px, the two lines of a large box
SMALL_HEAD = 26.0
KNOB = 7.5  # px, the radius of + and -
FAR = 0.5  # times its size: below, a box says its name alone, in larger letters
FARTHER = 0.28  # below, no name could be read
_AFAR = 21  # px, the letters of a name from afar
_MARK = 7.0
_CHIP = 17.0


class Part:
    """How a box or a line stands out, as bits: an enumeration's own cost more than what they guard."""

    NONE = 0
    HOVER = 1
    KEYS = 2  # the keyboard stands on it
    CHOSEN = 4
    DIMMED = 8
    FOUND = 16  # a search found it
    LIT = 32
    UP_OPEN = 64  # a knob that closes is offered at its left
    DOWN_OPEN = 128


def box_size(face: Face, look: Look, most: float) -> tuple[float, float]:
    """Width and height of a face; a longer label is cut in the middle."""
    large = bool(face.caption)
    label = look.width(face.label, TEXT if large else SMALL, bold=True)
    second = look.width(face.caption, SMALL) + (_chip_width(face.loud, look) + 8 if face.loud else 0)
    width = 2 * _pad(face) + max(label + _before(face) + _after(face), second + _before(face)) + 1
    for row in face.rows:
        width = max(width, 2 * _pad(face) + look.width(row.name, SMALL) + look.width(row.right, SMALL) + 24)
    rows = len(face.rows) + bool(face.rows_more)
    most += 28 if face.loud else 0
    return min(width, most), (HEAD if large else SMALL_HEAD) + (ROW * rows + 5 if rows else 0)


def row_middle(face: Face, number: int) -> float:
    """How far below the middle of a box its row stands."""
    rows = len(face.rows) + bool(face.rows_more)
    height = HEAD + ROW * rows + 5
    return HEAD + 2 + ROW * (number + 0.5) - height / 2


def _pad(face: Face) -> float:
    return 10.0 if face.caption else 7.0


def _before(face: Face) -> float:
    return glyphs.SIZE + 6 if _has_glyph(face) else 0.0


def _has_glyph(face: Face) -> bool:
    """A small drawing is mostly features: there only the other kinds are marked."""
    return not isinstance(face.key, Fold) and (bool(face.caption) or face.key.kind is not Kind.FEATURE)


def _after(face: Face) -> float:
    return (_MARK + 6 if face.sign and not face.loud else 0) + (14 if face.star else 0)


def _chip_width(sign: Sign, look: Look) -> float:
    return min(look.width(sign.word, SMALL), 120) + _MARK + 5 + 12


def paint_box(painter: QPainter, look: Look, face: Face, place: Place, part: int, scale: float) -> None:
    """A box, with its top left corner where its place says."""
    painter.save()
    painter.translate(place.x, place.y)
    if part & Part.DIMMED:
        painter.setOpacity(0.36)
    box = QRectF(0.5, 0.5, place.width - 1, place.height - 1)
    _frame(painter, look, face, box, part)
    if scale < FAR:
        _from_afar(painter, look, face, box, scale)
    else:
        _words(painter, look, face, box)
        _rows(painter, look, face, box)
    painter.restore()
    if scale >= FAR:
        paint_knobs(painter, look, face, place, part)


def outline(face: Face, box: QRectF) -> QPainterPath:
    """The shape of a kind: data lies in a drum, an alias is a label, an endpoint points on; the rest are plain."""
    path = QPainterPath()
    kind = face.key.kind
    if isinstance(face.key, Fold):
        path.addRoundedRect(box, 6, 6)
    elif kind is Kind.ALIAS:
        path.addRoundedRect(box, box.height() / 2, box.height() / 2)
    elif kind is Kind.ENDPOINT:
        tip = min(10.0, box.height() / 3)
        path.addPolygon(
            QPolygonF(
                [
                    box.topLeft(), QPointF(box.right() - tip, box.top()), QPointF(box.right(), box.center().y()),
                    QPointF(box.right() - tip, box.bottom()), box.bottomLeft(), box.topLeft(),
                ]
            )
        )  # fmt: skip
    elif kind is Kind.MONITOR:
        cut = 8.0
        path.addPolygon(
            QPolygonF(
                [
                    QPointF(box.left() + cut, box.top()), QPointF(box.right() - cut, box.top()),
                    QPointF(box.right(), box.top() + cut), QPointF(box.right(), box.bottom() - cut),
                    QPointF(box.right() - cut, box.bottom()), QPointF(box.left() + cut, box.bottom()),
                    QPointF(box.left(), box.bottom() - cut), QPointF(box.left(), box.top() + cut),
                    QPointF(box.left() + cut, box.top()),
                ]
            )
        )  # fmt: skip
    else:
        path.addRoundedRect(box, 6, 6)
    return path


def _frame(painter: QPainter, look: Look, face: Face, box: QRectF, part: int) -> None:
    small = not face.caption
    trouble = face.sign.tone if face.sign and face.sign.tone in (Tone.WARN, Tone.BAD) else None
    edge, width = look.colour("line"), 1.0
    if trouble is not None:
        edge, width = marks.ink(trouble, look.theme), 1.4
    if part & Part.FOUND or part & Part.CHOSEN or face.focus:
        edge, width = look.colour("accent"), 2.0 if part & Part.CHOSEN or part & Part.FOUND else 1.4
    elif part & Part.HOVER and trouble is None:
        edge = look.colour("dim")
    pen = QPen(edge, width)
    if isinstance(face.key, Fold) or face.gone:
        pen.setDashPattern([3, 3])
    fill = look.colour("accent_soft" if face.focus else "bg" if small or isinstance(face.key, Fold) else "panel")
    shape = outline(face, box)
    if isinstance(face.key, Fold) and not small:  # a pile: more lies behind
        painter.setPen(QPen(look.colour("line"), 1))
        painter.setBrush(look.colour("panel"))
        painter.drawRoundedRect(box.translated(3, 3), 6, 6)
    painter.setPen(pen)
    painter.setBrush(fill)
    painter.drawPath(shape)
    if trouble is not None and not small:  # a bar at its left, thick where it failed, broken where it is late
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(marks.ink(trouble, look.theme))
        painter.setClipPath(shape, Qt.ClipOperation.IntersectClip)
        if trouble is Tone.BAD:
            painter.drawRect(QRectF(box.left(), box.top(), 4, box.height()))
        else:
            y = box.top()
            while y < box.bottom():
                painter.drawRect(QRectF(box.left(), y, 4, 5))
                y += 8
        painter.setClipping(False)
    if part & Part.KEYS:
        painter.setPen(QPen(look.colour("accent"), 1.6))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(-3, -3, 3, 3), 9, 9)


def _words(painter: QPainter, look: Look, face: Face, box: QRectF) -> None:
    large, fold = bool(face.caption), isinstance(face.key, Fold)
    size = TEXT if large else SMALL
    ink = look.colour("accent" if face.focus else "dim" if face.gone or fold else "ink")
    left, right = box.left() + _pad(face) - 0.5, box.right() - _pad(face) + 0.5
    top_half = QRectF(box.left(), box.top() + 5, box.width(), 18) if large else QRectF(box.topLeft(), box.size())
    if _has_glyph(face) and _has_room(look, face, box):
        at = QPointF(left, top_half.center().y() - glyphs.SIZE / 2)
        glyphs.draw_kind(painter, at, face.key.kind, look.colour("accent" if face.focus else "dim"))
        left += glyphs.SIZE + 6
    if face.sign and not face.loud:
        spot = QRectF(right - _MARK, top_half.center().y() - _MARK / 2, _MARK, _MARK)
        marks.draw_mark(painter, spot, face.sign.tone, look.theme)
        right -= _MARK + 6
    if face.star:
        glyphs.draw_star(painter, QPointF(right - 5, top_half.center().y()), 6, look.colour("ok"))
        right -= 14
    _line(painter, look, QRectF(left, top_half.top(), right - left, top_half.height()), face.label, size, ink,
          bold=face.focus, struck=face.gone)  # fmt: skip
    if not large:
        return
    right = box.right() - _pad(face) + 0.5
    y = box.top() + 23
    if face.loud:
        width = min(_chip_width(face.loud, look), box.width() - 2 * _pad(face))
        marks.draw_chip(painter, QRectF(right - width, y - 1, width, _CHIP), face.loud, look.theme, look.base)
        right -= width + 8
    told = face.caption
    if face.loud and look.width(told, SMALL) > right - left:  # the kind, and not the figure beside it
        told = told.partition(" · ")[0]
    if right - left >= min(look.width(told, SMALL), 48):  # less would tell nothing
        _line(painter, look, QRectF(left, y, right - left, 15), told, SMALL, look.colour("dim"))


def _has_room(look: Look, face: Face, box: QRectF) -> bool:
    """Whether a small box has room for its glyph: where a name would be cut for it, the name goes first."""
    room = box.width() + 1 - 2 * _pad(face) - _after(face) - _before(face)
    return bool(face.caption) or look.width(face.label, SMALL, bold=True) <= room + 1


def _rows(painter: QPainter, look: Look, face: Face, box: QRectF) -> None:
    if not face.rows and not face.rows_more:
        return
    painter.setPen(QPen(look.colour("line"), 1))
    painter.drawLine(QPointF(box.left() + 1, box.top() + HEAD), QPointF(box.right() - 1, box.top() + HEAD))
    y, left, right = box.top() + HEAD + 2, box.left() + _pad(face), box.right() - _pad(face)
    for row in face.rows:
        if row.focus:
            painter.fillRect(QRectF(box.left() + 1, y, box.width() - 2, ROW), look.colour("accent_soft"))
        typed = look.width(row.right, SMALL)
        room = right - left - (typed + 8 if row.right else 0)
        ink = look.colour("accent" if row.focus else "ink")
        _line(painter, look, QRectF(left, y, room, ROW), row.name, SMALL, ink)
        if row.right and room > 20:
            _line(painter, look, QRectF(right - typed, y, typed + 1, ROW), row.right, SMALL, look.colour("dim"))
        y += ROW
    if face.rows_more:
        text = f"+{face.rows_more:,} more"
        _line(painter, look, QRectF(left, y, right - left, ROW), text, SMALL, look.colour("dim"))


def _from_afar(painter: QPainter, look: Look, face: Face, box: QRectF, scale: float) -> None:
    """Where small words cannot be read: the name, or a bar in its place, and what is wrong, as large as can be."""
    room = QRectF(box.left() + 10, box.top(), box.width() - 20, min(box.height(), HEAD))
    if face.sign and face.sign.tone in (Tone.WARN, Tone.BAD):
        size = min(room.height() - 12, 22.0)
        spot = QRectF(room.right() - size, room.center().y() - size / 2, size, size)
        marks.draw_mark(painter, spot, face.sign.tone, look.theme)
        room.setRight(spot.left() - 6)
    ink = look.colour("accent" if face.focus else "dim" if isinstance(face.key, Fold) or face.gone else "ink")
    if scale >= FARTHER:
        _line(painter, look, room, face.label, _AFAR, ink, struck=face.gone)
        return
    painter.setPen(Qt.PenStyle.NoPen)
    ink = QColor(ink)
    ink.setAlphaF(0.35)
    painter.setBrush(ink)
    painter.drawRect(QRectF(room.left(), room.center().y() - 5, min(room.width(), 8.0 * len(face.label)), 10))


def knob_centre(place: Place, *, down: bool) -> QPointF:
    return QPointF(place.right if down else place.x, place.y + min(place.height, HEAD) / 2)


def paint_knobs(painter: QPainter, look: Look, face: Face, place: Place, part: int) -> None:
    """+ where more lies behind a box than is drawn, - where what is drawn can be put away."""
    for down, more, can_close in (
        (False, face.more_up, part & Part.UP_OPEN), (True, face.more_down, part & Part.DOWN_OPEN),
    ):  # fmt: skip
        if not more and not can_close:
            continue
        at = knob_centre(place, down=down)
        painter.setPen(QPen(look.colour("dim"), 1))
        painter.setBrush(look.colour("panel"))
        painter.drawEllipse(at, KNOB, KNOB)
        painter.setPen(QPen(look.colour("ink"), 1.4))
        painter.drawLine(QPointF(at.x() - 3.5, at.y()), QPointF(at.x() + 3.5, at.y()))
        if more:
            painter.drawLine(QPointF(at.x(), at.y() - 3.5), QPointF(at.x(), at.y() + 3.5))


def _line(
    painter: QPainter, look: Look, room: QRectF, text: str, pixels: int, ink: QColor,
    *, bold: bool = False, struck: bool = False,
) -> None:  # fmt: skip
    shown = look.cut(text, pixels, room.width(), bold=bold)
    painter.setFont(look.font(pixels, bold=bold))
    painter.setPen(ink)
    painter.drawText(room, marks.LEFT, shown)
    if struck:
        y = room.center().y() + 0.5
        painter.drawLine(QPointF(room.left(), y), QPointF(room.left() + look.width(shown, pixels, bold=bold), y))


def curve(points: tuple[tuple[float, float], ...]) -> QPainterPath:
    path = QPainterPath(QPointF(*points[0]))
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 == y1:
            path.lineTo(x1, y1)
            continue
        bend = (x1 - x0) / 2
        path.cubicTo(x0 + bend, y0, x1 - bend, y1, x1, y1)
    return path


def paint_tie(
    painter: QPainter, look: Look, path: QPainterPath, mark_at: QPointF, evidence: Evidence, part: int, scale: float,
    *, turned: bool, confirmed: bool, arrow: float,
) -> None:  # fmt: skip
    """A line: its dashes say the evidence, and so does a mark on it; dotted where it closes a cycle.

    `arrow`: 1 where it ends going right, -1 where going left.
    """
    lit = bool(part & (Part.LIT | Part.CHOSEN | Part.HOVER | Part.KEYS))
    painter.setOpacity(0.12 if part & Part.DIMMED else 1.0 if lit else 0.7)
    pen = look.line(evidence, lit=lit, turned=turned)
    if part & Part.CHOSEN:
        pen.setWidthF(2.6)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    if scale >= FAR:
        end = path.currentPosition()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(pen.color())
        back = 5.0 * arrow
        painter.drawPolygon(
            QPolygonF([end, QPointF(end.x() - back, end.y() - 3), QPointF(end.x() - back, end.y() + 3)])
        )
        paint_mark(painter, look, mark_at, evidence, pen.color(), confirmed=confirmed)
    painter.setOpacity(1.0)


def paint_mark(
    painter: QPainter, look: Look, at: QPointF, evidence: Evidence, ink: QColor, *, confirmed: bool = False
) -> None:
    """Why a line is believed: an eye's ring where it was observed, ? where inferred, a tick where a person said so."""
    if evidence is Evidence.DECLARED and not confirmed:
        return
    painter.setPen(QPen(ink, 1.1))
    painter.setBrush(look.colour("panel"))
    if confirmed:
        painter.drawEllipse(at, 6, 6)
        painter.setPen(QPen(look.colour("ok"), 1.6))
        painter.drawPolyline(QPolygonF([at + QPointF(-2.6, 0), at + QPointF(-0.6, 2.2), at + QPointF(2.8, -2.2)]))
    elif evidence is Evidence.OBSERVED:
        painter.drawEllipse(at, 3.2, 3.2)
        painter.setBrush(ink)
        painter.drawEllipse(at, 0.9, 0.9)
    else:
        painter.drawEllipse(at, 6, 6)
        painter.setFont(look.font(10, bold=True))
        painter.drawText(QRectF(at.x() - 6, at.y() - 6.5, 12, 13), Qt.AlignmentFlag.AlignCenter, "?")
