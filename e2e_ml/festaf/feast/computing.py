"""What a view of Feast computes of its source's rows, in the words of definitions: aggregations as windows, and plain
functions as expressions.

Feast's aggregations have one value at the end of each window or hop, and how its engines cut these differs; a window
here has one at each row, of the time up to the row's own. Where a row is the last before a hop's end, both are equal,
but that Feast's hops give 0 for the sum and the mean of a window without values, which are null here.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Mapping
from dataclasses import dataclass

from e2e_ml.festaf.feast import bodies, spelling
from e2e_ml.festaf.feast.reading import Aggregation, Field, Type, View

_METHODS = {
    "count": "count", "sum": "sum", "mean": "mean", "avg": "mean", "min": "min", "max": "max",
    "count_distinct": "distinct", "std": "std", "stddev": "std",
}  # fmt: skip
_NUMBERS = frozenset({"Int32", "Int64", "Float32", "Float64"})
_OF_NUMBERS = frozenset({"sum", "mean", "std"})
_ORDERED = _NUMBERS | {"UnixTimestamp", "ZonedTimestamp"}


class NotComputedError(ValueError):
    """A view whose features festaf cannot compute; the message says why, as a sentence."""


@dataclass(frozen=True, slots=True)
class Computed:
    """The columns that the source has, and for each other feature the expression over them, as Python writes it.

    `called` is what a column is called here. `notes` are sentences about the view.
    """

    columns: tuple[Field, ...]
    called: Mapping[str, str]
    features: Mapping[str, str]
    notes: tuple[str, ...] = ()


def computed(view: View) -> Computed:
    """Raises NotComputedError."""
    if view.aggregations and view.code:
        raise NotComputedError(
            f"its aggregations are of what a function makes of the rows. Define a view of these, with {_all(view)}."
        )
    if view.aggregations:
        return _aggregated(view)
    if view.code:
        return _by_function(view)
    return Computed(view.features, {f.name: spelling.column_name(f.name) for f in view.features}, {})


# --- aggregations --------------------------------------------------------------------------------------------------


def _aggregated(view: View) -> Computed:
    for each in view.aggregations:
        if each.function not in _METHODS or not each.seconds or not each.column:
            what = f"{each.function} of {each.column or 'rows'}" + ("" if each.seconds else " without a time window")
            raise NotComputedError(
                f"its aggregations have the {what}. Define a view of the raw rows, with {_all(view)}."
            )
    if view.source is None or not view.source.timestamp_field:
        raise NotComputedError("its features are aggregations over time, and its source names no event time.")
    given = {feature.name: feature for feature in view.features}
    outputs = {_output(each, given): each for each in view.aggregations}
    columns: dict[str, Field] = {}
    notes = ["its aggregations are windows: a row has that of the time up to its own, Feast had one a window or hop."]
    for output, each in outputs.items():
        if each.column in columns:
            continue
        known = view.columns.get(each.column) or (given[each.column].type if each.column in given else None)
        if known is None and each.function in ("sum", "min", "max") and output in given:
            known = given[output].type
        if known is None:
            notes.append(f"the type of {each.column} is not known; it is written as Float64. Correct it.")
        plain = given.get(each.column) if each.column not in outputs else None
        columns[each.column] = (plain or Field(name=each.column, type=Type(type="Float64"))).model_copy(
            update={"type": known or Type(type="Float64")}
        )
    for each in outputs.values():
        _check(each, columns[each.column].type.type)
    names = {spelling.column_name(output) for output in outputs}
    called = {name: _free(spelling.column_name(name), names) for name in columns}
    features = {output: window(called[each.column], each) for output, each in outputs.items()}
    notes += [f"its aggregations do not give {name}." for name in given if name not in outputs and name not in columns]
    return Computed(tuple(columns.values()), called, features, tuple(notes))


def _output(aggregation: Aggregation, given: Mapping[str, Field]) -> str:
    """What Feast calls it: with its window in seconds, but where the schema has it without."""
    plain = f"{aggregation.function}_{aggregation.column}"
    long = f"{plain}_{int(aggregation.seconds or 0)}s"
    return aggregation.name or (plain if plain in given and long not in given else long)


def _check(aggregation: Aggregation, dtype: str) -> None:
    function = _METHODS[aggregation.function]
    fits = {**dict.fromkeys(_OF_NUMBERS, _NUMBERS), "min": _ORDERED, "max": _ORDERED}.get(function)
    if fits is not None and dtype not in fits:
        raise NotComputedError(
            f"festaf has no {function} of a {dtype}, which its aggregations have of {aggregation.column}."
        )


def _free(name: str, taken: Container[str]) -> str:
    return f"{name}_of_row" if name in taken else name


def window(column: str, aggregation: Aggregation) -> str:
    """`trips.mean().over(timedelta(hours=1))`."""
    method = _METHODS.get(aggregation.function, aggregation.function)
    over = f".over({spelling.duration(aggregation.seconds)})" if aggregation.seconds else ".over()"
    return f"{column}.{method}(){over}"


def _all(view: View) -> str:
    return ", ".join(window(each.column, each) for each in view.aggregations)


# --- functions -----------------------------------------------------------------------------------------------------


def _by_function(view: View) -> Computed:
    names = {name: spelling.column_name(name) for name in (*view.columns, *(f.name for f in view.features))}
    try:
        made = bodies.expressions(view.code, names)
    except bodies.NotAnExpressionError as error:
        raise NotComputedError(
            f"its features are computed by a function over the whole source, and {error}. Write them as expressions of "
            "its columns."
        ) from None
    given = {feature.name: feature for feature in view.features}
    features = {name: text for name, text in made.items() if name in given}
    plain = {name: field for name, field in given.items() if name not in made}
    if unknown := [name for name in plain if view.columns and name not in view.columns]:
        raise NotComputedError(
            f"its features are computed by a function over the whole source, which does not give {', '.join(unknown)}."
        )
    # A column that the function gives anew is read as the source has it.
    read = {name for text in features.values() for name in _read(text)}
    by_own = {own: name for name, own in names.items()}
    for own in sorted(read):
        name = by_own[own]
        if name in features:
            raise NotComputedError(f"its function gives {name} anew. Give the new one a name of its own.")
        if name not in plain:
            plain[name] = Field(name=name, type=view.columns[name])
    return Computed(tuple(plain.values()), names, features)


def _read(expression: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)} - {"fs"}
