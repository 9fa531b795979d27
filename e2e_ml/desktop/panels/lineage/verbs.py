"""What a person may do with the lineage drawing: every verb stands in the list of actions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF

from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.panels.lineage.asked import Fan, Side
from e2e_ml.desktop.panels.lineage.drawing import LineageDrawing
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold, Key
from e2e_ml.desktop.panels.lineage.walking import beside
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Ref

ORIGIN = "lineage"  # of the focus, where it was moved here
_ZOOM = 1.2  # times larger, or smaller


class Verbs:
    def __init__(self, drawing: LineageDrawing, focus: Focus) -> None:
        self._drawing, self._focus = drawing, focus

    def do(self, verb: str) -> bool:
        """Do what a key or a menu says; whether this drawing knows the verb."""
        drawing = self._drawing
        acts: dict[str, Callable[[], object]] = {
            "left": lambda: self._step(-1, 0),
            "right": lambda: self._step(1, 0),
            "up": lambda: self._step(0, -1),
            "down": lambda: self._step(0, 1),
            "choose": lambda: self.look_at(drawing.at or drawing.chosen),
            "expand": lambda: self.expand(drawing.at or drawing.chosen),
            "collapse": lambda: self.collapse(drawing.at or drawing.chosen),
            "larger": lambda: drawing.zoom(_ZOOM),
            "smaller": lambda: drawing.zoom(1 / _ZOOM),
            "fit": drawing.fit,
            "home": self.go_home,
            "doubt": self.next_doubt,
            "columns": lambda: drawing.ask(drawing.asked.toggle_columns(), keep=drawing.plan.focus),
            "map": drawing.toggle_map,
        }
        if verb not in acts:
            return False
        acts[verb]()
        return True

    # --- to look elsewhere ---

    def look_at(self, key: Key | None) -> None:
        """Look at what a box stands for; a fold opens."""
        drawing = self._drawing
        if isinstance(key, Fold):
            drawing.ask(drawing.asked.open(key.fan), keep=drawing.plan.focus if drawing.is_large else None)
        elif key is not None:
            self._focus.set(key, ORIGIN)

    def go_home(self) -> None:
        """Back to the focus."""
        if (focus := self._drawing.plan.focus) is not None:
            self._drawing.show_key(focus)
            self._drawing.centerOn(self._drawing.sheet.rect_of(focus).center())

    def next_doubt(self) -> None:
        """Choose the next link that was inferred."""
        drawing = self._drawing
        doubts = [n for n, line in enumerate(drawing.plan.lines) if line.tie.evidence is Evidence.INFERRED]
        if not doubts:
            return
        here = -1 if drawing.chosen_line is None else drawing.chosen_line
        there = next((n for n in doubts if n > here), doubts[0])
        drawing.select_line(there)
        at = drawing.sheet.middle_of(there)
        drawing.bring(QRectF(at.x() - 60, at.y() - 60, 120, 120))

    def _step(self, across: int, along: int) -> None:
        drawing = self._drawing
        here = drawing.at if drawing.at is not None else drawing.chosen or drawing.plan.focus
        if (there := beside(drawing.plan, here, across, along)) is not None:
            drawing.show_key(there)

    # --- to see more, or less ---

    def expand(self, key: Key | None) -> None:
        """Show what lies beyond a thing and is not drawn; on the side away from the focus where it has none."""
        if isinstance(key, Fold):
            self.look_at(key)
            return
        around = self._drawing.plan.around
        if key is None or around is None:
            return
        sides = [Side(key, down) for down in (False, True) if around.more.get(Side(key, down))]
        if not sides:  # what stands beside the story: an ancestor's other children
            fan = around.fans.get(key)
            sides = [Side(key, not fan.downstream)] if fan is not None else []
        asked = self._drawing.asked
        for side in sides:
            asked = asked.expand(side)
        self._drawing.ask(asked, keep=key)

    def collapse(self, key: Key | None) -> None:
        """Put away what lies beyond a thing; where there is nothing, the rest of its own fan."""
        around = self._drawing.plan.around
        if around is None or not isinstance(key, Ref):
            return
        sides = [side for side in (Side(key, False), Side(key, True)) if self._drawing.can_close.get(side)]
        asked = self._drawing.asked
        for side in sides:
            asked = asked.close(side)
        if not sides and (fan := around.fans.get(key)) is not None:
            asked = asked.fold(fan)
        self._drawing.ask(asked, keep=key)

    def fold(self, fan: Fan) -> None:
        """Show as few of a fan as before it was opened."""
        self._drawing.ask(self._drawing.asked.fold(fan), keep=self._drawing.plan.focus)

    def expand_side(self, side: Side) -> None:
        self._drawing.ask(self._drawing.asked.expand(side), keep=side.ref)

    def toggle(self, side: Side) -> None:
        """Show what lies on a side where there is more than is drawn, else put it away: its knob was pressed."""
        around = self._drawing.plan.around
        if around is not None and around.more.get(side):
            self.expand_side(side)
        else:
            self._drawing.ask(self._drawing.asked.close(side), keep=side.ref)
