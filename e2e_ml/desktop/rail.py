"""The lifecycle rail at the left edge: a button a stage."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.stages import STAGES
from e2e_ml.desktop.theme import GRID

WIDTH = 84  # px


class Rail(QWidget):
    chosen = Signal(str)
    services = Signal()

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(WIDTH)
        self._appearance = appearance
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID // 2, GRID, GRID // 2, GRID)
        column.setSpacing(GRID // 2)
        for number, stage in enumerate(STAGES, 1):
            button = self._button(stage.name, f"{stage.tip} (Alt+{number})")
            button.setCheckable(True)
            button.clicked.connect(lambda _on=False, name=stage.name: self.chosen.emit(name))
            self._group.addButton(button)
            self.buttons[stage.name] = button
            column.addWidget(button)
        column.addStretch(1)
        self.services_button = self._button("Services", "The services: state, version, logs (Ctrl+J)")
        self.services_button.clicked.connect(self.services)
        column.addWidget(self.services_button)
        self._group.buttonToggled.connect(self._ink)
        appearance.changed.connect(self._ink)
        self._ink()

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("railButton")
        button.setText(text)
        button.setToolTip(tip)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(20, 20))
        button.setFixedSize(WIDTH - GRID, 54)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_stage(self, name: str) -> None:
        self.buttons[name].setChecked(True)

    def _ink(self) -> None:
        theme = self._appearance.theme
        for stage in STAGES:
            button = self.buttons[stage.name]
            button.setIcon(icon(stage.icon, "#ffffff" if button.isChecked() else theme.rail_ink, size=20))
        self.services_button.setIcon(icon("services", theme.rail_ink, size=20))
