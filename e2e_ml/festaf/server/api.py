"""The REST API under `/api/v1`, and `/health`. Reading is open to this machine; a write needs the server's token."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Header, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from e2e_ml import __version__
from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Change, Explanation, FeatureService, FeatureView, OnDemandView, Registry, ViewStats
from e2e_ml.festaf.registry import RegistryChangedError, planning
from e2e_ml.festaf.registry.planning import Plan
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.profile import FeatureProfile
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.festaf.server import facts
from e2e_ml.festaf.server.live import live_of
from e2e_ml.festaf.server.rendering import NotHereError, view_or_404
from e2e_ml.festaf.server.security import RefusedError, check_token
from e2e_ml.festaf.server.tags import AllStats, known, stats_text, tag_of

router = APIRouter()


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Health(Answer):
    status: str
    version: str
    project: str
    registry_version: int


class Found(Answer):
    title: str
    kind: str
    path: str  # its page
    ref: str  # its name as a URI
    description: str
    detail: str
    matched: str
    deprecated: bool


class Hits(Answer):
    query: str
    hits: list[Found]


class Materialize(BaseModel):
    """What to bring online: one view's rows of [start, end), or all of it."""

    model_config = ConfigDict(extra="forbid")

    view: str
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


class Materialized(Answer):
    view: str
    entities: int  # now served from that interval


class Apply(BaseModel):
    """`plan`: as `FeatureStore.plan` makes it of GET /api/v1/registry; its records of views and services are what is
    applied, all of them. `by` and `commit`: who, and from which git commit, for the history."""

    model_config = ConfigDict(extra="forbid")

    plan: Plan
    by: str | None = Field(None, max_length=200)
    commit: str | None = Field(None, max_length=64)


class AppliedVersion(Answer):
    project: str
    version: int  # of the registry by now; a plan without changes makes no new one
    changes: Sequence[Change]


@router.get("/health", tags=["service"])
def health(request: Request) -> Health:
    """Whether the server is up, and what it serves."""
    registry = live_of(request).registry
    return Health(status="ok", version=__version__, project=registry.project, registry_version=registry.version)


@router.get("/api/v1/registry", tags=["definitions"], response_model=Registry)
def registry(request: Request, if_none_match: str | None = Header(None)) -> Response:
    """Every definition and the history of changes. Answers 304 to the ETag of what it would send."""
    text = live_of(request).registry.whole().model_dump_json()
    tag = tag_of(text)
    return Response(status_code=304, headers=_headers(tag)) if known(tag, if_none_match) else _json(text, tag)


@router.post("/api/v1/apply", tags=["definitions"])
def apply(request: Request, wanted: Apply, authorization: str | None = Header(None)) -> AppliedVersion:
    """Make a plan so. Needs the token. Answers 409 where another version has been applied since it was planned."""
    check_token(authorization, request.app.state.token)
    store = live_of(request).store
    before = store.registry
    try:
        plan = planning.again(before, wanted.plan)
        after = registries.apply(store.path, plan, by=wanted.by, commit=wanted.commit or "")
    except RegistryChangedError as error:
        raise RefusedError(409, str(error)) from error
    return AppliedVersion(project=after.project, version=after.version, changes=plan.changes)


@router.get("/api/v1/views", tags=["definitions"])
def views(request: Request) -> Sequence[FeatureView]:
    """Every feature view."""
    return live_of(request).registry.views


@router.get("/api/v1/views/{view}", tags=["definitions"])
def view(request: Request, view: str) -> FeatureView:
    """One feature view."""
    return view_or_404(live_of(request).catalog, view)


@router.get("/api/v1/on-demand", tags=["definitions"])
def on_demand(request: Request) -> Sequence[OnDemandView]:
    """Every on-demand view: features computed when they are asked for."""
    return live_of(request).registry.on_demand


@router.get("/api/v1/services", tags=["definitions"])
def services(request: Request) -> Sequence[FeatureService]:
    """Every feature service: what one model needs."""
    return live_of(request).registry.services


@router.get("/api/v1/services/{service}", tags=["definitions"])
def service(request: Request, service: str) -> FeatureService:
    """One feature service."""
    catalog = live_of(request).catalog
    found = catalog.services.get(service)
    if found is None:
        raise NotHereError(f"There is no feature service {service!r} in {catalog.project}.", service)
    return found


@router.get("/api/v1/features/{full_name}", tags=["definitions"])
def explain(request: Request, full_name: str) -> Explanation:
    """Who, what, when, how and why, about a feature (`view.feature`), a view or a service."""
    live = live_of(request)
    catalog = live.catalog
    view_name, _, name = full_name.partition(".")
    if full_name not in catalog.services and catalog.any_view(view_name) is None:
        raise NotHereError(f"There is no feature view {view_name!r} in {catalog.project}.", view_name)
    if name and catalog.feature(full_name) is None:
        raise NotHereError(f"The view {view_name} has no feature {name!r}.", name)
    return live.explain(full_name)


@router.get("/api/v1/search", tags=["definitions"])
def search(request: Request, q: str = "", limit: int = 20) -> Hits:
    """Names, descriptions, owners and tags that hold every word of `q`, best first."""
    live = live_of(request)
    rows = [facts.hit_row(hit) for hit in live.catalog.search.search(q[:200], max(1, min(limit, 100)))]
    hits = [
        Found(
            title=row.title,
            kind=row.kind,
            path=row.path,
            ref=row.uri,
            description=row.description,
            detail=row.detail,
            matched=row.matched,
            deprecated=row.deprecated,
        )
        for row in rows
    ]
    return Hits(query=q, hits=hits)


@router.head("/api/v1/stats", include_in_schema=False)
def state(request: Request) -> Response:
    """The ETag alone: what a page asks every few seconds."""
    return Response(headers=_headers(live_of(request).state))


@router.get("/api/v1/stats", tags=["data"], response_model=AllStats)
def all_stats(request: Request, if_none_match: str | None = Header(None)) -> Response:
    """Rows, newest event and last write of every view. Answers 304 while nothing was applied, written or wished."""
    live = live_of(request)
    tag = live.state  # before the numbers: what changes meanwhile is then asked for again
    return (
        Response(status_code=304, headers=_headers(tag)) if known(tag, if_none_match) else _json(stats_text(live), tag)
    )


@router.get("/api/v1/views/{view}/stats", tags=["data"])
def stats(request: Request, view: str) -> ViewStats:
    """Rows, newest event and last write of one view."""
    live = live_of(request)
    return live.stats(view_or_404(live.catalog, view))


@router.get("/api/v1/views/{view}/intervals", tags=["data"])
def intervals(request: Request, view: str) -> Sequence[WrittenInterval]:
    """What each data interval holds, by interval: the runs that wrote the view."""
    live = live_of(request)
    return live.intervals(view_or_404(live.catalog, view))


@router.get("/api/v1/views/{view}/profile", tags=["data"])
def profile(request: Request, view: str) -> Sequence[FeatureProfile]:
    """Each feature of the stored rows in numbers, with its distribution."""
    live = live_of(request)
    found = live.profile(view_or_404(live.catalog, view))
    if isinstance(found, str):
        raise FeatureStoreError(found)
    return found


@router.get("/api/v1/views/{view}/violations", tags=["data"])
def violations(request: Request, view: str) -> Sequence[Violation]:
    """Every broken constraint of the stored rows: rule, count and example rows."""
    live = live_of(request)
    found = live.broken(view_or_404(live.catalog, view))
    if isinstance(found, str):
        raise FeatureStoreError(found)
    return found


@router.post("/api/v1/materialize", tags=["data"])
def materialize(request: Request, wanted: Materialize, authorization: str | None = Header(None)) -> Materialized:
    """Bring the online store up to date with a view's offline rows of [start, end). Needs the token."""
    check_token(authorization, request.app.state.token)
    live = live_of(request)
    view = view_or_404(live.catalog, wanted.view)
    return Materialized(view=view.name, entities=live.materialize(view, wanted.start, wanted.end))


def _headers(tag: str) -> dict[str, str]:
    return {"etag": tag, "cache-control": "no-cache"}


def _json(text: str, tag: str) -> Response:
    return Response(text, headers=_headers(tag), media_type="application/json")
