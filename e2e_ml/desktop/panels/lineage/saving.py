"""A drawing is saved: where to is asked, the file is written behind the window, and what came of it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels.lineage import export


class Saving(QObject):
    """`picture` gives the drawing as it is when the file is chosen; `tell` says what was done, or could not be."""

    def __init__(
        self,
        page: QWidget,
        picture: Callable[[], export.Picture],
        tell: Callable[[str], None],
        operations: Operations | None,
    ) -> None:
        super().__init__(page)
        self._page, self._picture, self._tell, self._operations = page, picture, tell, operations

    def ask_where(self, thing: str, suffix: str) -> None:
        """Save the drawing of what is called `thing` as "svg" or "png", where the person says."""
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in thing)
        dialog = QFileDialog(self._page, f"Save the drawing as {suffix.upper()}", f"lineage-{name}.{suffix}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(f"{suffix.upper()} (*.{suffix})")
        dialog.setDefaultSuffix(suffix)
        dialog.selectFile(f"lineage-{name}.{suffix}")
        dialog.fileSelected.connect(lambda chosen: self._save(Path(chosen)))
        dialog.open()

    def _save(self, path: Path) -> None:
        picture = self._picture()
        if self._operations is None:
            try:
                self._on_saved(export.save(picture, path))
            except (OSError, ValueError) as error:
                self._on_unsaved(error)
            return
        saving = self._operations.run("Saving the drawing", lambda: export.save(picture, path))
        saving.success(self._on_saved).failure(self._on_unsaved).start()

    def _on_saved(self, path: Path) -> None:
        self._tell(f"Saved as {path}.")

    def _on_unsaved(self, error: Exception) -> None:
        self._tell(f"The drawing could not be saved: {error}")
