"""The lineage drawing: what the focus comes from, and what stands on it, left to right. It follows the focus and the
graph, and knows what is chosen in it; what a person may do with it are the `verbs`.

A small one lives in the inspector and shows as much as its width lets a person read. The large one shows all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFont, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import LARGE, Lifecycle
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.asked import Asked, Side
from e2e_ml.desktop.panels.lineage.choice import Choice, Lit
from e2e_ml.desktop.panels.lineage.faces import Face
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Key, Neighbourhood, Tie
from e2e_ml.desktop.panels.lineage.plan import Plan
from e2e_ml.desktop.panels.lineage.planning import Planning, Wanted
from e2e_ml.desktop.panels.lineage.pointing import Pointing
from e2e_ml.desktop.panels.lineage.sheet import Ends, Standing
from e2e_ml.desktop.panels.lineage.walking import closable, found_in
from e2e_ml.desktop.panels.lineage.ways import Ways
from e2e_ml.refs import Ref

_SLACK = 20  # px of width: a scroll bar that comes or goes beside the drawing is no reason to draw it anew
_SPOKEN = 60  # boxes that its accessible name tells


class LineageDrawing(Pointing):
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
        self._planning = Planning(operations)
        self._asked = Asked()
        self._look = Look(appearance.theme, self.font())
        self._choice, self._lit = Choice(), Lit()
        self._found: list[Key] | None = None
        self._can_close: dict[Side, bool] = {}
        self._confirmed: frozenset[Ends] = frozenset()
        self._stale = False
        self._drawn_for = 0.0  # px of room
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._refresh_if_seen)
        self.hovered.connect(self.stand)
        self.rested.connect(self.light)
        lifecycle.changed.connect(self._later.start)
        appearance.changed.connect(self._later.start)
        focus.changed.connect(self._turn)
        self.refresh()

    # --- what it shows ---

    @property
    def shown(self) -> Neighbourhood:
        return self._plan.shown

    @property
    def asked(self) -> Asked:
        return self._asked

    @property
    def can_close(self) -> dict[Side, bool]:
        """The sides where what is drawn can be put away."""
        return self._can_close

    @property
    def is_laying_out(self) -> bool:
        return self._planning.is_running

    @property
    def is_behind(self) -> bool:
        """Whether it is about to be drawn again."""
        return self._later.isActive() or self._planning.is_running

    def face(self, key: Key) -> Face:
        """What the box of `key` says. Raises KeyError where it is not drawn."""
        return self._plan.faces[key]

    # --- drawing ---

    def _turn(self, _ref: Ref, _origin: str) -> None:
        self._asked = self._asked.about_another()
        self._fits = True
        self._choice = Choice()
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

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if abs(self.room - self._drawn_for) > _SLACK:
            self._later.start()
        elif self._fits:
            self.fit_itself()
        self.show_sight()

    def refresh(self, then: Callable[[], object] | None = None) -> None:
        """Draw the focus's neighbourhood again, from the graph as it is now. A large one is laid out behind the window;
        `then` is called once it is there."""
        self._later.stop()
        self._stale = False
        if self._look.theme is not self._appearance.theme or self._look.base != self.font():
            self._look = Look(self._appearance.theme, self.font())
        self._drawn_for = room = self.room
        graph, current, now = self._lifecycle.graph, self._focus.current, self._clock()
        wanted = Wanted(graph, current, self._asked, now, self._look, room, self._large)
        self._planning.make(wanted, lambda plan: self._put_up(plan, then))

    def _put_up(self, plan: Plan, then: Callable[[], object] | None) -> None:
        self._choice = self._choice.carried(self._plan, plan)
        self.lay(plan, self._look)
        self._found = None
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
        names = ", ".join(face.label for face in list(plan.faces.values())[:_SPOKEN])
        more = f", and {len(plan.faces) - _SPOKEN} more" if len(plan.faces) > _SPOKEN else ""
        self.setAccessibleName(f"Lineage of {plan.focus.name}: {names}{more}")

    # --- what is chosen ---

    @property
    def chosen(self) -> Key | None:
        return self._choice.key

    @property
    def chosen_line(self) -> int | None:
        return self._choice.line

    @property
    def chosen_tie(self) -> Tie | None:
        return self._choice.tie(self._plan)

    @property
    def at(self) -> Key | None:
        """What the keyboard stands on."""
        return self._choice.at

    def ways(self) -> Ways:
        """The ways between the focus and what is chosen."""
        return self._choice.ways(self._plan)

    def select(self, key: Key | None) -> None:
        """Choose a box: its ways to the focus are lit."""
        self._choose(Choice(self.at, key))

    def select_line(self, number: int | None) -> None:
        self._choose(Choice(self.at, line=number))

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        self._rested = None
        self.light()
        self.setAccessibleDescription(choice.spoken(self._plan))
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
        self.chosen_changed.emit()

    def look_for(self, text: str) -> list[Key]:
        """Dim all but the boxes that say `text`; those found, from left to right. Nothing is looked for in ""."""
        self._found = found_in(self._plan, text)
        self.stand()
        return self._found or []

    def show_key(self, key: Key) -> None:
        """Stand on a box, and bring it into sight."""
        self._choice = replace(self._choice, at=key)
        if self._large:
            self.select(key)
        self.stand()
        self.bring(self._sheet.rect_of(key))

    # --- how it stands out ---

    def show_confirmed(self, confirmed: frozenset[Ends]) -> None:
        """Mark the links that a person confirmed: their upstream and downstream ends, and their relations."""
        self._confirmed = confirmed
        self.stand()

    def light(self) -> None:
        """Find what is lit: the ways between the focus and what the mouse rests on, else what is chosen."""
        self._lit = self._choice.lit(self._plan, self._rested) if self._large else Lit()
        self.stand()

    def stand(self) -> None:
        self._sheet.stand(
            Standing(
                hover=self._hover,
                keys=self.at if self.hasFocus() or self._large else None,
                chosen=self.chosen,
                hover_line=self._hover_line,
                chosen_line=self.chosen_line,
                lit=self._lit.keys,
                lit_lines=self._lit.ties,
                found=frozenset(self._found) if self._found is not None else None,
                near=self._plan.focus,
                can_close=self._can_close,
                confirmed=self._confirmed,
            )
        )
