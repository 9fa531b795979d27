"""The drawing as a picture of its own: SVG or PNG, with its title, the date, and what its lines mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

from e2e_ml.desktop.panels.lineage import painting
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.plan import Plan
from e2e_ml.desktop.panels.lineage.sheet import Sheet, Standing
from e2e_ml.desktop.theme import SMALL, TITLE
from e2e_ml.lineage.graph import Evidence

SCALE = 2  # device pixels a px of a PNG
_MARGIN, _HEAD, _FOOT, _NARROWEST = 32.0, 64.0, 48.0, 420.0
_MOST_PIXELS = 120_000_000  # of a PNG; a larger one would take gigabytes
SUFFIXES = (".svg", ".png")


@dataclass(frozen=True, slots=True)
class Picture:
    """What goes into a file: a plan with a title, as it was at a moment."""

    plan: Plan
    look: Look
    title: str
    at: datetime
    standing: Standing

    @property
    def size(self) -> tuple[float, float]:
        drawing = self.plan.drawing
        return max(drawing.width, _NARROWEST) + 2 * _MARGIN, drawing.height + _HEAD + _FOOT + 2 * _MARGIN


def save(picture: Picture, path: Path) -> Path:
    """Write the picture to `path`, in the format of its ending; there is never half a file. Returns where it is.

    Raises ValueError for an ending that is neither .svg nor .png, OSError where the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name} names no format that drawings are saved in. End it with .svg or .png.")
    data = svg(picture) if path.suffix.lower() == ".svg" else png(picture)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
    return path


def svg(picture: Picture) -> bytes:
    width, height = picture.size
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(round(width), round(height)))
    generator.setViewBox(QRect(0, 0, round(width), round(height)))
    generator.setResolution(96)
    generator.setTitle(picture.title)
    generator.setDescription(f"{_when(picture)}. {_legend()}")
    _paint(picture, generator)
    buffer.close()
    return bytes(data.data())


def png(picture: Picture) -> bytes:
    width, height = picture.size
    scale = min(SCALE, (_MOST_PIXELS / (width * height)) ** 0.5)
    image = QImage(round(width * scale), round(height * scale), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)
    image.setText("Title", picture.title)
    image.setText("Creation Time", picture.at.isoformat())
    _paint(picture, image)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # pyright: ignore[reportArgumentType, reportCallIssue]
    buffer.close()
    return bytes(data.data())


def _paint(picture: Picture, device: QImage | QSvgGenerator) -> None:
    look = picture.look.again()  # this may be a thread of its own
    width, height = picture.size
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRectF(0, 0, width, height), look.colour("bg"))
    painter.setFont(look.font(TITLE, bold=True))
    painter.setPen(look.colour("ink"))
    room = width - 2 * _MARGIN
    painter.drawText(QPointF(_MARGIN, _MARGIN + 16), look.cut(picture.title, TITLE, room, bold=True))
    painter.setFont(look.font(SMALL))
    painter.setPen(look.colour("dim"))
    painter.drawText(QPointF(_MARGIN, _MARGIN + 36), _when(picture))
    painter.save()
    left = _MARGIN + max(0.0, (_NARROWEST - picture.plan.drawing.width) / 2)
    painter.translate(left, _MARGIN + _HEAD)
    sheet = Sheet(look)
    sheet.show_plan(picture.plan, look)
    sheet.standing = picture.standing
    sheet.paint_all(painter, sheet.boundingRect())
    painter.restore()
    _paint_legend(painter, look, _MARGIN, height - _MARGIN - 8)
    painter.end()


def _paint_legend(painter: QPainter, look: Look, x: float, y: float) -> None:
    for evidence in Evidence:
        pen = look.line(evidence, lit=False, turned=False)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawLine(QPointF(x, y), QPointF(x + 32, y))
        painting.paint_mark(painter, look, QPointF(x + 16, y), evidence, look.colour("dim"))
        painter.setFont(look.font(SMALL))
        painter.setPen(look.colour("dim"))
        painter.drawText(QPointF(x + 40, y + 4), evidence.value)
        x += 40 + look.width(evidence.value, SMALL) + 24


def _when(picture: Picture) -> str:
    return f"As of {picture.at:%d %B %Y, %H:%M} UTC · e2e-ml"


def _legend() -> str:
    return "Lines: solid where declared, long dashes where observed, short dashes and a question mark where inferred."
