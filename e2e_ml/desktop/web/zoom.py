"""How large a page is drawn in its pane: small enough that it lays itself out as on a wide screen, never unreadable."""

from __future__ import annotations

LEAST = 0.38
MOST = 3.0
STEP = 1.1

# The width, in CSS pixels, at which a service's pages look as their makers meant them to.
COMFORTABLE: dict[str, int] = {"airflow": 1020, "mlflow": 1080, "festaf": 480}


def automatic(service: str, width: int) -> float:
    """The zoom for a pane `width` px wide; 1.0 where there is room, and never under `LEAST`."""
    wanted = width / COMFORTABLE.get(service, 1000)
    return round(min(1.0, max(LEAST, wanted)), 2)


def effective(service: str, width: int, own: float) -> float:
    """The automatic zoom times the person's own factor (1.0: as it comes)."""
    return round(min(MOST, max(0.25, automatic(service, width) * own)), 2)


def stepped(own: float, by: int) -> float:
    """The person's factor, `by` steps larger or smaller; near 1.0 it is 1.0 again."""
    value = min(2.5, max(0.5, own * STEP**by))
    return 1.0 if abs(value - 1.0) < 0.04 else round(value, 3)
