"""The lineage as large as the middle of the window: the whole drawing, its filters and its legend, a search in it, the
card of what is chosen, its map, and the way back."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.operations import Operations
from e2e_ml.desktop.panels import words
from e2e_ml.desktop.panels.lineage import card as cards
from e2e_ml.desktop.panels.lineage import export
from e2e_ml.desktop.panels.lineage.bar import Bar
from e2e_ml.desktop.panels.lineage.card import Card
from e2e_ml.desktop.panels.lineage.chips import FilterBar
from e2e_ml.desktop.panels.lineage.faces import title
from e2e_ml.desktop.panels.lineage.judging import Judging, as_edge, verdicts
from e2e_ml.desktop.panels.lineage.neighbourhood import Key
from e2e_ml.desktop.panels.lineage.saving import Saving
from e2e_ml.desktop.panels.lineage.sheet import Standing, ends_of
from e2e_ml.desktop.panels.lineage.view import LineageView
from e2e_ml.lineage.graph import Edge
from e2e_ml.lineage.judgements import Verdict

EMPTY = "Choose anything, in the tree or with Ctrl+K: its lineage is drawn here."
_VERDICTS = {"confirm": Verdict.CONFIRMED, "refuse": Verdict.REFUSED, "withdraw": Verdict.WITHDRAWN}
_NAME = 30  # characters of a name in the card: one word wider than the card would be cut
_TOLD = 4000  # ms that a word on what was done stays


class LineagePage(QWidget):
    closed = Signal()  # back to what was there before
    judged = Signal()  # something was said of a link, and is kept

    def __init__(
        self,
        lifecycle: Lifecycle,
        focus: Focus,
        appearance: Appearance,
        parent: QWidget | None = None,
        *,
        clock: words.Clock = words.utc_now,
        operations: Operations | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("lineagePage")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._lifecycle, self._focus, self._appearance, self._clock = lifecycle, focus, appearance, clock
        self._operations = operations
        self._judging: Judging | None = None
        self._places: list[Key] = []  # what the search found
        self.view = LineageView(lifecycle, focus, appearance, self, large=True, clock=clock, operations=operations)
        self.filters = FilterBar(appearance, self)
        self.card = Card(appearance, self)
        self.hint = QLabel(self)
        self.hint.setObjectName("lineageHint")
        self.hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hint.hide()
        self.bar = Bar(appearance, self)
        self._saving = Saving(self, self.picture, self.tell, operations)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.filters)
        column.addWidget(self.view, 1)
        self._untell = QTimer(self)
        self._untell.setSingleShot(True)
        self._untell.setInterval(_TOLD)
        self._untell.timeout.connect(lambda: self._tell(""))
        self._wire()
        self._name()
        self._on_drawn()

    def _wire(self) -> None:
        self.bar.back.clicked.connect(self.closed)
        self.bar.verb_chosen.connect(self.do)
        self.bar.search.textChanged.connect(self._find)
        self.bar.search.returnPressed.connect(lambda: self._next(1))
        self.filters.kind_toggled.connect(lambda kind: self.view.ask(self.view.asked.toggle_kind(kind)))
        self.filters.evidence_toggled.connect(lambda e: self.view.ask(self.view.asked.toggle_evidence(e)))
        self.card.closed.connect(lambda: self.view.select(None))
        self.card.look_requested.connect(self.view.verbs.look_at)
        self.card.expand_requested.connect(self.view.verbs.expand_side)
        self.card.fold_requested.connect(self.view.verbs.fold)
        self.card.judged.connect(self.judge)
        for acted in (self.card.closed, self.card.expand_requested, self.card.fold_requested, self.card.judged):
            acted.connect(lambda *_: self.view.setFocus())  # the keys go on where the mouse was
        self.view.drawn.connect(self._on_drawn)
        self.view.chosen_changed.connect(self._show_card)
        self._focus.changed.connect(self._name)
        self._lifecycle.changed.connect(self._name)

    def _name(self) -> None:
        ref = self._focus.current
        if ref is None:
            self.bar.title.setText(EMPTY)
            return
        self.bar.title.setText(f"Lineage of {title(self._lifecycle.graph, ref, self._clock())}")

    # --- what is said beside the drawing ---

    def _on_drawn(self) -> None:
        plan, asked = self.view.plan, self.view.asked
        around = plan.around
        self.filters.setVisible(around is not None and bool(around.kinds))
        self._mark_confirmed()
        if around is not None:
            self.filters.show_counts(around.kinds, around.evidence, asked, cut=around.cut)
        self.bar.columns.setChecked(asked.columns)
        if self.bar.search.text():
            self._find(self.bar.search.text())
        self._place()

    def _hint_text(self) -> str:
        plan, asked = self.view.plan, self.view.asked
        if plan.focus is None or len(plan.faces) > 1:
            return ""
        if asked.left_out or asked.unbelieved:
            return "Everything else is left out by the filters above."
        if asked.closed:
            return "What lies around it is put away: press E to show it."
        return "Nothing is known that it comes from, or that stands on it."

    def _show_card(self) -> None:
        graph, now = self._lifecycle.graph, self._clock()
        content: cards.Content | None = None
        if (tie := self.view.chosen_tie) is not None:
            content = cards.of_tie(graph, tie, self._judging, now)
        elif (key := self.view.chosen) is not None:
            face = self.view.face(key)
            ways = self.view.ways().sentences(lambda k: words.elide_middle(self.view.face(k).label, _NAME))
            around, asked = self.view.plan.around, self.view.asked
            content = cards.of_key(graph, key, around, asked, face.sign, ways, self._judging, now)
        self.card.show_content(content, self.view.height() - 24)
        self.view.cover(self.card.width() + 24 if content is not None else 0, self.view.chosen)
        self._place()

    def _place(self) -> None:
        """The card stands in the corner above, the hint in the middle below the box that is alone."""
        self.card.move(self.width() - self.card.width() - 12, self.view.y() + 12)
        self.card.raise_()
        if self._untell.isActive():
            return
        self._tell(self._hint_text(), stay=True)

    def _tell(self, text: str, *, stay: bool = False) -> None:
        if not stay:
            self._untell.stop()
            text = text or self._hint_text()
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        self.hint.adjustSize()
        self.hint.move((self.width() - self.hint.width()) // 2, self.height() - self.hint.height() - 16)
        self.hint.raise_()

    def tell(self, text: str) -> None:
        """Say for a while what was done, or could not be."""
        self._tell(text, stay=True)
        self._untell.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.bar.make_room(event.size().width())
        QTimer.singleShot(0, self, self._show_card)

    # --- search ---

    def _find(self, text: str) -> None:
        self._places = self.view.look_for(text)
        self.bar.found.setText(f"{len(self._places)} of {len(self.view.plan.faces)}" if text.strip() else "")

    def _next(self, by: int) -> None:
        if not self._places:
            if self.bar.search.text().strip():
                self.tell("Nothing in the drawing says that. Ctrl+K looks through everything.")
            return
        at = self._places.index(self.view.at) if self.view.at in self._places else -1 if by > 0 else 0
        self.view.show_key(self._places[(at + by) % len(self._places)])

    # --- what a person does ---

    def do(self, verb: str) -> None:
        """What the actions of the menu "Lineage" do."""
        if verb == "search":
            self.bar.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.bar.search.selectAll()
        elif verb in _VERDICTS:
            self._judge_chosen(_VERDICTS[verb])
        elif verb == "unfilter":
            self.view.ask(self.view.asked.unfiltered())
        elif verb in ("svg", "png"):
            self._save(verb)
        else:
            self.view.verbs.do(verb)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape if self.bar.search.hasFocus() or self.bar.search.text():
                self.bar.search.clear()
                self.view.setFocus()
            case Qt.Key.Key_Escape if self.view.chosen is not None or self.view.chosen_tie is not None:
                self.view.select(None)
                self.view.setFocus()
            case Qt.Key.Key_Escape:
                self.closed.emit()
            case Qt.Key.Key_Slash:
                self.do("search")
            case Qt.Key.Key_Up if self.bar.search.hasFocus():
                self._next(-1)
            case Qt.Key.Key_Down if self.bar.search.hasFocus():
                self._next(1)
            case _:
                super().keyPressEvent(event)

    # --- judging ---

    def judge_by(self, judging: Judging | None) -> None:
        """Let inferred links be confirmed and refused by `judging`; None: they are only told."""
        self._judging = judging
        self._mark_confirmed()
        self._show_card()

    def _mark_confirmed(self) -> None:
        said = self._judging.all() if self._judging else ()
        self.view.show_confirmed(frozenset(ends_of(as_edge(j)) for j in said if j.verdict is Verdict.CONFIRMED))

    def _judge_chosen(self, verdict: Verdict) -> None:
        """Judge the link that is chosen: of those that a line stands for, the ones that can be judged so."""
        tie = self.view.chosen_tie
        if self._judging is None or tie is None:
            self.tell("Choose a link first: click a line, or press I for the next that was inferred.")
            return
        for edge in tie.edges:
            if verdict in verdicts(edge, self._judging.on(edge)):
                self.judge(edge, verdict)
                return
        self.tell("Nothing of that kind can be said of this link.")

    def judge(self, edge: Edge, verdict: Verdict) -> None:
        """Say `verdict` of an edge; it is written down behind the window."""
        judging = self._judging
        if judging is None:
            return
        if self._operations is None:
            try:
                judging.judge(edge, verdict)
            except OSError as error:
                self._on_unsaid(error)
            else:
                self._on_said(edge, verdict)
            return
        saying = self._operations.run("Writing down what you said", lambda: judging.judge(edge, verdict))
        saying.success(lambda _: self._on_said(edge, verdict)).failure(self._on_unsaid).start()

    def _on_said(self, edge: Edge, verdict: Verdict) -> None:
        done = {Verdict.CONFIRMED: "Confirmed", Verdict.REFUSED: "Refused", Verdict.WITHDRAWN: "Withdrawn"}[verdict]
        self.tell(f"{done}: {edge.upstream.name} {edge.relation.value} {edge.downstream.name}.")
        self._mark_confirmed()
        self._show_card()
        self.judged.emit()

    def _on_unsaid(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self.tell(f"What you said could not be written down: {reason}. Make room there, or give yourself the right to.")

    # --- pictures ---

    def picture(self) -> export.Picture:
        """The drawing as it is now, to be saved."""
        confirmed = self.view.sheet.standing.confirmed
        standing = Standing(near=self.view.plan.focus, confirmed=confirmed)
        at = self._clock().astimezone(UTC)
        return export.Picture(self.view.plan, self.view.sheet.look, self.bar.title.text(), at, standing)

    def export(self, path: Path) -> Path:
        """Save the drawing at once, as SVG or PNG by the ending of `path`. See `export.save` for what it raises."""
        return export.save(self.picture(), path)

    def _save(self, suffix: str) -> None:
        focus = self.view.plan.focus
        if focus is None:
            self.tell("There is nothing to save: choose something first.")
            return
        self._saving.ask_where(focus.name, suffix)
