"""No rule fails on what a service tells, whatever its form: a failing one costs a thing its links, or a visit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml.lineage.graph import FACTS, Node
from e2e_ml.lineage.rules.derived import derive
from tests.unit.lineage import worlds
from tests.unit.lineage.looks import Known

ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=5)
    | st.sampled_from(("", "weather:temp", "2026-11-21", "s3://[", "models:/", "file:///\0", "[\"a\"", "\ud800".encode(
        "utf-8", "surrogatepass").decode("latin-1"), "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ("project", "view", "dag_id", "at", "extra", "uris", "models", "columns", "source", "context", "features", "")
    ), inner, max_size=4),
    max_leaves=6,
)  # fmt: skip
# A number for whatever stands below a fact: one in four is odd.
RANDOM = st.integers(0, 2**32 - 1).map(Random)


def spoiled(value: Any, random: Random, odd: list[Any]) -> Any:
    """A value with some parts of it replaced."""
    if random.random() < 0.25:
        return random.choice(odd)
    if isinstance(value, Mapping):
        return {key: spoiled(each, random, odd) for key, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, random, odd) for each in value]
    return value


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(RANDOM, st.lists(ODD, min_size=4, max_size=8))
def test_no_rule_fails_on_odd_facts(random: Random, odd: list[Any]) -> None:
    nodes: list[Node] = []
    for _, ref, make in worlds.THINGS:
        facts = {name: random.choice(odd) for name in FACTS.get(ref.kind, ()) if random.random() < 0.2}
        nodes.append(Node(ref, spoiled({**facts, **make(random)}, random, odd) or {}))
    nodes = [node if isinstance(node.facts, Mapping) else Node(node.ref) for node in nodes]
    look = Known(nodes)
    for node in nodes:
        for edge in look.edges(node):
            assert 0 < edge.score <= 1
            assert edge.reason
        json.dumps(derive(node, look))
