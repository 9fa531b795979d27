"""The page of keys: every action with its shortcut, drawn from the one list of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from e2e_ml.desktop.actions import ACTIONS
from e2e_ml.desktop.theme import GRID

LONGEST = 30  # rows of a column, so that the page stands in a window of 800 px


def page(parent: QWidget) -> QDialog:
    """A dialog with columns of keys, by menu: a new column where the next menu would make one much longer."""
    dialog = QDialog(parent)
    dialog.setObjectName("keys")
    dialog.setWindowTitle("Keys")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    grid = QGridLayout()
    grid.setHorizontalSpacing(3 * GRID)
    grid.setVerticalSpacing(GRID // 2)
    menus = list(dict.fromkeys(action.menu for action in ACTIONS if action.shortcut))
    lengths = {menu: 1 + sum(bool(a.shortcut) for a in ACTIONS if a.menu == menu) for menu in menus}
    rows = [0]
    side = 0
    for menu in menus:
        if rows[side] and rows[side] + lengths[menu] > LONGEST:
            side += 1
            rows.append(0)
        heading = QLabel(menu, dialog)
        heading.setProperty("role", "section")
        grid.addWidget(heading, rows[side], 3 * side, 1, 2)
        rows[side] += 1
        for action in ACTIONS:
            if action.menu != menu or not action.shortcut:
                continue
            key = QLabel(QKeySequence(action.shortcut).toString(QKeySequence.SequenceFormat.NativeText), dialog)
            key.setObjectName("key")
            grid.addWidget(QLabel(action.title, dialog), rows[side], 3 * side)
            grid.addWidget(key, rows[side], 3 * side + 1, Qt.AlignmentFlag.AlignRight)
            rows[side] += 1
    for gap in range(side):
        grid.setColumnMinimumWidth(3 * gap + 2, 3 * GRID)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
    column.addLayout(grid)
    column.addStretch(1)
    return dialog
