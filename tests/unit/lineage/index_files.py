"""What the tests of the index's file share: batches that fill it, all that a graph tells, and other processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from e2e_ml import refs
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.graph import Edge, Evidence, Graph, Node, Relation
from e2e_ml.lineage.index import Index

T0 = datetime(2026, 11, 21, tzinfo=UTC)
SOON = 60  # seconds; a test that waits longer has found a fault
FORK = multiprocessing.get_context("fork")


def said(graph: Graph) -> tuple[list[Edge], list[Edge], list[Any]]:
    """All that a graph tells."""
    return (
        sorted((e for ref in graph.refs() for e in graph.downstream(ref)), key=str),
        sorted((e for ref in graph.refs() for e in graph.candidates(ref)), key=str),
        sorted(((n.ref, dict(n.facts), n.gone_since, n.title) for n in graph.nodes()), key=str),
    )


def page(number: int, size: int = 40) -> Batch:
    """A batch like those of a first visit: runs in DAG runs, each with words of its own."""
    records: list[Record] = []
    for i in range(number * size, (number + 1) * size):
        run, dag = refs.run("lab", f"{i:08x}"), refs.dag("local", f"train_{i % 7}")
        edge = Edge(dag, run, Relation.STARTED, Evidence.DECLARED, f"word {i % 11} of {number}")
        records.append(Record(Node(run, {"name": f"run {i:03d}", "start": str(T0 + timedelta(hours=i))}), (edge,)))
        records.append(Record(Node(dag, {"owner": f"team {number}"}), partial=True))
    return Batch(tuple(records), {"n": number + 1})


def in_another_process(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    process.join(SOON)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


def upsert_one(path: Path, batch: Batch) -> None:
    index = Index(path)
    index.upsert("other", batch, T0)
    index.close()
