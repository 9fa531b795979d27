"""The right panel: one thing of the lifecycle, whole. The five answers, its pipeline, its lineage, what stands on it.

Every name inside is a link that moves the focus. What is said comes from `answers`, `pipelines` and `uses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QScrollBar,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.panels import signs, tree, words
from e2e_ml.desktop.panels.answers import QUESTIONS, five_answers
from e2e_ml.desktop.panels.code_box import CodeBox
from e2e_ml.desktop.panels.lineage.view import LineageView
from e2e_ml.desktop.panels.marks import Chip
from e2e_ml.desktop.panels.pipelines import Pipeline, Pipelines, pipelines
from e2e_ml.desktop.panels.rich import RichLabel
from e2e_ml.desktop.panels.run_strip import RunStrip
from e2e_ml.desktop.panels.section import Section
from e2e_ml.desktop.panels.spans import Span
from e2e_ml.desktop.panels.uses_table import UsesTable
from e2e_ml.desktop.panels.what_follows import WhatFollows
from e2e_ml.desktop.theme import GRID
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.lineage.questions import is_on_demand, uses_in_all
from e2e_ml.refs import Kind, Ref, experiment

ORIGIN = "inspector"
_TICK = 30_000  # ms; relative times grow old
_PIPELINES = 4  # told in full before "and 3 more"
_USES = 20  # runs, those of versions with an alias first; "20 of 1,200" says that there are more
EMPTY = (
    "Choose anything, in the tree or inside a page: this panel tells who made it, what it is, when it changed, how it "
    "is computed and why it exists, and which runs and models stand on it."
)


class _Sheet(QWidget):
    """What scrolls. Its height follows from its width; a minimum guessed at a narrow width would scroll for nothing."""

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 0)


class _QuietBar(QScrollBar):
    """Keeps its room where there is nothing to scroll: the text beside it would be broken anew, and jump."""

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.maximum() > self.minimum():
            super().paintEvent(event)


class AnswersGrid(QWidget):
    """The five answers, a question a row: the hero of the panel."""

    chosen = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.labels: dict[str, RichLabel] = {}
        self.codes: dict[str, CodeBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID)
        grid.setColumnMinimumWidth(0, 44)
        grid.setColumnStretch(1, 1)
        for row, question in enumerate(QUESTIONS):
            asked = QLabel(question, self)
            asked.setProperty("role", "question")
            said = RichLabel(appearance, self)
            said.chosen.connect(self.chosen)
            code = CodeBox(self)
            code.setAccessibleName(f"{question}, as code")
            cell = QVBoxLayout()
            cell.setSpacing(GRID // 2)
            cell.addWidget(code)
            cell.addWidget(said)
            grid.addWidget(asked, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(cell, row, 1)
            self.labels[question], self.codes[question] = said, code

    def show_answers(self, told: Sequence[tuple[str, Sequence[Sequence[Span]], str]]) -> None:
        for question, lines, code in told:
            self.labels[question].show_lines(lines)
            self.labels[question].setVisible(bool(lines))
            self.codes[question].setText(code if len(code) <= 400 else code[:400].rstrip() + " …")
            self.codes[question].setToolTip(code if len(code) > 400 else "")
            self.codes[question].setVisible(bool(code))


class PipelineCard(QWidget):
    """One DAG: its name, the state of its last run, what happened and what comes, and its recent runs as shapes."""

    chosen = Signal(object)

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = RichLabel(appearance, self)
        self.name.setWordWrap(False)
        self.chip = Chip(appearance, self)
        self.line = RichLabel(appearance, self)
        self.line.setProperty("role", "small")
        self.strip = RunStrip(appearance, self)
        for part in (self.name, self.line, self.strip):
            part.chosen.connect(self.chosen)
        top = QHBoxLayout()
        top.setSpacing(GRID)
        top.addWidget(self.name, 1)
        top.addWidget(self.chip)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 4)
        column.addLayout(top)
        column.addWidget(self.line)
        column.addWidget(self.strip)
        self._pipeline: Pipeline | None = None

    def show_pipeline(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.chip.show_sign(pipeline.sign)
        self.line.show_lines([tuple(Span(s.text, s.ref, True, s.tip) for s in pipeline.line)])
        self.strip.show_runs(pipeline.recent)
        self._name()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._name()

    def _name(self) -> None:
        if self._pipeline is None:
            return
        room = self.width() - self.chip.sizeHint().width() - 2 * GRID
        name = self._pipeline.dag.title
        shown = QFontMetrics(self.name.font()).elidedText(name, Qt.TextElideMode.ElideMiddle, max(room, 40))
        self.name.show_lines([(Span(shown, self._pipeline.dag.ref, tip=self._pipeline.dag.ref.name),)])


class Inspector(QWidget):
    expand_requested = Signal()  # show the lineage large

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
        self.setObjectName("inspector")
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock

        self.title = ElidedLabel(parent=self)
        self.title.setProperty("role", "title")
        self.copy_button = QToolButton(self)
        self.copy_button.setObjectName("copyId")
        self.copy_button.setText("Copy id")
        self.copy_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.copy_button.clicked.connect(self.copy_id)
        self.kind = RichLabel(appearance, self)
        self.kind.setProperty("role", "small")
        self.chip = Chip(appearance, self)
        self.answers = AnswersGrid(appearance, self)
        self.pipeline = Section("Pipeline", self)
        self.cards = [PipelineCard(appearance, self.pipeline) for _ in range(_PIPELINES)]
        self.no_pipeline = RichLabel(appearance, self.pipeline)
        self.lineage_section = Section("Lineage", self)
        self.lineage = LineageView(lifecycle, focus, appearance, self.lineage_section, clock=clock)
        self.expand_button = QToolButton(self.lineage_section)
        self.expand_button.setObjectName("expandLineage")
        self.expand_button.setText("Open large")
        self.expand_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.expand_button.clicked.connect(self.expand_requested)
        self.follows = WhatFollows(appearance, self)
        self.uses = Section("Runs and models that use it", self)
        self.table = UsesTable(appearance, self.uses)
        self.evidence = QLabel(self.uses)
        self.evidence.setProperty("role", "small")
        self.evidence.setToolTip(
            "How many are listed, those with an alias first, then the newest; and how the links are known. Each run's "
            "tooltip says why."
        )
        self.uses.head.addWidget(self.evidence)
        self.no_uses = QLabel("No run is known to use it so far.", self.uses)
        self.no_uses.setProperty("role", "dim")
        self.empty = QLabel(EMPTY, self)
        self.empty.setObjectName("emptyState")
        self.empty.setWordWrap(True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._lay_out()

        for part in (self.kind, self.answers, self.no_pipeline, self.table, self.follows, *self.cards):
            part.chosen.connect(self._go)
        self._tick = QTimer(self)
        self._tick.setInterval(_TICK)
        self._tick.timeout.connect(self.refresh)
        lifecycle.changed.connect(self.refresh)
        focus.changed.connect(self._turn)
        self.refresh()

    def _lay_out(self) -> None:
        sheet = _Sheet(self)
        sheet.setObjectName("inspectorSheet")
        column = QVBoxLayout(sheet)
        column.setContentsMargins(2 * GRID, GRID + 4, GRID, 2 * GRID)  # beside it the room of the scroll bar
        column.setSpacing(2 * GRID)
        head = QVBoxLayout()
        head.setSpacing(2)
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.copy_button)
        under = QHBoxLayout()
        under.setSpacing(GRID)
        under.addWidget(self.kind, 1)
        under.addWidget(self.chip)
        head.addLayout(top)
        head.addLayout(under)
        column.addLayout(head)
        column.addWidget(self.answers)
        for card in self.cards:
            self.pipeline.body.addWidget(card)
        self.pipeline.body.setSpacing(GRID - 2)
        self.pipeline.body.addWidget(self.no_pipeline)
        self.uses.body.addWidget(self.table)
        self.uses.body.addWidget(self.no_uses)
        self.lineage_section.head.addWidget(self.expand_button)
        self.lineage_section.body.addWidget(self.lineage)
        column.addWidget(self.pipeline)
        column.addWidget(self.follows.trouble)
        column.addWidget(self.lineage_section)
        column.addWidget(self.follows.impact)
        column.addWidget(self.follows.comparison)
        column.addWidget(self.uses)
        column.addStretch(1)
        self.area = QScrollArea(self)
        self.area.setObjectName("inspectorScroll")
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.area.setVerticalScrollBar(_QuietBar(self.area))
        self.area.setWidget(sheet)
        self._parts = (
            *self.cards, self.answers, self.pipeline, self.follows.trouble, self.lineage_section, self.follows.impact,
            self.follows.comparison, self.uses, sheet,
        )  # fmt: skip
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self.area)
        self._pages.addWidget(self.empty)

    # What is shown.

    def _turn(self, _ref: Ref, _origin: str) -> None:
        self.refresh()
        self.area.verticalScrollBar().setValue(0)

    def refresh(self) -> None:
        """Tell of what is in focus, by the graph and the clock as they are now."""
        self._tick.start()  # what was told now does not grow old before that
        ref = self._focus.current
        self._pages.setCurrentWidget(self.area if ref else self.empty)
        if ref is None:
            return
        graph, now = self._lifecycle.graph, self._clock()
        node = graph.get(ref)
        self._head(ref, node)
        all_uses = uses_in_all(graph, ref, _USES)
        told = five_answers(graph, ref, now, all_uses)
        self.answers.show_answers([(answer.question, answer.lines, answer.code) for answer in told])
        self._show_pipelines(graph, ref, pipelines(graph, ref, now, _PIPELINES))
        self.follows.tell(graph, ref, now)
        found = all_uses.runs
        self.uses.heading.setText(_uses_title(ref.kind))
        self.table.show_uses(found)
        self.table.setVisible(bool(found))
        some = f"{len(found)} of {all_uses.total:,}" if all_uses.total > len(found) else ""
        known = ("all " if len(found) > 1 else "") + self.table.evidence if self.table.evidence else ""
        self.evidence.setText(" · ".join(part for part in (some, known) if part))
        self.no_uses.setVisible(not found)
        self._settle()

    def _settle(self) -> None:
        """Lay out from the inside out, now. Left to itself the toolkit paints lines that are cut off, then all anew."""
        for part in self._parts:
            if (layout := part.layout()) is not None:
                layout.activate()
        for _ in range(2):  # what is laid out may ask for room in its turn
            QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)

    def _head(self, ref: Ref, node: Node | None) -> None:
        graph, now = self._lifecycle.graph, self._clock()
        self.title.setText(_title(graph, ref, now))
        said = [Span(words.kind(ref, node.facts if node else {}), dim=True)]
        if node is not None and (dtype := node.facts.get("dtype")):
            said.append(Span(f" · {dtype}", dim=True))
        parent = ref.parent
        if parent is not None and parent.kind is not Kind.PROJECT:
            above = graph.get(parent)
            said += [Span(" in ", dim=True), Span(above.title if above else parent.name, parent)]
        elif node is not None and (experiment_id := node.facts.get("experiment_id")):
            name = str(node.facts.get("experiment") or experiment_id)
            said += [Span(" in ", dim=True), Span(name, experiment(ref.instance, str(experiment_id)))]
        elif parent is not None:
            said.append(Span(f" in {parent.instance}", dim=True))
        if node is None and not signs.run_facts(graph, ref):
            said.append(Span(" · not read from its service yet", dim=True))
        elif node is not None and node.gone_since is not None:
            tip = words.exact(node.gone_since)
            said.append(Span(f" · deleted {words.relative(node.gone_since, now)}", dim=True, tip=tip))
        self.kind.show_lines([said])
        sign = signs.of(graph, ref, now)
        if node is not None and ref.kind is Kind.MODEL_VERSION:
            sign = tree.alias_sign(node)
        self.chip.show_sign(sign)
        self.copy_button.setToolTip(f"Copy {copied(ref)}")

    def _show_pipelines(self, graph: Graph, ref: Ref, found: Pipelines) -> None:
        needs_none = is_on_demand(graph, ref)
        for card, pipeline in zip(self.cards, found.told, strict=False):
            card.show_pipeline(pipeline)
            card.strip.setVisible(bool(pipeline.recent))
        for place, card in enumerate(self.cards):
            card.setVisible(place < len(found))
        of_what = " of what it reads" if needs_none and found else ""
        self.pipeline.heading.setText(f"Pipeline{of_what}" if len(found) < 2 else f"Pipelines{of_what} ({len(found)})")
        rest = found.others
        if rest:
            more = f"and {words.count(len(rest), 'more DAG')}"
            self.no_pipeline.show_lines([[Span(more, dim=True, tip=", ".join(rest))]])
        else:
            self.no_pipeline.show_lines([(Span(_without_pipeline(ref.kind, needs_none), dim=True),)])
        self.no_pipeline.setVisible(bool(rest) or not found or needs_none)

    # What a person does.

    def _go(self, ref: Ref) -> None:
        self._focus.set(ref, ORIGIN)

    def copy_id(self) -> None:
        if (ref := self._focus.current) is not None:
            QGuiApplication.clipboard().setText(copied(ref))
            self.copy_button.setText("Copied")
            QTimer.singleShot(1500, self.copy_button, lambda: self.copy_button.setText("Copy id"))


def copied(ref: Ref) -> str:
    """What a person would paste elsewhere: a feature's full name, a run's or DAG's id, a version's model URI."""
    match ref.kind:
        case Kind.FEATURE:
            return f"{ref.keys[0]}.{ref.keys[1]}"
        case Kind.MODEL_VERSION:
            return f"models:/{ref.keys[0]}/{ref.keys[1]}"
        case Kind.REGISTERED_MODEL:
            return f"models:/{ref.keys[0]}"
        case _:
            return ref.name


def _title(graph: Graph, ref: Ref, now: datetime) -> str:
    if ref.kind is Kind.MODEL_VERSION:
        return f"{ref.keys[0]} v{ref.name}"
    return signs.title(graph, ref, now) or ref.name


def _without_pipeline(kind: Kind, needs_none: bool) -> str:
    if needs_none:
        return "Computed when it is asked for: it needs no pipeline of its own."
    return "A wish has no pipeline." if kind is Kind.WISH else "No DAG is known to make it."


def _uses_title(kind: Kind) -> str:
    match kind:
        case Kind.RUN:
            return "What it made"
        case Kind.MODEL_VERSION | Kind.REGISTERED_MODEL:
            return "The runs that made it"
        case Kind.DAG | Kind.DAG_RUN | Kind.TASK | Kind.TASK_INSTANCE | Kind.EXPERIMENT | Kind.PROJECT:
            return "Runs and models that stand on it"
        case _:
            return "Runs and models that use it"
