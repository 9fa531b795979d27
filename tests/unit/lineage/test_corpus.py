"""The rules against projects with known links: precision and recall for each kind of evidence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from e2e_ml.lineage.graph import Evidence
from tests.corpus import cases, rest, synthetic
from tests.corpus.__main__ import HELD_OUT, TUNED
from tests.corpus.cases import Case
from tests.corpus.score import Result, judge, say, table

MOST_WRONG, LEAST_FOUND = 0.05, 0.80  # of inferred links
GENERATED = 80  # projects of each row; `python -m tests.corpus` takes more


def read(name: str) -> list[Case]:
    match name:
        case "tuned" | "held_out":
            return cases.read(name)
        case "answers":
            return list(rest.cases())
        case "generated":
            return list(synthetic.cases(TUNED[0], GENERATED))
        case _:
            return list(synthetic.cases(HELD_OUT[0], GENERATED))


@pytest.mark.parametrize("name", ["tuned", "held_out", "answers", "generated", "generated_held_out"])
def test_links_are_right_and_are_found(name: str, record_property: Callable[[str, object], None]) -> None:
    result = judge(read(name))
    print(table({name: result}))
    record_property("table", table({name: result}))
    wrong = "\n".join(result.mistakes)
    for evidence in (Evidence.DECLARED, Evidence.OBSERVED):
        assert (result.scores[evidence].precision, result.scores[evidence].recall) == (1.0, 1.0), wrong
    inferred = result.scores[Evidence.INFERRED]
    assert inferred.true >= 4  # a corpus that infers nothing proves nothing
    assert inferred.precision >= 1 - MOST_WRONG, wrong
    assert inferred.recall >= LEAST_FOUND, wrong
    for relation, score in result.inferred.items():
        assert score.precision >= 1 - MOST_WRONG, f"{relation}: {wrong}"
        assert score.recall >= LEAST_FOUND, f"{relation}: {wrong}"


def test_there_are_cases_enough() -> None:
    names = [case.name for folder in ("tuned", "held_out") for case in cases.read(folder)]
    assert len(names) >= 50
    assert len(set(names)) == len(names)


def test_a_case_that_is_told_wrongly_is_refused() -> None:
    with pytest.raises(ValueError, match="has no trut"):
        cases.case_of({"case": "x", "trut": {}})
    with pytest.raises(ValueError, match="names nothing"):
        cases.link("nowhere trains run:r")


def test_a_mistake_counts() -> None:
    """The scores themselves: a wrong link, and one that is not found."""
    told = {
        "case": "x",
        "dags": {"train": {}},
        "runs": {"r": {"tags": {"airflow.dag_id": "train"}}},
        "truth": {"declared": ["dag:other started run:r"]},
    }
    result: Result = judge([cases.case_of(told)])
    score = result.scores[Evidence.DECLARED]
    assert (score.drawn, score.right, score.true, score.found) == (1, 0, 1, 0)
    assert len(result.mistakes) == 2


def test_what_is_true_names_things_of_the_case() -> None:
    """A slip of the pen in a link would count as a link that is not found, or never be wrong."""
    for case in [*cases.read("tuned"), *cases.read("held_out")]:
        refs = {node.ref for node in case.nodes}
        for link in frozenset[cases.Link]().union(*case.true.values()) | case.also:
            assert {link[0], link[2]} & refs, f"{case.name}: {say(link)}"
