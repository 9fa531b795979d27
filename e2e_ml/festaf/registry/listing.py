"""What is in a registry, as text for a terminal: the list of everything, and the five answers about one thing."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import Any

from e2e_ml.festaf.model import AnyView, Explanation, OnDemandView, Registry
from e2e_ml.festaf.naming import rule
from e2e_ml.festaf.registry.learning import words
from e2e_ml.festaf.registry.marks import marked

_WIDTH = 100


def listing(registry: Registry) -> str:
    """Views with their features, then services, a line each, columns aligned."""
    if not registry.all_views():
        return f"{registry.project} is empty. Write feature views into features.py, then: e2e-ml festaf apply"
    blocks = [_view(view) for view in registry.all_views()]
    for service in registry.services:
        target = f", predicts {service.target.code}" if service.target else ""
        ended = "  [deprecated]" if service.deprecated else ""
        blocks.append(f"{service.name}  (service: {len(service.features)} features{target}){ended}")
    return "\n\n".join(blocks)


def listing_json(registry: Registry) -> dict[str, Any]:
    """The names alone, for programs; registry.json has the rest."""
    return {
        "project": registry.project,
        "version": registry.version,
        "views": {view.name: [f.name for f in view.features if not f.hidden] for view in registry.views},
        "on_demand": {view.name: [f.name for f in view.features] for view in registry.on_demand},
        "services": {service.name: list(service.features) for service in registry.services},
    }


def _view(view: AnyView) -> str:
    features = [f for f in view.features if not f.hidden]
    name_width = max(len(f.name) for f in features) if features else 0
    type_width = max(len(f.dtype) for f in features) if features else 0
    lines = [f"{view.name}  ({_asked_by(view)}){'  [deprecated]' if view.deprecated else ''}"]
    for feature in features:
        marks = "".join(f"[{mark}] " for mark in marked(feature))
        told = f"{marks}{feature.code or feature.description}"
        line = f"  {feature.name:{name_width}}  {feature.dtype:{type_width}}  {told}"
        lines.append(line.rstrip() if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…")
    return "\n".join(lines)


def _asked_by(view: AnyView) -> str:
    if isinstance(view, OnDemandView):
        request = ", ".join(key.name for key in view.request)
        return f"on demand, from {request}" if request else "on demand"
    keys = ", ".join(key.name for key in view.entities)
    return f"by {keys}{f', at {view.event_time}' if view.event_time else ''}"


def answers(explanation: Explanation) -> str:
    """The five answers, one after another."""
    e = explanation
    owner = None if e.owner is None else f"{e.owner.name}{f' <{e.owner.email}>' if e.owner.email else ''}"
    source = None if e.source is None else f"{e.source.name}: {e.source.format} at {e.source.uri}"
    pipeline = None if e.dag_id is None else f"DAG {e.dag_id}{f', task {e.task_id}' if e.task_id else ''}"
    is_service = e.kind == "feature service"
    rows: list[tuple[str, str, str | None]] = [
        ("who", "owner", owner or "nobody: give it an owner"),
        ("what", "is", " ".join(e.description.split()) or "not described"),
        ("", "type", e.dtype),
        ("", "beware", e.deprecated and f"deprecated: {e.deprecated}"),
        ("", "formerly", e.renamed_from),
        ("", "from", ", ".join(e.inputs)),
        ("", "request", ", ".join(f"{key.name} ({key.dtype})" for key in e.request)),
        ("", "source", source),
        ("when", "first seen", _time(e.first_seen)),
        ("", "changed", _time(e.changed_at)),
        ("", "schedule", e.schedule),
        ("", "newest row", _time(e.newest_event)),
        ("", "last written", _time(e.last_written)),
        ("how", "target" if is_service else "expression", e.code),
        ("", "SQL", e.sql),
        ("", "Python", ", ".join(e.python) and f"{', '.join(e.python)}: the project's own code"),
        ("", "learned", _learned(e)),
        ("", "rules", ", ".join(rule(c) for c in e.constraints)),
        ("", "pipeline", pipeline or _without_pipeline(e)),
        ("why", "purpose", e.purpose or "not said"),
        ("", "used by", None if is_service else ", ".join(e.used_by) or "nobody"),
    ]
    lines = [f"{e.name}  ({e.kind})", ""]
    pending = ""
    for answer, label, text in rows:
        pending = answer or pending
        if text:
            lines += _wrapped(f"{pending:4}  {label:12}  ", text)
            pending = ""
    return "\n".join(lines)


def _learned(e: Explanation) -> str | None:
    if e.learned is None:
        return "nothing yet: e2e-ml festaf learn" if any("not learned" in mark for mark in e.marks) else None
    return f"{words(e.learned)}, {_time(e.learned.at)}"


def _without_pipeline(e: Explanation) -> str | None:
    if e.kind == "feature service":
        return None
    on_demand = e.source is None
    return "none is needed: it is computed when it is asked for" if on_demand else "none: no DAG makes it"


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head), break_long_words=False)


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
