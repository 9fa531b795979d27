"""The catalog's pages: one function a page, from its address to its template's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from e2e_ml import __version__, refs
from e2e_ml.festaf.freshness import FreshnessState
from e2e_ml.festaf.model import Feature, FeatureService, FeatureView, OnDemandView, View
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry.explaining import source_inputs
from e2e_ml.festaf.rows.profile import Correlation
from e2e_ml.festaf.server import asking, changes, drawing, facts
from e2e_ml.festaf.server.catalog import Catalog, page, path_of, shown
from e2e_ml.festaf.server.distribution import Distribution, distributions
from e2e_ml.festaf.server.live import Live, live_of
from e2e_ml.festaf.server.rendering import NotHereError, render
from e2e_ml.festaf.server.wishing import open_wishes
from e2e_ml.routes import airflow_path

ThingT = TypeVar("ThingT")

router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

RECENT = 10  # runs in the table of a view's page
LONG = 50  # rows of a list before it goes on to another page
RULES = 60  # constraints on a view's page; the broken ones come first
COUNTING = "The rows are being counted; this page shows it when that is done."


@router.get("/")
def home(request: Request) -> HTMLResponse:
    return first(live_of(request))


def first(live: Live) -> HTMLResponse:
    """The page that a visit begins with."""
    catalog = live.catalog
    registry = catalog.registry
    return render(
        live,
        "home.html",
        views=[_view_row(live, catalog, view) for view in registry.views[:LONG]],
        on_demand=[facts.on_demand_row(catalog, view) for view in registry.on_demand[:LONG]],
        services=[facts.service_row(catalog, service) for service in registry.services[:LONG]],
        entities=[catalog.entity(name) for name in catalog.entities[:LONG]],
        sources=[catalog.source(name) for name in catalog.sources[:LONG]],
        entity_count=len(catalog.entities),
        source_count=len(catalog.sources),
        feature_count=catalog.feature_count,
        changes=changes.latest(catalog, 6),
        wishes=open_wishes(live, 5),
    )


# --- long lists --------------------------------------------------------------------------------------------------


@router.get("/views")
def all_views(request: Request) -> HTMLResponse:
    live = live_of(request)
    catalog = live.catalog
    return _list(request, "Feature views", "view", catalog.registry.views, lambda view: _view_row(live, catalog, view))


@router.get("/on-demand")
def all_on_demand(request: Request) -> HTMLResponse:
    catalog = live_of(request).catalog
    row = partial(facts.on_demand_row, catalog)
    return _list(request, "On-demand views", "on-demand", catalog.registry.on_demand, row)


@router.get("/services")
def all_services(request: Request) -> HTMLResponse:
    catalog = live_of(request).catalog
    row = partial(facts.service_row, catalog)
    return _list(request, "Feature services", "service", catalog.registry.services, row)


@router.get("/entities")
def all_entities(request: Request) -> HTMLResponse:
    catalog = live_of(request).catalog
    return _list(request, "Entities", "entity", catalog.entities, catalog.entity)


@router.get("/sources")
def all_sources(request: Request) -> HTMLResponse:
    catalog = live_of(request).catalog
    return _list(request, "Sources", "source", catalog.sources, catalog.source)


def _list(
    request: Request, title: str, kind: str, things: Sequence[ThingT], row: Callable[[ThingT], object]
) -> HTMLResponse:
    """A page of a long list."""
    part = page(things, _number(request), LONG)
    rows = [row(thing) for thing in part.rows]
    return render(live_of(request), "list.html", title=title, kind=kind, part=part, rows=rows, path=request.url.path)


def _number(request: Request) -> int:
    """The page of a long list that is asked for; the first for anything that is no number."""
    given = request.query_params.get("page", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 9 else 1


# --- one thing ---------------------------------------------------------------------------------------------------


@router.get("/views/{name:path}/features/{feature_name:path}", response_model=None)
def feature(request: Request, name: str, feature_name: str) -> Response:
    live = live_of(request)
    catalog = live.catalog
    found = catalog.feature(f"{name}.{feature_name}")
    if found is None:
        return _moved(catalog, f"{name}.{feature_name}") or _no_feature(catalog, name, feature_name)
    view, record = found
    about = _about_feature(catalog, view, record)
    if isinstance(view, OnDemandView):
        return render(live, "on_demand_feature.html", **about)
    if not isinstance(view, FeatureView):
        return _no_view(catalog, name)
    charts, failure = _charts(live, view)
    intervals = live.intervals(view)
    return render(
        live,
        "feature.html",
        **about,
        **_about_view(live, catalog, view),
        inputs=source_inputs(view, record.name),
        interval=next(iter(reversed(facts.timed(intervals))), None),
        trend=facts.feature_trends(live.trend(view), record.name, record.dtype),
        together=_together(live, catalog, view, record.name),
        chart=charts.get(record.name),
        failure=failure,
        counting=failure == COUNTING,
        constraints=[c for c in _checks(live, catalog, view) if c.feature == record.name],
    )


def _about_feature(catalog: Catalog, view: View, feature: Feature) -> dict[str, Any]:
    """What the pages of any feature say."""
    full_name = f"{view.name}.{feature.name}"
    return {
        "view": view,
        "feature": feature,
        "path": path_of(refs.feature(catalog.project, view.name, feature.name)),
        "view_path": path_of(refs.feature_view(catalog.project, view.name)),
        "reads": [(name, catalog.path(name if "." in name else f"{view.name}.{name}")) for name in feature.inputs],
        "drawing": drawing.tree(feature.expression, feature.name) if feature.expression else None,
        "python": facts.python_parts(feature),
        "windows": facts.windows(feature),
        "scaled": facts.is_scaled(feature),
        "uses": catalog.uses(full_name),
        "changes": changes.of_feature(catalog, view, feature),
    }


@router.get("/views/{name:path}", response_model=None)
def view(request: Request, name: str) -> Response:
    live = live_of(request)
    catalog = live.catalog
    found = catalog.any_view(name)
    if isinstance(found, OnDemandView):
        return _on_demand(request, live, catalog, found)
    if not isinstance(found, FeatureView):
        return _moved(catalog, name) or _no_view(catalog, name)
    charts, failure = _charts(live, found)
    intervals = facts.timed(live.intervals(found))
    part = page(shown(found), _number(request), 2 * LONG)
    checks = sorted(_checks(live, catalog, found), key=lambda check: not check.broken)
    return render(
        live,
        "view.html",
        **_about_view(live, catalog, found),
        view=found,
        path=path_of(refs.feature_view(catalog.project, found.name)),
        keys=[catalog.entity(key.name) for key in found.entities],
        part=part,
        features=[_feature_row(catalog, found, f, charts.get(f.name)) for f in part.rows],
        failure=failure,
        counting=failure == COUNTING,
        runs=[(each, _run_link(live, catalog, found, each.dag_run_id)) for each in intervals[: -RECENT - 1 : -1]],
        run_count=len(intervals),
        trend=facts.view_trends(live.trend(found)),
        matrix=_matrix(live, found),
        together=_together(live, catalog, found),
        constraints=checks[:RULES],
        rule_count=len(checks),
        broken_count=sum(bool(check.broken) for check in checks),
        uses=catalog.uses(found.name),
        trial=asking.trial(live, catalog, found, request.query_params),
        changes=changes.of_view(catalog, found),
    )


def _on_demand(request: Request, live: Live, catalog: Catalog, found: OnDemandView) -> HTMLResponse:
    part = page(shown(found), _number(request), 2 * LONG)
    return render(
        live,
        "on_demand.html",
        view=found,
        path=path_of(refs.feature_view(catalog.project, found.name)),
        reads=[(name, catalog.path(name)) for name in asking.reads(catalog, found)],
        part=part,
        features=[_feature_row(catalog, found, f, None) for f in part.rows],
        uses=catalog.uses(found.name),
        trial=asking.trial(live, catalog, found, request.query_params),
        changes=changes.of_view(catalog, found),
    )


def _feature_row(
    catalog: Catalog, view: FeatureView | OnDemandView, feature: Feature, chart: Distribution | None
) -> dict[str, Any]:
    return {
        "feature": feature,
        "path": path_of(refs.feature(catalog.project, view.name, feature.name)),
        "distribution": chart,
        "python": facts.python_parts(feature),
    }


@router.get("/services/{name:path}", response_model=None)
def service(request: Request, name: str) -> Response:
    live = live_of(request)
    catalog = live.catalog
    found = catalog.services.get(name)
    if found is None:
        moved = _moved(catalog, name)
        if moved is None:
            raise NotHereError(f"There is no feature service {name!r} in {catalog.project}.", name)
        return moved
    groups = page(_contract(catalog, found), _number(request), LONG)
    return render(
        live,
        "service.html",
        service=found,
        path=path_of(refs.feature_service(catalog.project, found.name)),
        part=groups,
        groups=[_judged(live, group) for group in groups.rows],
        worst=_worst(live, catalog, found),
        target_path=found.target and catalog.path(found.target.view),
        trial=asking.trial(live, catalog, found, request.query_params),
        changes=changes.of_names(catalog, [found.name, *([found.renamed_from] if found.renamed_from else [])]),
    )


@router.get("/entities/{name:path}")
def entity(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    catalog = live.catalog
    found = catalog.entity(name)
    if found is None:
        raise NotHereError(f"There is no entity {name!r} in {catalog.project}.", name)
    part = page(found.views, _number(request), LONG)
    rows = [_view_row(live, catalog, catalog.views[each]) for each in part.rows]
    return render(live, "entity.html", entity=found, path=found.path, part=part, views=rows)


@router.get("/sources/{name:path}")
def source(request: Request, name: str) -> HTMLResponse:
    live = live_of(request)
    catalog = live.catalog
    found = catalog.source(name)
    if found is None:
        raise NotHereError(f"There is no source {name!r} in {catalog.project}.", name)
    part = page(found.views, _number(request), LONG)
    rows = [_view_row(live, catalog, catalog.views[each]) for each in part.rows]
    return render(live, "source.html", source=found.source, path=found.path, part=part, views=rows)


# --- search and the rest -----------------------------------------------------------------------------------------


@router.get("/search")
def results(request: Request, q: str = "") -> HTMLResponse:
    live = live_of(request)
    query = q[:200].strip()
    hits = [facts.hit_row(hit) for hit in live.catalog.search.search(query, limit=100)]
    return render(live, "search.html", query=query, hits=hits, wish_path=f"/wishes?name={quote(query)}#new")


@router.get("/api")
def api(request: Request) -> HTMLResponse:
    """The routes as the OpenAPI description has them, drawn by a page of our own: nothing is loaded from elsewhere."""
    description: dict[str, Any] = request.app.openapi()
    routes = [
        {
            "method": method.upper(),
            "path": path,
            "summary": str(operation.get("description") or operation.get("summary", "")).replace("`", ""),
            "plain": method == "get" and "{" not in path and not operation.get("security"),
        }
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return render(live_of(request), "api.html", routes=routes, version=__version__)


# --- parts -------------------------------------------------------------------------------------------------------


def _moved(catalog: Catalog, name: str) -> RedirectResponse | None:
    """The way to what was called `name` before."""
    path = catalog.path(catalog.renamed.get(name, ""))
    return RedirectResponse(path) if path else None


def _no_view(catalog: Catalog, name: str) -> Response:
    raise NotHereError(f"There is no feature view {name!r} in {catalog.project}.", name)


def _no_feature(catalog: Catalog, name: str, feature_name: str) -> Response:
    if catalog.any_view(name) is None:
        return _no_view(catalog, name)
    raise NotHereError(f"The view {name} has no feature {feature_name!r}.", f"{name} {feature_name}")


def _view_row(live: Live, catalog: Catalog, view: FeatureView) -> facts.ViewRow:
    return facts.view_row(catalog, view, live.verdict(view))


def _about_view(live: Live, catalog: Catalog, view: FeatureView) -> dict[str, Any]:
    """What the pages of a view and of its features both say."""
    dag = dag_id(catalog.project, view)
    return {
        "verdict": live.verdict(view),
        "stats": live.stats(view),
        "dag_id": dag,
        "dag_path": _airflow(live, airflow_path(refs.dag("airflow", dag)) if dag else None),
        "source_path": path_of(refs.source(catalog.project, view.source.name)),
    }


def _run_link(live: Live, catalog: Catalog, view: FeatureView, run_id: str | None) -> str | None:
    dag = dag_id(catalog.project, view)
    return _airflow(live, airflow_path(refs.dag_run("airflow", dag, run_id))) if dag and run_id else None


def _airflow(live: Live, path: str | None) -> str | None:
    """A page of Airflow, where it is known which Airflow runs the DAGs."""
    return live.airflow + path if live.airflow and path else None


def _charts(live: Live, view: FeatureView) -> tuple[dict[str, Distribution], str]:
    """The distribution of each feature that has rows, or the sentence why there is none."""
    if not live.stats(view).rows:
        return {}, ""
    profile = live.soon(live.profile, view)
    if profile is None:
        return {}, COUNTING
    return ({}, profile) if isinstance(profile, str) else (distributions(profile), "")


def _matrix(live: Live, view: FeatureView) -> facts.Matrix | None:
    found = _correlation(live, view)
    return facts.matrix(found) if found else None


def _together(live: Live, catalog: Catalog, view: FeatureView, feature: str | None = None) -> list[facts.Together]:
    found = _correlation(live, view)
    return facts.strongest(catalog.project, view, found, feature) if found else []


def _correlation(live: Live, view: FeatureView) -> Correlation | None:
    """None where there are no rows, where they cannot be read, and while it is still being computed."""
    found = live.soon(live.correlation, view) if live.stats(view).rows else None
    return None if isinstance(found, str) else found


def _checks(live: Live, catalog: Catalog, view: FeatureView) -> list[facts.Check]:
    if not any(feature.constraints for feature in view.features):
        return []
    broken = live.soon(live.broken, view)
    return facts.checks(catalog.project, view, COUNTING if broken is None else broken)


def _contract(catalog: Catalog, service: FeatureService) -> list[facts.ContractGroup]:
    """The service's features by view, in the order in which it names them, not judged yet."""
    groups: dict[str, list[facts.ContractRow]] = {}
    for full_name in service.features:
        view_name, _, name = full_name.partition(".")
        found = catalog.feature(full_name)
        path = path_of(refs.feature(catalog.project, view_name, name))
        groups.setdefault(view_name, []).append(facts.ContractRow(name, path, found[1] if found else None))
    return [
        facts.ContractGroup(name, catalog.path(name), catalog.any_view(name), None, tuple(rows))
        for name, rows in groups.items()
    ]


def _judged(live: Live, group: facts.ContractGroup) -> facts.ContractGroup:
    if not isinstance(group.view, FeatureView):
        return group
    return facts.ContractGroup(group.name, group.path, group.view, live.verdict(group.view), group.rows)


def _worst(live: Live, catalog: Catalog, service: FeatureService) -> str:
    """How fresh a model that stands on the service can be: one sentence about its views."""
    names = dict.fromkeys(full_name.partition(".")[0] for full_name in service.features)
    views = [catalog.views[name] for name in names if name in catalog.views]
    well = {FreshnessState.FRESH, FreshnessState.COMPLETE, FreshnessState.UNTIMED}
    behind = [view.name for view in views if live.verdict(view).state not in well]
    if not behind:
        return "All of its views are up to date."
    more = f" and {len(behind) - 6} more" if len(behind) > 6 else ""
    return f"Not up to date: {', '.join(behind[:6])}{more}."
