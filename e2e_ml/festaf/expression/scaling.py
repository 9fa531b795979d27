"""Scaled features: `standard_scale` is (x - mean) / std, `min_max_scale` (x - min) / (max - min).

The parameters are learned on a training set and stand in the registry. Where all values of it were equal, the scaled
value is 0.0 for that value, and in general x - mean (x - min): nothing is divided by zero. Scaling is the outermost
operation of a feature, over what is stored or brought by the request, so that it can be computed on read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal as OneOf

from e2e_ml.festaf import model
from e2e_ml.festaf.expression.tree import Apply, Expression, ExpressionError, literal

Scaling = OneOf["standard_scale", "min_max_scale"]

# What each one learns: what is taken off a value, and what it is then divided by.
PARAMETERS: Mapping[str, tuple[str, str]] = {"standard_scale": ("mean", "std"), "min_max_scale": ("min", "max")}


def is_scaled(expression: Expression) -> bool:
    """Whether it is a scaled feature's: values of it need parameters that were learned."""
    return isinstance(expression, Apply) and expression.op in PARAMETERS


def unscaled(expression: Expression) -> Expression:
    """What a scaled feature scales, whose values its parameters are learned on."""
    return expression.args[0] if isinstance(expression, Apply) and is_scaled(expression) else expression


def with_learned(expression: Expression, view: model.View, feature: model.Feature) -> Expression:
    """The feature's expression, its scaling as plain arithmetic with the numbers that were learned.

    Raises ExpressionError where none were.
    """
    if not isinstance(expression, Apply) or expression.op not in PARAMETERS:
        return expression
    names = PARAMETERS[expression.op]
    if feature.learned is None or not set(names) <= set(feature.learned.parameters):
        raise ExpressionError(
            f"{view.name}.{feature.name} is scaled by numbers that were not learned yet. Learn them on a training set: "
            "store.learn(service, entities)."
        )
    low, other = (feature.learned.parameters[name] for name in names)
    width = other if expression.op == "standard_scale" else other - low
    moved = Apply("sub", (expression.args[0], literal(low)))
    return Apply("div", (moved, literal(width))) if width else moved
