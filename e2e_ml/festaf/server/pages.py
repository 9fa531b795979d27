"""The catalog's pages: one function a page, from its address to its template's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from e2e_ml import __version__, refs, resources
from e2e_ml.festaf.expression import from_json
from e2e_ml.festaf.freshness import FreshnessState
from e2e_ml.festaf.model import FeatureService, FeatureView, Registry
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry.explaining import source_inputs
from e2e_ml.festaf.registry.search import nearest, search
from e2e_ml.festaf.server import drawing, facts, presenting, tags
from e2e_ml.festaf.server.distribution import Distribution, distributions
from e2e_ml.festaf.server.live import Live, live_of

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

RECENT = 10  # intervals in the table of a view's page


class NotHereError(Exception):
    """There is no such thing in the registry; `wanted` is what was asked for, in words for its page."""

    def __init__(self, sentence: str, wanted: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.wanted = wanted


def environment() -> Environment:
    """The templates, with everything escaped unless a function here has built it."""
    made = Environment(
        loader=FileSystemLoader(resources.path("catalog")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(presenting.FILTERS)  # pyright: ignore[reportUnknownMemberType] - Jinja2 leaves its type open
    return made


_TEMPLATES = environment()


def render(live: Live, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    now = datetime.now(UTC)

    # Times are said as seen from one moment, the same all over a page.
    def ago(moment: datetime | None) -> Markup:
        return presenting.ago(moment, now)

    def day(moment: datetime) -> Markup:
        return presenting.day(moment, now)

    text = _TEMPLATES.get_template(template).render(
        registry=live.registry,
        trouble=live.trouble,
        state_tag=tags.tag_of(tags.stats_text(live)),
        ago=ago,
        day=day,
        draw_histogram=drawing.histogram,
        draw_sparkline=drawing.sparkline,
        draw_level=drawing.level,
        **values,
    )
    return HTMLResponse(text, status, headers={"cache-control": "no-cache"})


@router.get("/")
def home(request: Request) -> HTMLResponse:
    live = live_of(request)
    registry = live.registry
    return render(
        live,
        "home.html",
        views=[_row(live, view) for view in registry.views],
        services=facts.service_rows(registry),
        entities=facts.entity_rows(registry),
        sources=facts.source_rows(registry),
        changes=facts.changes(registry, most=6),
        feature_count=sum(len(facts.shown(view)) for view in registry.views),
    )


@router.get("/views/{name:path}/features/{feature_name:path}")
def feature(request: Request, name: str, feature_name: str) -> HTMLResponse:
    live = live_of(request)
    registry = live.registry
    view = view_or_404(registry, name)
    found = next((f for f in facts.shown(view) if f.name == feature_name), None)
    if found is None:
        raise NotHereError(f"The view {name} has no feature {feature_name!r}.", f"{name} {feature_name}")
    charts, failure = _charts(live, view)
    return render(
        live,
        "feature.html",
        **_about(live, view),
        feature=found,
        path=facts.path_of(refs.feature(registry.project, view.name, found.name)),
        view_path=facts.path_of(refs.feature_view(registry.project, view.name)),
        inputs=source_inputs(view, found.name),
        interval=next((i for i in reversed(live.intervals(view)) if i.start and i.end), None),
        chart=charts.get(found.name),
        failure=failure,
        drawing=drawing.tree(from_json(found.expression), found.name) if found.expression else None,
        constraints=[c for c in facts.checks(registry, view, live.broken(view)) if c.feature == found.name],
        uses=facts.uses(registry, view.name, found.name),
        changes=facts.feature_changes(registry, view, found),
    )


@router.get("/views/{name:path}")
def view(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    registry = live.registry
    found = view_or_404(registry, name)
    charts, failure = _charts(live, found)
    intervals = [i for i in live.intervals(found) if i.start is not None and i.end is not None]
    return render(
        live,
        "view.html",
        **_about(live, found),
        path=facts.path_of(refs.feature_view(registry.project, found.name)),
        keys=[row for row in facts.entity_rows(registry) if found.name in row.views],
        features=[
            {
                "feature": f,
                "path": facts.path_of(refs.feature(registry.project, found.name, f.name)),
                "distribution": charts.get(f.name),
            }
            for f in facts.shown(found)
        ],
        failure=failure,
        intervals=intervals[: -RECENT - 1 : -1],
        interval_count=len(intervals),
        strip=facts.strip(intervals),
        constraints=facts.checks(registry, found, live.broken(found)),
        uses=facts.uses(registry, found.name),
        changes=facts.changes(registry, [found.name, *(f"{found.name}.{f.name}" for f in found.features)]),
    )


@router.get("/services/{name:path}")
def service(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    registry = live.registry
    found = registry.service(name)
    if found is None:
        raise NotHereError(f"There is no feature service {name!r} in {registry.project}.", name)
    target_view = found.target and registry.view(found.target.view)
    return render(
        live,
        "service.html",
        service=found,
        path=facts.path_of(refs.feature_service(registry.project, found.name)),
        groups=_contract(live, found),
        worst=_worst(live, found),
        target_path=facts.path_of(refs.feature_view(registry.project, target_view.name)) if target_view else "/",
        changes=facts.changes(registry, [found.name]),
    )


@router.get("/entities/{name:path}")
def entity(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    found = next((row for row in facts.entity_rows(live.registry) if row.name == name), None)
    if found is None:
        raise NotHereError(f"There is no entity {name!r} in {live.registry.project}.", name)
    return render(
        live,
        "entity.html",
        name=found.name,
        path=found.path,
        types=found.types,
        description=found.description,
        views=[_row(live, v) for v in live.registry.views if v.name in found.views],
    )


@router.get("/sources/{name:path}")
def source(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    found = next((row for row in facts.source_rows(live.registry) if row.name == name), None)
    if found is None:
        raise NotHereError(f"There is no source {name!r} in {live.registry.project}.", name)
    return render(
        live,
        "source.html",
        source=found.source,
        path=found.path,
        views=[_row(live, v) for v in live.registry.views if v.name in found.views],
    )


@router.get("/search")
def results(request: Request, q: str = "") -> HTMLResponse:
    live = live_of(request)
    hits = [facts.hit_row(hit) for hit in search(live.registry, q[:200], limit=100)]
    return render(live, "search.html", query=q[:200], hits=hits)


@router.get("/api")
def api(request: Request) -> HTMLResponse:
    """The routes as the OpenAPI description has them, drawn by a page of our own: nothing is loaded from elsewhere."""
    description: dict[str, Any] = request.app.openapi()
    routes = [
        {
            "method": method.upper(),
            "path": path,
            "summary": str(operation.get("description") or operation.get("summary", "")).replace("`", ""),
            "plain": method == "get" and "{" not in path,
        }
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return render(live_of(request), "api.html", routes=routes, version=__version__)


def missing(live: Live, sentence: str, wanted: str) -> HTMLResponse:
    """The page for an address that shows nothing: what is missing, and what comes near."""
    return render(
        live,
        "missing.html",
        404,
        sentence=sentence,
        near=[facts.hit_row(hit) for hit in nearest(live.registry, wanted)],
    )


def view_or_404(registry: Registry, name: str) -> FeatureView:
    found = registry.view(name)
    if found is None:
        raise NotHereError(f"There is no feature view {name!r} in {registry.project}.", name)
    return found


def _row(live: Live, view: FeatureView) -> facts.ViewRow:
    return facts.view_row(live.registry, view, live.verdict(view))


def _about(live: Live, view: FeatureView) -> dict[str, Any]:
    """What the pages of a view and of its features both say."""
    return {
        "view": view,
        "verdict": live.verdict(view),
        "stats": live.stats(view),
        "dag_id": dag_id(live.registry.project, view),
        "source_path": facts.path_of(refs.source(live.registry.project, view.source.name)),
    }


def _charts(live: Live, view: FeatureView) -> tuple[dict[str, Distribution], str]:
    """The distribution of each feature that has rows, or the sentence why there is none."""
    if not live.stats(view).rows:
        return {}, ""
    profile = live.profile(view)
    return ({}, profile) if isinstance(profile, str) else (distributions(profile), "")


def _contract(live: Live, service: FeatureService) -> list[facts.ContractGroup]:
    registry = live.registry
    groups: dict[str, list[facts.ContractRow]] = {}
    for full_name in service.features:
        view_name, _, name = full_name.partition(".")
        view = registry.view(view_name)
        found = view.feature(name) if view is not None and view.has(name) else None
        path = facts.path_of(refs.feature(registry.project, view_name, name))
        groups.setdefault(view_name, []).append(facts.ContractRow(name, path, found))
    made: list[facts.ContractGroup] = []
    for name, rows in groups.items():
        view = registry.view(name)
        path = facts.path_of(refs.feature_view(registry.project, name)) if view else None
        made.append(facts.ContractGroup(name, path, live.verdict(view) if view else None, tuple(rows)))
    return made


def _worst(live: Live, service: FeatureService) -> str:
    """How fresh a model that stands on the service can be: one sentence about its views."""
    names = dict.fromkeys(full_name.partition(".")[0] for full_name in service.features)
    views = [view for name in names if (view := live.registry.view(name)) is not None]
    well = {FreshnessState.FRESH, FreshnessState.COMPLETE, FreshnessState.UNTIMED}
    behind = [view.name for view in views if live.verdict(view).state not in well]
    if not behind:
        return "All of its views are up to date."
    return f"Not up to date: {', '.join(behind)}."
