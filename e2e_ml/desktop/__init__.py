"""The window: the only place that imports PySide6."""

from e2e_ml.desktop import workarounds

workarounds.apply()
