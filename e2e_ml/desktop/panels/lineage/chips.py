"""The filters of the drawing as chips: every kind and every evidence with its number. The chips of evidence are the
legend of the lines too."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.panels import glyphs
from e2e_ml.desktop.panels.lineage import painting
from e2e_ml.desktop.panels.lineage.asked import Asked
from e2e_ml.desktop.panels.lineage.flow import FlowLayout
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.theme import SMALL
from e2e_ml.lineage.graph import Evidence
from e2e_ml.refs import Kind

HEIGHT = 24  # px
_PAD, _GAP, _SAMPLE = 9.0, 6.0, 26.0
# In the order of the flow.
_ORDER = (
    Kind.DAG, Kind.ASSET, Kind.DATASET, Kind.SOURCE, Kind.ENTITY, Kind.FEATURE_VIEW, Kind.FEATURE, Kind.WISH,
    Kind.FEATURE_SERVICE, Kind.EXPERIMENT, Kind.RUN, Kind.LOGGED_MODEL, Kind.MODEL_VERSION, Kind.REGISTERED_MODEL,
    Kind.ALIAS, Kind.ENDPOINT, Kind.MONITOR,
)  # fmt: skip


class FilterChip(QAbstractButton):
    """A kind or an evidence that is shown, or, unchecked, left out."""

    def __init__(self, what: Kind | Evidence, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.what = what
        self.number, self._figure = 0, ""
        self._appearance = appearance
        self._look = Look(appearance.theme, self.font())
        self.setCheckable(True)
        self.setChecked(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        appearance.changed.connect(self.update)

    def show_number(self, number: int, *, shown: bool, more: bool = False) -> None:
        """`more`: that many were looked at, and there are others."""
        self.number, self._figure = number, f"{number:,}{'+' if more else ''}"
        self.setChecked(shown)
        noun = self.what.value
        told = f"{self._figure} {plural(noun) if isinstance(self.what, Kind) else f'{noun} links'}"
        self.setToolTip(f"{told}: click to {'leave them out' if shown else 'show them again'}")
        self.setAccessibleName(f"{told}, {'shown' if shown else 'left out'}")
        self.updateGeometry()
        self.update()

    @property
    def word(self) -> str:
        return plural(self.what.value) if isinstance(self.what, Kind) else self.what.value

    def sizeHint(self) -> QSize:
        look = self._fresh()
        sample = glyphs.SIZE if isinstance(self.what, Kind) else _SAMPLE
        width = 2 * _PAD + sample + 2 * _GAP + look.width(self.word, SMALL) + look.width(self._figure, SMALL)
        return QSize(round(width) + 2, HEIGHT)

    def _fresh(self) -> Look:
        if self._look.theme is not self._appearance.theme or self._look.base != self.font():
            self._look = Look(self._appearance.theme, self.font())
        return self._look

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        look, on = self._fresh(), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        ring = self.hasFocus()
        edge = look.colour("accent" if ring else "dim" if self.underMouse() else "line")
        pen = QPen(edge, 1.6 if ring else 1)
        if not on:
            pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.setBrush(look.colour("panel" if on else "bg"))
        painter.drawRoundedRect(box, HEIGHT / 2, HEIGHT / 2)
        x, ink = _PAD, look.colour("ink" if on else "dim")
        if isinstance(self.what, Kind):
            glyphs.draw_kind(painter, QPointF(x, (HEIGHT - glyphs.SIZE) / 2), self.what, look.colour("dim"))
            x += glyphs.SIZE + _GAP
        else:
            pen = look.line(self.what, lit=False, turned=False)
            pen.setWidthF(1.4)
            painter.setPen(pen)
            painter.drawLine(QPointF(x, HEIGHT / 2), QPointF(x + _SAMPLE, HEIGHT / 2))
            middle = QPointF(x + _SAMPLE / 2, HEIGHT / 2)
            painting.paint_mark(painter, look, middle, self.what, look.colour("dim"))
            x += _SAMPLE + _GAP
        painter.setFont(look.font(SMALL))
        painter.setPen(ink)
        width = look.width(self.word, SMALL)
        middle_line = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(x, 0, width + 2, HEIGHT), middle_line, self.word)
        if not on:
            painter.drawLine(QPointF(x, HEIGHT / 2 + 0.5), QPointF(x + width, HEIGHT / 2 + 0.5))
        painter.setPen(look.colour("dim"))
        painter.drawText(QRectF(x + width + _GAP, 0, 80, HEIGHT), middle_line, self._figure)
        painter.end()


class FilterBar(QWidget):
    kind_toggled = Signal(object)
    evidence_toggled = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lineageFilters")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Filters of the drawing")
        self.chips: dict[Kind | Evidence, FilterChip] = {}
        flow = FlowLayout(self)
        flow.setContentsMargins(12, 7, 12, 7)
        for what in (*Evidence, *_ORDER):
            chip = self.chips[what] = FilterChip(what, appearance, self)
            flow.addWidget(chip)
            told = self.kind_toggled if isinstance(what, Kind) else self.evidence_toggled
            chip.clicked.connect(lambda _=False, told=told, what=what: told.emit(what))
            chip.hide()
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def show_counts(
        self, kinds: Mapping[Kind, int], evidence: Mapping[Evidence, int], asked: Asked, *, cut: bool
    ) -> None:
        """A chip for all that is there, or is left out. `cut`: there are more links than were looked at."""
        for what, chip in self.chips.items():
            if isinstance(what, Kind):
                number, shown = kinds.get(what, 0), what not in asked.left_out
            else:
                number, shown = evidence.get(what, 0), what not in asked.unbelieved
            chip.show_number(number, shown=shown, more=cut and isinstance(what, Evidence) and number > 0)
            chip.setVisible(bool(number) or not shown)


def plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}es" if noun.endswith("s") else f"{noun}s"
