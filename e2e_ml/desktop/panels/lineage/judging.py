"""What a person may say of a link that was inferred, and what was said: values between the panel and who keeps them.

The panel is given a `Judging`; `judging_of` makes one of the judgements beside the index. No Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from e2e_ml.desktop.panels import words
from e2e_ml.lineage.graph import Edge, Evidence
from e2e_ml.lineage.judgements import Judgement, Judgements, Verdict
from e2e_ml.refs import Ref

_ACTS = {Verdict.CONFIRMED: "Confirm", Verdict.REFUSED: "Refuse", Verdict.WITHDRAWN: "Withdraw"}


@dataclass(frozen=True, slots=True)
class Judging:
    """`judge` may wait for a disk: it is called off the UI thread. The others answer at once."""

    judge: Callable[[Edge, Verdict], object]
    on: Callable[[Edge], Judgement | None] = lambda edge: None
    all: Callable[[], Sequence[Judgement]] = lambda: ()


def judging_of(judgements: Judgements, by: str) -> Judging:
    """`by` is who sits before the window."""
    return Judging(lambda edge, verdict: judgements.judge(edge, verdict, by), judgements.on, judgements.all)


def verdicts(edge: Edge, said: Judgement | None) -> tuple[Verdict, ...]:
    """What may be said of an edge now."""
    if said is not None:
        return (Verdict.WITHDRAWN,)
    return (Verdict.CONFIRMED, Verdict.REFUSED) if edge.evidence is Evidence.INFERRED else ()


def act(verdict: Verdict) -> str:
    """The word on its button."""
    return _ACTS[verdict]


def said_in_words(said: Judgement, now: datetime) -> str:
    return f"{said.verdict.value.capitalize()} by {said.by} {words.relative(said.at, now)}"


def refused_at(judging: Judging | None, ref: Ref) -> list[Edge]:
    """The edges of a thing that a person refused: they are in no graph, and can be taken back."""
    said = judging.all() if judging else ()
    return [as_edge(j) for j in said if j.verdict is Verdict.REFUSED and ref in (j.upstream, j.downstream)]


def as_edge(said: Judgement) -> Edge:
    return Edge(said.upstream, said.downstream, said.relation, Evidence.INFERRED, said.reason, seen_at=said.at)
