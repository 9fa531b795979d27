"""Icons: the line drawings under `resources/icons`, inked in a colour of the theme and sharp on every screen."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from e2e_ml import resources

_SCALES = (1, 2, 3)


@cache
def _drawing(name: str) -> str:
    return resources.text("icons", f"{name}.svg")


def pixmap(name: str, colour: str, size: int, scale: float = 1) -> QPixmap:
    """The icon `name`, `size` px large, for a screen of `scale` device pixels a px."""
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace("currentColor", colour).encode()))
    picture = QPixmap(round(size * scale), round(size * scale))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, 0, picture.width(), picture.height()))
    painter.end()
    picture.setDevicePixelRatio(scale)
    return picture


def icon(name: str, colour: str, *, off: str | None = None, size: int = 16) -> QIcon:
    """An icon in `colour`, and in `off` where its button is disabled."""
    made = QIcon()
    for scale in _SCALES:
        made.addPixmap(pixmap(name, colour, size, scale), QIcon.Mode.Normal)
        made.addPixmap(pixmap(name, colour, size, scale), QIcon.Mode.Active)
        if off:
            made.addPixmap(pixmap(name, off, size, scale), QIcon.Mode.Disabled)
    return made
