"""The five answers about a feature, a view or a service: who, what, when, how, why."""

from __future__ import annotations

from e2e_ml.festaf import model
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.naming import dag_id
from e2e_ml.festaf.registry.standing import dependents, services_on


def explain(registry: model.Registry, name: str, stats: model.ViewStats | None = None) -> model.Explanation:
    """Explain `hourly_weather.gusty`, `hourly_weather` or `flight_delay`; `stats` tells of the view's stored rows.

    Raises FeatureStoreError, with the nearest name, when the registry has nothing of that name.
    """
    view_name, dot, feature_name = name.partition(".")
    view = registry.view(view_name)
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

    names = [v.name for v in registry.views] + [s.name for s in registry.services]
    names += [f"{v.name}.{f.name}" for v in registry.views for f in v.features if not f.hidden]
    close = difflib.get_close_matches(name, names, 1)
    hint = f"Did you mean {close[0]}?" if close else "`e2e-ml festaf list` shows what there is."
    return f"There is nothing called {name} in {registry.project}. {hint}"


def source_inputs(view: model.FeatureView, feature: str) -> tuple[str, ...]:
    """The columns of the source that a feature comes from in the end; a plain column comes from itself."""
    if not view.has(feature):
        return (feature,)  # a key or a time
    record = view.feature(feature)
    if record.expression is None:
        return (feature,)
    return tuple(dict.fromkeys(column for read in record.inputs for column in source_inputs(view, read)))


def _explain_feature(
    registry: model.Registry, view: model.FeatureView, feature: model.Feature, stats: model.ViewStats
) -> model.Explanation:
    return _explain_view(registry, view, stats).model_copy(
        update={
            "name": f"{view.name}.{feature.name}",
            "kind": "feature",
            "dtype": feature.dtype,
            "description": feature.description,
            "inputs": source_inputs(view, feature.name),
            "first_seen": feature.first_seen,
            "changed_at": feature.changed_at,
            "code": feature.code,
            "expression": feature.expression,
            "constraints": feature.constraints,
            "used_by": dependents(registry, view.name, feature.name),
        }
    )


def _explain_view(registry: model.Registry, view: model.FeatureView, stats: model.ViewStats) -> model.Explanation:
    return model.Explanation(
        name=view.name,
        kind="feature view",
        owner=view.owner,
        description=view.description,
        source=view.source,
        inputs=tuple(dict.fromkeys(c for f in view.features for c in source_inputs(view, f.name))),
        first_seen=view.first_seen,
        changed_at=view.changed_at,
        schedule=view.schedule,
        newest_event=stats.newest_event,
        last_written=stats.last_written,
        dag_id=dag_id(registry.project, view),
        task_id=view.produced_by.task_id if view.produced_by else None,
        purpose=view.purpose,
        used_by=services_on(registry, view.name),
    )


def _explain_service(registry: model.Registry, service: model.FeatureService) -> model.Explanation:
    target = service.target
    view = registry.view(target.view) if target else None
    predicted = [f"{view.name}.{column}" for column in source_inputs(view, target.feature)] if view and target else []
    inputs = tuple(dict.fromkeys((*service.features, *predicted)))
    return model.Explanation(
        name=service.name,
        kind="feature service",
        owner=service.owner,
        description=service.description,
        inputs=inputs,
        first_seen=service.first_seen,
        changed_at=service.changed_at,
        code=target.code if target else None,
        purpose=service.purpose,
    )
