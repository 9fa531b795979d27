"""The real window over the full index, offscreen: the focus moves, the panels are painted, the event loop goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.lineage import world
from tests.benchmarks.lineage.bench_index import built
from tests.benchmarks.lineage.table import Line, load, ms, percentile

SETTLE = 0.4  # seconds of the event loop after each move
BEAT = 5  # ms between two beats of the timer that tells how long the loop was held


def lines(*, feast: bool) -> Iterator[Line]:
    del feast
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    if os.geteuid() == 0:
        os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    painted, cpu, held = _measure()
    yield Line(
        f"focus moved {len(painted)} times: answers, drawing, what it touches and what uses it painted ({load()})",
        f"p50 {ms(percentile(painted, 0.5))}, p99 {ms(percentile(painted, 0.99))}",
        f"p50 {ms(percentile(cpu, 0.5))}, p99 {ms(percentile(cpu, 0.99))}",
        "p99 < 50 ms", percentile(painted, 0.99) < 0.05,
    )  # fmt: skip
    yield Line(
        "the event loop is held, while the focus moves", f"p99 {ms(percentile(held, 0.99))}, at most {ms(max(held))}",
        "", "at most 50 ms", max(held) < 0.05,
    )  # fmt: skip


def _measure() -> tuple[list[float], list[float], list[float]]:
    """Of each move: the time until the panels are painted, and the processor's; the longest time that the loop was
    held."""
    from PySide6.QtCore import QTimer

    from e2e_ml.desktop.app import make_application
    from e2e_ml.desktop.interpreter import Interpreter
    from e2e_ml.desktop.workbench import Workbench
    from e2e_ml.lineage import questions
    from e2e_ml.lineage.index import Index
    from tests.desktop.local_pages import Pages
    from tests.desktop.local_services import FixedReader, LocalStack

    application = make_application(["bench"])
    index = Index(built())
    with Pages() as pages, TemporaryDirectory(prefix="lineage-bench-", ignore_cleanup_errors=True) as folder:
        stack = LocalStack(dict.fromkeys(("airflow", "festaf", "mlflow"), pages.url))
        instances = {"airflow": world.A, "festaf": world.P, "mlflow": world.M}
        reader = FixedReader(index.graph())
        workbench = Workbench("bench", Path(folder), stack, reader, instances, questions.counterparts, questions.lookup)
        workbench.open()
        workbench.window.resize(1600, 960)
        _run(application, 3.0)  # the explorer's first list is made
        Interpreter(application)
        inspector, explorer = workbench.window.inspector, workbench.window.explorer
        beats: list[float] = []
        timer = QTimer()
        timer.setInterval(BEAT)
        timer.timeout.connect(lambda: beats.append(time.perf_counter()))
        painted: list[float] = []
        held: list[float] = []
        cpu: list[float] = []
        for ref in [*_moves(), *_moves()][1:]:
            beats.clear()
            timer.start()
            _run(application, 0.05)
            clock, processor = time.perf_counter(), time.thread_time()
            workbench.focus.set(ref, "bench")
            while inspector.lineage.is_behind or explorer.is_behind:
                application.processEvents()
            for _ in range(2):  # all of it is laid out and painted, and again where a part changed its size
                application.processEvents()
            painted.append(time.perf_counter() - clock)
            cpu.append(time.thread_time() - processor)
            _run(application, SETTLE)
            timer.stop()
            held.append(max(b - a for a, b in pairwise(beats)) - BEAT / 1000)
        workbench.window.hide()
        workbench.close()
        _run(application, 0.2)
        workbench.dispose()
    index.close()
    return painted, cpu, held


def _moves() -> list[Any]:
    """Things of every kind, with few and with very many neighbours."""
    size = world.FULL
    return [
        ref
        for i in range(3, 30, 3)
        for ref in (
            world.feature_view(i), world.feature(i, 2), world.service(i), world.source(size, i), world.load_dag(i),
            world.train_dag(i), world.run_ref(i, 4), world.model(i), world.version(i, 1),
        )
    ]  # fmt: skip


def _run(application: Any, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        application.processEvents()
        time.sleep(0.001)
