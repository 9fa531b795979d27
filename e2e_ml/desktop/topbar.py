"""The bar above everything: back and forward of the focus, where it lies, the palette's field, the panels' switches."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.breadcrumb import Breadcrumb
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.icons import icon, pixmap
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import signs, words
from e2e_ml.desktop.theme import GRID

HEIGHT = 44  # px


class _Field(QWidget):
    """Looks like a field, opens the palette."""

    pressed = Signal()

    def __init__(self, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("find")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setAccessibleName("Find anything, Ctrl+K")
        self._appearance = appearance
        self._glass = QLabel(self)
        hint = QLabel("Find a feature, DAG, run, model or action", self)
        hint.setObjectName("findHint")
        hint.setMinimumWidth(0)
        key = QLabel("Ctrl K", self)
        key.setObjectName("key")
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, GRID // 2 + 2, 0)
        row.setSpacing(GRID)
        row.addWidget(self._glass)
        row.addWidget(hint, 1)
        row.addWidget(key)
        self.setMinimumWidth(200)
        self.setMaximumWidth(400)
        self.setFixedHeight(30)
        appearance.changed.connect(self._ink)
        self._ink()

    def _ink(self) -> None:
        self._glass.setPixmap(pixmap("search", self._appearance.theme.dim, 14, self.devicePixelRatioF()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()


class TopBar(QWidget):
    find_requested = Signal()
    fold_explorer = Signal()
    fold_inspector = Signal()
    next_layout = Signal()
    menu = Signal()

    def __init__(
        self, lifecycle: Lifecycle, focus: Focus, appearance: Appearance, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("topBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._lifecycle, self._focus, self._appearance = lifecycle, focus, appearance
        self._icons: list[tuple[QToolButton, str]] = []
        self.back = self._button("back", "Back to what was in focus before (Alt+Left)")
        self.forward = self._button("forward", "Forward (Alt+Right)")
        self.place = Breadcrumb(self)
        field = _Field(appearance, self)
        field.pressed.connect(self.find_requested)
        layout = self._button("layout", "Layout: automatic, beside, columns (Ctrl+L)")
        self.explorer_button = self._button("left", "Show or fold the explorer (Ctrl+B)")
        self.inspector_button = self._button("right", "Show or fold the inspector (Ctrl+I)")
        self.menu_button = self._button("menu", "Everything that can be done")
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, GRID, 0)
        row.setSpacing(2)
        for widget in (self.back, self.forward):
            row.addWidget(widget)
        row.addSpacing(GRID)
        row.addWidget(self.place, 3)
        row.addSpacing(GRID)
        row.addWidget(field, 2)
        row.addSpacing(GRID)
        for widget in (self.explorer_button, layout, self.inspector_button, self.menu_button):
            row.addWidget(widget)
        self.back.clicked.connect(focus.back)
        self.forward.clicked.connect(focus.forward)
        layout.clicked.connect(self.next_layout)
        self.explorer_button.clicked.connect(self.fold_explorer)
        self.inspector_button.clicked.connect(self.fold_inspector)
        self.menu_button.clicked.connect(self.menu)
        self.place.chosen.connect(lambda ref: focus.set(ref, "place"))
        focus.changed.connect(self._follow)
        focus.history_changed.connect(self._enable)
        lifecycle.changed.connect(self._follow)
        appearance.changed.connect(self._ink)
        self._ink()
        self._enable()
        self._follow()

    def _button(self, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("barButton")
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setIconSize(QSize(18, 18))
        button.setFixedSize(32, 30)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._icons.append((button, name))
        return button

    def _enable(self) -> None:
        self.back.setEnabled(self._focus.can_go_back)
        self.forward.setEnabled(self._focus.can_go_forward)

    def _follow(self) -> None:
        ref = self._focus.current
        if ref is None:
            self.place.show_text("Choose a feature to see all of its life")
        else:
            graph, now = self._lifecycle.graph, words.utc_now()
            self.place.show_ref(ref, lambda part: signs.title(graph, part, now))

    def _ink(self) -> None:
        theme = self._appearance.theme
        for button, name in self._icons:
            button.setIcon(icon(name, theme.ink, off=theme.line, size=18))
