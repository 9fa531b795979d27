"""What the form of a registry allows and has no meaning: names twice, expressions that do not fit, circles.

Pure functions over records. A view that was checked before need not be checked again: what a view says of itself
depends on itself alone, and only services and on-demand views look at others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from e2e_ml.festaf import model
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import Expression, ExpressionError, columns, from_json, is_row_level
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.steps import column_types, in_order

Problem = tuple[str, str]  # where, and a sentence


def problems(registry: model.Registry, checked: Collection[model.View] = ()) -> Iterator[Problem]:
    """Everything that is wrong with it. `checked` views are taken as right in themselves."""
    yield from _twice(
        [v.name for v in registry.all_views()] + [s.name for s in registry.services], "There are two of that name."
    )
    known = {id(view) for view in checked}
    for view in registry.views:
        if id(view) not in known:
            yield from _view_problems(view)
    yield from _on_demand_problems(registry)
    for i, service in enumerate(registry.services):
        yield from _service_problems(registry, service, f"services[{i}]")


def on_demand_types(registry: model.Registry, view: model.OnDemandView) -> dict[str, DataType]:
    """The type of every name that an on-demand view's expressions may use: its request, its own features, and features
    of other views by their full names."""
    types: dict[str, DataType] = {key.name: key.dtype for key in view.request}
    types.update({f.name: f.dtype for f in view.features})
    for full in dict.fromkeys(name for f in view.features for name in f.inputs if "." in name):
        other, _, name = full.partition(".")
        read = registry.any_view(other)
        if read is not None and read.has(name):
            types[full] = read.feature(name).dtype
    return types


def _twice(names: Iterable[str], sentence: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name, sentence
        seen.add(name)


def _columns_twice(view: model.View, names: Iterable[str]) -> Iterator[Problem]:
    for name, _ in _twice(names, ""):
        yield view.name, f"There are two columns called {name}."


def _view_problems(view: model.FeatureView) -> Iterator[Problem]:
    outer = [key.name for key in view.entities] + [t for t in (view.event_time, view.created_time) if t]
    yield from _columns_twice(view, [*outer, *(f.name for f in view.features)])
    for name, _ in _twice([*outer, *(f.column for f in view.features)], ""):
        yield view.name, f"Two features are stored as {name}."
    yield from _expression_problems(view, column_types(view))


def _expression_problems(view: model.View, types: Mapping[str, DataType]) -> Iterator[Problem]:
    expressions: dict[str, Expression] = {}
    computed = {f.name for f in view.features if f.expression is not None}
    ordered = True
    for feature in view.features:
        if feature.expression is None:
            continue
        where = f"{view.name}.{feature.name}"
        try:
            expression = from_json(feature.expression)
            dtype = infer(expression, types)
        except ExpressionError as error:
            yield f"{where}.expression", str(error)
            return
        if dtype != feature.dtype:
            yield f"{where}.expression", f"It gives {dtype}, and the feature is said to be {feature.dtype}."
        read = columns(expression)
        if read != feature.inputs:
            yield f"{where}.inputs", f"The expression reads {', '.join(read) or 'nothing'}."
        ordered = ordered and all(name in expressions or name not in computed for name in read)
        expressions[feature.name] = expression
    if ordered:  # each reads only what stands above it: there is no circle to look for
        return
    try:
        in_order(expressions)
    except ExpressionError as error:
        yield view.name, str(error)


def _on_demand_problems(registry: model.Registry) -> Iterator[Problem]:
    for view in registry.on_demand:
        yield from _columns_twice(view, [*(key.name for key in view.request), *(f.name for f in view.features)])
        for feature in view.features:
            where = f"{view.name}.{feature.name}"
            for full in feature.inputs:
                if "." in full and not is_feature(registry, full):
                    yield f"{where}.inputs", f"It reads {full}, which is not in the registry."
                    return
            if feature.expression is None:
                yield where, "A feature of an on-demand view is computed, and this one has no expression."
                return
        yield from _expression_problems(view, on_demand_types(registry, view))
        for feature in view.features:
            if not is_row_level(from_json(feature.expression)):
                yield f"{view.name}.{feature.name}.expression", "An on-demand view sees one row, and has no windows."
    yield from _circles_across(registry)


def _circles_across(registry: model.Registry) -> Iterator[Problem]:
    """On-demand views may read each other, feature by feature, and not in a circle."""
    reads = {
        f"{view.name}.{f.name}": [name if "." in name else f"{view.name}.{name}" for name in f.inputs]
        for view in registry.on_demand
        for f in view.features
    }
    done: set[str] = set()
    for start in reads:
        path: list[str] = []
        if circle := _circle(start, reads, path, done):
            yield circle[0].partition(".")[0], f"Features read each other in a circle: {' -> '.join(circle)}."
            return


def _circle(name: str, reads: Mapping[str, list[str]], path: list[str], done: set[str]) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done or name not in reads:
        return []
    path.append(name)
    for read in reads[name]:
        if circle := _circle(read, reads, path, done):
            return circle
    path.pop()
    done.add(name)
    return []


def _service_problems(registry: model.Registry, service: model.FeatureService, where: str) -> Iterator[Problem]:
    for full in service.features:
        if not is_feature(registry, full):
            yield f"{where}.features", f"{service.name} reads {full}, which is not in the registry."
    target = service.target
    if target is not None:
        view = registry.view(target.view)
        if view is None or not view.has(target.feature):
            sentence = f"{service.name} reads {target.view}.{target.feature}, which is not in the registry."
            yield f"{where}.target", sentence


def is_feature(registry: model.Registry, full: str) -> bool:
    """Whether `view.feature` is there."""
    name, _, feature = full.partition(".")
    view = registry.any_view(name)
    return view is not None and view.has(feature)
