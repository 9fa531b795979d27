"""A desk for the panels' tests: one lifecycle, one focus, one clock, and the style sheet of the panels."""

from __future__ import annotations

from dataclasses import dataclass, field

from e2e_ml.desktop.appearance import Appearance
from e2e_ml.desktop.focus import Focus
from e2e_ml.desktop.lifecycle import Lifecycle
from e2e_ml.desktop.theme import LIGHT
from e2e_ml.refs import Ref
from tests.desktop import lifecycles


@dataclass
class Desk:
    lifecycle: Lifecycle
    focus: Focus
    appearance: Appearance
    moves: list[tuple[Ref, str]] = field(
        default_factory=list[tuple[Ref, str]]
    )  # every change of focus, with its origin


def desk() -> Desk:
    made = Desk(Lifecycle(lifecycles.flights()), Focus(), Appearance())
    made.appearance.force(LIGHT)
    made.focus.changed.connect(lambda ref, origin: made.moves.append((ref, origin)))
    return made
