"""The lineage drawing: what the focus comes from, and what stands on it, left to right.

A small one lives in the inspector and shows as much as its width lets a person read; a click looks at a thing. The
large one shows all: there a click chooses, and a second one, or Enter, looks.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsScene, QGraphicsView, QToolTip, QWidget

from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operation, Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.asked import Asked, Side
from e2e_ml.desktop.panels.lineage.faces import Face
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.minimap import Minimap
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold, Key, Neighbourhood, Tie, anchor
from e2e_ml.desktop.panels.lineage.plan import EDGE, EMPTY, READABLE, Plan, around_of, plan_large, plan_small
from e2e_ml.desktop.panels.lineage.sheet import Sheet, Standing
from e2e_ml.desktop.panels.lineage.ways import Ways, between
from e2e_ml.lineage.graph import Edge, Evidence
from e2e_ml.refs import Ref

ORIGIN = "lineage"
AT_ONCE = 90  # boxes that are laid out on the spot; more are laid out behind the window
_LEAST, _MOST = 72, 232  # px, the height of a small drawing
_LARGE_LEAST = 0.62  # below, a large drawing is not fitted by itself: it begins at the focus and is dragged
_ZOOM = (0.08, 2.5)
_MARGIN = 40  # px around a large drawing
_HOVER = 140  # ms that the mouse rests on a box before its ways are lit
# What the keys of the drawing do, from the one list of actions.
_VERBS = {QKeySequence(action.shortcut).toString(): action.args[0] for action in ACTIONS if action.where == "drawing"}
_SAME = {Qt.Key.Key_Enter: "choose", Qt.Key.Key_Space: "choose", Qt.Key.Key_Equal: "larger", Qt.Key.Key_0: "fit"}


class LineageView(QGraphicsView):
    chosen_changed = Signal()  # another box or line is chosen, or none
    drawn = Signal()  # there is another drawing
    asked_changed = Signal()

    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        parent: QWidget | None = None,
        *,
        large: bool = False,
        clock: words.Clock = words.utc_now,
        operations: Operations | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("lineageLarge" if large else "lineage")
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock
        self._large, self._operations = large, operations
        self._asked = Asked()
        self._plan: Plan = EMPTY
        self._look = Look(appearance.theme, self.font())
        self._laying: Operation[Plan] | None = None
        self._at: Key | None = None  # under the keyboard
        self._chosen: Key | None = None
        self._chosen_line: int | None = None
        self._hover: Key | None = None
        self._lit_hover: Key | None = None
        self._hover_line: int | None = None
        self._found: list[Key] | None = None
        self._pressed_at: QPoint | None = None
        self._stale = False
        self._fits = True  # until the person zooms
        self.is_confirmed: Callable[[Edge], bool] = lambda edge: False
        self._sheet = Sheet(self._look)
        self._scene = QGraphicsScene(self)
        self._scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self._scene.addItem(self._sheet)
        self.setScene(self._scene)
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
            self.horizontalScrollBar().valueChanged.connect(self._show_sight)
            self.verticalScrollBar().valueChanged.connect(self._show_sight)
        else:
            self.setFixedHeight(_LEAST)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_if_seen)
        self._rests = QTimer(self)
        self._rests.setSingleShot(True)
        self._rests.setInterval(_HOVER)
        self._rests.timeout.connect(self._rest)
        lifecycle.changed.connect(self._later.start)
        appearance.changed.connect(self._later.start)
        focus.changed.connect(self._turn)
        self.refresh()

    # --- what a test, or the page, may ask ---

    @property
    def shown(self) -> Neighbourhood:
        return self._plan.shown

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def sheet(self) -> Sheet:
        return self._sheet

    @property
    def asked(self) -> Asked:
        return self._asked

    @property
    def is_laying_out(self) -> bool:
        return self._laying is not None

    @property
    def chosen(self) -> Key | None:
        return self._chosen

    @property
    def chosen_tie(self) -> Tie | None:
        return self._sheet.line(self._chosen_line).tie if self._chosen_line is not None else None

    @property
    def at(self) -> Key | None:
        """What the keyboard stands on."""
        return self._at

    def face(self, key: Key) -> Face:
        """What the box of `key` says. Raises KeyError where it is not drawn."""
        return self._plan.faces[key]

    def centre_of(self, key: Key) -> QPoint:
        """Where the box of `key` stands in the viewport, in pixels."""
        return self.mapFromScene(self._sheet.rect_of(key).center())

    def ways(self) -> Ways:
        """The ways between the focus and what is chosen."""
        if self._chosen is None or self._plan.focus is None:
            return Ways()
        return between(self._ties(), self._plan.focus, self._chosen)

    # --- drawing ---

    def _turn(self, _ref: Ref, _origin: str) -> None:
        self._asked = self._asked.about_another()
        self._fits = True
        self._at = self._chosen = self._chosen_line = None
        self._refresh_if_seen()

    def ask(self, asked: Asked, *, keep: Key | None = None) -> None:
        """Draw what a person asks for; `keep` stays where it is on the screen."""
        if asked == self._asked:
            return
        self._asked = asked
        before = self.centre_of(keep) if keep is not None and keep in self._plan.faces else None
        if before is not None:
            self._fits = False
        self.asked_changed.emit()
        self.refresh(lambda: self._hold(keep, before))

    def _hold(self, key: Key | None, before: QPoint | None) -> None:
        if key is None or before is None or key not in self._plan.faces:
            return
        off = self.centre_of(key) - before
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + off.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + off.y())

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

    def refresh(self, then: Callable[[], object] | None = None) -> None:
        """Draw the focus's neighbourhood again, from the graph as it is now. A large one is laid out behind the window;
        `then` is called once it is there."""
        self._later.stop()
        self._stale = False
        if self._laying is not None:
            self._laying.cancel()
            self._laying = None
        if self._look.theme is not self._appearance.theme or self._look.base != self.font():
            self._look = Look(self._appearance.theme, self.font())
        graph, now, asked = self._lifecycle.graph, self._clock(), self._asked
        current = self._focus.current
        focus = anchor(graph, current)
        if focus is None:
            self._put_up(EMPTY, then)
            return
        around = around_of(graph, focus, asked, large=self._large)
        room = self._room()
        if not self._large:
            self._put_up(plan_small(graph, around, self._look, now, room), then)
            return
        if self._operations is None or len(around.keys) <= AT_ONCE:
            self._put_up(plan_large(graph, around, self._look, now, asked, current, room), then)
            return
        look = self._look.again()
        laying = self._operations.run(
            "Drawing the lineage", lambda: plan_large(graph, around, look, now, asked, current, room)
        )
        self._laying = laying.success(lambda plan: self._put_up(plan, then))
        self._laying.start()

    def _put_up(self, plan: Plan, then: Callable[[], object] | None) -> None:
        self._laying = None
        self._plan = plan
        self._sheet.show_plan(plan, self._look)
        for name in ("_at", "_chosen", "_hover", "_lit_hover"):
            if getattr(self, name) not in plan.faces:
                setattr(self, name, None)
        self._chosen_line = self._hover_line = None
        self._found = None
        self._can_close = self._closable()
        self._stand()
        margin = _MARGIN if self._large else EDGE
        drawing = plan.drawing
        whole = QRectF(0, 0, drawing.width, drawing.height).adjusted(-margin, -margin, margin, margin)
        self._scene.setSceneRect(whole)
        self._name(plan)
        if not self._large:
            scale = min(1.0, self._room() / max(whole.width(), 1))
            self.setFixedHeight(min(max(round(whole.height() * scale) + 2, _LEAST), _MOST))
        if self.minimap is not None:
            self.minimap.show_plan(plan, self._look)
        if self._fits:
            self._fit_itself()
        if then is not None:
            then()
        self._show_sight()
        self.viewport().update()
        self.drawn.emit()
        self.chosen_changed.emit()

    def _name(self, plan: Plan) -> None:
        if plan.focus is None:
            self.setAccessibleName("Lineage: nothing is in focus")
            return
        names = ", ".join(face.label for face in list(plan.faces.values())[:60])
        more = f", and {len(plan.faces) - 60} more" if len(plan.faces) > 60 else ""
        self.setAccessibleName(f"Lineage of {plan.focus.name}: {names}{more}")

    def _room(self) -> float:
        return max(float(self.viewport().width()), 120.0)

    def _ties(self) -> list[Tie]:
        return [line.tie for line in self._plan.lines]

    def _closable(self) -> dict[Side, bool]:
        """The sides where what is drawn can be put away: those away from the focus, and those that were expanded."""
        around, focus = self._plan.around, self._plan.focus
        if around is None or not self._large:
            return {}
        found: dict[Side, bool] = {}
        for tie in self._plan.shown.ties:
            for ref, down in ((tie.upstream, True), (tie.downstream, False)):
                if isinstance(ref, Ref):
                    fan, side = around.fans.get(ref), Side(ref, down)
                    found[side] = ref == focus or side in self._asked.expanded or (
                        fan is not None and fan.downstream is down
                    )  # fmt: skip
        return found

    def stand(self) -> None:
        """Show again how things stand out, e.g. once something was said of a link."""
        self._stand()

    def _stand(self) -> None:
        focus = self._plan.focus
        lit: frozenset[Key] | None = None
        lines: frozenset[tuple[Key, Key]] = frozenset()
        aim = self._lit_hover or self._chosen
        if self._large and aim is not None and focus is not None and aim != focus:
            ways = between(self._ties(), focus, aim)
            lit, lines = ways.keys | {aim, focus}, ways.ties
        elif self._large and self._chosen_line is not None:
            tie = self._sheet.line(self._chosen_line).tie
            lit, lines = frozenset((tie.upstream, tie.downstream)), frozenset(((tie.upstream, tie.downstream),))
        told = {e for line in self._plan.lines for e in line.tie.edges if e.evidence is Evidence.DECLARED}
        self._sheet.stand(
            Standing(
                hover=self._hover,
                keys=self._at if self.hasFocus() or self._large else None,
                chosen=self._chosen,
                hover_line=self._hover_line,
                chosen_line=self._chosen_line,
                lit=lit,
                lit_lines=lines,
                found=frozenset(self._found) if self._found is not None else None,
                near=focus,
                can_close=self._can_close,
                confirmed=frozenset(e for e in told if self.is_confirmed(e)),
            )
        )

    # --- what a person does: every verb stands in the list of actions ---

    def do(self, verb: str) -> bool:
        """Do what a key or a menu says; whether this drawing knows the verb."""
        acts: dict[str, Callable[[], object]] = {
            "left": lambda: self._step(-1, 0),
            "right": lambda: self._step(1, 0),
            "up": lambda: self._step(0, -1),
            "down": lambda: self._step(0, 1),
            "choose": lambda: self.look_at(self._at or self._chosen),
            "expand": lambda: self.expand(self._at or self._chosen),
            "collapse": lambda: self.collapse(self._at or self._chosen),
            "larger": lambda: self.zoom(1.2),
            "smaller": lambda: self.zoom(1 / 1.2),
            "fit": self.fit,
            "home": self.go_home,
            "doubt": self.next_doubt,
            "columns": lambda: self.ask(self._asked.toggle_columns(), keep=self._plan.focus),
            "map": self.toggle_map,
        }
        if verb not in acts:
            return False
        acts[verb]()
        return True

    def look_at(self, key: Key | None) -> None:
        """Look at what a box stands for; a fold opens."""
        if isinstance(key, Fold):
            self.ask(self._asked.open(key.fan), keep=self._plan.focus if self._large else None)
        elif key is not None:
            self._focus.set(key, ORIGIN)

    def expand(self, key: Key | None) -> None:
        """Show what lies beyond a thing and is not drawn; on the side away from the focus where it has none."""
        if isinstance(key, Fold):
            self.look_at(key)
            return
        around = self._plan.around
        if key is None or around is None:
            return
        sides = [Side(key, down) for down in (False, True) if around.more.get(Side(key, down))]
        if not sides:  # what stands beside the story: an ancestor's other children
            fan = around.fans.get(key)
            sides = [Side(key, not fan.downstream)] if fan is not None else []
        asked = self._asked
        for side in sides:
            asked = asked.expand(side)
        self.ask(asked, keep=key)

    def collapse(self, key: Key | None) -> None:
        """Put away what lies beyond a thing; where there is nothing, the rest of its own fan."""
        around = self._plan.around
        if around is None or not isinstance(key, Ref):
            return
        sides = [side for side in (Side(key, False), Side(key, True)) if self._can_close.get(side)]
        asked = self._asked
        for side in sides:
            asked = asked.close(side)
        if not sides and (fan := around.fans.get(key)) is not None:
            asked = asked.fold(fan)
        self.ask(asked, keep=key)

    def toggle(self, side: Side) -> None:
        """A knob was pressed."""
        around = self._plan.around
        if around is not None and around.more.get(side):
            self.ask(self._asked.expand(side), keep=side.ref)
        else:
            self.ask(self._asked.close(side), keep=side.ref)

    def select(self, key: Key | None) -> None:
        """Choose a box: its ways to the focus are lit."""
        self._chosen, self._chosen_line = key, None
        self._tell_chosen()

    def select_line(self, number: int | None) -> None:
        self._chosen, self._chosen_line = None, number
        self._tell_chosen()

    def _tell_chosen(self) -> None:
        self._lit_hover = None
        self._stand()
        self.setAccessibleDescription(self._spoken())
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.chosen_changed.emit()

    def _spoken(self) -> str:
        if (tie := self.chosen_tie) is not None:
            return tie.reason or f"{self.face(tie.upstream).label} to {self.face(tie.downstream).label}"
        if self._chosen is None:
            return ""
        face = self.face(self._chosen)
        return ". ".join([face.spoken, *self.ways().sentences(lambda key: self.face(key).label)])

    def next_doubt(self) -> None:
        """Choose the next link that was inferred."""
        doubts = [n for n, line in enumerate(self._plan.lines) if line.tie.evidence is Evidence.INFERRED]
        if not doubts:
            return
        here = -1 if self._chosen_line is None else self._chosen_line
        self.select_line(next((n for n in doubts if n > here), doubts[0]))
        at = self._sheet.middle_of(self._chosen_line or 0)
        self.ensureVisible(QRectF(at.x() - 60, at.y() - 60, 120, 120))

    def look_for(self, text: str) -> list[Key]:
        """Dim all but the boxes that say `text`; those found, from left to right. Nothing is looked for in ""."""
        wanted = text.lower().split()
        if not wanted:
            self._found = None
            self._stand()
            return []
        places = self._plan.drawing.places
        found = [key for key, face in self._plan.faces.items() if all(w in _searched(key, face) for w in wanted)]
        self._found = sorted(found, key=lambda key: (places[key].layer, places[key].y))
        self._stand()
        return self._found

    def show_key(self, key: Key) -> None:
        """Stand on a box, and bring it into sight."""
        self._at = key
        if self._large:
            self.select(key)
        self._stand()
        self.ensureVisible(self._sheet.rect_of(key), 32, 32)

    def _step(self, across: int, along: int) -> None:
        """Left and right walk along the lines, up and down within a layer."""
        places = self._plan.drawing.places
        here = self._at if self._at is not None else self._chosen or self._plan.focus
        if here not in places:
            here = next(iter(places), None)
        if here is None:
            return
        place = places[here]
        if along:
            there = [k for k, p in places.items() if p.layer == place.layer and along * (p.y - place.y) > 0]
        elif across < 0:
            there = [t.upstream for t in self._ties() if t.downstream == here]
        else:
            there = [t.downstream for t in self._ties() if t.upstream == here]
        if there:
            here = min(there, key=lambda k: abs(places[k].middle - place.middle))
        self.show_key(here)

    def go_home(self) -> None:
        """Back to the focus."""
        if (focus := self._plan.focus) is not None:
            self.show_key(focus)
            self.centerOn(self._sheet.rect_of(focus).center())

    def toggle_map(self) -> None:
        self._wants_map = not self._wants_map
        self._show_sight()

    # --- zoom and pan ---

    def _fit_itself(self) -> None:
        """As much as can be read: the whole drawing where that can, else it starts at the focus."""
        self._scale_to_fit(_LARGE_LEAST if self._large else READABLE * 0.9)

    def fit(self) -> None:
        """The whole drawing, never larger than life."""
        self._scale_to_fit(_ZOOM[0] if self._large else READABLE * 0.9)

    def _scale_to_fit(self, least: float) -> None:
        self._fits = True
        rect = self._scene.sceneRect()
        across, down = self.viewport().width() / max(rect.width(), 1), self.viewport().height() / max(rect.height(), 1)
        scale = max(min(1.0, across, down), least)
        self.resetTransform()
        self.scale(scale, scale)
        focus = self._plan.focus
        if scale > min(across, down) and focus is not None and focus in self._plan.faces:
            self.centerOn(self._sheet.rect_of(focus).center())
        else:
            self.centerOn(rect.center())
        self._show_sight()

    def zoom(self, factor: float) -> None:
        self._fits = False
        scale = self.transform().m11()
        wanted = min(max(scale * factor, _ZOOM[0]), _ZOOM[1])
        self.scale(wanted / scale, wanted / scale)
        self._show_sight()

    def _show_sight(self) -> None:
        if self.minimap is None:
            return
        seen = self.mapToScene(self.viewport().rect()).boundingRect()
        drawing = self._plan.drawing
        whole = seen.contains(QRectF(0, 0, drawing.width, drawing.height))
        self.minimap.setVisible(self._wants_map and not whole and bool(drawing.places))
        if self.minimap.isVisible():
            corner = QPoint(self.width() - self.minimap.width() - 12, self.height() - self.minimap.height() - 12)
            self.minimap.move(corner)
            self.minimap.show_sight(seen)

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
            self._fit_itself()
        self._show_sight()

    # --- mouse and keyboard ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        self._show_cursor(event.position().toPoint())
        at, pressed = event.position().toPoint(), self._pressed_at
        self._pressed_at = None
        if pressed is None or (at - pressed).manhattanLength() > 4:  # it was a drag
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._click(self.mapToScene(at))

    def _click(self, at: QPointF) -> None:
        if (side := self._sheet.knob_at(at)) is not None and self._large:
            self.toggle(side)
            return
        key = self._sheet.box_at(at)
        if key is not None:
            if isinstance(key, Fold) or not self._large:
                self.look_at(key)
            else:
                self._at = key
                self.select(key)
        elif self._large:
            self._at = None
            self.select_line(self._sheet.line_at(at))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = self.mapToScene(event.position().toPoint())
        if self._large and (row := self._sheet.row_at(at)) is not None:
            self._focus.set(row, ORIGIN)
            return
        key = self._sheet.box_at(at)
        if isinstance(key, Ref) and self._large and self._sheet.knob_at(at) is None:
            self.look_at(key)
        elif key is None and self._sheet.line_at(at) is None:
            self.fit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if event.buttons():
            return
        at = self.mapToScene(event.position().toPoint())
        key = self._sheet.box_at(at)
        line = self._sheet.line_at(at) if key is None else None
        self._show_cursor(event.position().toPoint())
        if (key, line) != (self._hover, self._hover_line):
            self._hover, self._hover_line = key, line
            if self._large:
                self._rests.start()
            self._stand()

    def _show_cursor(self, at: QPoint) -> None:
        point = self.mapToScene(at)
        hit = self._sheet.box_at(point) is not None or self._sheet.knob_at(point) is not None
        hit = hit or (self._large and self._sheet.line_at(point) is not None)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hit else Qt.CursorShape.ArrowCursor)

    def _rest(self) -> None:
        """The mouse rests on a box: its ways are lit; beside everything, those of what is chosen are."""
        self._lit_hover = self._hover if isinstance(self._hover, Ref | Fold) else None
        self._stand()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._rests.stop()
        self._hover = self._hover_line = self._lit_hover = None
        self._stand()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos()), self.viewport())
            return True
        return super().viewportEvent(event)

    def tip_at(self, at: QPoint) -> str:
        """What is said of what lies under a point of the viewport."""
        point = self.mapToScene(at)
        if (side := self._sheet.knob_at(point)) is not None:
            more = self._plan.around.more.get(side, 0) if self._plan.around else 0
            where = "downstream" if side.downstream else "upstream"
            return f"Show {words.count(more, 'more thing')} {where} (E)" if more else f"Put away what is {where} (C)"
        if (key := self._sheet.box_at(point)) is not None:
            return self.face(key).tip
        number = self._sheet.line_at(point)
        return "" if number is None else line_tip(self._sheet.line(number).tie, self._sheet.line(number).route.turned)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._at is None and event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._at = self._plan.focus
        self._stand()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._stand()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        verb = _VERBS.get(QKeySequence(event.key()).toString()) or _SAME.get(key)
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            verb = None
        if verb is None or not self.do(verb):
            super().keyPressEvent(event)


def line_tip(tie: Tie, turned: bool) -> str:
    told = tie.reason or "What is folded, or left out, ties them."
    return told + ("\nIt closes a cycle." if turned else "")


def _searched(key: Key, face: Face) -> str:
    names = [ref.name for ref in key.refs] if isinstance(key, Fold) else [key.name, *key.keys]
    rows = [row.name for row in face.rows]
    return " ".join([face.label, face.caption, key.kind.value, *names, *rows]).lower()
