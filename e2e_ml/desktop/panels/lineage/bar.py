"""The bar above the large lineage: the way back, what is shown, the search, and the buttons of the drawing."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QPushButton, QToolButton, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.theme import GRID

HEIGHT = 44  # px
_NARROW = 760  # px of a page: below, the search is shorter


class Bar(QWidget):
    verb_chosen = Signal(str)  # a button of the drawing was pressed: one of the verbs in the list of actions

    def __init__(self, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("lineageBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._appearance = appearance
        self.back = QPushButton("Back", self)
        self.back.setToolTip("Back to the views (Esc)")
        self.title = ElidedLabel(parent=self)
        self.title.setObjectName("chromeTitle")
        self.search = QLineEdit(self)
        self.search.setObjectName("lineageSearch")
        self.search.setAccessibleName("Search in the drawing")
        self.search.setClearButtonEnabled(True)
        self.found = QLabel(self)
        self.found.setProperty("role", "small")
        self.columns = self._button("Columns", "Show the columns of sources (L)", "columns")
        self.columns.setCheckable(True)
        self.save = self._button("Save", "Save the drawing as a picture")
        menu = QMenu(self.save)
        menu.addAction("As SVG\tCtrl+E", lambda: self.verb_chosen.emit("svg"))
        menu.addAction("As PNG\tCtrl+Shift+E", lambda: self.verb_chosen.emit("png"))
        self.save.setMenu(menu)
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.smaller = self._button("\N{MINUS SIGN}", "Smaller (-)", "smaller")
        self.fit = self._button("Fit", "The whole drawing (F)", "fit")
        self.larger = self._button("+", "Larger (+)", "larger")
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, GRID + 4, 0)
        row.setSpacing(GRID)
        row.addWidget(self.back)
        row.addWidget(self.title, 1)
        for widget in (self.found, self.search, self.columns, self.save):
            row.addWidget(widget)
        zoom = QHBoxLayout()
        zoom.setSpacing(GRID // 2)
        for button in (self.smaller, self.fit, self.larger):
            zoom.addWidget(button)
        row.addLayout(zoom)
        self.make_room(_NARROW)
        appearance.changed.connect(self._ink)
        self._ink()

    def _button(self, text: str, tip: str, verb: str = "") -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("lineageButton")
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFixedHeight(28)
        button.setMinimumWidth(28)
        if verb:
            button.clicked.connect(lambda: self.verb_chosen.emit(verb))
        return button

    def _ink(self) -> None:
        self.back.setIcon(icon("back", self._appearance.theme.dim))
        self.back.setIconSize(QSize(14, 14))

    def make_room(self, width: int) -> None:
        """Stand in a page of `width` px."""
        narrow = width < _NARROW
        self.search.setFixedWidth(96 if narrow else 190)
        self.search.setPlaceholderText("Search" if narrow else "Search in the drawing")
