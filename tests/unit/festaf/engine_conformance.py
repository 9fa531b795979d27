"""What every engine is held to: the same rows and values as plain Python gives, whatever the engine thinks itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.expression import AGGREGATES, Aggregate, Apply, Cast, Column, Expression, literal
from e2e_ml.festaf.expression import Window as Over
from e2e_ml.festaf.expression.compile_narwhals import to_polars
from e2e_ml.festaf.expression.operations import infer
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

WINDOW_SCHEMA = {
    "i": pl.Int64, "origin": pl.String, "gate": pl.Int64, "t": TIME, "made": TIME, "x": pl.Float64, "n": pl.Int64,
    "b": pl.Boolean, "s": pl.String,
}  # fmt: skip
TYPES = {"x": "float64", "n": "int64", "b": "bool", "s": "string"}
GIVES = {
    "count": "int64", "distinct": "int64", "mean": "float64", "std": "float64", "quantile": "float64",
    "time_since_last": "duration",
}  # fmt: skip
NUMERIC: tuple[Aggregate, ...] = ("sum", "mean", "std", "min", "max", "quantile")
REACHES: tuple[dict[str, Any], ...] = (
    {"width": timedelta(minutes=1)},
    {"width": timedelta(minutes=5)},
    {"rows": 1},
    {"rows": 3},
    {},
)
window_rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(["JFK", "LGA"]),
        st.none() | st.integers(1, 2),
        moments,
        st.none() | moments,
        st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, -math.inf]),
        st.none() | st.integers(-5, 5),
        st.none() | st.booleans(),
        st.none() | st.sampled_from(["", "a", "ß"]),
    ),
    min_size=1,
    max_size=40,
)


def every_window(*, timeless: bool = False) -> list[Window]:
    """All aggregates of all types, with all reaches, by the entity and by other columns."""
    made: list[Window] = []
    for aggregate in AGGREGATES:
        for value, takes in TYPES.items():
            if aggregate in NUMERIC and takes not in ("float64", "int64"):
                continue
            for reach in REACHES:
                if timeless and (aggregate == "time_since_last" or "width" in reach):
                    continue
                for by in ((), ("gate", "b")):
                    over = Over(
                        Column(value), aggregate, by=by, quantile=0.3 if aggregate == "quantile" else None, **reach
                    )
                    name = f"w{len(made)}"
                    made.append(Window(name, value, over, by or ("origin",), takes, GIVES.get(aggregate, takes)))
    return made


def check_windows(engine: Engine, data: list[Any], *, created: bool = True, timeless: bool = False) -> None:
    rows = pl.DataFrame([(i, *row) for i, row in enumerate(data)], schema=WINDOW_SCHEMA, orient="row")
    order = Order(None, None) if timeless else Order("t", "made" if created else None)
    windows = every_window(timeless=timeless)
    got = engine.to_polars(engine.add_windows(engine.frame(rows), windows, order)).sort("i")
    plain = rows.to_dicts()
    for window in windows:
        for i, value in enumerate(got[window.output]):
            wanted = naive.window(
                plain, i, window.value, window.over, window.group, order.event_time, order.created_time
            )
            near = 1e-2 if window.over.aggregate == "std" else 1e-6
            if window.over.aggregate == "quantile" and wanted is not None and not math.isfinite(wanted):
                assert not math.isfinite(value), (engine.name, window, i, value, wanted)
            else:
                assert same(value, wanted, near), (engine.name, window, i, value, wanted)


def same(value: Any, wanted: Any, near: float = 0.0) -> bool:
    if isinstance(wanted, float) and isinstance(value, float):
        if math.isnan(wanted) or math.isnan(value):
            return math.isnan(wanted) and math.isnan(value)
        return value == wanted or math.isclose(value, wanted, rel_tol=1e-9, abs_tol=near)
    return value == wanted and (value is None) == (wanted is None)


# --- history -----------------------------------------------------------------------------------------------------

KEYS = (Key(name="carrier", dtype="string"), Key(name="number", dtype="int64"))
key_rows = (st.none() | st.sampled_from(["AA", "UA", ""]), st.none() | st.sampled_from([1, 2]))
asked_rows = st.lists(st.tuples(*key_rows, st.none() | moments), min_size=1, max_size=15)
stored_rows = st.lists(
    st.tuples(*key_rows, moments, st.none() | moments, st.none() | st.sampled_from([0.0, 1.5, math.nan])), max_size=30
)
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


def check_expressions(engine: Engine, expressions: Sequence[Expression]) -> None:
    """All of them at once, each as a column of one frame, against Polars, which is held against Python elsewhere."""
    got, wanted = engine.frame(EXPRESSION_FRAME), EXPRESSION_FRAME
    for number, expression in enumerate(expressions):
        step = RowStep(f"e{number}", expression, infer(expression, EXPRESSION_TYPES))
        got = engine.add_expression(got, step, EXPRESSION_TYPES)
        wanted = wanted.with_columns(to_polars(expression, EXPRESSION_TYPES).alias(step.name))
    computed = engine.to_polars(got).sort("row_")
    for number, expression in enumerate(expressions):
        left, right = computed[f"e{number}"].to_list(), wanted[f"e{number}"].to_list()
        assert all(same(a, b) for a, b in zip(left, right, strict=True)), (to_python(expression), left, right)
