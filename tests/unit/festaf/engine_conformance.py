"""What every engine is held to: the same rows and values as plain Python gives, whatever the engine thinks itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import AGGREGATES, Apply, Cast, Column, Expression, ExpressionError, literal
from e2e_ml.festaf.expression import Window as Over
from e2e_ml.festaf.expression.compile_narwhals import to_polars
from e2e_ml.festaf.expression.operations import infer, window_type
from e2e_ml.festaf.expression.portability import runs_on
from e2e_ml.festaf.expression.printing import to_python
from e2e_ml.festaf.expression.steps import RowStep
from e2e_ml.festaf.model import FeatureView, Key, Source
from e2e_ml.festaf.rows import historical
from e2e_ml.festaf.rows.engines import Engine
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.rows.windows import Order, Window
from tests.unit.festaf import naive
from tests.unit.festaf.worlds import T0, feature

START = datetime(2013, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
moments = st.integers(0, 12).map(lambda m: START + timedelta(minutes=m))

# --- windows -----------------------------------------------------------------------------------------------------

TYPES: dict[str, DataType] = {
    "x": "float64", "n": "int64", "b": "bool", "s": "string",
    "h": "float32", "g": "int64", "m": "decimal(10, 2)", "d": "date", "z": "duration",
}  # fmt: skip
WINDOW_SCHEMA = {
    "i": pl.Int64, "origin": pl.String, "gate": pl.Int64, "f": pl.Float64, "t": TIME, "made": TIME,
    **{name: polars_type(dtype) for name, dtype in TYPES.items()},
}  # fmt: skip
REACHES: tuple[dict[str, Any], ...] = (
    {"width": timedelta(minutes=5)},
    {"rows": 3},
    {},
    {"width": timedelta(minutes=1)},
    {"rows": 1},
    {"width": timedelta(days=999999)},
    {"rows": 10**12},
)
GROUPS = (("gate", "b"), ("f",))
special = st.sampled_from([0.0, -0.0, 1.0, 1e12, -1e-12, math.nan, math.inf, -math.inf])
window_row = st.tuples(
    st.none() | st.sampled_from(["JFK", "LGA"]),
    st.none() | st.integers(1, 2),
    st.sampled_from([None, 0.0, -0.0, 1.5]),
    moments,
    st.none() | moments,
    st.none() | st.floats(-1e6, 1e6) | special,
    st.none() | st.integers(-5, 5),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(["", "a", "ß"]),
    st.none() | st.floats(-1e6, 1e6, width=32) | st.sampled_from([math.nan, 16777216.0]),
    st.none() | st.integers(-(2**57), 2**57) | st.sampled_from([2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]),
    st.none() | st.decimals(-99999999, 99999999, places=2),
    st.none() | st.dates(date(1960, 1, 1), date(2030, 1, 1)),
    st.none() | st.timedeltas(timedelta(days=-9), timedelta(days=9)),
)


def window_rows(least: int = 0, most: int = 40) -> st.SearchStrategy[list[Any]]:
    return st.lists(window_row, min_size=least, max_size=most)


def every_window(*, timeless: bool = False) -> list[Window]:
    """All aggregates of all types: of the first two, floats and integers, with all reaches and by all groups."""
    made: list[Window] = []
    for aggregate, (value, takes) in itertools.product(AGGREGATES, TYPES.items()):
        try:
            gives = window_type(aggregate, takes)
        except ExpressionError:
            continue
        few = [(reach, ()) for reach in REACHES[:3]]
        many = [(reach, ()) for reach in REACHES] + [(reach, by) for reach in REACHES[:3] for by in GROUPS]
        for reach, by in many if value in "xn" else few:
            if timeless and (aggregate == "time_since_last" or "width" in reach):
                continue
            over = Over(Column(value), aggregate, by=by, quantile=0.3 if aggregate == "quantile" else None, **reach)
            made.append(Window(f"w{len(made)}", value, over, by or ("origin",), takes, gives))
    return made


def check_windows(engine: Engine, data: list[Any], *, created: bool = True, timeless: bool = False) -> None:
    rows = pl.DataFrame([(i, *row) for i, row in enumerate(data)], schema=WINDOW_SCHEMA, orient="row")
    order = Order(None, None) if timeless else Order("t", "made" if created else None)
    windows = every_window(timeless=timeless)
    got = engine.to_polars(engine.add_windows(engine.frame(rows), windows, order)).sort("i")
    plain = rows.to_dicts()
    seen: dict[Any, list[list[naive.Row]]] = {}
    for window in windows:
        over, value = window.over, window.value
        reach = (over.width, over.rows, window.group)
        if reach not in seen:
            seen[reach] = [
                naive.seen(plain, i, over, window.group, order.event_time, order.created_time) for i in range(len(rows))
            ]
        assert got[window.output].dtype == polars_type(window.gives), (engine.name, window)
        for own, found, given in zip(plain, seen[reach], got[window.output], strict=True):
            wanted = naive.of_seen(found, own, value, over, order.event_time)
            if not same(given, wanted):
                near = naive.roundings(plain, found, value, over)
                assert same(given, wanted, near), (engine.name, window, own["i"], given, wanted, near)


def same(value: Any, wanted: Any, near: float = 0.0) -> bool:
    if isinstance(wanted, float) and isinstance(value, float):
        if math.isnan(wanted) or math.isnan(value):
            return math.isnan(wanted) and math.isnan(value)
        return value == wanted or abs(value - wanted) <= near
    return value == wanted and (value is None) == (wanted is None)


# --- history -----------------------------------------------------------------------------------------------------

KEYS = (Key(name="carrier", dtype="string"), Key(name="number", dtype="int64"))
key_rows = (st.none() | st.sampled_from(["AA", "UA", ""]), st.none() | st.sampled_from([1, 2]))
asked_row = st.tuples(*key_rows, st.none() | moments)
stored_row = st.tuples(*key_rows, moments, st.none() | moments, st.none() | st.sampled_from([0.0, 1.5, math.nan]))
asked_rows = st.lists(asked_row, min_size=1, max_size=15)
stored_rows = st.lists(stored_row, max_size=30)
FEATURES = (feature("x"), feature("much", "bool", Apply("gt", (Column("x"), literal(1))), hidden=True))
COLUMNS = {"x": "x", "much": "much"}


def view(name: str, **more: Any) -> FeatureView:
    fixed = {"source": Source(name=name, format="push", uri=""), "entities": KEYS, "first_seen": T0, "changed_at": T0}
    return FeatureView.model_validate({"name": name, "features": FEATURES, **fixed, **more})


VIEWS = (
    view("newest", event_time="event"),
    view("fresh", event_time="event", ttl_seconds=180),
    view("made", event_time="event", created_time="made", ttl_seconds=300),
    view("current", created_time="made"),
    view("snapshot"),
    view("never", event_time="event"),
)


def check_history(engine: Engine, folder: Path, asked: list[Any], stored: list[Any], *, as_known: bool) -> None:
    offline = OfflineStore(folder)
    rows = pl.DataFrame(
        stored,
        schema={"carrier": pl.String, "number": pl.Int64, "event": TIME, "made": TIME, "x": pl.Float64},
        orient="row",
    )
    views = [v for v in VIEWS if v.created_time is not None or not as_known]
    for each in views:
        if each.name != "never":
            end = START + timedelta(hours=1)
            offline.replace(each, rows, START if each.event_time else None, end if each.event_time else None)
    schema = {"carrier": pl.String, "number": pl.Int32, "at": pl.Datetime("ms", "America/New_York"), "kept": pl.Int64}
    entities = pl.DataFrame([(*row, i) for i, row in enumerate(asked)], schema=schema, orient="row")
    wanted = [(each, {name: f"{each.name}__{name}" for name in COLUMNS}) for each in views]
    answer = historical.join(engine.frame(entities), wanted, offline, "at", engine, as_known=as_known)
    got = engine.to_polars(answer)
    assert got.select("carrier", "number", "kept").equals(entities.select("carrier", "number", "kept")), engine.name
    for each in views:
        # Stored in the order of event times, and otherwise as given.
        kept = sorted(stored, key=lambda row: row[2]) if each.event_time else stored
        there = [] if each.name == "never" else kept
        found = naive.match(
            [((c, n), (t if each.event_time or as_known else START)) for c, n, t in asked],
            [
                ((c, n), (e if each.event_time else START), made if each.created_time else None)
                for c, n, e, made, _ in there
            ],
            None if each.ttl_seconds is None else timedelta(seconds=each.ttl_seconds),
            known=as_known,
        )
        values = [None if i is None else there[i][4] for i in found]
        _check(engine, each.name, got[f"{each.name}__x"].to_list(), values)
        much = [None if x is None else bool(x > 1) for x in values]
        _check(engine, each.name, got[f"{each.name}__much"].to_list(), much)


def _check(engine: Engine, name: str, got: list[Any], wanted: list[Any]) -> None:
    assert all(same(a, b) for a, b in zip(got, wanted, strict=True)), (engine.name, name, got, wanted)


# --- expressions -------------------------------------------------------------------------------------------------

EXPRESSION_TYPES: dict[str, DataType] = {
    "i": "int64", "j": "int32", "x": "float64", "y": "float64", "p": "bool", "q": "bool", "s": "string",
    "t": "timestamp", "d": "date",
}  # fmt: skip
EXPRESSION_FRAME = pl.DataFrame(
    list(
        zip(
            [-7, 7, None, 0, 2**53 + 1, -(2**40)],
            [3, -3, None, 0, 1, -1],
            [-7.25, 0.5, None, math.nan, math.inf, -0.0],
            [2.5, -0.5, None, 0.0, math.nan, -math.inf],
            [True, False, None, True, False, None],
            [False, None, None, True, True, False],
            ["Rain.1", "", None, "straße", "%_", " x "],
            [datetime(2013, 3, 10, 6, 59, 59, 999999, UTC), datetime(1969, 12, 31, 23, tzinfo=UTC), None]
            + [datetime(2013, 11, 3, 5 + h, 30, tzinfo=UTC) for h in range(3)],
            [date(2012, 2, 29), date(1969, 12, 31), None, date(2013, 1, 1), date(2020, 12, 31), date(2021, 1, 3)],
            strict=True,
        )
    ),
    schema={name: polars_type(dtype) for name, dtype in EXPRESSION_TYPES.items()},
    orient="row",
).with_row_index("row_")


_S, _T, _X, _I = Column("s"), Column("t"), Column("x"), Column("i")
WORDS_AND_TIMES: tuple[Expression, ...] = (
    Apply("contains", (_S, literal("."))),
    Apply("starts_with", (_S, literal("%"))),
    Apply("upper", (_S,)),
    Apply("length", (_S,)),
    Apply("strip", (_S,)),
    Apply("lt", (_S, literal("a"))),
    Apply("is_in", (_S, literal(""), literal("%_"))),
    *(
        Apply(part, (_T, *zone))
        for part in ("hour", "weekday", "day", "date")
        for zone in ((), (literal("America/New_York"),))
    ),
    Apply("month", (Column("d"),)),
    Apply("mod", (_I, literal(4))),
    Apply("mod", (_X, literal(-0.2))),
    Apply("floordiv", (_I, Column("j"))),
    Apply("div", (_X, Column("y"))),
    Apply("floor", (_X,)),
    Apply("round", (_X,)),
    Cast(_X, "int32"),
    Cast(_I, "string"),
    Cast(Column("p"), "float64"),
    Apply("fill_null", (_X, literal(1.0))),
    Apply("ne", (_X, Column("y"))),
)


_A, _B, _J = Column("a"), Column("b"), Column("j")
EDGE_TYPES: dict[str, DataType] = {"a": "int64", "b": "int64", "j": "int32"}
EDGES: tuple[Expression, ...] = (
    *(Apply(op, pair) for op in ("add", "sub", "mul", "floordiv", "mod") for pair in ((_A, _B), (_A, _J), (_J, _A))),
    *(Apply(op, (_A, literal(value))) for op in ("add", "mul", "floordiv", "mod") for value in (-1, 3, 2**63 - 1, 0)),
    *(Apply(op, (_A,)) for op in ("neg", "abs")),
    Apply("mul", (Apply("add", (Apply("mul", (_A, _A)), Apply("neg", (_B,)))), Apply("sub", (_B, literal(-(2**63)))))),
    Apply("div", (Apply("add", (_A, _B)), Apply("mul", (_A, _J)))),
    Apply("when", (Apply("gt", (Apply("add", (_A, _B)), literal(0))), _A, Apply("abs", (Apply("sub", (_A, _B)),)))),
    Cast(Apply("add", (_A, _J)), "int32"),
)
_EDGE = (-(2**63), -(2**63) + 1, 2**63 - 1, 2**62, -(2**62), 2**32, 3, -1, 0, None)


def check_overflow(engine: Engine) -> None:
    """Whole numbers wrap round at 64 bits, in what the engine computes itself."""
    mine = [edge for edge in EDGES if runs_on(engine.name, edge, EDGE_TYPES)]
    rows = [(a, b, b if b in (3, -1, 0) else -(2**31)) for a in _EDGE for b in _EDGE]
    schema = {name: polars_type(dtype) for name, dtype in EDGE_TYPES.items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("row_")
    check_expressions(engine, mine, frame, EDGE_TYPES)


def check_expressions(
    engine: Engine,
    expressions: Sequence[Expression],
    frame: pl.DataFrame = EXPRESSION_FRAME,
    types: Mapping[str, DataType] = EXPRESSION_TYPES,
) -> None:
    """All of them at once, each as a column of one frame, against Polars, which is held against Python elsewhere."""
    got, wanted = engine.frame(frame), frame
    for number, expression in enumerate(expressions):
        step = RowStep(f"e{number}", expression, infer(expression, types))
        got = engine.add_expression(got, step, types)
        wanted = wanted.with_columns(to_polars(expression, types).alias(step.name))
    computed = engine.to_polars(got).sort("row_")
    for number, expression in enumerate(expressions):
        left, right = computed[f"e{number}"].to_list(), wanted[f"e{number}"].to_list()
        unequal = [(a, b, row) for a, b, row in zip(left, right, frame.rows(), strict=True) if not same(a, b)]
        assert not unequal, (engine.name, to_python(expression), unequal)
