"""The view that a sheet lies in: zoom and pan, the map in its corner, and the part that a card covers."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QPainter, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.minimap import Minimap
from e2e_ml.desktop.panels.lineage.neighbourhood import Key
from e2e_ml.desktop.panels.lineage.plan import EDGE, EMPTY, READABLE, Plan
from e2e_ml.desktop.panels.lineage.sheet import Sheet

LEAST, MOST = 72, 232  # px, the height of a small drawing
# Below the first, a large drawing is not fitted by itself: it begins at the focus, at the second, and is dragged.
_LARGE_LEAST, _LARGE_READ = 0.6, 0.84
_ZOOM = (0.08, 2.5)
_MARGIN = 40  # px around a large drawing


class Zooming(QGraphicsView):
    """`large` is zoomed by the wheel and has a map; a small one is as high as its drawing, and leaves the wheel to the
    panel that it lies in."""

    def __init__(self, look: Look, parent: QWidget | None, *, large: bool) -> None:
        super().__init__(parent)
        self._large = large
        self._plan: Plan = EMPTY
        self._fits = True  # until the person zooms
        self._covered = 0  # px at the right that a card lies on
        self._sheet = Sheet(look)
        scene = QGraphicsScene(self)
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        scene.addItem(self._sheet)
        self.setScene(scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.minimap: Minimap | None = Minimap(self) if large else None
        self._wants_map = True
        if self.minimap is not None:
            self.minimap.moved.connect(self.centerOn)
            self.horizontalScrollBar().valueChanged.connect(self.show_sight)
            self.verticalScrollBar().valueChanged.connect(self.show_sight)
        else:
            self.setFixedHeight(LEAST)

    @property
    def is_large(self) -> bool:
        return self._large

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def sheet(self) -> Sheet:
        return self._sheet

    @property
    def room(self) -> float:
        """The width that there is for a drawing."""
        return max(float(self.viewport().width()), 120.0)

    def centre_of(self, key: Key) -> QPoint:
        """Where the box of `key` stands in the viewport, in pixels."""
        return self.mapFromScene(self._sheet.rect_of(key).center())

    def lay(self, plan: Plan, look: Look) -> None:
        """Put a plan into the view, at the size that it is to have."""
        self._plan = plan
        self._sheet.show_plan(plan, look)
        whole = self._set_scene_rect()
        if not self._large:
            scale = min(1.0, self.room / max(whole.width(), 1))
            self.setFixedHeight(min(max(round(whole.height() * scale) + 2, LEAST), MOST))
        if self.minimap is not None:
            self.minimap.show_plan(plan, look)
        if self._fits:
            self.fit_itself()

    def hold(self, key: Key, before: QPoint) -> None:
        """Let the box of `key` stand where it was on the screen."""
        if key not in self._plan.faces:
            return
        off = self.centre_of(key) - before
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + off.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + off.y())

    def _set_scene_rect(self) -> QRectF:
        """The drawing with air around it, and with room to draw it out from under a card. Returns the former."""
        margin = _MARGIN if self._large else EDGE
        drawing = self._plan.drawing
        whole = QRectF(0, 0, drawing.width, drawing.height).adjusted(-margin, -margin, margin, margin)
        self.scene().setSceneRect(whole.adjusted(0, 0, self._covered / max(self.transform().m11(), 0.1), 0))
        return whole

    def cover(self, covered: int, wanted: Key | None) -> None:
        """A card lies on that many px at the right: what is `wanted` comes out from under it."""
        if covered == self._covered:
            return
        self._covered = covered
        self._set_scene_rect()
        if covered and wanted is not None:
            self.bring(self._sheet.rect_of(wanted))

    def bring(self, rect: QRectF) -> None:
        """Into sight, and not under a card."""
        self.ensureVisible(rect.adjusted(0, 0, self._covered / self.transform().m11(), 0), 32, 32)

    def fit_itself(self) -> None:
        """As much as can be read: the whole drawing where that can, else it starts at the focus."""
        if self._large:
            self._scale_to_fit(_LARGE_LEAST, _LARGE_READ)
        else:
            self._scale_to_fit(READABLE * 0.9, READABLE * 0.9)

    def fit(self) -> None:
        """The whole drawing, never larger than life."""
        least = _ZOOM[0] if self._large else READABLE * 0.9
        self._scale_to_fit(least, least)

    def _scale_to_fit(self, least: float, otherwise: float) -> None:
        self._fits = True
        rect = self._set_scene_rect()
        across, down = self.viewport().width() / max(rect.width(), 1), self.viewport().height() / max(rect.height(), 1)
        scale = min(1.0, across, down)
        scale = scale if scale >= least else otherwise
        self.resetTransform()
        self.scale(scale, scale)
        focus = self._plan.focus
        if scale > min(across, down) and focus is not None and focus in self._plan.faces:
            self.centerOn(self._sheet.rect_of(focus).center())
        else:
            self.centerOn(rect.center())
        self.show_sight()

    def zoom(self, factor: float) -> None:
        self._fits = False
        scale = self.transform().m11()
        wanted = min(max(scale * factor, _ZOOM[0]), _ZOOM[1])
        self.scale(wanted / scale, wanted / scale)
        self.show_sight()

    def toggle_map(self) -> None:
        self._wants_map = not self._wants_map
        self.show_sight()

    def show_sight(self) -> None:
        """Show in the map what is in sight; where all is, there is no map."""
        if self.minimap is None:
            return
        seen = self.mapToScene(self.viewport().rect()).boundingRect()
        drawing = self._plan.drawing
        whole = seen.contains(QRectF(0, 0, drawing.width, drawing.height))
        self.minimap.setVisible(self._wants_map and not whole and bool(drawing.places))
        if self.minimap.isVisible():
            self.minimap.move(self.width() - self.minimap.width() - 12, self.height() - self.minimap.height() - 12)
            self.minimap.show_sight(seen)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # In the inspector the plain wheel scrolls the panel; with Ctrl it zooms, as in any page.
        if self._large or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.0015 ** event.angleDelta().y())
            event.accept()
            return
        event.ignore()
