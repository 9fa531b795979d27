"""Whatever order things are read in, in whatever batches, the links are the same in the end."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Node
from e2e_ml.lineage.index import Index
from tests.unit.lineage import lifecycle as life
from tests.unit.lineage import worlds

RANDOM = st.integers(0, 2**32 - 1).map(Random)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(RANDOM, RANDOM)
def test_links_do_not_depend_on_the_order_in_which_things_are_read(world: Random, order: Random) -> None:
    steps = worlds.history(world)
    whole, parts = worlds.at_once(steps), worlds.step_by_step(steps, order)
    for now, then in zip(worlds.shown(whole.graph()), worlds.shown(parts.graph()), strict=True):
        assert now == then


def test_a_deleted_thing_is_not_held_by_what_was_only_mentioned() -> None:
    """A task instance that nobody told of is the end of an edge for a while; the DAG run that it lies in is deleted."""
    index, run = Index(None), refs.run("lab", "r")
    index.upsert("airflow:local", Batch((Record(Node(life.TRAIN)), Record(Node(life.TRAIN_RUN)))))
    index.upsert("mlflow:lab", Batch((Record(Node(run, {"tags": life.run_tags(0)})),)))
    index.upsert("mlflow:lab", Batch((Record(Node(run)),)))
    index.upsert("airflow:local", Batch(gone=(life.TRAIN_RUN,)))
    assert life.TRAIN_RUN not in index.graph()
