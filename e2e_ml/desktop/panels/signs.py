"""What state a thing is in, as a sign: a tone (which has a colour and a shape) and a word. Pure, no Qt.

The tones are few on purpose; a sign never speaks by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from e2e_ml.desktop.panels import words
from e2e_ml.festaf.freshness import Freshness, FreshnessState
from e2e_ml.festaf.freshness import freshness as freshness_of
from e2e_ml.lineage.graph import Graph, Node, Relation
from e2e_ml.refs import Kind, Ref, feature_view


class Tone(StrEnum):
    OK = "ok"  # a dot
    WARN = "warn"  # a square
    BAD = "bad"  # a triangle
    LIVE = "live"  # a ring: it is happening now
    QUIET = "quiet"  # a small hollow dot: nothing to say


@dataclass(frozen=True, slots=True)
class Sign:
    tone: Tone
    word: str
    tip: str = ""


# Airflow's DAG run and task states and MLflow's run and version states, in lower case.
_STATES: dict[str, Tone] = {
    "success": Tone.OK,
    "finished": Tone.OK,
    "ready": Tone.OK,
    "running": Tone.LIVE,
    "queued": Tone.LIVE,
    "scheduled": Tone.LIVE,
    "restarting": Tone.LIVE,
    "pending_registration": Tone.LIVE,
    "up_for_retry": Tone.WARN,
    "up_for_reschedule": Tone.WARN,
    "deferred": Tone.WARN,
    "killed": Tone.WARN,
    "skipped": Tone.QUIET,
    "failed": Tone.BAD,
    "upstream_failed": Tone.BAD,
    "failed_registration": Tone.BAD,
}


def of_state(state: str | None) -> Sign:
    """A service's state word as a sign; a state we have never heard of is shown as it is, quietly."""
    if not state:
        return Sign(Tone.QUIET, "never ran")
    lower = state.lower()
    return Sign(_STATES.get(lower, Tone.QUIET), lower.replace("_", " "))


def producer(graph: Graph, ref: Ref) -> Node | None:
    """The DAG that makes a feature or a view; None where nothing is known to."""
    view = feature_view(ref.instance, ref.keys[0]) if ref.kind is Kind.FEATURE else ref
    for edge in graph.upstream(view):
        if edge.relation is Relation.PRODUCES and edge.upstream.kind is Kind.DAG:
            return graph.get(edge.upstream) or Node(edge.upstream)
    return None


def freshness(graph: Graph, ref: Ref, now: datetime) -> Sign | None:
    """How a view, or a feature's view, stands against its schedule; None for a kind that has no freshness."""
    if ref.kind not in (Kind.FEATURE, Kind.FEATURE_VIEW):
        return None
    view = graph.get(feature_view(ref.instance, ref.keys[0]))
    if view is None:
        return None
    dag = producer(graph, view.ref)
    if dag is None:
        return Sign(Tone.WARN, "no pipeline", "Nothing is known to make this view: give it a schedule or produced_by.")
    state = of_state(dag.facts.get("last_state"))
    verdict = _against_schedule(view, dag, now)
    if state.tone is Tone.BAD:
        return Sign(Tone.BAD, state.word, f"The last run of {dag.title}: {state.word}. {verdict.sentence}")
    if dag.facts.get("paused") and verdict.state is not FreshnessState.COMPLETE:
        return Sign(Tone.WARN, "paused", f"{dag.title} is paused in Airflow. {verdict.sentence}")
    if state.tone is Tone.LIVE and verdict.state is not FreshnessState.FRESH:
        return Sign(Tone.LIVE, state.word, verdict.sentence)
    return Sign(_FRESHNESS[verdict.state], verdict.label, verdict.sentence)


_FRESHNESS = {
    FreshnessState.FRESH: Tone.OK,
    FreshnessState.COMPLETE: Tone.OK,
    FreshnessState.UNTIMED: Tone.OK,
    FreshnessState.LATE: Tone.WARN,
    FreshnessState.NO_PIPELINE: Tone.WARN,
    FreshnessState.NEVER: Tone.QUIET,
}


def _against_schedule(view: Node, dag: Node, now: datetime) -> Freshness:
    known = dag.facts.get("last_state") == "success"
    given = {
        "written_until": words.moment(dag.facts.get("last_interval_end")) if known else None,
        "last_written": words.moment(view.facts.get("last_written")),
        "end": words.moment(view.facts.get("end")),
    }
    schedule = view.facts.get("schedule")
    try:
        return freshness_of(schedule=schedule, now=now, produced_by=dag.title, **given)
    except ValueError:  # a schedule that is no cron, in somebody's own DAG: it promises no time
        return freshness_of(schedule=None, now=now, produced_by=dag.title, **given)


def of(graph: Graph, ref: Ref, now: datetime) -> Sign | None:
    """The sign of anything that has a state: freshness for features and views, the last state for the rest."""
    node = graph.get(ref)
    facts = node.facts if node else {}
    match ref.kind:
        case Kind.FEATURE | Kind.FEATURE_VIEW:
            return freshness(graph, ref, now)
        case Kind.DAG:
            if facts.get("paused"):
                return Sign(Tone.WARN, "paused", "Paused in Airflow: no run begins by itself.")
            return of_state(facts.get("last_state"))
        case Kind.DAG_RUN:
            return of_state(facts.get("state") or _recent_state(graph, ref))
        case Kind.TASK_INSTANCE:
            return of_state(facts.get("state"))
        case Kind.RUN | Kind.LOGGED_MODEL:
            return of_state(str(facts["status"])) if facts.get("status") else None
        case _:
            return None


def _recent_state(graph: Graph, ref: Ref) -> str | None:
    dag = graph.get(ref.parent) if ref.parent else None
    for entry in dag.facts.get("recent", ()) if dag else ():
        if entry.get("run_id") == ref.name:
            return entry.get("state")
    return None
