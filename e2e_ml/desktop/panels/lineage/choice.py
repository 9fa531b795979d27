"""What is chosen in a drawing, what is lit for it, and how it is told to who cannot see. Values, no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ml.desktop.panels.lineage.neighbourhood import Key, Tie
from e2e_ml.desktop.panels.lineage.plan import Plan
from e2e_ml.desktop.panels.lineage.ways import Ways, between


@dataclass(frozen=True, slots=True)
class Lit:
    keys: frozenset[Key] | None = None  # the other boxes are dimmed; None: nothing is lit, nothing dimmed
    ties: frozenset[tuple[Key, Key]] = frozenset()


@dataclass(frozen=True, slots=True)
class Choice:
    """A box or a line, and the box that the keyboard stands on, of a plan that each method is given."""

    at: Key | None = None  # under the keyboard
    key: Key | None = None  # the box that is chosen
    line: int | None = None  # or the line: its place among those of the plan

    def tie(self, plan: Plan) -> Tie | None:
        """What the chosen line stands for."""
        return plan.lines[self.line].tie if self.line is not None else None

    def ways(self, plan: Plan) -> Ways:
        """The ways between the focus and the chosen box."""
        return _ways_to(plan, plan.focus, self.key)

    def lit(self, plan: Plan, rested: Key | None) -> Lit:
        """The ways between the focus and what the mouse rests on, else what is chosen."""
        focus, aim = plan.focus, rested or self.key
        if aim is not None and focus is not None and aim != focus:
            ways = _ways_to(plan, focus, aim)
            return Lit(ways.keys | {aim, focus}, ways.ties)
        if (tie := self.tie(plan)) is not None:
            ends = tie.upstream, tie.downstream
            return Lit(frozenset(ends), frozenset((ends,)))
        return Lit()

    def spoken(self, plan: Plan) -> str:
        if (tie := self.tie(plan)) is not None:
            return tie.reason or f"{plan.faces[tie.upstream].label} to {plan.faces[tie.downstream].label}"
        if self.key is None:
            return ""
        ways = self.ways(plan).sentences(lambda key: plan.faces[key].label)
        return ". ".join([plan.faces[self.key].spoken, *ways])

    def carried(self, before: Plan, after: Plan) -> Choice:
        """The same in another plan, but for what is not drawn there."""
        tie = self.tie(before)
        ends = (tie.upstream, tie.downstream) if tie else None
        again = (n for n, line in enumerate(after.lines) if (line.tie.upstream, line.tie.downstream) == ends)
        return Choice(
            self.at if self.at in after.faces else None,
            self.key if self.key in after.faces else None,
            next(again, None),
        )


def _ways_to(plan: Plan, focus: Key | None, aim: Key | None) -> Ways:
    if focus is None or aim is None:
        return Ways()
    return between([line.tie for line in plan.lines], focus, aim)
