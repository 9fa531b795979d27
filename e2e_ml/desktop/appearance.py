"""Light or dark, as the system has it: the one place that knows which, and tells those who paint."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication

from e2e_ml.desktop.theme import DARK, LIGHT, Theme


class Appearance(QObject):
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._forced: Theme | None = None
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.changed)

    @property
    def theme(self) -> Theme:
        if self._forced is not None:
            return self._forced
        dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT

    def force(self, theme: Theme | None) -> None:
        """Show `theme` whatever the system says; None follows the system again."""
        self._forced = theme
        self.changed.emit()
