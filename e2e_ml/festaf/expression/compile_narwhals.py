"""Row-level expressions as narwhals expressions: one function for each row of `operations.OPERATIONS`.

They run on the engines that narwhals knows wherever `portability.runs_on` says so. `to_polars` compiles the same for
Polars, where all of them run; a step that another engine cannot do is done there, batch by batch. Windows and functions
in Python are not row-level: `steps` takes them out first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw

from e2e_ml.festaf.dtypes import DataType, kind
from e2e_ml.festaf.expression.compiled import casts, logic, nested, numbers, times, wrapping
from e2e_ml.festaf.expression.compiled.operand import Compiler, Expr, Library, Operand, library_dtype, one
from e2e_ml.festaf.expression.operations import apply_type, cast_type
from e2e_ml.festaf.expression.overflow import may_overflow
from e2e_ml.festaf.expression.patterns import whole_text
from e2e_ml.festaf.expression.tree import Apply, Cast, Column, Expression, ExpressionError, Literal, Python, Window
from e2e_ml.festaf.expression.tree import columns as columns_of

if TYPE_CHECKING:
    import polars as pl
    from narwhals.dtypes import DType


def narwhals_dtype(dtype: DataType) -> DType:
    """The narwhals type of a column: timestamps are microseconds in UTC, a category is text, an embedding an array."""
    return library_dtype(nw, dtype)


def polars_dtype(dtype: DataType) -> pl.DataType:
    """The Polars type of a column, as `narwhals_dtype`."""
    import polars as pl

    return library_dtype(pl, dtype)


def to_narwhals(expression: Expression, columns: Mapping[str, DataType], wider: DType | None = None) -> nw.Expr:
    """Compile a row-level expression over columns of these types; the result has the type that `infer` gives.

    wider: the type in which an engine that refuses whole numbers beyond 64 bits holds those of 128; None for one that
    wraps round by itself. `overflow.in_parts` makes such expressions short beforehand.

    Raises ExpressionError for an expression without meaning, with a window in it, or with an operation that runs on
    Polars alone.
    """
    return _compile(nw, expression, columns, wider).expr


def to_polars(expression: Expression, columns: Mapping[str, DataType]) -> pl.Expr:
    """The same for Polars itself. Raises ExpressionError for an expression without meaning or with a window in it."""
    import polars as pl

    compiled: Any = _compile(pl, expression, columns).expr
    return compiled


def _compile(
    library: Library, expression: Expression, columns: Mapping[str, DataType], wider: DType | None = None
) -> Operand:
    match expression:
        case Column(name):
            if name not in columns:
                raise ExpressionError(f"There is no column {name!r} in the view.")
            return Operand(library, library.col(name), columns[name])
        case Literal(value, dtype):
            # A vector is no column of its own: the operations that take one put it in.
            held = None if kind(dtype) == "embedding" else value
            return Operand(library, library.lit(held, library_dtype(library, dtype)), dtype, constant=value)
        case Cast(arg, dtype):
            operand = _compile(library, arg, columns, wider)
            cast_type(operand.dtype, dtype)
            return _held(Operand(library, casts.converted(operand, dtype), dtype), expression)
        case Apply(op, args):
            compiled = [_compile(library, arg, columns, wider) for arg in args]
            dtype = apply_type(op, args, [each.dtype for each in compiled])
            if op not in _OPERATIONS:
                raise ExpressionError(f"{op} is computed on read with learned numbers: take it out with `steps` first.")
            if wider is not None and may_overflow(expression, columns):
                return Operand(library, wrapping.rounded(op, compiled, wider), dtype)
            expr = _OPERATIONS[op](compiled).cast(library_dtype(library, dtype))
            return _held(Operand(library, expr, dtype), expression)
        case Window() | Python():
            raise ExpressionError("A window is not computed row by row: take it out with `steps` first.")


def _held(operand: Operand, expression: Expression) -> Operand:
    """What is computed from constants alone, computed now: an engine may take it for a column of one row."""
    if columns_of(expression) or kind(operand.dtype) in ("list", "embedding", "struct"):
        return operand
    import polars as pl

    constants: Any = operand.expr if operand.library is pl else _compile(pl, expression, {}).expr
    value = pl.select(constants).item()
    library = operand.library
    known = value if value == value else None  # not NaN, which comparisons have to ask for
    return Operand(library, library.lit(value, library_dtype(library, operand.dtype)), operand.dtype, known)


def _text(search: Callable[[Expr, str], Expr]) -> Compiler:
    return lambda operands: search(operands[0].expr, str(operands[1].constant))


def _replace(operands: Sequence[Operand]) -> Expr:
    text, old, new = operands
    return text.expr.str.replace_all(str(old.constant), str(new.constant), literal=True)


def _slice(operands: Sequence[Operand]) -> Expr:
    text, start, size = operands
    return text.expr.str.slice(int(start.constant), int(size.constant))


def _add(operands: Sequence[Operand]) -> Expr:
    left, right = operands
    if left.dtype == "string":
        return left.library.concat_str(left.expr, right.expr)
    if "duration" in (left.dtype, right.dtype):
        return times.moment(left) + times.moment(right)
    return numbers.arithmetic(lambda a, b: a + b)(operands)


def _subtract(operands: Sequence[Operand]) -> Expr:
    left, right = operands
    if left.dtype in ("timestamp", "date", "duration"):
        return times.moment(left) - times.moment(right)
    return numbers.arithmetic(lambda a, b: a - b)(operands)


_OPERATIONS: Mapping[str, Compiler] = {
    "add": _add,
    "sub": _subtract,
    "mul": numbers.product,
    "div": numbers.division(None, lambda a, b: a / b),
    "floordiv": numbers.division(lambda a, b: a // b, lambda a, b: (a / b).floor()),
    "mod": numbers.division(lambda a, b: a - b * (a // b), lambda a, b: a - b * (a / b).floor()),
    "pow": numbers.power,
    "neg": one(numbers.negative),
    "abs": one(numbers.absolute),
    "sign": one(numbers.sign),
    "floor": one(lambda o: o.real().floor()),
    "ceil": one(lambda o: o.real().ceil()),
    "round": numbers.rounded,
    "sqrt": numbers.inside(lambda x: x >= 0, lambda x: x.sqrt()),
    "exp": one(lambda o: o.real().exp()),
    "log": numbers.inside(lambda x: x > 0, lambda x: x.log()),
    "clip": numbers.clipped,
    "bucketize": numbers.bucket,
    "eq": logic.equal,
    "ne": logic.comparison(lambda a, b: a != b, of_nan=True),
    "lt": logic.comparison(lambda a, b: a < b, of_nan=False),
    "le": logic.comparison(lambda a, b: a <= b, of_nan=False),
    "gt": logic.comparison(lambda a, b: a > b, of_nan=False),
    "ge": logic.comparison(lambda a, b: a >= b, of_nan=False),
    "is_in": logic.is_in,
    "and": logic.junction(lambda a, b: a & b, decisive=False),
    "or": logic.junction(lambda a, b: a | b, decisive=True),
    "not": one(lambda o: ~o.expr),
    "is_null": one(lambda o: o.expr.is_null()),
    "is_not_null": one(lambda o: ~o.expr.is_null()),
    "is_nan": one(lambda o: o.expr.is_nan()),
    "fill_null": logic.fill,
    "when": logic.choose,
    "map": logic.look_up,
    "ordinal": logic.place,
    "contains": nested.by_type(nested.contains, _text(lambda e, text: e.str.contains(text, literal=True))),
    "starts_with": _text(lambda e, text: e.str.starts_with(text)),
    "ends_with": _text(lambda e, text: e.str.ends_with(text)),
    "matches": _text(lambda e, pattern: e.str.contains(whole_text(pattern))),
    "extract": nested.extract,
    "lower": one(lambda o: o.expr.str.to_lowercase()),
    "upper": one(lambda o: o.expr.str.to_uppercase()),
    "strip": one(lambda o: o.expr.str.strip_chars()),
    "replace": _replace,
    "split": _text(lambda e, separator: e.str.split(separator)),
    "slice": _slice,
    "length": nested.by_type(one(lambda o: o.expr.list.len()), one(lambda o: o.expr.str.len_chars())),
    "year": times.part(lambda _, e: e.dt.year()),
    "quarter": times.part(times.quarter),
    "month": times.part(lambda _, e: e.dt.month()),
    "week": times.part(times.week),
    "day": times.part(lambda _, e: e.dt.day()),
    "weekday": times.part(times.weekday),
    "day_of_year": times.part(lambda _, e: e.dt.ordinal_day()),
    "hour": times.part(lambda _, e: e.dt.hour()),
    "minute": times.part(lambda _, e: e.dt.minute()),
    "second": times.part(lambda _, e: e.dt.second()),
    "date": times.part(lambda _, e: e.dt.date()),
    "truncate": times.truncated,
    "seconds_since": times.seconds_since,
    "days_since": times.days_since,
    "total_seconds": one(times.total_seconds),
    "get": nested.get,
    "sum": nested.over_elements(lambda e: e.list.sum()),
    "mean": nested.over_elements(lambda e: e.list.mean()),
    "min": nested.over_elements(lambda e: e.list.min()),
    "max": nested.over_elements(lambda e: e.list.max()),
    "dot": nested.dot,
    "cosine_similarity": nested.cosine_similarity,
    "l2_norm": nested.l2_norm,
    "field": nested.field,
}
