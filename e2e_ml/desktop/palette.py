"""The command palette: type a few letters, and go to any feature, DAG, run or model, or do any action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsDropShadowEffect,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from e2e_ml.desktop import fuzzy
from e2e_ml.desktop.actions import Action
from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.icons import pixmap
from e2e_ml.desktop.theme import GRID, SMALL, TEXT
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Kind, Ref

WIDTH, ROW, ROWS = 640, 40, 10  # px, px, rows
_ICONS: dict[Kind, str] = {
    Kind.FEATURE: "features", Kind.FEATURE_VIEW: "features", Kind.FEATURE_SERVICE: "features", Kind.SOURCE: "data",
    Kind.ENTITY: "data", Kind.ASSET: "data", Kind.DAG: "dag", Kind.DAG_RUN: "dag", Kind.EXPERIMENT: "experiments",
    Kind.RUN: "experiments", Kind.REGISTERED_MODEL: "models", Kind.MODEL_VERSION: "models", Kind.LOGGED_MODEL: "models",
    Kind.WISH: "features",
}  # fmt: skip
# What people look for most comes first among equals; kinds that are not here are not offered.
_WEIGHTS: dict[Kind, float] = {
    Kind.FEATURE: 6, Kind.FEATURE_VIEW: 7, Kind.FEATURE_SERVICE: 6, Kind.DAG: 5, Kind.REGISTERED_MODEL: 5,
    Kind.MODEL_VERSION: 4, Kind.RUN: 3, Kind.EXPERIMENT: 3, Kind.SOURCE: 3, Kind.ENTITY: 3, Kind.ASSET: 1,
    Kind.WISH: 1, Kind.LOGGED_MODEL: 0, Kind.DAG_RUN: -2,
}  # fmt: skip
_ACTION_WEIGHT = 2.0
_MOST = 500  # things of a kind that are all offered; of more the index is asked as the person types
_FEW, _FOUND = 100, 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the palette: a thing to look at or an action to do."""

    title: str
    where: str  # what contains it, or the shortcut of an action
    kind: str
    icon: str
    target: Ref | Action
    weight: float = 0.0

    @property
    def words(self) -> str:
        """What is searched: the title first, so that places of matched letters below its length lie in it."""
        return f"{self.title} {self.where if isinstance(self.target, Ref) else ''} {self.kind}".lower()


def entries(graph: Graph, actions: Sequence[Action]) -> list[Entry]:
    """What the palette offers before anything is typed, most wanted first; of kinds with very many the newest."""
    things: list[Entry] = []
    for kind in _WEIGHTS:
        refs = graph.refs(kind) if graph.count(kind) <= _MOST else graph.newest(kind, _FEW)
        things += _entries_of(graph, refs)
    things.sort(key=lambda entry: (-entry.weight, entry.title))
    return things + [Entry(a.title, a.shortcut, "action", "action", a, _ACTION_WEIGHT) for a in actions]


def searched(graph: Graph, query: str) -> list[Entry]:
    """What the index finds by name, of kinds with too many things to offer all of them."""
    large = [kind for kind in _WEIGHTS if graph.count(kind) > _MOST]
    return _entries_of(graph, graph.search(query, large, _FOUND)) if large else []


def _entries_of(graph: Graph, refs: Iterable[Ref]) -> list[Entry]:
    made: list[Entry] = []
    for ref in refs:
        node, kind, parent = graph.get(ref), ref.kind, ref.parent
        if node is None or node.gone_since is not None:
            continue
        title = f"{parent.name} v{ref.name}" if kind is Kind.MODEL_VERSION and parent else node.title
        where = (
            (parent.name if parent else ref.instance)
            if kind is not Kind.RUN
            else str(node.facts.get("experiment") or ref.instance)
        )
        made.append(Entry(title, where, str(kind), _ICONS[kind], ref, _WEIGHTS[kind]))
    return made


_ENTRY = int(Qt.ItemDataRole.UserRole)
_PLACES = _ENTRY + 1


class _Model(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._all: list[Entry] = []
        self._words: list[str] = []
        self._weights: list[float] = []
        self._matches: list[fuzzy.Match] = []
        self._offered = 0

    def fill(self, entries: list[Entry]) -> None:
        self._all, self._words, self._weights = [], [], []
        self._add(entries)
        self._offered = len(entries)

    def _add(self, entries: list[Entry]) -> None:
        self._all += entries
        self._words += [entry.words for entry in entries]
        self._weights += [entry.weight for entry in entries]

    def find(self, query: str, more: list[Entry]) -> None:
        """Match what is offered, and what was found for this query besides."""
        self.beginResetModel()
        for column in (self._all, self._words, self._weights):
            del column[self._offered :]
        known = {entry.target for entry in self._all if isinstance(entry.target, Ref)}
        self._add([entry for entry in more if entry.target not in known])
        self._matches = fuzzy.best(query, self._words, weights=self._weights)
        self.endResetModel()

    def entry(self, row: int) -> Entry | None:
        return self._all[self._matches[row].index] if 0 <= row < len(self._matches) else None

    @property
    def shown(self) -> list[Entry]:
        return [self._all[match.index] for match in self._matches]

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return len(self._matches)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self.entry(index.row())
        if entry is None:
            return None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return f"{entry.title}, {entry.kind}"
            case _ if role == _ENTRY:
                return entry
            case _ if role == _PLACES:
                return self._matches[index.row()].places
            case _:
                return None


class _Delegate(QStyledItemDelegate):
    def __init__(self, appearance: Appearance, parent: QObject) -> None:
        super().__init__(parent)
        self._appearance = appearance

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        theme, entry = self._appearance.theme, index.data(_ENTRY)
        if not isinstance(entry, Entry):
            return
        box: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        on = bool(option.state & QStyle.StateFlag.State_Selected)  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if on:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent_soft))
            painter.drawRoundedRect(box.adjusted(GRID, 1, -GRID, -1), 6, 6)
        ratio = painter.device().devicePixelRatio()
        ink = theme.accent if on else theme.dim
        painter.drawPixmap(box.left() + 2 * GRID + 4, box.center().y() - 8, pixmap(entry.icon, ink, 16, ratio))
        font = QFont(painter.font())
        font.setPixelSize(SMALL)
        painter.setFont(font)
        painter.setPen(QColor(theme.dim))
        tail = entry.where if isinstance(entry.target, Action) else entry.kind
        width = painter.fontMetrics().horizontalAdvance(tail)
        right = box.right() - 2 * GRID - 4
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(QRect(right - width, box.top(), width + 1, box.height()), flags, tail)
        self._title(
            painter,
            entry,
            index.data(_PLACES) or (),
            QRect(box.left() + 44, box.top(), right - width - 2 * GRID - box.left() - 44, box.height()),
        )
        painter.restore()

    def _title(self, painter: QPainter, entry: Entry, places: tuple[int, ...], room: QRect) -> None:
        theme = self._appearance.theme
        font = QFont(painter.font())
        font.setPixelSize(TEXT)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        title = metrics.elidedText(entry.title, Qt.TextElideMode.ElideMiddle, room.width())
        hits = set(places) if title == entry.title else set[int]()
        x = room.left()
        baseline = room.center().y() + metrics.ascent() // 2 - 1
        for number, letter in enumerate(title):
            font.setBold(number in hits)
            painter.setFont(font)
            painter.setPen(QColor(theme.accent if number in hits else theme.ink))
            painter.drawText(x, baseline, letter)
            x += painter.fontMetrics().horizontalAdvance(letter)
        if isinstance(entry.target, Ref) and entry.where:
            font.setBold(False)
            font.setPixelSize(SMALL)
            painter.setFont(font)
            painter.setPen(QColor(theme.dim))
            left = x + GRID
            where = painter.fontMetrics().elidedText(entry.where, Qt.TextElideMode.ElideMiddle, room.right() - left)
            painter.drawText(left, baseline, where)


class Palette(QFrame):
    """A child of the window, over its middle; a click elsewhere or Escape closes it."""

    chosen = Signal(object)  # the Ref or the Action

    def __init__(
        self,
        appearance: Appearance,
        source: Callable[[], list[Entry]],
        search: Callable[[str], list[Entry]],
        parent: QWidget,
    ) -> None:
        """`source` gives what is offered when it opens, `search` what there is besides for a query."""
        super().__init__(parent)
        self.setObjectName("palette")
        self._source, self._search, self._window = source, search, parent
        self.field = QLineEdit(self)
        self.field.setObjectName("paletteField")
        self.field.setPlaceholderText("Find a feature, DAG, run, model or action")
        self.field.setAccessibleName("Find anything")
        self.list = QListView(self)
        self.list.setObjectName("paletteList")
        self.list.setUniformItemSizes(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setMouseTracking(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._model = _Model(self)
        self.list.setModel(self._model)
        self.list.setItemDelegate(_Delegate(appearance, self))
        self.nothing = QLabel("Nothing has that name. Try fewer letters.", self)
        self.nothing.setObjectName("emptyState")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, GRID)
        column.setSpacing(0)
        column.addWidget(self.field)
        column.addWidget(self.list)
        column.addWidget(self.nothing)
        self.field.textChanged.connect(self._find)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._on_clicked)
        self.list.entered.connect(self.list.setCurrentIndex)
        appearance.changed.connect(self.list.viewport().update)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(40)
        shadow.setOffset(0, 10)
        shadow.setColor(QColor(0, 0, 0, 90))
        self.setGraphicsEffect(shadow)
        self.hide()

    def open(self, text: str = "") -> None:
        self._model.fill(self._source())
        self.field.setText(text)
        self._find(text)
        self.show()
        self.raise_()
        self.field.setFocus()
        self.field.selectAll()

    @property
    def shown(self) -> list[Entry]:
        """What it offers now, best first."""
        return self._model.shown

    def _find(self, query: str) -> None:
        self._model.find(query, self._search(query) if query.strip() else [])
        count = self._model.rowCount()
        self.nothing.setVisible(count == 0)
        self.list.setVisible(count > 0)
        if count:
            self.list.setCurrentIndex(self._model.index(0, 0))
        self.place()

    def place(self) -> None:
        """Stand over the window's middle, as high as there are rows."""
        window = self._window
        width = min(WIDTH, window.width() - 4 * GRID)
        rows = min(ROWS, max(1, self._model.rowCount()), max(3, (window.height() - 160) // ROW))
        self.list.setFixedHeight(rows * ROW)
        self.setGeometry((window.width() - width) // 2, 56, width, 48 + rows * ROW + 2 * GRID)

    def _on_clicked(self, index: QModelIndex) -> None:
        self._choose(index.row())

    def _choose(self, row: int) -> None:
        entry = self._model.entry(row)
        if entry is not None:
            self.hide()
            self.chosen.emit(entry.target)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.FocusOut and self.isVisible():
            self.hide()
        if not isinstance(event, QKeyEvent) or event.type() is not QEvent.Type.KeyPress:
            return False
        row, count = self.list.currentIndex().row(), self._model.rowCount()
        match event.key():
            case Qt.Key.Key_Escape:
                self.hide()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self._choose(row)
            case Qt.Key.Key_Down | Qt.Key.Key_Up if count:
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                self.list.setCurrentIndex(self._model.index((row + step) % count, 0))
            case Qt.Key.Key_PageDown | Qt.Key.Key_PageUp if count:
                step = ROWS if event.key() == Qt.Key.Key_PageDown else -ROWS
                self.list.setCurrentIndex(self._model.index(min(count - 1, max(0, row + step)), 0))
            case _:
                return False
        return True
