"""How often what died is started again."""

from __future__ import annotations

import pytest

from e2e_ml.stack.restarts import PAUSES, WITHIN_SECONDS, Restart, Restarts


@pytest.mark.parametrize(
    ("deaths", "numbers"),
    [
        ([0], [1]),
        ([0, 1, 2], [1, 2, 3]),
        ([0, 1, 2, 3], [1, 2, 3, None]),
        ([0, 1, 2, 601], [1, 2, 3, 3]),  # the first counts no longer
        ([0, 100, 500, 600, 650, 701], [1, 2, 3, None, 3, 3]),
        ([0, 1, 2, 603], [1, 2, 3, 1]),
        ([0, 700, 1400, 2100, 2800], [1, 1, 1, 1, 1]),  # a stumble now and then is for ever mended
    ],
)
def test_three_times_within_ten_minutes(deaths: list[float], numbers: list[int | None]) -> None:
    restarts = Restarts()
    found = [restarts.next(at) for at in deaths]
    assert [restart and restart.number for restart in found] == numbers
    assert all(restart == Restart(restart.number, 3, PAUSES[restart.number - 1]) for restart in found if restart)


def test_pauses_grow_and_fit_into_the_time() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert sum(PAUSES) < WITHIN_SECONDS
    assert str(Restarts()) == "3 times within 10 minutes"
