"""The left panel: what there is at a stage of the lifecycle, as a tree with search as you type.

The rows are values from `tree`; this module keeps expansion, selection and search over the graph's replacements, and
ties the selection to `Focus` in both directions without an echo.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QStackedLayout, QTreeView, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.row_delegate import CHEVRON, RowDelegate, row_left
from e2e_ml.desktop.panels.tree import STAGES, Row, Steps, finish, narrow, size
from e2e_ml.desktop.panels.tree_model import RowModel
from e2e_ml.desktop.theme import GRID
from e2e_ml.refs import Ref

ORIGIN = "explorer"
_SMALL_TREE = 48  # rows; below it everything is open from the start
_KEY_PAUSE = 160  # ms; walking with the arrow keys does not drive three web views at every step
UNREAD = "Not read from its service yet. What there is appears here as soon as the service answers."
_AT_ONCE = 500  # things of a stage that are listed at once; a longer list is made beside whatever else there is to do
_SLICE = 0.004  # seconds that it takes at a time
_TICK = 30_000  # ms; relative times grow old


class RowTree(QTreeView):
    """A tree view whose chevrons are painted by the delegate, so that it opens and closes rows by their place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explorerTree")
        self.setHeaderHidden(True)
        self.setIndentation(0)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setMouseTracking(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Explorer")

    def chevron_at(self, index: QModelIndex, x: int) -> bool:
        model = self.model()
        if not isinstance(model, RowModel) or not model.hasChildren(index):
            return False
        depth = model.depth(index)
        return depth > 0 and row_left(depth) - 4 <= x < row_left(depth) + CHEVRON

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        index = self.indexAt(at)
        if index.isValid() and self.chevron_at(index, at.x()):
            self.setExpanded(index, not self.isExpanded(index))
            event.accept()
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        index = self.indexAt(at)
        if index.isValid() and self.chevron_at(index, at.x()):
            return  # two presses on the chevron have opened and closed it
        super().mouseDoubleClickEvent(event)


class Explorer(QWidget):
    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        parent: QWidget | None = None,
        *,
        clock: words.Clock = words.utc_now,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("explorer")
        self._listing: Steps[list[Row]] = STAGES["Features"].steps(lifecycle.graph)
        self._lifecycle, self._focus, self._clock = lifecycle, focus, clock
        self._is_read: Callable[[str], bool] = lambda _stage: True
        self._stage = STAGES["Features"]
        self._rows: tuple[Row, ...] = ()
        self._open: dict[str, dict[Ref | str, bool]] = {}  # stage -> row key -> what the person chose
        self._quiet = False  # we move the selection, not the person

        self.search = QLineEdit(self)
        self.search.setObjectName("explorerSearch")
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        self.tree = RowTree(self)
        self.model = RowModel(self.tree, clock)
        self.tree.setModel(self.model)
        self.tree.setItemDelegate(RowDelegate(appearance, self.tree))
        self.empty = QLabel(self)
        self.empty.setObjectName("emptyState")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

        column = QVBoxLayout(self)
        column.setContentsMargins(0, GRID, 0, 0)
        column.setSpacing(GRID // 2)
        top = QVBoxLayout()
        top.setContentsMargins(GRID, 0, GRID, 0)
        top.addWidget(self.search)
        column.addLayout(top)
        self._pages = QStackedLayout()
        self._pages.addWidget(self.tree)
        self._pages.addWidget(self.empty)
        column.addLayout(self._pages, 1)

        self._key_pause = QTimer(self)
        self._key_pause.setSingleShot(True)
        self._key_pause.setInterval(_KEY_PAUSE)
        self._key_pause.timeout.connect(self._drive_focus)
        self.tick = QTimer(self)
        self.tick.setInterval(_TICK)
        self.tick.timeout.connect(self._tell_anew)
        self.tick.start()
        self._coming = QTimer(self)
        self._coming.setSingleShot(True)
        self._coming.timeout.connect(partial(self._follow, scroll=True))
        self._slice = QTimer(self)
        self._slice.timeout.connect(self._go_on_listing)

        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self._choose_first)
        self.tree.clicked.connect(self._drive_focus)
        self.tree.activated.connect(self._drive_focus)
        self.tree.expanded.connect(partial(self._remember, is_open=True))
        self.tree.collapsed.connect(partial(self._remember, is_open=False))
        self.tree.selectionModel().currentChanged.connect(self._moved)
        lifecycle.changed.connect(self._rebuild)
        focus.changed.connect(self._turn)
        appearance.changed.connect(self.tree.viewport().update)
        self._rebuild()

    @property
    def stage(self) -> str:
        return self._stage.name

    @property
    def is_behind(self) -> bool:
        """Whether it is about to turn to what is in focus, or to list its stage anew."""
        return self._coming.isActive() or self._slice.isActive()

    def ask_whether_read(self, is_read: Callable[[str], bool]) -> None:
        """`is_read` tells of a stage whether its service was ever read: an empty list means nothing before that."""
        self._is_read = is_read
        self._rebuild()

    def show_stage(self, stage: str) -> None:
        """List what there is at `stage`, a name of `tree.STAGES`. Raises KeyError for another."""
        if stage == self._stage.name:
            return
        self._stage = STAGES[stage]
        self._rows = ()
        self.search.clear()
        self._rebuild()
        if self._slice.isActive():  # until it is there, nothing of another stage
            self._take(())

    # Rows.

    def _rebuild(self) -> None:
        """List the stage anew; a large one a little at a time, to be shown when it is whole."""
        graph, stage = self._lifecycle.graph, self._stage
        self._listing = stage.steps(graph)
        if graph.count(stage.counted) <= _AT_ONCE:
            self._slice.stop()
            self._take(finish(self._listing))
        else:
            self._slice.start(0)

    def _go_on_listing(self) -> None:
        end = time.perf_counter() + _SLICE
        try:
            while time.perf_counter() < end:
                next(self._listing)
        except StopIteration as finished:
            self._slice.stop()
            self._take(finished.value)

    def _tell_anew(self) -> None:
        self.model.tell_anew()
        self.tree.viewport().update()

    def _take(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)
        n = self._lifecycle.graph.count(self._stage.counted) if rows else 0
        self.search.setPlaceholderText(f"Filter {words.count(n, self._stage.noun)}" if n else "Filter")
        self.search.setEnabled(bool(self._rows))
        self._show()

    def _show(self) -> None:
        query = self.search.text()
        rows = narrow(self._rows, query)
        self.empty.setText("" if rows else self._why_empty(query))
        self._pages.setCurrentWidget(self.tree if rows else self.empty)
        scroll = self.tree.verticalScrollBar().value()
        self._quiet = True
        try:
            if self.model.show_rows(rows):
                self._restore_expansion(searching=bool(query.strip()))
        finally:
            self._quiet = False
        self._follow(scroll=False)
        self.tree.verticalScrollBar().setValue(0 if query.strip() else scroll)

    def _why_empty(self, query: str) -> str:
        if not self._rows and self._slice.isActive():
            n = self._lifecycle.graph.count(self._stage.counted)
            return f"Listing {words.count(n, self._stage.noun)} …"
        if not self._rows:
            return self._stage.empty if self._is_read(self._stage.name) else UNREAD
        return f"Nothing here is called “{query.strip()}”. Names, descriptions, owners and tags are searched."

    def _restore_expansion(self, *, searching: bool) -> None:
        chosen = self._open.get(self._stage.name, {})
        if searching:
            self.tree.expandAll()
            return
        small = size(self._rows) <= _SMALL_TREE
        for index in self.model.branches():
            row = self.model.row_at(index)
            if row is not None and (row.ref is None or chosen.get(row.key, small)):
                self.tree.setExpanded(index, True)

    def _remember(self, index: QModelIndex, is_open: bool) -> None:
        row = self.model.row_at(index)
        if row is None or self._quiet or self.search.text().strip():
            return
        if row.ref is None:  # a heading stays open: what stands under it is the list
            self.tree.setExpanded(index, True)
            return
        self._open.setdefault(self._stage.name, {})[row.key] = is_open

    # Focus.

    def _turn(self, _ref: Ref, origin: str) -> None:
        if origin == ORIGIN:
            self._follow(scroll=False)
        else:  # thirty rows that come into sight are told and painted after what the person looks at
            self._coming.start()

    def _follow(self, *, scroll: bool) -> None:
        """Select what is in focus, or the nearest thing above it that is listed."""
        ref = self._focus.current
        index = QModelIndex()
        while ref is not None and not index.isValid():
            index = self.model.index_of(ref)
            ref = ref.parent
        self._key_pause.stop()
        self._quiet = True
        try:
            if not index.isValid():
                self.tree.selectionModel().clear()
                return
            if scroll:
                above = index.parent()
                while above.isValid():
                    self.tree.setExpanded(above, True)
                    above = above.parent()
            self.tree.setCurrentIndex(index)
            if scroll:
                self.tree.scrollTo(index)
        finally:
            self._quiet = False

    def _moved(self, current: QModelIndex, _previous: QModelIndex) -> None:
        row = self.model.row_at(current)
        if not self._quiet and row is not None and row.ref is not None:
            self._key_pause.start()

    def _drive_focus(self, _index: QModelIndex | None = None) -> None:
        self._key_pause.stop()
        if (ref := self.selected()) is not None:
            self._focus.set(ref, ORIGIN)

    def selected(self) -> Ref | None:
        row = self.model.row_at(self.tree.currentIndex())
        return row.ref if row else None

    def _choose_first(self) -> None:
        """Enter in the search: the first thing that was found by itself, not the rows above it."""
        wanted = self.search.text().lower().split()
        index = self.tree.indexBelow(self.model.index(0, 0))
        while index.isValid():
            row = self.model.row_at(index)
            if row is not None and row.ref is not None and all(word in row.search for word in wanted):
                self._focus.set(row.ref, ORIGIN)
                self._follow(scroll=True)
                return
            index = self.tree.indexBelow(index)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.search and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_Down:
                self.tree.setFocus(Qt.FocusReason.TabFocusReason)
                if not self.tree.currentIndex().isValid():
                    self.tree.setCurrentIndex(self.tree.indexBelow(self.model.index(0, 0)))
                return True
            if event.key() == Qt.Key.Key_Escape and self.search.text():
                self.search.clear()
                return True
        return super().eventFilter(watched, event)
