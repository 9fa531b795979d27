"""`RowModel`: the explorer's rows as a Qt item model. Thousands of rows cost a list, not a tree of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from e2e_ml.desktop.panels.tree import Row

Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
ROW = int(Qt.ItemDataRole.UserRole)


class RowModel(QAbstractItemModel):
    """Rows laid out flat: an index carries the row's number, so that Qt never holds a pointer into Python."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._parents: list[int] = []  # -1 at the top
        self._places: list[int] = []  # among its siblings
        self._children: list[list[int]] = []
        self._top: list[int] = []
        self._by_key: dict[str, int] = {}

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
        elif flat != old_rows and flat:
            for level in (self._top, *(c for c in self._children if c)):
                self.dataChanged.emit(self._index(level[0]), self._index(level[-1]))
        return not same

    def _index(self, number: int) -> QModelIndex:
        return self.createIndex(self._places[number], 0, number)

    def row_at(self, index: Index) -> Row | None:
        return self._rows[index.internalId()] if index.isValid() else None

    def index_of(self, key: str) -> QModelIndex:
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
        row = self.row_at(index)
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(
                part for part in (row.text, row.mark.word if row.mark else "", row.chip.word if row.chip else row.right)
                if part
            )  # fmt: skip
        return row if role == ROW else None


def _tip(row: Row) -> str:
    if row.ref is None:
        return ""
    parts = [row.text, row.tip, row.mark.word if row.mark else "", row.mark.tip if row.mark else ""]
    return "\n".join(dict.fromkeys(part for part in parts if part))
