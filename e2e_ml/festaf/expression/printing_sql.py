"""An expression as SQL, for people and for warehouses: close to the standard, in DuckDB's words where it has none.

It runs in DuckDB, in a session whose time zone is UTC, over a table with the view's columns, and gives the values that
`operations` says, but for what SQL cannot: NaN, which it takes for the greatest number, and integers that overflow,
which it refuses: no other value comes of it, and in 128 bits `a + b` would be a text that nobody reads. Windows are
printed as `OVER (...)` clauses. A function in Python is a call that no database knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, DataType, kind, parse
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.sql_operations import FUNCTIONS, INFIX, Sql
from e2e_ml.festaf.expression.tree import (
    Apply,
    Cast,
    Column,
    Expression,
    Literal,
    Python,
    Scalar,
    Window,
)

_RESERVED = """
    all analyse analyze and anti any array as asc asof asymmetric at authorization between binary both by case cast
    check collate collation column columns concurrently constraint create cross default deferrable desc describe
    distinct do else end except exists false fetch for foreign freeze from full generated glob grant group having ilike
    in initially inner intersect interval into is isnull join lambda lateral leading left like limit map natural not
    notnull offset on only or order outer over overlaps pivot pivot_longer pivot_wider placing positional primary
    qualify references returning right row rows select semi show similar some struct summarize symmetric table
    tablesample then to trailing true try_cast tuple union unique unpack unpivot using variadic verbose when where
    window with
"""
_WORDS = frozenset(_RESERVED.split())
_TYPES: Mapping[DataType, str] = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "float32": "REAL", "float64": "DOUBLE", "string": "VARCHAR", "category": "VARCHAR", "date": "DATE",
    "timestamp": "TIMESTAMPTZ", "duration": "INTERVAL",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rows:
    """What a window goes by unless it says otherwise: the entity's keys, and the times that put rows in order."""

    keys: tuple[str, ...] = ()
    event_time: str | None = None
    created_time: str | None = None


def to_sql(expression: Expression, columns: Mapping[str, DataType], rows: Rows | None = None) -> str:
    """The expression as SQL, over columns of these types. Raises ExpressionError for one without meaning."""
    return _Printer(columns, rows or Rows()).print(expression).text


def sql_type(dtype: DataType) -> str:
    """The type as SQL: `DECIMAL(12, 2)`, `DOUBLE[]`."""
    parsed = parse(dtype)
    match parsed.kind:
        case "decimal":
            return f"DECIMAL({parsed.precision}, {parsed.scale})"
        case "list" | "embedding":
            return f"{sql_type(parsed.element)}[]"
        case "struct":
            fields = ", ".join(f"{name_of(name)} {sql_type(of)}" for name, of in parsed.fields.items())
            return f"STRUCT({fields})"
        case _:
            return _TYPES[dtype]


def name_of(column: str) -> str:
    """A column's name, in quotes where it would be taken for something else: `temp`, `hourly_weather.temp`."""

    def quoted(word: str) -> str:
        plain = re.fullmatch("[a-z_][a-z0-9_]*", word) and word not in _WORDS
        return word if plain else '"{}"'.format(word.replace('"', '""'))

    return ".".join(map(quoted, column.split(".")))


def constant(value: Scalar) -> str:
    """A constant as SQL."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return "'{}'".format(value.replace("'", "''"))
        case datetime():
            return f"TIMESTAMPTZ '{value.replace(tzinfo=None).isoformat(' ')}+00'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case timedelta():
            return _interval(value)
        case Decimal():
            return f"{value:f}"
        case tuple():
            return f"[{', '.join(map(repr, value))}]::DOUBLE[]"
        case _:
            return repr(value)


def _interval(width: timedelta) -> str:
    seconds, microseconds = divmod(width // timedelta(microseconds=1), 1_000_000)
    if microseconds:
        return f"INTERVAL '{seconds * 1_000_000 + microseconds} microseconds'"
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds and seconds % length == 0:
            count = seconds // length
            return f"INTERVAL '{count} {unit if count != 1 else unit[:-1]}'"
    return f"INTERVAL '{seconds} seconds'"


class _Printer:
    def __init__(self, columns: Mapping[str, DataType], rows: Rows) -> None:
        self._columns = columns
        self._rows = rows

    def print(self, expression: Expression) -> Sql:
        dtype = infer(expression, self._columns)
        match expression:
            case Column(name):
                return Sql(name_of(name), dtype)
            case Literal(value):
                signed = isinstance(value, int | float | Decimal) and str(value).startswith("-")
                return Sql(constant(value), dtype, value=value, atom=not signed)
            case Cast(arg):
                return Sql(_cast(self.print(arg), dtype), dtype)
            case Window():
                return Sql(self._window(expression), dtype, atom=expression.aggregate != "time_since_last")
            case Python(module, function, _, _, args):
                given = ", ".join(self.print(arg).text for arg in args)
                return Sql(f"python_function('{module}.{function}', {given}) /* Python */", dtype)
            case Apply("fill_null"):
                return Sql(f"coalesce({', '.join(self._filled(expression))})", dtype)
            case Apply(op, args):
                operands = [self.print(arg) for arg in args]
                atom = op not in INFIX
                return Sql(FUNCTIONS[op](operands, dtype), dtype, atom=atom)

    def _filled(self, expression: Expression) -> list[str]:
        if isinstance(expression, Apply) and expression.op == "fill_null":
            return [*self._filled(expression.args[0]), self.print(expression.args[1]).text]
        return [self.print(expression).text]

    def _window(self, window: Window) -> str:
        value = self.print(window.arg)
        time = self._rows.event_time and name_of(self._rows.event_time)
        if window.aggregate == "time_since_last" and time:
            known = value.text if value.dtype == "bool" else f"{value.text} IS NOT NULL"
            earlier = self._over(window, end="INTERVAL '1 microsecond' PRECEDING")
            return f"{time} - max(CASE WHEN {known} THEN {time} END) {earlier}"
        call = {
            "count": "count({})",
            "distinct": "count(DISTINCT {})",
            "mean": "avg({})",
            "std": "stddev_samp({})",
            "first": "first_value({} IGNORE NULLS)",
            "last": "last_value({} IGNORE NULLS)",
            "quantile": f"quantile_cont({{}}, {window.quantile})",
        }.get(window.aggregate, f"{window.aggregate}({{}})")
        return f"{call.format(value.text)} {self._over(window)}"

    def _over(self, window: Window, end: str = "CURRENT ROW") -> str:
        groups = ", ".join(map(name_of, window.by or self._rows.keys))
        parts = [f"PARTITION BY {groups}"] if groups else []
        times = [name_of(t) for t in (self._rows.event_time, self._rows.created_time) if t]
        by_row = window.rows is not None or window.aggregate in ("first", "last")
        if times:
            parts.append(f"ORDER BY {', '.join(times if by_row and window.width is None else times[:1])}")
            parts.append(f"{self._frame(window)} AND {end}")
        return f"OVER ({' '.join(parts)})"

    def _frame(self, window: Window) -> str:
        if window.rows is not None:
            return f"ROWS BETWEEN {window.rows - 1} PRECEDING"
        if window.width is None:
            return "RANGE BETWEEN UNBOUNDED PRECEDING"
        # (t - width, t]: the lower end is out.
        return f"RANGE BETWEEN {_interval(window.width)} - INTERVAL '1 microsecond' PRECEDING"


def _cast(value: Sql, dtype: DataType) -> str:
    given, wanted = value.dtype, sql_type(dtype)
    if given in ("string", "category"):
        pattern = {"date": "[0-9]{4}-[0-9]{2}-[0-9]{2}"}.get(dtype, "-?[0-9]{1,18}")
        if dtype in FLOATS:
            pattern = "-?[0-9]{1,18}([.][0-9]+)?([eE][+-]?[0-9]{1,4})?"
        if kind(dtype) in ("string", "category"):
            return value.text
        return f"CASE WHEN regexp_full_match({value.text}, '{pattern}') THEN TRY_CAST({value.text} AS {wanted}) END"
    if dtype in INTEGERS and (given in FLOATS or kind(given) == "decimal"):
        return f"TRY_CAST(trunc({value.text}) AS {wanted})"
    if given in INTEGERS or kind(given) == "decimal":
        return f"TRY_CAST({value.text} AS {wanted})"
    return f"CAST({value.text} AS {wanted})"


def function_call(name: str, operands: Sequence[Sql]) -> str:
    return f"{name}({', '.join(o.text for o in operands)})"
