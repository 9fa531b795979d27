"""The lineage drawing under a person's hands: what the mouse and the keys do.

In a small one a click looks at a thing. In the large one a click chooses, and a second one, or Enter, looks.
"""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QWidget

from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage.drawing import LineageDrawing
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold
from e2e_ml.desktop.panels.lineage.verbs import Verbs
from e2e_ml.refs import Ref

# What the keys of the drawing do, from the one list of actions.
_VERBS = {QKeySequence(action.shortcut).toString(): action.args[0] for action in ACTIONS if action.where == "drawing"}
_SAME = {Qt.Key.Key_Enter: "choose", Qt.Key.Key_Space: "choose", Qt.Key.Key_Equal: "larger", Qt.Key.Key_0: "fit"}


class LineageView(LineageDrawing):
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
        super().__init__(lifecycle, focus, appearance, parent, large=large, clock=clock, operations=operations)
        self.verbs = Verbs(self, focus)
        self.clicked.connect(self.click)
        self.double_clicked.connect(self.double_click)

    def click(self, at: QPointF) -> None:
        if (side := self._sheet.knob_at(at)) is not None and self._large:
            self.verbs.toggle(side)
            return
        key = self._sheet.box_at(at)
        if key is not None:
            if isinstance(key, Fold) or not self._large:
                self.verbs.look_at(key)
            else:
                self._choice = replace(self._choice, at=key)
                self.select(key)
        elif self._large:
            self._choice = replace(self._choice, at=None)
            self.select_line(self._sheet.line_at(at))

    def double_click(self, at: QPointF) -> None:
        if self._large and (row := self._sheet.row_at(at)) is not None:
            self.verbs.look_at(row)
            return
        key = self._sheet.box_at(at)
        if isinstance(key, Ref) and self._large and self._sheet.knob_at(at) is None:
            self.verbs.look_at(key)
        elif key is None and self._sheet.line_at(at) is None:
            self.fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self.at is None and event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self._choice = replace(self._choice, at=self._plan.focus)
        self.stand()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.stand()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        verb = _VERBS.get(QKeySequence(event.key()).toString()) or _SAME.get(key)
        if event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            verb = None
        if verb is None or not self.verbs.do(verb):
            super().keyPressEvent(event)
