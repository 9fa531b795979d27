"""The five answers about a view, as Airflow's page of its DAG shows them."""

from __future__ import annotations

from e2e_ml.festaf.freshness import brief, schedule_words
from e2e_ml.festaf.model import FeatureView, Registry
from e2e_ml.festaf.registry.explaining import explain


def described(registry: Registry, view: FeatureView) -> str:
    """Who, what, when, why and how, in Markdown."""
    said = explain(registry, view.name)
    owner = view.owner
    who = (
        "Nobody is named as its owner."
        if owner is None
        else f"{owner.name}" + (f", {owner.email}" if owner.email else "")
    )
    times = f"as of the times in `{view.event_time}`" if view.event_time else "as they are now, without times"
    keys = ", ".join(f"`{key.name}`" for key in view.entities)
    lines = [
        f"### {view.name}",
        "",
        said.description or "*Not described.*",
        "",
        f"**Who** · {who}",
        "",
        f"**What** · the rows of `{view.source.uri}` by {keys}, {times}",
        "",
        f"**When** · {schedule_words(view.schedule)}; defined first on {view.first_seen:%Y-%m-%d}, "
        f"changed last on {view.changed_at:%Y-%m-%d}{_lateness(view)}",
        "",
        f"**Why** · {view.purpose or '*No purpose is given.*'}"
        + (f" Used by {', '.join(said.used_by)}." if said.used_by else ""),
        "",
        "**How**",
        "",
        "| feature | type | computed as |",
        "| --- | --- | --- |",
    ]
    for feature in view.features:
        if not feature.hidden:
            code = f"`{feature.code}`" if feature.code else "as in the source"
            lines.append(f"| `{feature.name}` | {feature.dtype} | {code.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def _lateness(view: FeatureView) -> str:
    if view.lateness_seconds is None:
        return ""
    from datetime import timedelta

    return f". Rows may come {brief(timedelta(seconds=view.lateness_seconds))} late: runs rewrite what has changed"
