"""The table "Runs and models that use it": run, model version with its alias, main metric, evidence of the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels import marks, signs, tree, words
from e2e_ml.desktop.panels.signs import Sign, Tone
from e2e_ml.desktop.theme import SMALL, TEXT
from e2e_ml.lineage.graph import Evidence
from e2e_ml.lineage.questions import Use
from e2e_ml.refs import Ref

Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
RUN, MODEL, METRIC, LINK = range(4)
CELL = int(Qt.ItemDataRole.UserRole)
_ROW = 28
_HEAD = 24
_STROKE = 12
_MOST = 8  # rows shown before the table scrolls
# px of a heading, and of one beside the links: a longer metric's name is cut, for the runs' names need the room
_HEADING, _HEADING_BESIDE_LINKS = 88, 60


@dataclass(frozen=True, slots=True)
class Cell:
    """What is painted of one, made once: a table paints its cells again and again."""

    text: str
    ref: Ref | None = None  # what a click chooses
    sign: Sign | None = None


class UsesModel(QAbstractTableModel):
    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._uses: tuple[Use, ...] = ()
        self._cells: list[tuple[Cell, ...]] = []
        self._metric = "Metric"

    def show_uses(self, uses: tuple[Use, ...]) -> None:
        if uses == self._uses:
            return  # the same news again must not take a selection away
        self.beginResetModel()
        self._uses = uses
        names = {found[0] for use in uses if (found := tree.main_metric(use.run))}
        # One name heads the column; where runs differ, each cell says its own.
        self._metric = tree.metric_label(names.pop()) if len(names) == 1 else "Metric"
        self._cells = [self._row(use) for use in uses]
        self.endResetModel()

    def rowCount(self, parent: Index = _NONE) -> int:
        return 0 if parent.isValid() else len(self._uses)

    def columnCount(self, parent: Index = _NONE) -> int:
        return 0 if parent.isValid() else 4

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        said = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole
        if orientation is Qt.Orientation.Horizontal and role in said:
            return ("Run", "Model", self._metric, "Link")[section]
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return (Qt.AlignmentFlag.AlignRight if section == METRIC else Qt.AlignmentFlag.AlignLeft).value | 0x80
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == CELL:
            return self._cells[index.row()][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._cells[index.row()][index.column()].text
            case Qt.ItemDataRole.ToolTipRole:
                return self._tip(self._uses[index.row()], index.column())
            case _:
                return None

    def _row(self, use: Use) -> tuple[Cell, ...]:
        """Its cells, in the order of the columns."""
        state = signs.of_state(str(use.run.facts.get("status") or ""))
        loud = state if state.tone in (Tone.BAD, Tone.LIVE, Tone.WARN) else None
        named = [sign for version in use.versions if (sign := tree.alias_sign(version))]
        versions = ", ".join(f"v{version.ref.name}" for version in use.versions)
        found = tree.main_metric(use.run)
        figure = "–"
        if found is not None:
            figure = words.number(found[1]) if self._metric != "Metric" else tree.metric_text(use.run)
        return (
            Cell(use.run.title, use.run.ref, loud),
            Cell(versions or "–", use.versions[0].ref if use.versions else None, named[0] if named else None),
            Cell(figure),
            Cell(use.link.evidence.value if use.link else "itself"),
        )

    def _tip(self, use: Use, column: int) -> str:
        match column:
            case 0:
                at = words.moment(use.run.facts.get("start"))
                when = f", started {words.exact(at)}" if at else ""
                link = f"\n{_evidence(use)}" if use.link else ""
                return f"{use.run.title}\n{use.run.ref.name}{when}{link}"
            case 1:
                return (
                    ", ".join(f"{v.ref.keys[0]} version {v.ref.name}" for v in use.versions)
                    or "No version was registered."
                )
            case 2:
                metrics: Mapping[str, Any] = use.run.facts.get("metrics") or {}
                return "\n".join(f"{name} {words.number(value)}" for name, value in metrics.items())
            case _:
                return _evidence(use)


def _evidence(use: Use) -> str:
    """How the link is known, and why; empty where the run itself is looked at."""
    if use.link is None:
        return ""
    told = use.link.evidence.value
    if use.link.evidence is Evidence.INFERRED:
        told += f" {use.link.score:.2f}"
    return f"{told}: {use.link.reason}" if use.link.reason else told


class _UseDelegate(QStyledItemDelegate):
    def __init__(self, appearance: Appearance, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._appearance = appearance

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        base: QFont = option.font  # type: ignore[attr-defined]
        cell: Cell = index.data(CELL)
        size = SMALL if index.column() == LINK else TEXT
        text = QFontMetricsF(marks.font(base, size)).horizontalAdvance(cell.text)
        if index.column() == LINK:
            return QSize(_STROKE + 14 + int(text), _ROW)
        if cell.sign is not None:
            text += marks.chip_width(cell.sign, base, mark=False) + 2
        return QSize(int(text) + 14, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        base: QFont = option.font  # type: ignore[attr-defined]
        theme, column, cell = self._appearance.theme, index.column(), index.data(CELL)
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.accent_soft))
        painter.setPen(QColor(theme.line))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        box = QRectF(rect).adjusted(0 if column == RUN else 6, 0, -6 if column != LINK else 0, -1)
        if column == LINK:
            box = self._line(painter, box, cell.text)
        self._text(painter, box, column, cell, base)
        painter.restore()

    def _line(self, painter: QPainter, box: QRectF, evidence: str) -> QRectF:
        """The stroke that the lineage draws for it: whole, or dashed where inferred; returns the room left of it."""
        theme = self._appearance.theme
        if evidence == "itself":
            return box
        pen = QPen(QColor(theme.dim), 1.3)
        if evidence == Evidence.INFERRED:
            pen.setDashPattern([3, 2.5])
        painter.setPen(pen)
        y = box.center().y() + 0.5
        painter.drawLine(QPointF(box.left(), y), QPointF(box.left() + _STROKE, y))
        return box.adjusted(_STROKE + 5, 0, 0, 0)

    def _text(self, painter: QPainter, box: QRectF, column: int, cell: Cell, base: QFont) -> None:
        theme, sign = self._appearance.theme, cell.sign
        if column == RUN and sign is not None:
            marks.draw_mark(painter, QRectF(box.left(), box.center().y() - 4, 8, 8), sign.tone, theme)
            box = box.adjusted(14, 0, 0, 0)
        font = marks.font(base, SMALL if column == LINK else TEXT)
        painter.setFont(font)
        painter.setPen(QColor(theme.accent if cell.ref is not None else theme.dim if column == LINK else theme.ink))
        metrics = QFontMetricsF(font)
        text = metrics.elidedText(cell.text, Qt.TextElideMode.ElideMiddle, box.width())
        painter.drawText(box, marks.RIGHT if column == METRIC else marks.LEFT, text)
        if column == MODEL and sign is not None:
            left = box.left() + metrics.horizontalAdvance(text) + 6
            width = min(box.right() - left + 4, marks.chip_width(sign, base, mark=False))
            chip = QRectF(left, box.center().y() - marks.CHIP_HEIGHT / 2, width, marks.CHIP_HEIGHT)
            marks.draw_chip(painter, chip, sign, theme, base, mark=False)


class _Headings(QHeaderView):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFixedHeight(_HEAD)
        self.setHighlightSections(False)
        self.setSectionsClickable(False)
        self.setMinimumSectionSize(24)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setResizeContentsPrecision(0)  # by the rows in sight: not by each at every move of the focus

    def sectionSizeFromContents(self, logicalIndex: int) -> QSize:
        size = super().sectionSizeFromContents(logicalIndex)
        room = _HEADING if self.isSectionHidden(LINK) else _HEADING_BESIDE_LINKS
        return QSize(min(size.width(), room), size.height())


class UsesTable(QTableView):
    """As high as its rows, up to eight; a click, or Enter, on a run or a model version chooses it."""

    chosen = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("usesTable")
        self.uses = UsesModel(self)
        self.setModel(self.uses)
        self.setItemDelegate(_UseDelegate(appearance, self))
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Runs and models that use it")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        head = _Headings(self)
        self.setHorizontalHeader(head)
        head.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(RUN, QHeaderView.ResizeMode.Stretch)
        self.evidence = ""  # of every row, where it is the same
        self.clicked.connect(self._choose)
        appearance.changed.connect(self.viewport().update)

    def show_uses(self, uses: tuple[Use, ...]) -> None:
        self.uses.show_uses(uses)
        # What is the same in every row is said once, above: the runs' names need the room.
        told = {use.link.evidence.value if use.link else "" for use in uses}
        self.evidence = next(iter(told)) if len(told) == 1 else ""
        self.setColumnHidden(LINK, len(told) < 2)
        self.setFixedHeight(_HEAD + _ROW * min(len(uses), _MOST) + 1)

    def _choose(self, index: QModelIndex) -> None:
        cell: Cell | None = index.data(CELL)
        if cell is not None and cell.ref is not None:
            self.chosen.emit(cell.ref)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.currentIndex())
            return
        super().keyPressEvent(event)
