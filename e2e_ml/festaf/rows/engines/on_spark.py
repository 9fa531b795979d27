"""Spark, for the large case: everything is a plan of Spark's own DataFrames, which runs where the session does.

The files of the Delta tables are read as the Parquet that they are, so that no jar is needed. A point-in-time join is
one shuffle: the rows that ask and the stored ones stand in one table, put in order within their keys, and each that
asks sees the last that came before it. A session that is given must have its time zone set to UTC, as ours has.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import narwhals as nw
import polars as pl
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import Window as Over
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.window import WindowSpec

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import PythonStep, RowStep
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import ByNarwhals, Work, apply_steps, steps_on_read, stored_features
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.pointintime import ASKED
from e2e_ml.festaf.rows.windows import Order, Window

_ROW, _TIME, _PLACE = "__festaf_row", "__festaf_time", "__festaf_place"
_KIND, _BEST, _VALUES, _ASKING, _FOUND = (f"__festaf_{name}" for name in ("kind", "best", "values", "asking", "found"))
_FILE, _FILE_ROW = "__festaf_file", "__festaf_file_row"
_EARLIEST = -(2**63) + 1
_LOW = 2**32 - 1
_SCALARS = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT", "float32": "FLOAT",
    "float64": "DOUBLE", "string": "STRING", "category": "STRING", "date": "DATE", "timestamp": "TIMESTAMP",
    "duration": "INTERVAL DAY TO SECOND",
}  # fmt: skip


def sql_type(dtype: DataType) -> str:
    """What Spark calls a type of the registry."""
    parsed = dtypes.parse(dtype)
    match parsed.kind:
        case "decimal":
            return f"DECIMAL({parsed.precision}, {parsed.scale})"
        case "list" | "embedding":
            return f"ARRAY<{sql_type(parsed.element)}>"
        case "struct":
            return f"STRUCT<{', '.join(f'`{name}`: {sql_type(inner)}' for name, inner in parsed.fields.items())}>"
        case _:
            return _SCALARS[dtype]


class SparkEngine(ByNarwhals):
    name = "spark"
    wider = nw.Decimal(dtypes.MAX_PRECISION, 0)

    def frame(self, rows: Any) -> DataFrame:
        if isinstance(rows, DataFrame):
            zone = rows.sparkSession.conf.get("spark.sql.session.timeZone")
            if zone not in ("UTC", "Etc/UTC"):
                raise FeatureStoreError(
                    f"The Spark session's time zone is {zone}. Set it to UTC before you make its frames: "
                    'spark.conf.set("spark.sql.session.timeZone", "UTC").'
                )
            return rows
        frame = POLARS.frame(rows).cast(
            {pl.UInt8: pl.Int16, pl.UInt16: pl.Int32, pl.UInt32: pl.Int64}
        )  # Spark has none
        return _session().createDataFrame(cast(Any, frame.collect()).to_arrow())

    def history(self, entities: DataFrame, lookups: Sequence[Lookup], offline: OfflineStore) -> DataFrame:
        answer = entities.withColumn(ASKED, F.monotonically_increasing_id())
        for each in lookups:
            stored = _stored(entities.sparkSession, each.view, offline)
            stored = apply_steps(each.view, stored, steps_on_read(each.view, each.columns), self)
            answer = _joined(answer, stored, each)
        return answer.orderBy(ASKED).drop(ASKED)

    def to_polars(self, frame: DataFrame) -> pl.DataFrame:
        rows = cast(pl.DataFrame, pl.from_arrow(cast(Any, frame).toArrow()))
        micros = pl.col(pl.Datetime).dt.cast_time_unit("us")
        return rows.with_columns(micros)

    def add_windows(self, rows: DataFrame, windows: Sequence[Window], order: Order) -> DataFrame:
        time = F.unix_micros(order.event_time) if order.event_time else F.lit(0)
        rows = rows.withColumn(_ROW, F.monotonically_increasing_id()).withColumn(_TIME, time)
        ordered = [*(F.col(_quoted(name)).asc_nulls_first() for name in order.columns), F.col(_ROW)]
        for group in dict.fromkeys(window.group for window in windows):
            place = F.row_number().over(Over.partitionBy(*map(_quoted, group)).orderBy(*ordered))
            rows = rows.withColumn(_PLACE, place).withColumns(
                {w.output: _windowed(w, order).cast(sql_type(w.gives)) for w in windows if w.group == group}
            )
        return rows.orderBy(_ROW).drop(_ROW, _TIME, _PLACE)

    def through_polars(self, rows: DataFrame, step: RowStep | PythonStep, work: Work) -> DataFrame:
        """On the workers: they need this package, and for a function of the project its folder."""

        def computed(batches: Iterable[Any]) -> Iterator[Any]:
            for batch in batches:
                frame: Any = pl.from_arrow(cast(Any, pa).Table.from_batches([batch]))
                yield from work(frame.with_columns(pl.col(pl.Datetime).dt.cast_time_unit("us"))).to_arrow().to_batches()

        return rows.mapInArrow(computed, f"{rows.schema.toDDL()}, {_quoted(step.name)} {sql_type(step.dtype)}")


def _session() -> SparkSession:
    """The session there is, else one on this machine that listens to it alone."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # workers with Polars in their environment
    return (
        cast(Any, SparkSession.builder)
        .master("local[*]")
        .appName("festaf")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )


def _stored(session: SparkSession, view: FeatureView, offline: OfflineStore) -> DataFrame:
    """The view's rows, with what they were stored as: the file's name, which counts a write's files, and the row."""
    files = offline.files(view)
    types = {
        **{key.name: key.dtype for key in view.entities},
        **{name: "timestamp" for name in (view.event_time, view.created_time) if name},
        **{feature.name: feature.dtype for feature in stored_features(view)},
    }
    if not files.uris:
        columns = ", ".join(f"{_quoted(name)} {sql_type(dtype)}" for name, dtype in types.items())
        return session.createDataFrame([], f"{columns}, {_FILE} STRING, {_FILE_ROW} BIGINT")
    written = {column: types[name] for name, column in files.columns.items()}
    schema = ", ".join(f"{_quoted(c)} {sql_type('int64' if t == 'duration' else t)}" for c, t in written.items())
    rows = session.read.schema(schema).parquet(*files.uris)
    columns = [_read(files.columns.get(name), dtype).alias(name) for name, dtype in types.items()]
    return rows.select(
        *columns, F.col("_metadata.file_name").alias(_FILE), F.col("_metadata.row_index").alias(_FILE_ROW)
    )


def _read(column: str | None, dtype: DataType) -> Column:
    if column is None:  # defined after the rows were written
        return F.lit(None).cast(sql_type(dtype))
    if dtype == "duration":  # Delta has no spans of time: they are stored as microseconds
        return F.timestamp_micros(_quoted(column)) - F.timestamp_micros(F.lit(0))
    return F.col(_quoted(column))


def _joined(asked: DataFrame, stored: DataFrame, each: Lookup) -> DataFrame:
    """`asked` with the features of its rows; both in one table, for one shuffle by the keys."""
    by, view = each.by, each.view
    columns = asked.columns
    keys = {f"__festaf_key_{i}": key for i, key in enumerate(view.entities)}
    event, created = (
        F.coalesce(F.unix_micros(_quoted(name)), F.lit(_EARLIEST)) if name else F.lit(0)
        for name in (by.event_time, by.created_time)
    )
    best = F.struct(event.alias("event"), created.alias("created"), _FILE, _FILE_ROW)
    needed = [_quoted(key) for key in by.keys] + ([_quoted(by.event_time)] if by.event_time else [])
    values = F.struct(*(F.col(_quoted(name)).alias(f"f{i}") for i, name in enumerate(each.columns)))
    there = stored.dropna(subset=[name.strip("`") for name in needed]).select(
        *(F.col(_quoted(key.name)).alias(name) for name, key in keys.items()),
        (F.greatest(event, created) if by.as_known else event).alias(_TIME),
        F.lit(0).alias(_KIND),
        F.struct(best.alias(_BEST), values.alias(_VALUES)).alias(_FOUND),
    )
    asking = asked.select(
        *(F.col(_quoted(key.name)).cast(sql_type(key.dtype)).alias(name) for name, key in keys.items()),
        (F.lit(0) if by.timeless else F.unix_micros(_quoted(by.at))).alias(_TIME),
        F.lit(1).alias(_KIND),
        F.struct(*map(_quoted, columns)).alias(_ASKING),
    )
    over = Over.partitionBy(*keys)
    if by.timeless:
        found = F.max_by(_FOUND, f"{_FOUND}.{_BEST}").over(over)
    else:
        sofar = over.orderBy(_TIME, _KIND, f"{_FOUND}.{_BEST}").rowsBetween(Over.unboundedPreceding, 0)
        newest = F.max_by(_FOUND, f"{_FOUND}.{_BEST}") if by.as_known else F.last(_FOUND, ignorenulls=True)
        found = newest.over(sofar)
    valid = F.col(_TIME).isNotNull()
    if by.ttl is not None:
        age = F.col(_TIME) - F.col(f"__festaf_newest.{_BEST}.event")
        valid = valid & (age <= round(by.ttl.total_seconds() * 1e6))
    both = there.unionByName(asking, allowMissingColumns=True).withColumn("__festaf_newest", found)
    return both.where(F.col(_KIND) == 1).select(
        f"{_ASKING}.*",
        *(
            F.when(valid, F.col(f"__festaf_newest.{_VALUES}.f{i}")).alias(column)
            for i, column in enumerate(each.columns.values())
        ),
    )


# --- windows -----------------------------------------------------------------------------------------------------


def _frame(window: Window, order: Order) -> WindowSpec:
    """The rows that a row sees."""
    over = Over.partitionBy(*map(_quoted, window.group))
    if window.over.rows is not None:
        start = 1 - window.over.rows
        # Spark counts rows in 32 bits.
        return over.orderBy(_PLACE).rowsBetween(start if start >= -(2**31) else Over.unboundedPreceding, 0)
    if order.event_time is None:
        return over
    reach = Over.unboundedPreceding if window.over.width is None else 1 - window.microseconds
    # Rows at one time are peers: the current row's range holds them all.
    return over.orderBy(_TIME).rangeBetween(reach, 0)


def _windowed(window: Window, order: Order) -> Column:
    column, over = F.col(_quoted(window.value)), _frame(window, order)
    real = window.takes in FLOATS
    nan = F.max(F.isnan(column)).over(over) if real else F.lit(False)
    place = F.when(column.isNotNull(), F.col(_PLACE))
    match window.over.aggregate:
        case "count":
            return F.count(column).over(over)
        case "distinct":
            return F.size(F.collect_set(column + 0.0 if real else column).over(over))
        case "sum" if window.takes == "int64":
            # In halves, which do not overflow: Spark refuses a sum that does.
            high, low = (F.sum(half).over(over) for half in (F.shiftright(column, 32), column.bitwiseAND(_LOW)))
            return F.shiftleft(high + F.shiftright(low, 32), 32).bitwiseOR(low.bitwiseAND(_LOW))
        case "sum":
            return F.sum(column.cast("double") if real else column).over(over)
        case "mean":
            return F.avg(column.cast("double")).over(over)
        case "std":
            return F.stddev_samp(column.cast("double")).over(over)
        case "min":
            return (
                F.when(nan, F.lit(float("nan"))).otherwise(F.min(column).over(over))
                if real
                else F.min(column).over(over)
            )
        case "max":
            return F.max(column).over(over)  # NaN is the greatest number to Spark
        case "first":
            return F.min_by(column, place).over(over)
        case "last":
            return F.max_by(column, place).over(over)
        case "quantile":
            return F.when(nan, F.lit(float("nan"))).otherwise(_quantile(column.cast("double"), window, over))
        case "time_since_last":
            return _since_last(window)


def _quantile(column: Column, window: Window, over: WindowSpec) -> Column:
    """Spark takes the line from minus infinity to a finite neighbour for NaN."""
    share = window.over.quantile or 0.0
    value = F.percentile(column, share).over(over)
    above = F.ceil((F.count(column).over(over) - 1) * share)
    below_infinity = F.count_if(column < float("inf")).over(over)
    return F.when(F.isnan(value) & (above < below_infinity), F.lit(float("-inf"))).otherwise(value)


def _since_last(window: Window) -> Column:
    column = F.col(_quoted(window.value))
    there = column if window.takes == "bool" else column.isNotNull()
    earlier = Over.partitionBy(*map(_quoted, window.group)).orderBy(_TIME).rangeBetween(Over.unboundedPreceding, -1)
    when, place = (F.max(F.when(there, F.col(name))).over(earlier) for name in (_TIME, _PLACE))
    since = F.timestamp_micros(_TIME) - F.timestamp_micros(when)
    if window.over.width is not None:
        return F.when(F.col(_TIME) - when < window.microseconds, since)
    if window.over.rows is not None:
        return F.when(F.col(_PLACE) - place < window.over.rows, since)
    return since


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


ENGINE = SparkEngine()
