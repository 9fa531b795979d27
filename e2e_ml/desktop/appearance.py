"""Light or dark, as the system has it: the one place that knows which, and tells those who paint."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from e2e_ml.desktop.theme import DARK, LIGHT, Theme


class Appearance(QObject):
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._forced: Theme | None = None
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def theme(self) -> Theme:
        if self._forced is not None:
            return self._forced
        dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT

    @property
    def dark(self) -> bool:
        return self.theme is DARK

    def force(self, theme: Theme | None) -> None:
        """Show `theme` whatever the system says; None follows the system again."""
        self._forced = theme
        hints = QGuiApplication.styleHints()
        # Embedded pages ask the engine, and the engine asks the style hints.
        if theme is None:
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if theme is DARK else Qt.ColorScheme.Light)
        self.changed.emit()

    def _follow(self) -> None:
        if self._forced is None:
            self.changed.emit()


def palette(theme: Theme) -> QPalette:
    """Qt's own palette in the theme's colours, for what the style sheet does not reach: menus, tooltips, selections."""
    made = QPalette()
    role = QPalette.ColorRole
    for part, colour in {
        role.Window: theme.bg,
        role.WindowText: theme.ink,
        role.Base: theme.panel,
        role.AlternateBase: theme.bg,
        role.Text: theme.ink,
        role.Button: theme.panel,
        role.ButtonText: theme.ink,
        role.ToolTipBase: theme.panel,
        role.ToolTipText: theme.ink,
        role.PlaceholderText: theme.dim,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.panel,
        role.Link: theme.accent,
        role.Light: theme.panel,
        role.Mid: theme.line,
        role.Dark: theme.line,
        role.Accent: theme.accent,
    }.items():
        made.setColor(part, QColor(colour))
    for part in (role.Text, role.WindowText, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, part, QColor(theme.dim))
    return made
