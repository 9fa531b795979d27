"""What state a thing is in, as a sign: a tone (which has a colour and a shape) and a word. Pure, no Qt.

The tones are few on purpose; a sign never speaks by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from e2e_ml.desktop.panels import words
from e2e_ml.festaf.freshness import Freshness, FreshnessState
from e2e_ml.lineage import questions
from e2e_ml.lineage.graph import Graph
from e2e_ml.refs import Kind, Ref


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


# The scheduler needs a moment to begin a run that is due; before that it is not late.
GRACE = timedelta(minutes=2)


def of_state(state: str | None) -> Sign:
    """A service's state word as a sign; a state we have never heard of is shown as it is, quietly."""
    if not state:
        return Sign(Tone.QUIET, "never ran")
    lower = state.lower()
    return Sign(_STATES.get(lower, Tone.QUIET), lower.replace("_", " "))


def freshness(graph: Graph, ref: Ref, now: datetime) -> Sign | None:
    """How a view, or a feature's view, stands: its pipeline's trouble, then its schedule; None for other kinds."""
    if ref.kind not in (Kind.FEATURE, Kind.FEATURE_VIEW):
        return None
    if questions.is_on_demand(graph, ref):
        return _on_demand(graph, ref, now)
    verdict = questions.freshness_of(graph, ref, now)
    made_by = questions.pipeline(graph, ref)
    dag = graph.get(made_by) if made_by else None
    if dag is None:
        return _of_verdict(verdict) if verdict else None
    state = of_state(dag.facts.get("last_state"))
    told = verdict.sentence if verdict else ""
    if state.tone is Tone.BAD:
        return Sign(Tone.BAD, state.word, f"The last run of {dag.title}: {state.word}. {told}".strip())
    complete = verdict is not None and verdict.state is FreshnessState.COMPLETE
    if dag.facts.get("paused") and not complete:
        return Sign(Tone.WARN, "paused", f"{dag.title} is paused in Airflow. {told}".strip())
    if verdict is None:  # a schedule that promises no time
        return state
    if state.tone is Tone.LIVE and verdict.state is not FreshnessState.FRESH:
        return Sign(Tone.LIVE, state.word, told)
    return _of_verdict(verdict)


def _on_demand(graph: Graph, ref: Ref, now: datetime) -> Sign:
    """What is computed when it is asked for is as good as what it reads."""
    read = [(view, sign) for view in questions.views_read(graph, ref) if (sign := freshness(graph, view, now))]
    for tone in (Tone.BAD, Tone.WARN):
        for view, sign in read:
            if sign.tone is tone:
                return Sign(tone, f"{view.name} {sign.word}", f"It reads {view.name}. {sign.tip}".strip())
    return Sign(Tone.QUIET, "on demand", "Computed when it is asked for: it needs no pipeline, and is never late.")


def _of_verdict(verdict: Freshness) -> Sign:
    return Sign(_FRESHNESS[verdict.state], verdict.label, verdict.sentence)


_FRESHNESS = {
    FreshnessState.FRESH: Tone.OK,
    FreshnessState.COMPLETE: Tone.OK,
    FreshnessState.UNTIMED: Tone.OK,
    FreshnessState.LATE: Tone.WARN,
    FreshnessState.NO_PIPELINE: Tone.WARN,
    FreshnessState.NEVER: Tone.QUIET,
}


def of(graph: Graph, ref: Ref, now: datetime) -> Sign | None:
    """The sign of anything that has a state: freshness for features and views, the last state for the rest."""
    node = graph.get(ref)
    facts: Mapping[str, Any] = node.facts if node else {}
    match ref.kind:
        case Kind.FEATURE | Kind.FEATURE_VIEW:
            return freshness(graph, ref, now)
        case Kind.DAG:
            if facts.get("paused"):
                return Sign(Tone.WARN, "paused", "Paused in Airflow: no run begins by itself.")
            return _of_dag(facts, now)
        case Kind.DAG_RUN:
            return of_state(run_facts(graph, ref).get("state"))
        case Kind.TASK_INSTANCE:
            return of_state(facts.get("state"))
        case Kind.RUN | Kind.LOGGED_MODEL:
            return of_state(str(facts["status"])) if facts.get("status") else None
        case _:
            return None


def _of_dag(facts: Mapping[str, Any], now: datetime) -> Sign:
    sign, due = of_state(facts.get("last_state")), words.moment(facts.get("next_run"))
    if due is not None and now - due > GRACE and sign.tone in (Tone.OK, Tone.QUIET):
        return Sign(Tone.WARN, f"late, {words.age(due, now)}", f"A run was due {words.exact(due)} and has not begun.")
    return sign


def run_facts(graph: Graph, run: Ref) -> Mapping[str, Any]:
    """What is known of a DAG run, by itself or among its DAG's recent runs; empty where nothing is."""
    node = graph.get(run)
    dag = graph.get(run.parent) if run.kind is Kind.DAG_RUN and run.parent else None
    recent: Sequence[Mapping[str, Any]] = (dag.facts.get("recent") or ()) if dag else ()
    known: dict[str, Any] = {}
    for entry in recent:
        if entry.get("run_id") == run.name:
            known.update(entry)
    return {**known, **node.facts} if node else known


def title(graph: Graph, ref: Ref, now: datetime) -> str | None:
    """What people call it: a DAG run by how it began and when, the rest by their titles; None where only its id is."""
    if ref.kind is Kind.DAG_RUN:
        return words.run_label(ref.name, words.moment(run_facts(graph, ref).get("start")), now)
    node = graph.get(ref)
    return node.title if node is not None else None
