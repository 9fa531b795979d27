"""Plans are made: on the spot, or behind the window where there is much to lay out. One at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from e2e_ml.desktop.operations import Operation, Operations
from e2e_ml.desktop.panels.lineage.asked import Asked
from e2e_ml.desktop.panels.lineage.look import Look
from e2e_ml.desktop.panels.lineage.neighbourhood import Surroundings, anchor
from e2e_ml.desktop.panels.lineage.plan import EMPTY, Plan, around_of, plan_large, plan_small
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Ref

AT_ONCE = 60  # boxes that are laid out on the spot; more are laid out behind the window
_MANY = 2  # fans and sides that were opened: with more, the drawing is made behind the window from the start


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a plan depends on."""

    graph: Graph
    current: Ref | None  # what the person looks at
    asked: Asked
    now: datetime
    look: Look
    room: float  # px of width
    large: bool


class Planning:
    """Without `operations` everything is made on the spot, and so is every small plan."""

    def __init__(self, operations: Operations | None) -> None:
        self._operations = operations
        self._running: Operation[Plan] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a plan is being made behind the window."""
        return self._running is not None

    def make(self, wanted: Wanted, put_up: Callable[[Plan], object]) -> None:
        """Make a plan and call `put_up` with it, now or later. One that is still being made is given up."""
        if self._running is not None:
            self._running.cancel()
            self._running = None
        focus, operations = anchor(wanted.current), self._operations
        if focus is None:
            put_up(EMPTY)
            return
        if not wanted.large:
            around = _around(wanted, focus)
            put_up(plan_small(wanted.graph, around, wanted.look, wanted.now, wanted.room))
            return
        elsewhere = replace(wanted, look=wanted.look.again())
        if operations is not None and len(wanted.asked.opened) + len(wanted.asked.expanded) > _MANY:
            self._run(operations, lambda: _large(elsewhere, _around(elsewhere, focus)), put_up)
            return
        around = _around(wanted, focus)  # its looks are bounded
        if operations is not None and len(around.keys) > AT_ONCE:
            self._run(operations, lambda: _large(elsewhere, around), put_up)
            return
        put_up(_large(wanted, around))

    def _run(self, operations: Operations, work: Callable[[], Plan], put_up: Callable[[Plan], object]) -> None:
        def done(plan: Plan) -> None:
            self._running = None
            put_up(plan)

        self._running = operations.run("Drawing the lineage", work).success(done).start()


def _around(wanted: Wanted, focus: Ref) -> Surroundings:
    return around_of(wanted.graph, focus, wanted.asked, large=wanted.large)


def _large(wanted: Wanted, around: Surroundings) -> Plan:
    return plan_large(wanted.graph, around, wanted.look, wanted.now, wanted.asked, wanted.current, wanted.room)
