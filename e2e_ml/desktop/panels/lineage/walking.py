"""Where the keys lead in a drawing, what a search finds in it, and what in it can be put away. No Qt widgets."""

from __future__ import annotations

from e2e_ml.desktop.panels.lineage.asked import Asked, Side
from e2e_ml.desktop.panels.lineage.faces import Face
from e2e_ml.desktop.panels.lineage.neighbourhood import Fold, Key, Tie
from e2e_ml.desktop.panels.lineage.plan import Plan
from e2e_ml.refs import Ref


def beside(plan: Plan, here: Key | None, across: int, along: int) -> Key | None:
    """The box that an arrow leads to: left and right (`across`) along the lines, up and down (`along`) within a layer;
    `here` where none lies there."""
    places = plan.drawing.places
    if here is None or here not in places:
        return next(iter(places), None)
    place = places[here]
    if along:
        there = [k for k, p in places.items() if p.layer == place.layer and along * (p.y - place.y) > 0]
    elif across < 0:
        there = [line.tie.upstream for line in plan.lines if line.tie.downstream == here]
    else:
        there = [line.tie.downstream for line in plan.lines if line.tie.upstream == here]
    return min(there, key=lambda k: abs(places[k].middle - place.middle), default=here)


def found_in(plan: Plan, text: str) -> list[Key] | None:
    """The boxes that hold every word of `text`, from left to right; None where nothing is looked for."""
    wanted = text.lower().split()
    if not wanted:
        return None
    places = plan.drawing.places
    found = [key for key, face in plan.faces.items() if all(word in _words(key, face) for word in wanted)]
    return sorted(found, key=lambda key: (places[key].layer, places[key].y))


def closable(plan: Plan, asked: Asked) -> dict[Side, bool]:
    """The sides where what is drawn can be put away: those away from the focus, and those that were expanded."""
    found: dict[Side, bool] = {}
    for tie in plan.shown.ties if plan.around is not None else ():
        for ref, down in ((tie.upstream, True), (tie.downstream, False)):
            if isinstance(ref, Ref) and plan.around is not None:
                fan, side = plan.around.fans.get(ref), Side(ref, down)
                outwards = ref == plan.focus or (fan is not None and fan.downstream is down)
                found[side] = outwards or side in asked.expanded
    return found


def line_tip(tie: Tie, *, turned: bool) -> str:
    told = tie.reason or "What is folded, or left out, ties them."
    return told + ("\nIt closes a cycle." if turned else "")


def _words(key: Key, face: Face) -> str:
    names = [ref.name for ref in key.refs] if isinstance(key, Fold) else [key.name, *key.keys]
    return " ".join([face.label, face.caption, key.kind.value, *names, *(row.name for row in face.rows)]).lower()
