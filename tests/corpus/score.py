"""Cases against the rules: how many of the drawn links are right, and how many of the right ones are drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from e2e_ml.lineage.graph import Edge, Evidence, Graph, Relation
from e2e_ml.lineage.index.given import graph_of
from tests.corpus.cases import Case, Link

STRENGTH = {evidence: number for number, evidence in enumerate(Evidence)}  # the strongest first


@dataclass
class Score:
    """Of links with one evidence; candidates are not drawn, and count nowhere."""

    drawn: int = 0
    right: int = 0
    true: int = 0
    found: int = 0  # of the true ones, with this evidence or stronger

    @property
    def precision(self) -> float:
        return self.right / self.drawn if self.drawn else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.true if self.true else 1.0


@dataclass(frozen=True)
class Result:
    scores: Mapping[Evidence, Score]
    inferred: Mapping[Relation, Score]  # the inferred ones once more, by what they say
    mistakes: list[str]  # in words, case by case


def links_of(graph: Graph) -> dict[Link, Edge]:
    edges = (edge for ref in graph.refs() for edge in graph.downstream(ref))
    return {(edge.upstream, edge.relation, edge.downstream): edge for edge in edges}


def judge(cases: Iterable[Case]) -> Result:
    scores = {evidence: Score() for evidence in Evidence}
    inferred: defaultdict[Relation, Score] = defaultdict(Score)
    mistakes: list[str] = []
    for case in cases:
        drawn = {link: edge for link, edge in links_of(graph_of(case.nodes)).items() if link not in case.told}
        right = frozenset[Link]().union(*case.true.values()) | case.also
        for link, edge in drawn.items():
            for score in (scores[edge.evidence], inferred[link[1]]) if edge.score < 1 else (scores[edge.evidence],):
                score.drawn += 1
                score.right += link in right
            if link not in right:
                mistakes.append(f"{case.name}: wrong, {edge.evidence}: {say(link)} ({edge.score:.2f}: {edge.reason})")
        for evidence, links in case.true.items():
            for link in links:
                found = link in drawn and STRENGTH[drawn[link].evidence] <= STRENGTH[evidence]
                for score in (scores[evidence], *([inferred[link[1]]] if evidence is Evidence.INFERRED else [])):
                    score.true += 1
                    score.found += found
                if not found:
                    mistakes.append(f"{case.name}: missing, {evidence}: {say(link)}")
    return Result(scores, inferred, mistakes)


def say(link: Link) -> str:
    return f"{link[0]} {link[1]} {link[2]}"


def table(results: Mapping[str, Result]) -> str:
    """Markdown."""
    lines = ["| cases | evidence | drawn | true | precision | recall |", "| --- | --- | --- | --- | --- | --- |"]
    for name, result in results.items():
        rows: list[tuple[str, Score]] = [(str(evidence), score) for evidence, score in result.scores.items()]
        rows += [(f"inferred, {relation}", score) for relation, score in sorted(result.inferred.items())]
        for kind, s in rows:
            if s.drawn or s.true:
                lines.append(f"| {name} | {kind} | {s.drawn} | {s.true} | {s.precision:.3f} | {s.recall:.3f} |")
    return "\n".join(lines)
