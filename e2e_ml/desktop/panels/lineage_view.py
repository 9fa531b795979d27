"""The lineage drawing: what the focus comes from, and what stands on it, left to right.

A small one lives in the inspector and shows as much as its width lets a person read; a click looks at a thing. The
large one shows all: there a click chooses, and a second one, or Enter, looks.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import LARGE, Lifecycle
from e2e_ml.desktop.operations import Operation, Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.desktop.panels.lineage.faces import Face
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold, Key, Neighbourhood, Tie, anchor
from e2e_ml.desktop.panels.lineage.plan import EMPTY, Plan, around_of, plan_large, plan_small
from e2e_ml.desktop.panels.lineage.pointing import Pointing
from e2e_ml.desktop.panels.lineage.sheet import Ends, Standing
from e2e_ml.desktop.panels.lineage.walking import beside, closable, found_in
from e2e_ml.desktop.panels.lineage.ways import Ways, between
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Ref

ORIGIN = "lineage"
AT_ONCE = 60  # boxes that are laid out on the spot; more are laid out behind the window
_SLACK = 20  # px of width: a scroll bar that comes or goes beside the drawing is no reason to draw it anew
_MANY = 2  # fans and sides that were opened: with more, the drawing is made behind the window from the start
# What the keys of the drawing do, from the one list of actions.
_VERBS = {QKeySequence(action.shortcut).toString(): action.args[0] for action in ACTIONS if action.where == "drawing"}
_SAME = {Qt.Key.Key_Enter: "choose", Qt.Key.Key_Space: "choose", Qt.Key.Key_Equal: "larger", Qt.Key.Key_0: "fit"}


class LineageView(Pointing):
    chosen_changed = Signal()  # another box or line is chosen, or none
    drawn = Signal()  # there is another drawing

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
        super().__init__(Look(appearance.theme, QFont()), parent, large=large)
        self.setObjectName("lineageLarge" if large else "lineage")
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock
        self._operations = operations
        self._asked = Asked()
        self._look = Look(appearance.theme, self.font())
        self._laying: Operation[Plan] | None = None
        self._at: Key | None = None  # under the keyboard
        self._chosen: Key | None = None
        self._chosen_line: int | None = None
        self._lit: tuple[frozenset[Key] | None, frozenset[tuple[Key, Key]]] = None, frozenset()
        self._found: list[Key] | None = None
        self._stale = False
        self._drawn_for = 0.0  # px of room
        self._confirmed: frozenset[Ends] = frozenset()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_if_seen)
        self.clicked.connect(self.click)
        self.double_clicked.connect(self.double_click)
        self.hovered.connect(self.stand)
        self.rested.connect(self.light)
        lifecycle.changed.connect(self._later.start)
        appearance.changed.connect(self._later.start)
        focus.changed.connect(self._turn)
        self.refresh()

    # --- what a test, or the page, may ask ---

    @property
    def shown(self) -> Neighbourhood:
        return self._plan.shown

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
        if self._large and len(self._lifecycle.graph) > LARGE:
            self._later.start()
        else:  # in the turn of what stands around it, which is laid out and painted once for both
            self._refresh_if_seen()

    def ask(self, asked: Asked, *, keep: Key | None = None) -> None:
        """Draw what a person asks for; `keep` stays where it is on the screen."""
        if asked == self._asked:
            return
        self._asked = asked
        before = self.centre_of(keep) if keep is not None and keep in self._plan.faces else None
        if before is not None:
            self._fits = False
        self.refresh(lambda: self.hold(keep, before) if keep is not None and before is not None else None)

    @property
    def is_behind(self) -> bool:
        """Whether it is about to be drawn again."""
        return self._later.isActive() or self._laying is not None

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
        graph, now, asked, current = self._lifecycle.graph, self._clock(), self._asked, self._focus.current
        focus, room = anchor(current), self.room
        self._drawn_for = room
        if focus is None:
            self._put_up(EMPTY, then)
            return
        if not self._large:
            around = around_of(graph, focus, asked, large=False)
            self._put_up(plan_small(graph, around, self._look, now, room), then)
            return
        look = self._look.again()
        if self._operations is not None and len(asked.opened) + len(asked.expanded) > _MANY:
            self._lay_out(
                lambda: plan_large(
                    graph, around_of(graph, focus, asked, large=True), look, now, asked, current, room
                ), then,
            )  # fmt: skip
            return
        around = around_of(graph, focus, asked, large=True)  # its looks are bounded
        if self._operations is not None and len(around.keys) > AT_ONCE:
            self._lay_out(lambda: plan_large(graph, around, look, now, asked, current, room), then)
            return
        self._put_up(plan_large(graph, around, self._look, now, asked, current, room), then)

    def _lay_out(self, work: Callable[[], Plan], then: Callable[[], object] | None) -> None:
        if self._operations is not None:
            laying = self._operations.run("Drawing the lineage", work)
            self._laying = laying.success(lambda plan: self._put_up(plan, then)).start()

    def _put_up(self, plan: Plan, then: Callable[[], object] | None) -> None:
        self._laying = None
        chosen = self.chosen_tie
        self.lay(plan, self._look)
        for name in ("_at", "_chosen", "_hover", "_rested"):
            if getattr(self, name) not in plan.faces:
                setattr(self, name, None)
        ends = (chosen.upstream, chosen.downstream) if chosen else None
        again = (n for n, line in enumerate(plan.lines) if (line.tie.upstream, line.tie.downstream) == ends)
        self._chosen_line, self._hover_line, self._found = next(again, None), None, None
        self._can_close = closable(plan, self._asked) if self._large else {}
        self.light()
        self._name(plan)
        if then is not None:
            then()
        self.show_sight()
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

    def _ties(self) -> list[Tie]:
        return [line.tie for line in self._plan.lines]

    def show_confirmed(self, confirmed: frozenset[Ends]) -> None:
        """Mark the links that a person confirmed: their upstream and downstream ends, and their relations."""
        self._confirmed = confirmed
        self.stand()

    def light(self) -> None:
        """Find what is lit: the ways between the focus and what the mouse rests on, else what is chosen."""
        focus, aim = self._plan.focus, self._rested or self._chosen
        self._lit = None, frozenset()
        if self._large and aim is not None and focus is not None and aim != focus:
            ways = between(self._ties(), focus, aim)
            self._lit = ways.keys | {aim, focus}, ways.ties
        elif self._large and (tie := self.chosen_tie) is not None:
            self._lit = frozenset((tie.upstream, tie.downstream)), frozenset(((tie.upstream, tie.downstream),))
        self.stand()

    def stand(self) -> None:
        lit, lines = self._lit
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
                near=self._plan.focus,
                can_close=self._can_close,
                confirmed=self._confirmed,
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

    def fold(self, fan: Fan) -> None:
        """Show as few of a fan as before it was opened."""
        self.ask(self._asked.fold(fan), keep=self._plan.focus)

    def expand_side(self, side: Side) -> None:
        self.ask(self._asked.expand(side), keep=side.ref)

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
        self._rested = None
        self.light()
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
        self.bring(QRectF(at.x() - 60, at.y() - 60, 120, 120))

    def look_for(self, text: str) -> list[Key]:
        """Dim all but the boxes that say `text`; those found, from left to right. Nothing is looked for in ""."""
        self._found = found_in(self._plan, text)
        self.stand()
        return self._found or []

    def show_key(self, key: Key) -> None:
        """Stand on a box, and bring it into sight."""
        self._at = key
        if self._large:
            self.select(key)
        self.stand()
        self.bring(self._sheet.rect_of(key))

    def _step(self, across: int, along: int) -> None:
        here = self._at if self._at is not None else self._chosen or self._plan.focus
        if (there := beside(self._plan, here, across, along)) is not None:
            self.show_key(there)

    def go_home(self) -> None:
        """Back to the focus."""
        if (focus := self._plan.focus) is not None:
            self.show_key(focus)
            self.centerOn(self._sheet.rect_of(focus).center())

    # --- mouse and keyboard ---

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if abs(self.room - self._drawn_for) > _SLACK:
            self._later.start()
        elif self._fits:
            self.fit_itself()
        self.show_sight()

    def click(self, at: QPointF) -> None:
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

    def double_click(self, at: QPointF) -> None:
        if self._large and (row := self._sheet.row_at(at)) is not None:
            self._focus.set(row, ORIGIN)
            return
        key = self._sheet.box_at(at)
        if isinstance(key, Ref) and self._large and self._sheet.knob_at(at) is None:
            self.look_at(key)
        elif key is None and self._sheet.line_at(at) is None:
            self.fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._at is None and event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._at = self._plan.focus
        self.stand()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.stand()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        verb = _VERBS.get(QKeySequence(event.key()).toString()) or _SAME.get(key)
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            verb = None
        if verb is None or not self.do(verb):
            super().keyPressEvent(event)
