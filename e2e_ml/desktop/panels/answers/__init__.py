"""Who, what, when, how and why: the five answers about anything in the lifecycle, as lines of text with links.

What holds for a thing of any kind stands in `about`; what a kind knows better, in the module of its group: `features`,
`data`, `pipelines`, `models`. A new kind is a class there and a row of the table here. Pure, no Qt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from e2e_ml.desktop.panels.answers import data, features, models, pipelines
from e2e_ml.desktop.panels.answers.about import About
from e2e_ml.desktop.panels.spans import Span
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind, Ref

QUESTIONS = ("Who", "What", "When", "How", "Why")
_KINDS: Mapping[Kind, type[About]] = {
    Kind.PROJECT: data.Project,
    Kind.SOURCE: data.Source,
    Kind.ENTITY: data.Entity,
    Kind.FEATURE_VIEW: features.View,
    Kind.FEATURE: features.Feature,
    Kind.FEATURE_SERVICE: features.Service,
    Kind.WISH: features.Wish,
    Kind.DAG: pipelines.Dag,
    Kind.TASK: pipelines.Task,
    Kind.DAG_RUN: pipelines.DagRun,
    Kind.TASK_INSTANCE: pipelines.TaskInstance,
    Kind.EXPERIMENT: models.Experiment,
    Kind.RUN: models.Run,
    Kind.REGISTERED_MODEL: models.RegisteredModel,
    Kind.MODEL_VERSION: models.ModelVersion,
}  # of the other kinds there is no more to say than `About` says


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    lines: tuple[tuple[Span, ...], ...]
    code: str = ""

    @property
    def text(self) -> str:
        """What a person reads, without the code."""
        return "\n".join("".join(span.text for span in line) for line in self.lines)


def five_answers(graph: Graph, ref: Ref, now: datetime, uses: questions.Uses | None = None) -> tuple[Answer, ...]:
    """The answers about `ref`, in the order of `QUESTIONS`; what is not in the graph yet has what its name says.

    `uses` are those of `ref`, where they are known already: to find them anew costs as much as all the answers.
    """
    about = _KINDS.get(ref.kind, About)(graph, graph.get(ref) or Node(ref), now, uses)
    lines = (about.who(), about.what(), about.when(), about.how(), about.why())
    code = {"How": about.code()}
    return tuple(
        Answer(question, tuple(said), code.get(question, "")) for question, said in zip(QUESTIONS, lines, strict=True)
    )
