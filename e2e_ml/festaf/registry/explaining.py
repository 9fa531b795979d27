"""The five answers about a feature, a view or a service: who, what, when, how, why."""

from __future__ import annotations

from e2e_ml.festaf import model
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry.marks import marked, python_functions
from e2e_ml.festaf.registry.standing import dependents, services_on, used_by


def explain(registry: model.Registry, name: str, stats: model.ViewStats | None = None) -> model.Explanation:
    """Explain `hourly_weather.gusty`, `hourly_weather` or `flight_delay`; `stats` tells of the view's stored rows.

    Raises FeatureStoreError, with the nearest name, when the registry has nothing of that name.
    """
    view_name, dot, feature_name = name.partition(".")
    view = registry.any_view(view_name)
    if view is not None and not dot:
        return _explain_view(registry, view, stats or model.ViewStats())
    if view is not None and view.has(feature_name):
        return _explain_feature(registry, view, view.feature(feature_name), stats or model.ViewStats())
    service = registry.service(name)
    if service is not None:
        return _explain_service(registry, service)
    raise FeatureStoreError(unknown(registry, name))


def unknown(registry: model.Registry, name: str) -> str:
    """The sentence for a name that the registry does not hold, with the nearest that it does."""
    import difflib

    names = [v.name for v in registry.all_views()] + [s.name for s in registry.services]
    names += [f"{v.name}.{f.name}" for v in registry.all_views() for f in v.features if not f.hidden]
    close = difflib.get_close_matches(name, names, 1)
    hint = f"Did you mean {close[0]}?" if close else "`e2e-ml festaf list` shows what there is."
    return f"There is nothing called {name} in {registry.project}. {hint}"


def source_inputs(view: model.View, feature: str) -> tuple[str, ...]:
    """What a feature comes from in the end, as its view sees it: columns of the source or values of the request, and
    features of other views by their full names. A plain column comes from itself."""
    if not view.has(feature):
        return (feature,)  # a key, a time, or not of this view
    record = view.feature(feature)
    if record.expression is None:
        return (feature,)
    return tuple(dict.fromkeys(column for read in record.inputs for column in source_inputs(view, read)))


def _explain_feature(
    registry: model.Registry, view: model.AnyView, feature: model.Feature, stats: model.ViewStats
) -> model.Explanation:
    inputs = source_inputs(view, feature.name)
    deprecated = feature.deprecated or view.deprecated
    return _explain_view(registry, view, stats).model_copy(
        update={
            "name": f"{view.name}.{feature.name}",
            "kind": "feature",
            "dtype": feature.dtype,
            "description": feature.description,
            "inputs": inputs,
            "request": tuple(key for key in _request(view) if key.name in inputs),
            "marks": (*marked(feature), *(["deprecated"] if deprecated and not feature.deprecated else [])),
            "deprecated": deprecated,
            "renamed_from": feature.renamed_from,
            "first_seen": feature.first_seen,
            "changed_at": feature.changed_at,
            "code": feature.code,
            "sql": feature.sql,
            "expression": feature.expression,
            "python": python_functions(feature),
            "learned": feature.learned,
            "constraints": feature.constraints,
            "used_by": dependents(registry, view.name, feature.name),
        }
    )


def _explain_view(registry: model.Registry, view: model.AnyView, stats: model.ViewStats) -> model.Explanation:
    stored = view if isinstance(view, model.FeatureView) else None
    return model.Explanation(
        name=view.name,
        kind="feature view" if stored else "on-demand view",
        owner=view.owner,
        description=view.description,
        source=stored and stored.source,
        inputs=tuple(dict.fromkeys(c for f in view.features for c in source_inputs(view, f.name))),
        request=_request(view),
        marks=("deprecated",) if view.deprecated else (),
        deprecated=view.deprecated,
        renamed_from=view.renamed_from,
        first_seen=view.first_seen,
        changed_at=view.changed_at,
        schedule=stored and stored.schedule,
        newest_event=stats.newest_event,
        last_written=stats.last_written,
        python=tuple(dict.fromkeys(name for f in view.features for name in python_functions(f))),
        dag_id=dag_id(registry.project, stored) if stored else None,
        task_id=stored.produced_by.task_id if stored and stored.produced_by else None,
        purpose=view.purpose,
        used_by=services_on(registry, view.name),
    )


def _request(view: model.AnyView) -> tuple[model.Key, ...]:
    return view.request if isinstance(view, model.OnDemandView) else ()


def _explain_service(registry: model.Registry, service: model.FeatureService) -> model.Explanation:
    target = service.target
    view = registry.view(target.view) if target else None
    predicted = [f"{view.name}.{column}" for column in source_inputs(view, target.feature)] if view and target else []
    return model.Explanation(
        name=service.name,
        kind="feature service",
        owner=service.owner,
        description=service.description,
        inputs=tuple(dict.fromkeys((*service.features, *predicted))),
        request=_requested(registry, service),
        marks=("deprecated",) if service.deprecated else (),
        deprecated=service.deprecated,
        renamed_from=service.renamed_from,
        first_seen=service.first_seen,
        changed_at=service.changed_at,
        code=target.code if target else None,
        purpose=service.purpose,
    )


def _requested(registry: model.Registry, service: model.FeatureService) -> tuple[model.Key, ...]:
    """What a request for the service has to bring besides keys, each once."""
    found: dict[str, model.Key] = {}
    waiting = list(used_by(service))
    known = set(waiting)
    for full in waiting:  # grows as it goes
        name, _, feature = full.partition(".")
        view = registry.any_view(name)
        if not isinstance(view, model.OnDemandView) or not view.has(feature):
            continue
        inputs = source_inputs(view, feature)
        found.update({key.name: key for key in view.request if key.name in inputs})
        waiting += [read for read in inputs if "." in read and read not in known]
        known.update(inputs)
    return tuple(found.values())
