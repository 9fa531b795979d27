"""The card beside the drawing: what is chosen, the ways to it, why its links are believed, and what a person says of
those that were inferred."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.elided import ElidedLabel
from e2e_ml.desktop.icons import icon
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage import judging
from e2e_ml.desktop.panels.lineage.asked import Asked, Fan, Side
from e2e_ml.desktop.panels.lineage.chips import plural
from e2e_ml.desktop.panels.lineage.explored import unseen
from e2e_ml.desktop.panels.lineage.faces import caption, title
from e2e_ml.desktop.panels.lineage.flow import FlowLayout
from e2e_ml.desktop.panels.lineage.judging import Judging
from e2e_ml.desktop.panels.lineage.neighbourhood import Key, Surroundings, Tie
from e2e_ml.desktop.panels.marks import Chip
from e2e_ml.desktop.panels.signs import Sign
from e2e_ml.desktop.theme import GRID
from e2e_ml.lineage.graph import Edge, Evidence, Graph
from e2e_ml.lineage.judgements import Verdict
from e2e_ml.refs import Ref

WIDTH = 288  # px
_LINKS = 6  # of one heading
_LOOK = 256  # edges of a thing that are looked through for inferred ones


@dataclass(frozen=True, slots=True)
class Said:
    """An edge as the card tells it."""

    edge: Edge
    line: str
    why: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """All that the card says, before any widget says it."""

    title: str
    caption: str
    sign: Sign | None = None
    tip: str = ""
    ways: tuple[str, ...] = ()
    links: tuple[tuple[str, tuple[Said, ...], int], ...] = ()  # heading, edges, how many more
    look: Ref | None = None  # what "Look at it" looks at
    sides: tuple[tuple[str, Side], ...] = ()  # what may be shown besides
    fan: Fan | None = None  # what it stands in, where that was opened and can be folded again


def of_tie(graph: Graph, tie: Tie, given: Judging | None, now: datetime) -> Content:
    ends = f"{title(graph, tie.upstream, now)} \N{RIGHTWARDS ARROW} {title(graph, tie.downstream, now)}"
    told = tuple(_said(graph, edge, given, now) for edge in tie.edges[:_LINKS])
    note = "" if told else "What is folded, or left out, ties them."
    heading = "Why they are tied" if len(tie.edges) < 2 else f"Why they are tied: {len(tie.edges)} links"
    return Content(
        ends, note or f"{tie.evidence.value} link", None, ends, (), ((heading, told, len(tie.edges) - len(told)),)
    )


def of_key(
    graph: Graph, key: Key, around: Surroundings | None, asked: Asked, sign: Sign | None, ways: Sequence[str],
    given: Judging | None, now: datetime,
) -> Content:  # fmt: skip
    name = title(graph, key, now)
    if not isinstance(key, Ref):
        return Content(name, caption(graph, key))
    near = [*graph.upstream(key, _LOOK), *graph.downstream(key, _LOOK)]
    guessed = [edge for edge in near if edge.evidence is Evidence.INFERRED]
    said = {(j.upstream, j.downstream, j.relation) for j in (given.all() if given else ())}
    spoken = [e for e in near if e.evidence is Evidence.DECLARED and (e.upstream, e.downstream, e.relation) in said]
    links = [
        _heading("Inferred", guessed, graph, given, now),
        _heading("Perhaps", graph.candidates(key), graph, given, now),
        _heading("Confirmed by a person", spoken, graph, given, now),
        _heading("Refused by a person", judging.refused_at(given, key), graph, given, now),
    ]
    sides: list[tuple[str, Side]] = []
    for down, word in ((False, "upstream"), (True, "downstream")):
        side = Side(key, down)
        if around and around.region and (more := around.more.get(side) or unseen(graph, around.region, side)):
            sides.append((f"Show {more:,} more {word}", side))
    told = "\n".join((str(key), sign.tip if sign else ""))
    shown = tuple(link for link in links if link[1])
    fan = around.fans.get(key) if around else None
    opened = fan if fan in asked.opened else None
    return Content(name, caption(graph, key), sign, told.strip(), tuple(ways), shown, key, tuple(sides), opened)


def _heading(
    text: str, edges: Sequence[Edge], graph: Graph, given: Judging | None, now: datetime
) -> tuple[str, tuple[Said, ...], int]:
    few = tuple(_said(graph, edge, given, now) for edge in edges[:_LINKS])
    return text, few, len(edges) - len(few)


def _said(graph: Graph, edge: Edge, given: Judging | None, now: datetime) -> Said:
    ends = [words.elide_middle(title(graph, ref, now), 30) for ref in (edge.upstream, edge.downstream)]
    line = f"{ends[0]} {edge.relation.value} {ends[1]}"
    told = [edge.evidence.value.capitalize()]
    if edge.evidence is Evidence.INFERRED and edge.score < 1:
        told[0] += f", {edge.score:.2f}"
    said = given.on(edge) if given else None
    if said is not None:
        told[0] = judging.said_in_words(said, now)
    if edge.reason and (said is None or said.reason):
        told.append(said.reason if said is not None else edge.reason)
    if edge.seen_at is not None and said is None:
        told.append(f"seen {words.relative(edge.seen_at, now)}")
    return Said(edge, line, ": ".join(told[:2]) + ("; " + told[2] if len(told) > 2 else ""),
                judging.verdicts(edge, said) if given else ())  # fmt: skip


class Card(QFrame):
    closed = Signal()
    look_requested = Signal(object)
    expand_requested = Signal(object)
    fold_requested = Signal(object)
    judged = Signal(object, object)  # edge, verdict

    def __init__(self, appearance: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("lineageCard")
        self.setFixedWidth(WIDTH)
        self._appearance = appearance
        self.content: Content | None = None
        self.title = ElidedLabel(parent=self)
        self.title.setObjectName("chromeTitle")
        self.caption = QLabel(self)
        self.caption.setProperty("role", "small")
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.chip = Chip(appearance, self)
        self.close_button = QToolButton(self)
        self.close_button.setObjectName("closeServices")
        self.close_button.setToolTip("Close (Esc)")
        self.close_button.setAccessibleName("Close the card")
        self.close_button.setFixedSize(24, 24)
        self.close_button.clicked.connect(self.closed)
        top = QHBoxLayout()
        top.setSpacing(GRID // 2)
        top.addWidget(self.title, 1)
        top.addWidget(self.close_button)
        under = QHBoxLayout()
        under.setSpacing(GRID)
        under.addWidget(self.caption, 1)
        under.addWidget(self.chip)
        self._area = QScrollArea(self)
        self._area.setObjectName("lineageCardScroll")
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 10, 12)
        column.setSpacing(GRID // 2)
        column.addLayout(top)
        column.addLayout(under)
        column.addWidget(self._area)
        appearance.changed.connect(self._ink)
        self._ink()
        self.hide()

    def _ink(self) -> None:
        self.close_button.setIcon(icon("close", self._appearance.theme.dim))
        self.close_button.setIconSize(QSize(12, 12))

    def show_content(self, content: Content | None, most: int) -> None:
        """Say this in at most `most` px of height, or nothing."""
        self.content = content
        self.setVisible(content is not None)
        if content is None:
            return
        self.title.setText(content.title)
        self.title.setToolTip(content.tip)
        self.caption.setText(content.caption)
        self.chip.show_sign(content.sign)
        self.setAccessibleName(f"{content.title}, {content.caption}")
        body = QWidget()
        body.setObjectName("lineageCardBody")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, GRID // 2, 4, 0)
        column.setSpacing(GRID // 2)
        if content.ways:
            column.addWidget(_text("Ways between the focus and this", "section"))
            for way in content.ways:
                column.addWidget(_text(way, "small"))
        for heading, told, more in content.links:
            column.addSpacing(GRID // 2)
            column.addWidget(_text(heading, "section"))
            for said in told:
                column.addWidget(self._link(said))
            if more > 0:
                column.addWidget(_text(f"and {more:,} more", "small"))
        row = QWidget()
        buttons = FlowLayout(row, GRID // 2)
        if content.look is not None:
            look = content.look
            buttons.addWidget(
                _button("Look at it", "Make it the focus (Enter)", lambda: self.look_requested.emit(look))
            )
        for text, side in content.sides:
            buttons.addWidget(_button(text, f"{text} (E)", lambda side=side: self.expand_requested.emit(side)))
        if (fan := content.fan) is not None:
            again = f"Show fewer {plural(fan.kind.value)}"
            buttons.addWidget(_button(again, f"{again} (C)", lambda: self.fold_requested.emit(fan)))
        if buttons.count():
            column.addSpacing(GRID // 2)
            column.addWidget(row)
        column.addStretch(1)
        # What was said before may hold the button that is being pressed: it goes once that is done.
        if (before := self._area.takeWidget()) is not None:
            before.hide()
            before.deleteLater()
        self._area.setWidget(body)
        inner = WIDTH - 12 - 10 - 4
        wanted = column.heightForWidth(inner) if column.hasHeightForWidth() else column.sizeHint().height()
        head = self.title.sizeHint().height() + self.caption.sizeHint().height() + 44
        self._area.setFixedHeight(max(0, min(wanted + 6, most - head)))
        self.adjustSize()

    def _link(self, said: Said) -> QWidget:
        box = QFrame()
        box.setObjectName("lineageLink")
        column = QVBoxLayout(box)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(2)
        column.addWidget(_text(said.line, ""))
        column.addWidget(_text(said.why, "small"))
        if said.verdicts:
            row = QHBoxLayout()
            row.setContentsMargins(0, 4, 0, 0)
            row.setSpacing(GRID // 2)
            for verdict in said.verdicts:
                key = {Verdict.CONFIRMED: "Y", Verdict.REFUSED: "N", Verdict.WITHDRAWN: "U"}[verdict]
                act = judging.act(verdict)
                made = _button(act, f"{act} this link ({key})", lambda v=verdict: self.judged.emit(said.edge, v))
                made.setAccessibleName(f"{act}: {said.line}")
                row.addWidget(made)
            row.addStretch(1)
            column.addLayout(row)
        return box


def _text(text: str, role: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setMinimumWidth(1)  # else its longest word says how wide the card is
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        label.setProperty("role", role)
    return label


def _button(text: str, tip: str, act: Callable[[], object]) -> QPushButton:
    made = QPushButton(text)
    made.setObjectName("cardButton")
    made.setToolTip(tip)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.clicked.connect(lambda _checked=False: act())
    return made
