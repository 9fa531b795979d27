"""The bar above a web view: state, title, place, and the few buttons that a pane of its width has room for."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.breadcrumb import Breadcrumb
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.statedot import StateDot
from e2e_ml.desktop.theme import GRID

HEIGHT = 36  # px
ROOMY = 460  # px from which a pane shows back, forward and reload; below they are in its menu


class Chrome(QWidget):
    back = Signal()
    forward = Signal()
    reload = Signal()
    home = Signal()
    outside = Signal()
    maximise = Signal()
    pinned = Signal(bool)
    zoomed = Signal(int)  # steps; 0: as it comes
    copy_address = Signal()
    pressed = Signal()

    def __init__(self, title: str, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chrome")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._appearance = appearance
        self.dot = StateDot(appearance, self)
        name = QLabel(title, self)
        name.setObjectName("chromeTitle")
        self.place = Breadcrumb(self)
        self._icons: list[tuple[QToolButton, str]] = []
        self.back_button = self._button("back", "Back (Alt+Left in the page)", self.back.emit)
        self.forward_button = self._button("forward", "Forward", self.forward.emit)
        self.reload_button = self._button("reload", "Reload", self.reload.emit)
        for button in (self.back_button, self.forward_button):
            button.setEnabled(False)  # until a page has a history
        self.pin_button = self._button("pin", "Hold this view still while the focus moves", None)
        self.pin_button.setCheckable(True)
        self.pin_button.toggled.connect(self._on_pin)
        self.maximise_button = self._button("maximise", "Give this view all the room (F11)", self.maximise.emit)
        self.more_button = self._button("more", "More", self._show_menu)
        self.zoom_text = "100 %"

        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, 0, GRID // 2, 0)
        row.setSpacing(GRID)
        row.addWidget(self.dot)
        row.addWidget(name)
        row.addWidget(self.place, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        for button, _ in self._icons:
            buttons.addWidget(button)
        row.addLayout(buttons)
        appearance.changed.connect(self._ink)
        self._ink()

    def _button(self, name: str, tip: str, then: Callable[[], object] | None) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("chromeButton")
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setIconSize(QSize(16, 16))
        button.setFixedSize(28, 28)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if then is not None:
            button.clicked.connect(lambda: then())
        self._icons.append((button, name))
        return button

    def _ink(self) -> None:
        theme = self._appearance.theme
        for button, name in self._icons:
            on = button.isCheckable() and button.isChecked()
            drawn = "pinned" if name == "pin" and on else name
            button.setIcon(icon(drawn, theme.accent if on else theme.dim, off=theme.line))

    def _on_pin(self, on: bool) -> None:
        self.pin_button.setToolTip(
            "Held still; let it follow the focus again" if on else "Hold this view still while the focus moves"
        )
        self._ink()
        self.pinned.emit(on)

    def show_maximised(self, on: bool) -> None:
        icons = [(b, ("restore" if on else "maximise") if b is self.maximise_button else n) for b, n in self._icons]
        if icons == self._icons:
            return  # this is asked at every move of the focus, and icons are costly to ink
        self._icons = icons
        self.maximise_button.setToolTip("Back beside the others (F11)" if on else "Give this view all the room (F11)")
        self._ink()

    def show_active(self, on: bool) -> None:
        if self.property("active") != on:
            self.setProperty("active", on)
            self.style().unpolish(self)
            self.style().polish(self)

    def _show_menu(self) -> None:
        menu = QMenu(self)
        menu.addAction("Back", self.back.emit).setEnabled(self.back_button.isEnabled())
        menu.addAction("Forward", self.forward.emit).setEnabled(self.forward_button.isEnabled())
        menu.addAction("Reload", self.reload.emit)
        menu.addAction("Start page", self.home.emit)
        menu.addSeparator()
        menu.addAction("Larger", lambda: self.zoomed.emit(1))
        menu.addAction("Smaller", lambda: self.zoomed.emit(-1))
        menu.addAction(f"As it comes ({self.zoom_text} now)", lambda: self.zoomed.emit(0))
        menu.addSeparator()
        menu.addAction("Open in the browser", self.outside.emit)
        menu.addAction("Copy address", self.copy_address.emit)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.more_button.mapToGlobal(self.more_button.rect().bottomLeft()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        roomy = event.size().width() >= ROOMY
        for button in (self.back_button, self.forward_button, self.reload_button):
            button.setVisible(roomy)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.maximise.emit()
