"""Small drawn signs that tell the kinds apart where there is no room for the word: 10 px, one line weight."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from e2e_ml.refs import Kind

SIZE = 10.0


def draw_kind(painter: QPainter, at: QPointF, kind: Kind, colour: QColor) -> None:
    """The sign of `kind` with its top left corner `at`; kinds without one draw nothing."""
    painter.save()
    painter.translate(at)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    match kind:
        case Kind.SOURCE:
            _cylinder(painter)
        case Kind.ENTITY:
            painter.drawEllipse(QRectF(0.6, 2.8, 4.4, 4.4))
            painter.drawPolyline(QPolygonF([QPointF(5, 5), QPointF(9.4, 5), QPointF(9.4, 7)]))
        case Kind.FEATURE_VIEW:
            painter.drawRoundedRect(QRectF(0.6, 1.2, 8.8, 7.6), 1.2, 1.2)
            painter.drawLine(QPointF(0.6, 4), QPointF(9.4, 4))
            painter.drawLine(QPointF(4, 4), QPointF(4, 8.8))
        case Kind.FEATURE:
            painter.drawPolygon(_diamond())
        case Kind.WISH:
            painter.setPen(QPen(colour, 1.2, Qt.PenStyle.DotLine))  # a feature that is not there
            painter.drawPolygon(_diamond())
        case Kind.FEATURE_SERVICE:
            painter.setBrush(colour)
            painter.drawPolygon(_diamond())
        case Kind.DAG | Kind.TASK | Kind.DAG_RUN | Kind.TASK_INSTANCE:
            _branch(painter, colour)
        case Kind.RUN | Kind.EXPERIMENT:
            _flask(painter)
        case Kind.MODEL_VERSION | Kind.REGISTERED_MODEL | Kind.LOGGED_MODEL:
            _cube(painter)
        case Kind.DATASET:
            _cylinder(painter)
            painter.drawLine(QPointF(1, 5.2), QPointF(9, 5.2))
        case Kind.COLUMN:
            painter.drawRoundedRect(QRectF(3.2, 0.8, 3.6, 8.4), 1, 1)
            painter.drawLine(QPointF(3.2, 3.4), QPointF(6.8, 3.4))
        case Kind.ASSET:
            painter.drawEllipse(QRectF(0.8, 0.8, 8.4, 8.4))
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(5, 5), 1.4, 1.4)
        case Kind.PROJECT:
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in _FOLDER]))
        case Kind.ALIAS:
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in _TAG]))
            painter.drawEllipse(QPointF(6.9, 5), 0.7, 0.7)
        case Kind.ENDPOINT:
            painter.drawEllipse(QRectF(0.8, 2.6, 4.8, 4.8))
            painter.drawPolyline(QPolygonF([QPointF(6.6, 2.6), QPointF(9.2, 5), QPointF(6.6, 7.4)]))
        case Kind.MONITOR:
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in _PULSE]))
    painter.restore()


_FOLDER = ((0.8, 2), (4, 2), (5, 3.2), (9.2, 3.2), (9.2, 8.6), (0.8, 8.6))
_TAG = ((0.8, 2), (6.4, 2), (9.4, 5), (6.4, 8), (0.8, 8))
_PULSE = ((0.6, 5.4), (2.8, 5.4), (4.2, 1.4), (6, 8.8), (7.2, 5.4), (9.4, 5.4))


def draw_star(painter: QPainter, centre: QPointF, radius: float, colour: QColor) -> None:
    """The champion's star."""
    points: list[QPointF] = []
    for i in range(10):
        r = radius if i % 2 == 0 else radius * 0.45
        angle = math.pi / 5 * i - math.pi / 2
        points.append(centre + QPointF(r * math.cos(angle), r * math.sin(angle)))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF(points))
    painter.restore()


def _diamond() -> QPolygonF:
    return QPolygonF([QPointF(5, 0.8), QPointF(9.2, 5), QPointF(5, 9.2), QPointF(0.8, 5)])


def _cylinder(painter: QPainter) -> None:
    painter.drawEllipse(QRectF(1, 0.8, 8, 2.8))
    path = QPainterPath(QPointF(1, 2.2))
    path.lineTo(1, 7.8)
    path.cubicTo(1, 9.7, 9, 9.7, 9, 7.8)
    path.lineTo(9, 2.2)
    painter.drawPath(path)


def _branch(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(1.8, 5))
    path.cubicTo(5, 5, 4.5, 2, 8, 2)
    path.moveTo(1.8, 5)
    path.cubicTo(5, 5, 4.5, 8, 8, 8)
    painter.drawPath(path)
    painter.setBrush(colour)
    for x, y in ((1.6, 5.0), (8.4, 2.0), (8.4, 8.0)):
        painter.drawEllipse(QPointF(x, y), 1.1, 1.1)


def _flask(painter: QPainter) -> None:
    points = [(3.8, 0.8), (3.8, 4.0), (1.0, 9.2), (9.0, 9.2), (6.2, 4.0), (6.2, 0.8)]
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points]))
    painter.drawLine(QPointF(3.0, 0.8), QPointF(7.0, 0.8))


def _cube(painter: QPainter) -> None:
    outline = [(5, 0.6), (9.2, 2.8), (9.2, 7.2), (5, 9.4), (0.8, 7.2), (0.8, 2.8)]
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in outline]))
    painter.drawPolyline(QPolygonF([QPointF(0.8, 2.8), QPointF(5, 5), QPointF(9.2, 2.8)]))
    painter.drawLine(QPointF(5, 5), QPointF(5, 9.4))
