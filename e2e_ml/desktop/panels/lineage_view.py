"""The lineage drawing: what the focus comes from, and what stands on it, left to right.

A small one lives in the inspector and shows as much as its width lets a person read; the large one shows all.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import signs, tree, words
from e2e_ml.desktop.panels.layering import Box, Drawing, arrange
from e2e_ml.desktop.panels.lineage_items import Face, NodeItem, TieItem, box_size
from e2e_ml.desktop.panels.neighbourhood import (
    OPENED,
    Detail,
    Fan,
    Fold,
    Key,
    Neighbourhood,
    anchor,
    caption,
    label,
    surroundings,
)
from e2e_ml.lineage.graph import Node
from e2e_ml.lineage.questions import CHAMPION
from e2e_ml.refs import Kind, Ref

ORIGIN = "lineage"
_DETAIL = Detail()
_SMALL = Detail(fan=4, runs=False)
# Lines up and down, and the widest box in px, from much to little: the first whose drawing can be read is shown.
_STEPS = ((9, 9), (3, 3), (2, 3), (1, 3), (2, 2), (1, 2), (1, 1))
_WIDTHS = (112.0, 92.0, 84.0)
# A large drawing shows all; what gives way is the air. Lines up and down, widest box, gaps across and down, in px.
_LARGE = ((9, 9, 192.0, 44.0, 20.0), (9, 9, 168.0, 24.0, 16.0), (9, 9, 136.0, 16.0, 14.0))
_LARGE_LEAST = 0.62  # below, a large drawing is not fitted: it begins at the focus and is dragged
_READABLE = 0.84  # a small drawing is not shown smaller than this
_ZOOM = (0.25, 2.5)
_EDGE = 4  # px around a small drawing
_LEAST, _MOST = 72, 232  # px, the height of a small drawing


class LineageView(QGraphicsView):
    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        parent: QWidget | None = None,
        *,
        large: bool = False,
        clock: words.Clock = words.utc_now,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("lineageLarge" if large else "lineage")
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock
        self._large = large
        self._shown: Neighbourhood = Neighbourhood((), (), 0)
        self._opened: list[Fan] = []  # a fan as often as it was opened
        self._nodes: dict[Key, NodeItem] = {}
        self._anchor: Ref | None = None  # what the drawing is about
        self._at: Key | None = None  # under the keyboard
        self._pressed_at: QPoint | None = None
        self._stale = False
        self._fits = True  # until the person zooms
        self._scene = QGraphicsScene(self)
        self.setScene(self._scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if not large:
            self.setFixedHeight(_LEAST)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_if_seen)
        lifecycle.changed.connect(self._later.start)
        appearance.changed.connect(self._later.start)
        focus.changed.connect(self._turn)
        self.refresh()

    # What a test, or the window, may ask.

    @property
    def shown(self) -> Neighbourhood:
        return self._shown

    def node(self, key: Key) -> NodeItem:
        """The box of `key`. Raises KeyError where it is not drawn."""
        return self._nodes[key]

    def centre_of(self, key: Key) -> QPoint:
        """Where the box of `key` stands in the viewport, in pixels."""
        place = self._nodes[key].place
        return self.mapFromScene(QPointF(place.x + place.width / 2, place.middle))

    # Drawing.

    def _turn(self, _ref: Ref, _origin: str) -> None:
        self._opened.clear()
        self._fits = True
        self._at = None
        self._refresh_if_seen()

    def _refresh_if_seen(self) -> None:
        """A drawing behind another page costs nothing: it is made when it is shown."""
        if self.isVisible():
            self.refresh()
        else:
            self._stale = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def refresh(self) -> None:
        """Draw the focus's neighbourhood again, from the graph as it is now."""
        self._later.stop()
        self._stale = False
        self._scene.clear()
        self._nodes.clear()
        focus = anchor(self._lifecycle.graph, self._focus.current)
        self._anchor = focus
        if focus is None:
            self._shown = Neighbourhood((), (), 0)
            return
        self._shown, drawing, faces = self._choose(focus)
        theme = self._appearance.theme
        lit = {focus}
        for route in drawing.routes:
            tie = next(t for t in self._shown.ties if (t.upstream, t.downstream) == (route.start, route.end))
            near = tie.upstream in lit or tie.downstream in lit
            self._scene.addItem(TieItem(tie, route.points, route.turned, near, theme))
        for key, place in drawing.places.items():
            item = NodeItem(faces[key], place, theme, self.font())
            item.under_keys = key == self._at and self.hasFocus()
            self._nodes[key] = item
            self._scene.addItem(item)
        self._scene.setSceneRect(QRectF(0, 0, drawing.width, drawing.height).adjusted(-_EDGE, -_EDGE, _EDGE, _EDGE))
        names = ", ".join(label(self._lifecycle.graph, key) for key in self._shown.keys)
        self.setAccessibleName(f"Lineage of {focus.name}: {names}")
        if not self._large:
            scale = min(1.0, self._room() / max(self._scene.sceneRect().width(), 1))
            wanted = round(self._scene.sceneRect().height() * scale) + 2
            self.setFixedHeight(min(max(wanted, _LEAST), _MOST))
        if self._fits:
            self.fit()

    def _room(self) -> float:
        return max(float(self.viewport().width()), 120.0)

    def _choose(self, focus: Ref) -> tuple[Neighbourhood, Drawing[Key], dict[Key, Face]]:
        """The most that can be read at the width there is; the least of the small details where nothing can."""
        graph = self._lifecycle.graph
        detail = _DETAIL if self._large else _SMALL
        around = surroundings(graph, focus, fan=detail.fan, runs=detail.runs, opened=self._opened)
        rooms = _LARGE if self._large else [(up, down, most, 18.0, 8.0) for up, down in _STEPS for most in _WIDTHS]
        readable = 1.0 if self._large else _READABLE
        for up, down, most, *gaps in rooms:
            shown = around.within(up, down)
            faces = {key: self._face(key, key == focus) for key in shown.keys}
            boxes = [Box(key, *box_size(face, self.font(), most + 32 * face.focus)) for key, face in faces.items()]
            ends = [(tie.upstream, tie.downstream) for tie in shown.ties]
            drawing = arrange(boxes, ends, gap_x=gaps[0], gap_y=gaps[1])
            if (drawing.width + 2 * _EDGE) * readable <= self._room():
                break
        return shown, drawing, faces  # pyright: ignore[reportPossiblyUnboundVariable]

    def _face(self, key: Key, is_focus: bool) -> Face:
        graph, now = self._lifecycle.graph, self._clock()
        text = caption(graph, key) if self._large else ""
        if isinstance(key, Fold):
            names = "\n".join(words.elide_middle(ref.name, 60) for ref in key.refs[:20])
            more = f"\nand {len(key.refs) - 20} more" if len(key.refs) > 20 else ""
            wanted = f"{OPENED} more" if len(key.refs) > OPENED else "them"
            tip = f"{words.count(len(key.refs), key.kind.value)}:\n{names}{more}\nClick to show {wanted}."
            return Face(key, label(graph, key), text, None, False, False, False, tip)
        node = graph.get(key) or Node(key)
        sign = None if key.kind is Kind.FEATURE else signs.of(graph, key, now)
        named = tree.aliases(node) if key.kind is Kind.MODEL_VERSION else ()
        tip = [f"{key.kind.value} {node.title}" if key.kind is not Kind.MODEL_VERSION else f"{key.keys[0]} v{key.name}"]
        tip += [caption(graph, key)] if key.kind in (Kind.RUN, Kind.MODEL_VERSION) else []
        tip += [f"aliases: {', '.join(named)}"] if named else []
        tip += [t for t in (sign.word, sign.tip) if t] if sign else []
        gone = node.gone_since is not None
        return Face(key, label(graph, key), text, sign, CHAMPION in named, is_focus, gone, "\n".join(tip))

    # Zoom and pan.

    def fit(self) -> None:
        """The whole drawing, never larger than life; where that could not be read, it starts at the focus."""
        self._fits = True
        rect = self._scene.sceneRect()
        across, down = self.viewport().width() / max(rect.width(), 1), self.viewport().height() / max(rect.height(), 1)
        scale = min(1.0, across, down)
        scale = max(scale, _LARGE_LEAST if self._large else _READABLE * 0.9)
        self.resetTransform()
        self.scale(scale, scale)
        focus = self._nodes.get(self._anchor) if self._anchor else None
        if scale > min(across, down) and focus is not None:
            self.centerOn(focus)
        else:
            self.centerOn(rect.center())

    def zoom(self, factor: float) -> None:
        self._fits = False
        scale = self.transform().m11()
        wanted = min(max(scale * factor, _ZOOM[0]), _ZOOM[1])
        self.scale(wanted / scale, wanted / scale)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # In the inspector the plain wheel scrolls the panel; with Ctrl it zooms, as in any page.
        if self._large or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.0015 ** event.angleDelta().y())
            event.accept()
            return
        event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._later.start()
        elif self._fits:
            self.fit()

    # Choosing.

    def choose(self, key: Key) -> None:
        """Look at what a box stands for; a fold opens."""
        if isinstance(key, Fold):
            self._opened.append(key.fan)
            self._fits = True
            self.refresh()
            return
        self._focus.set(key, ORIGIN)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self.viewport().setCursor(Qt.CursorShape.ArrowCursor)
        at, pressed = event.position().toPoint(), self._pressed_at
        self._pressed_at = None
        if pressed is None or (at - pressed).manhattanLength() > 4:  # it was a drag
            return
        item = self.itemAt(at)
        if isinstance(item, NodeItem) and event.button() == Qt.MouseButton.LeftButton:
            self.choose(item.face.key)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.itemAt(event.position().toPoint()) is None:
            self.fit()
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Right | Qt.Key.Key_Up | Qt.Key.Key_Down:
                self._step(Qt.Key(event.key()))
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Space if self._at is not None:
                self.choose(self._at)
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom(1.2)
            case Qt.Key.Key_Minus:
                self.zoom(1 / 1.2)
            case Qt.Key.Key_0 | Qt.Key.Key_F:
                self.fit()
            case _:
                super().keyPressEvent(event)

    def _step(self, key: Qt.Key) -> None:
        """Left and right walk along the lines, up and down within a layer."""
        if not self._nodes:
            return
        here = self._at if self._at in self._nodes else self._anchor
        if here not in self._nodes:
            here = next(iter(self._nodes))
        place = self._nodes[here].place
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            sign = 1 if key == Qt.Key.Key_Down else -1
            there = [
                k for k, n in self._nodes.items() if n.place.layer == place.layer and sign * (n.place.y - place.y) > 0
            ]
        elif key == Qt.Key.Key_Left:
            there = [t.upstream for t in self._shown.ties if t.downstream == here]
        else:
            there = [t.downstream for t in self._shown.ties if t.upstream == here]
        if there:
            here = min(there, key=lambda k: abs(self._nodes[k].place.middle - place.middle))
        self._at = here
        for other, item in self._nodes.items():
            item.under_keys = other == here
            item.update()
        self.ensureVisible(self._nodes[here], 8, 8)
