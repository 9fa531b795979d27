"""Which engine computes which expression as `operations` says: the table of what each lacks or does otherwise.

    if runs_on("duckdb", step.expression, types):   add to_narwhals(step.expression, types) to the frame
    else:                                           take the rows to Polars, batch by batch, for to_polars(...)

A row-level expression looks at its own row alone, so that batches of any size give the same. Polars runs everything.
DuckDB and Spark refuse whole numbers beyond 64 bits where the others wrap round. What may come to them, by its types
and constants, is computed there in 128 bits where the numbers are large (`overflow`), and need not leave the engine.
Seen with narwhals 2.28, pandas 3.1 (Arrow types), DuckDB 2.0 and PySpark 4.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from e2e_ml.festaf.dtypes import DataType, kind
from e2e_ml.festaf.expression.operations import infer
from e2e_ml.festaf.expression.tree import Apply, Cast, Expression, Literal, operands

# narwhals has no word for it, or another one on each engine.
_POLARS_ALONE = frozenset(
    {
        "extract",
        "get",
        "contains:list",
        "length:list",
        "sum",
        "mean",
        "min",
        "max",
        "dot",
        "cosine_similarity",
        "l2_norm",
        "field",
        "split",
        # Unicode's tables differ: ß in capitals, which white space there is.
        "upper",
        "lower",
        "strip",
    }
)

# What an engine lacks: an operation by its name, with the kind of its first operand where that matters; "cast:" with
# the kinds from and to; "zone": parts of a time in a zone other than UTC; "of:" every operation on a kind of values.
_LACKS: Mapping[str, frozenset[str]] = {
    "pandas": frozenset(
        {
            # Polars reads Arrow's memory as it is, so that a step there costs a pandas frame less than its own words
            # for the same values would. Processor time for 2,000,000 rows, there and by these:
            "of:decimal",  # 20 to 106 ms in 256 bits; in 128 two of 38 digits are refused, and 99.99 is off by one bit
            "zone",  # 141 ms to pandas' own 5.4 s; Arrow knows no summer time after 2037
            *("floordiv:int64", "mod:int64"),  # 24 to 42 ms, for Arrow refuses the least integer by -1
        }
    ),
    "duckdb": frozenset(
        {
            "of:duration",  # its intervals hold months and days apart
            "zone",  # one zone for each connection
            "cast:date:timestamp",  # a timestamp without its zone
            "cast:decimal",  # rounds
        }
    ),
    "spark": frozenset(
        {
            "of:duration",
            "zone",  # one zone for each session
            "seconds_since",
            "days_since",
            "cast:date:timestamp",
            "exp", "pow", "log",  # Java's own, off by one bit here and there
            "floor", "ceil", "round", "floordiv", "mod",  # floor gives 64-bit integers, and refuses infinity
            "matches",  # Java's own expressions
        }
    ),
}  # fmt: skip
_SAME = {"dask": "pandas"}  # its partitions are pandas frames


def runs_on(engine: str, expression: Expression, columns: Mapping[str, DataType]) -> bool:
    """Whether the engine computes the row-level expression with the values that Polars has, through narwhals.

    `engine` is "polars", "pandas", "duckdb", "dask" or "spark". Raises ExpressionError for one without meaning.
    """
    if engine == "polars":
        return True
    lacks = _LACKS[_SAME.get(engine, engine)] | _POLARS_ALONE
    return lacks.isdisjoint(_needs(expression, columns))


def _needs(expression: Expression, columns: Mapping[str, DataType]) -> Iterator[str]:
    """What an engine has to know for it, in the words of the table."""
    below = operands(expression)
    types = [infer(operand, columns) for operand in below]
    match expression:
        case Apply(op):
            yield op
            yield f"{op}:{kind(types[0])}"
            yield from (f"of:{kind(dtype)}" for dtype in (*types, infer(expression, columns)))
            if op in _PARTS and len(below) == 2:
                yield "zone"
        case Cast(dtype=dtype):
            yield f"cast:{kind(types[0])}"
            yield f"cast:{kind(types[0])}:{kind(dtype)}"
            yield from (f"of:{kind(each)}" for each in (*types, dtype))
        case Literal(dtype=dtype):
            yield f"of:{kind(dtype)}"
        case _:
            pass
    for operand in below:
        yield from _needs(operand, columns)


_PARTS = frozenset(
    {"year", "quarter", "month", "week", "day", "weekday", "day_of_year", "hour", "minute", "second", "date"}
)
