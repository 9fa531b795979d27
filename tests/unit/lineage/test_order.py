"""Whatever order things are read in, in whatever batches, the links are the same in the end."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.lineage import worlds

RANDOM = st.integers(0, 2**32 - 1).map(Random)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(RANDOM, RANDOM)
def test_links_do_not_depend_on_the_order_in_which_things_are_read(world: Random, order: Random) -> None:
    steps = worlds.history(world)
    whole, parts = worlds.at_once(steps), worlds.step_by_step(steps, order)
    for now, then in zip(worlds.shown(whole.graph()), worlds.shown(parts.graph()), strict=True):
        assert now == then
