"""How each row-level operation is written in SQL: one function from printed operands to text for each.

Names, types, constants and windows are `printing_sql`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from e2e_ml.festaf.dtypes import INTEGERS, DataType, kind
from e2e_ml.festaf.expression.patterns import to_portable
from e2e_ml.festaf.expression.tree import Scalar


@dataclass(frozen=True, slots=True)
class Sql:
    """A printed operand: its text, its type, its value where it is a constant, and whether it needs no parentheses."""

    text: str
    dtype: DataType
    value: Scalar | None = None
    atom: bool = True

    @property
    def inner(self) -> str:
        """As an operand of an operator."""
        return self.text if self.atom else f"({self.text})"

    @property
    def real(self) -> str:
        """In the arithmetic of 64 bits, where SQL would compute in fewer or exactly."""
        if self.dtype == "float64" and self.value is None:
            return self.inner
        if self.value is not None and self.dtype in INTEGERS:
            return f"{self.inner}::DOUBLE" if self.atom else f"({self.text})::DOUBLE"
        return f"CAST({self.text} AS DOUBLE)"


Operands = Sequence[Sql]
Printer = Callable[[Operands, DataType], str]

INFIX = frozenset(
    {"add", "sub", "mul", "div", "mod", "floordiv", "neg", "eq", "ne", "lt", "le", "gt", "ge", "is_in", "and", "or",
     "not", "is_null", "is_not_null", "cosine_similarity", "seconds_since", "round", "standard_scale", "min_max_scale"}
)  # fmt: skip


def _numbers(operands: Operands, dtype: DataType) -> list[str]:
    """The operands of arithmetic: those that SQL would not compute in 64 bits are cast."""
    if dtype == "int64" and not any(o.dtype == "int64" and o.value is None for o in operands):
        first, *others = operands
        return [first.inner if first.value is not None else f"CAST({first.text} AS BIGINT)", *(o.inner for o in others)]
    if dtype != "float64":
        return [o.inner for o in operands]
    double = any(o.dtype == "float64" and o.value is None for o in operands)
    return [o.inner if double and o.dtype != "float32" else o.real for o in operands]


def _infix(symbol: str) -> Printer:
    return lambda operands, dtype: f" {symbol} ".join(_numbers(operands, dtype))


def _compared(symbol: str) -> Printer:
    return lambda operands, _: f" {symbol} ".join(o.inner for o in operands)


def _call(name: str) -> Printer:
    return lambda operands, _: f"{name}({', '.join(o.text for o in operands)})"


def _on_real(name: str, condition: str = "") -> Printer:
    def printed(operands: Operands, _: DataType) -> str:
        text = operands[0].real
        return f"CASE WHEN {text} {condition} THEN {name}({text}) END" if condition else f"{name}({text})"

    return printed


def _moments(operands: Operands) -> list[str]:
    """A day that a duration is added to is the moment of its midnight."""
    days = "duration" in {o.dtype for o in operands}
    return [f"CAST({o.text} AS TIMESTAMPTZ)" if days and o.dtype == "date" else o.inner for o in operands]


def _add(operands: Operands, dtype: DataType) -> str:
    if dtype == "timestamp":
        return " + ".join(_moments(operands))
    return _infix("||" if dtype == "string" else "+")(operands, dtype)


def _subtract(operands: Operands, dtype: DataType) -> str:
    if dtype == "timestamp":
        return " - ".join(_moments(operands))
    text = _infix("-")(operands, dtype)
    return f"to_days(CAST({text} AS INTEGER))" if operands[0].dtype == operands[1].dtype == "date" else text


def _divisor(operand: Sql, text: str) -> str:
    return text if operand.value else f"NULLIF({text}, 0)"


def _divide(operands: Operands, _: DataType) -> str:
    left, right = operands
    if left.dtype in INTEGERS and right.dtype in INTEGERS:
        return f"{left.inner} / {_divisor(right, right.inner)}"  # a real number, in DuckDB
    return f"{left.real} / {_divisor(right, right.real)}"


def _floor(operands: Operands, dtype: DataType) -> str:
    text = f"floor({_divide(operands, dtype)})"
    return f"CAST({text} AS BIGINT)" if dtype == "int64" else text


def _remainder(operands: Operands, dtype: DataType) -> str:
    left, right = _numbers(operands, dtype)
    return f"{left} - {right} * {_floor(operands, dtype)}"


def _round(operands: Operands, _: DataType) -> str:
    digits = int(str(operands[1].value)) if len(operands) == 2 else 0
    real = operands[0].real
    return f"round_even({real} * 1e{digits}, 0) / 1e{digits}" if digits else f"round_even({real}, 0)"


def _clip(operands: Operands, _: DataType) -> str:
    x, low, high = (o.text for o in operands)
    return f"CASE WHEN {x} < {low} THEN {low} WHEN {x} > {high} THEN {high} ELSE {x} END"


def _buckets(operands: Operands, _: DataType) -> str:
    x, *edges = (o.text for o in operands)
    cases = " ".join(f"WHEN {x} < {edge} THEN {i}" for i, edge in enumerate(edges))
    return f"CASE {cases} WHEN {x} >= {edges[-1]} THEN {len(edges)} END"


def _is_in(operands: Operands, _: DataType) -> str:
    return f"{operands[0].inner} IN ({', '.join(o.text for o in operands[1:])})"


def _double(text: str, dtype: DataType, values: Operands) -> str:
    """SQL takes 1.5 for a decimal."""
    if dtype == "float64" and all(v.value is not None for v in values):
        return f"CAST({text} AS DOUBLE)"
    return text


def _choice(operands: Operands, dtype: DataType) -> str:
    texts = [o.text for o in operands]
    last = len(texts) - len(texts) % 2
    cases = " ".join(f"WHEN {c} THEN {v}" for c, v in zip(texts[0:last:2], texts[1:last:2], strict=True))
    text = f"CASE {cases}{f' ELSE {texts[last]}' if last < len(texts) else ''} END"
    return _double(text, dtype, [*operands[1:last:2], *operands[last:]])


def _map(operands: Operands, dtype: DataType) -> str:
    x, *texts = (o.text for o in operands)
    last = len(texts) - len(texts) % 2
    pairs = list(zip(texts[0:last:2], texts[1:last:2], strict=True))
    if last == len(texts):
        text = f"CASE {x} {' '.join(f'WHEN {key} THEN {value}' for key, value in pairs)} END"
    else:
        cases = " ".join(f"WHEN {x} = {key} THEN {value}" for key, value in pairs)
        text = f"CASE {cases} WHEN {x} IS NOT NULL THEN {texts[last]} END"
    return _double(text, dtype, operands[1:])


def _ordinal(operands: Operands, _: DataType) -> str:
    x, *values = (o.text for o in operands)
    return f"CASE {x} {' '.join(f'WHEN {value} THEN {i}' for i, value in enumerate(values))} END"


def _pattern(operand: Sql) -> str:
    return "'{}'".format(to_portable(str(operand.value)).replace("'", "''"))


def _extract(operands: Operands, _: DataType) -> str:
    text, pattern = operands[0].text, _pattern(operands[1])
    return f"CASE WHEN regexp_matches({text}, {pattern}) THEN regexp_extract({text}, {pattern}, {operands[2].text}) END"


def _slice(operands: Operands, _: DataType) -> str:
    text, start, size = operands
    return f"substring({text.text}, {int(str(start.value)) + 1}, {size.text})"


def _part(name: str) -> Printer:
    def printed(operands: Operands, _: DataType) -> str:
        zone = f" AT TIME ZONE {operands[1].text}" if len(operands) == 2 else ""
        return f"{name}({operands[0].inner}{zone})"

    return printed


def _day(operands: Operands, _: DataType) -> str:
    zone = f" AT TIME ZONE {operands[1].text}" if len(operands) == 2 else ""
    return f"CAST({operands[0].inner}{zone} AS DATE)"


def _contains(operands: Operands, _: DataType) -> str:
    held, part = operands
    if kind(held.dtype) != "list":
        return f"contains({held.text}, {part.text})"
    return f"CASE WHEN {held.text} IS NOT NULL THEN coalesce(list_contains({held.text}, {part.text}), FALSE) END"


def _length(operands: Operands, _: DataType) -> str:
    return f"{'len' if kind(operands[0].dtype) == 'list' else 'length'}({operands[0].text})"


def _list_sum(operands: Operands, dtype: DataType) -> str:
    text = operands[0].text
    whole = f"CAST(list_sum({text}) AS BIGINT)" if dtype in INTEGERS else f"list_sum({text})"
    return f"CASE WHEN {text} IS NOT NULL THEN coalesce({whole}, 0) END"


def _vectors(operands: Operands) -> list[str]:
    return [o.text if o.value is not None else f"{o.inner}::DOUBLE[]" for o in operands]


def _dot(operands: Operands, _: DataType) -> str:
    return f"list_dot_product({', '.join(_vectors(operands))})"


def _norm_of(vector: str) -> str:
    return f"sqrt(list_dot_product({vector}, {vector}))"


def _cosine(operands: Operands, dtype: DataType) -> str:
    a, b = _vectors(operands)
    return f"{_dot(operands, dtype)} / NULLIF({_norm_of(a)} * {_norm_of(b)}, 0)"


def _learned(low: str, width: str) -> Printer:
    """The numbers are learned: they stand in the registry."""
    return lambda operands, _: f"({operands[0].real} - :{low}) / {width}"


FUNCTIONS: Mapping[str, Printer] = {
    "add": _add,
    "sub": _subtract,
    "mul": _infix("*"),
    "div": _divide,
    "floordiv": _floor,
    "mod": _remainder,
    "pow": lambda operands, _: f"pow({', '.join(o.real for o in operands)})",
    "neg": lambda operands, dtype: f"-{_numbers(operands, dtype)[0]}",
    "abs": lambda operands, _: (
        f"CASE WHEN {operands[0].text} < INTERVAL '0 seconds' THEN -{operands[0].inner} ELSE {operands[0].text} END"
        if operands[0].dtype == "duration"
        else f"abs({operands[0].text})"
    ),
    "sign": _call("sign"),
    "floor": _on_real("floor"),
    "ceil": _on_real("ceil"),
    "round": _round,
    "sqrt": _on_real("sqrt", ">= 0"),
    "exp": _on_real("exp"),
    "log": _on_real("ln", "> 0"),
    "clip": _clip,
    "bucketize": _buckets,
    "eq": _compared("="),
    "ne": _compared("<>"),
    "lt": _compared("<"),
    "le": _compared("<="),
    "gt": _compared(">"),
    "ge": _compared(">="),
    "is_in": _is_in,
    "and": _compared("AND"),
    "or": _compared("OR"),
    "not": lambda operands, _: f"NOT {operands[0].inner}",
    "is_null": lambda operands, _: f"{operands[0].inner} IS NULL",
    "is_not_null": lambda operands, _: f"{operands[0].inner} IS NOT NULL",
    "is_nan": _call("isnan"),
    "when": _choice,
    "map": _map,
    "ordinal": _ordinal,
    "contains": _contains,
    "starts_with": _call("starts_with"),
    "ends_with": _call("ends_with"),
    "matches": lambda operands, _: f"regexp_full_match({operands[0].text}, {_pattern(operands[1])})",
    "extract": _extract,
    "lower": _call("lower"),
    "upper": _call("upper"),
    "strip": lambda operands, _: f"trim({operands[0].text}, E' \\t\\n\\r\\f\\x0b')",
    "replace": _call("replace"),
    "split": _call("string_split"),
    "slice": _slice,
    "length": _length,
    "year": _part("year"),
    "quarter": _part("quarter"),
    "month": _part("month"),
    "week": _part("week"),
    "day": _part("day"),
    "weekday": _part("isodow"),
    "day_of_year": _part("dayofyear"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "second": _part("second"),
    "date": _day,
    "truncate": lambda operands, _: f"date_trunc({operands[1].text}, {operands[0].text})",
    "seconds_since": lambda operands, _: f"(epoch_us({operands[0].text}) - epoch_us({operands[1].text})) / 1e6",
    "days_since": lambda operands, _: f"date_diff('day', {operands[1].text}, {operands[0].text})",
    "total_seconds": _call("epoch"),
    "get": lambda operands, _: f"{operands[0].inner}[{int(str(operands[1].value)) + 1}]",
    "sum": _list_sum,
    "mean": _call("list_avg"),
    "min": _call("list_min"),
    "max": _call("list_max"),
    "dot": _dot,
    "cosine_similarity": _cosine,
    "l2_norm": lambda operands, _: _norm_of(_vectors(operands)[0]),
    "field": lambda operands, _: f"struct_extract({operands[0].text}, {operands[1].text})",
    "standard_scale": _learned("mean", ":std"),
    "min_max_scale": _learned("min", "(:max - :min)"),
}
