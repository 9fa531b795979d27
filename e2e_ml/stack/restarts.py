"""How often a service that came up is started again when a component of it dies, and after which pause."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

PAUSES = (1.0, 5.0, 15.0)  # seconds
WITHIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Restart:
    """The `number`-th of `most` within the time that counts, to be made after `pause` seconds."""

    number: int
    most: int
    pause: float


class Restarts:
    """Remembers the restarts of one service. What dies again and again is broken, and nobody is helped by more."""

    def __init__(self, pauses: Sequence[float] | None = None, within: float = WITHIN_SECONDS) -> None:
        self._pauses = PAUSES if pauses is None else pauses
        self._within = within
        self._made: deque[float] = deque()

    def next(self, now: float) -> Restart | None:
        """The restart for a death at `now` (monotonic seconds), None where there were too many of late."""
        while self._made and now - self._made[0] > self._within:
            self._made.popleft()
        if len(self._made) == len(self._pauses):
            return None
        self._made.append(now)
        return Restart(len(self._made), len(self._pauses), self._pauses[len(self._made) - 1])

    def __str__(self) -> str:
        return f"{len(self._pauses)} times within {self._within / 60:.0f} minutes"
