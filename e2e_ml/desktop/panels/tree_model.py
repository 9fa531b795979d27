"""`RowModel`: the explorer's rows as a Qt item model. Thousands of rows cost a list, not a tree of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.tree import Row, Shown
from e2e_ml.refs import Ref

Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
_TOLD = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)


class RowModel(QAbstractItemModel):
    """Rows laid out flat: an index carries the row's number, so that Qt never holds a pointer into Python.

    What a row shows is told once it comes into sight, and kept until `tell_anew`.
    """

    def __init__(self, parent: QObject | None = None, clock: words.Clock = words.utc_now) -> None:
        super().__init__(parent)
        self._clock = clock
        self._shown: dict[int, Shown] = {}  # of the rows that were in sight
        self._rows: list[Row] = []
        self._parents: list[int] = []  # -1 at the top
        self._places: list[int] = []  # among its siblings
        self._children: list[list[int]] = []
        self._top: list[int] = []
        self._by_key: dict[Ref | str, int] = {}

    def show_rows(self, rows: Sequence[Row]) -> bool:
        """Replace what is shown. Returns False where every row stands where it stood: no view state was lost."""
        old_rows, old_parents = self._rows, self._parents
        flat: list[Row] = []
        parents: list[int] = []
        places: list[int] = []
        children: list[list[int]] = []

        def lay(level: Sequence[Row], parent: int) -> list[int]:
            here: list[int] = []
            for place, row in enumerate(level):
                number = len(flat)
                here.append(number)
                flat.append(row)
                parents.append(parent)
                places.append(place)
                children.append([])
                if row.children:
                    children[number] = lay(row.children, number)
            return here

        top = lay(rows, -1)
        same = parents == old_parents and all(a.key == b.key for a, b in zip(flat, old_rows, strict=True))
        if not same:
            self.beginResetModel()
        self._rows, self._parents, self._places, self._children, self._top = flat, parents, places, children, top
        self._by_key = {row.key: number for number, row in enumerate(flat)}
        if not same:
            self.endResetModel()
        self.tell_anew()
        return not same

    def tell_anew(self) -> None:
        """What the rows show has grown old: it is told again when they are painted next."""
        self._shown.clear()

    def _index(self, number: int) -> QModelIndex:
        return self.createIndex(self._places[number], 0, number)

    def row_at(self, index: Index) -> Row | None:
        return self._rows[index.internalId()] if index.isValid() else None

    def shown_at(self, index: Index) -> Shown | None:
        row = self.row_at(index)
        if row is None:
            return None
        shown = self._shown.get(number := index.internalId())
        if shown is None:
            shown = self._shown[number] = row.tell(self._clock())
        return shown

    def index_of(self, key: Ref | str) -> QModelIndex:
        """The index of the row called `key`, invalid where it is not listed."""
        number = self._by_key.get(key)
        return QModelIndex() if number is None else self._index(number)

    def branches(self) -> list[QModelIndex]:
        """Every row that has rows below it."""
        return [self._index(number) for number, below in enumerate(self._children) if below]

    def depth(self, index: Index) -> int:
        depth, number = 0, self._parents[index.internalId()] if index.isValid() else -1
        while number != -1:
            depth, number = depth + 1, self._parents[number]
        return depth

    def __len__(self) -> int:
        return len(self._rows)

    # What Qt asks.

    def index(self, row: int, column: int, parent: Index = _NONE) -> QModelIndex:
        level = self._children[parent.internalId()] if parent.isValid() else self._top
        if column != 0 or not 0 <= row < len(level):
            return QModelIndex()
        return self.createIndex(row, 0, level[row])

    def parent(self, index: Index = _NONE) -> QModelIndex:  # type: ignore[override]
        if not index.isValid():
            return QModelIndex()
        number = self._parents[index.internalId()]
        return QModelIndex() if number == -1 else self._index(number)

    def rowCount(self, parent: Index = _NONE) -> int:
        return len(self._children[parent.internalId()]) if parent.isValid() else len(self._top)

    def hasChildren(self, parent: Index = _NONE) -> bool:
        return self.rowCount(parent) > 0

    def columnCount(self, parent: Index = _NONE) -> int:
        del parent
        return 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        row = self.row_at(index)
        if row is None or row.ref is None:
            return Qt.ItemFlag.ItemIsEnabled
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        shown = self.shown_at(index) if role in _TOLD else None
        if shown is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return shown.text
        mark, chip = shown.mark, shown.chip
        if role == Qt.ItemDataRole.ToolTipRole:
            if self._rows[index.internalId()].ref is None:
                return ""
            parts = [shown.text, shown.tip, mark.word if mark else "", mark.tip if mark else ""]
            return "\n".join(dict.fromkeys(part for part in parts if part))
        parts = [shown.text, mark.word if mark else "", chip.word if chip else shown.right]
        return ", ".join(part for part in parts if part)
