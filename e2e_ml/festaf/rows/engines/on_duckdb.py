"""DuckDB: its ASOF join and its window functions. Larger than memory where DuckDB is; nothing runs before it is asked.

Frames are relations. One that is given keeps its connection, and all that is asked of it runs there; others get a
connection of their own. A relation has no order of its own, so rows carry their numbers until the end.
"""

# ruff: noqa: S608 - every name goes through `_name`, every text through `_text`

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import duckdb
import narwhals as nw
import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, DataType
from e2e_ml.festaf.expression.portability import runs_on
from e2e_ml.festaf.expression.steps import PythonStep, RowStep, column_types
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.compute import ByNarwhals, Work, apply_steps, steps_on_read, stored_features
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS
from e2e_ml.festaf.rows.engines.protocol import Lookup
from e2e_ml.festaf.rows.offline import OfflineStore
from e2e_ml.festaf.rows.pointintime import ASKED, STORED
from e2e_ml.festaf.rows.windows import Order, Window

Relation = duckdb.DuckDBPyRelation
_ROW, _TIME, _PLACE = "__festaf_row", "__festaf_time", "__festaf_place"
_EARLIEST, _LATEST = "-9223372036854775807::BIGINT", "9223372036854775807::BIGINT"
_HALF, _WHOLE = "9223372036854775808::HUGEINT", "18446744073709551615::HUGEINT"
_SCALARS = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT",
    "float32": "FLOAT", "float64": "DOUBLE", "string": "VARCHAR", "category": "VARCHAR", "date": "DATE",
    "timestamp": "TIMESTAMPTZ", "duration": "INTERVAL",
}  # fmt: skip


def sql_type(dtype: DataType) -> str:
    """What DuckDB calls a type of the registry."""
    parsed = dtypes.parse(dtype)
    match parsed.kind:
        case "decimal":
            return f"DECIMAL({parsed.precision}, {parsed.scale})"
        case "list":
            return f"{sql_type(parsed.element)}[]"
        case "embedding":
            return f"FLOAT[{parsed.size}]"
        case "struct":
            return f"STRUCT({', '.join(f'{_name(name)} {sql_type(inner)}' for name, inner in parsed.fields.items())})"
        case _:
            return _SCALARS[dtype]


class DuckEngine(ByNarwhals):
    name = "duckdb"
    wider = nw.Int128()

    def frame(self, rows: Any) -> Relation:
        if isinstance(rows, duckdb.DuckDBPyRelation):
            return rows
        return _relation(POLARS.frame(rows).collect())

    def history(self, entities: Relation, lookups: Sequence[Lookup], offline: OfflineStore) -> Relation:
        answer = _query(entities, f"SELECT *, row_number() OVER () - 1 AS {ASKED} FROM it")
        for each in lookups:
            answer, stored = self._stored(answer, each, offline)
            answer = _query(answer, _joined(each, stored))
        return _query(answer, f"SELECT * EXCLUDE ({ASKED}) FROM it ORDER BY {ASKED}")

    def to_polars(self, frame: Relation) -> pl.DataFrame:
        spans = [name for name, dtype in zip(frame.columns, frame.types, strict=True) if str(dtype) == "INTERVAL"]
        if spans:
            micros = ", ".join(f"epoch_us({_name(name)}) AS {_name(name)}" for name in spans)
            frame = _query(frame, f"SELECT * REPLACE ({micros}) FROM it")
        rows = cast(pl.DataFrame, cast(Any, pl).from_arrow(cast(Any, frame).to_arrow_table()))
        return rows.with_columns(pl.col(spans).cast(pl.Duration("us")))

    def add_windows(self, rows: Relation, windows: Sequence[Window], order: Order) -> Relation:
        rows = _query(rows, f"SELECT *, row_number() OVER () AS {_ROW} FROM it")
        for group in dict.fromkeys(window.group for window in windows):
            ordered = f"PARTITION BY {_names(group)} ORDER BY {_in_order(order)}"
            time = f"epoch_us({_name(order.event_time)})" if order.event_time else "0::BIGINT"
            rows = _query(rows, f"SELECT *, {time} AS {_TIME}, row_number() OVER ({ordered}) AS {_PLACE} FROM it")
            added = ", ".join(
                f"CAST({_windowed(w, order)} AS {sql_type(w.gives)}) AS {_name(w.output)}"
                for w in windows
                if w.group == group
            )
            rows = _query(rows, f"SELECT * EXCLUDE ({_TIME}, {_PLACE}), {added} FROM it")
        return _query(rows, f"SELECT * EXCLUDE ({_ROW}) FROM it ORDER BY {_ROW}")

    def through_polars(self, rows: Relation, step: RowStep | PythonStep, work: Work) -> Relation:
        """The rows are brought here for it."""
        return _relation(work(self.to_polars(rows)))

    def _stored(self, asked: Relation, each: Lookup, offline: OfflineStore) -> tuple[Relation, str]:
        """`asked`, and a query there for the view's rows with STORED and what is computed of them on reading."""
        view, todo = each.view, steps_on_read(each.view, each.columns)
        rows = apply_steps(view, _connection().sql(_scan(view, offline)), todo, self)
        types = {**column_types(view), **{step.name: step.dtype for step in todo}}
        if all(isinstance(step, RowStep) and runs_on(self.name, step.expression, types) for step in todo):
            return asked, rows.sql_query()
        # Rows that came through Polars are no query any more: both sides meet on a connection of their own.
        connection = cast(Any, _connection())
        connection.register("festaf_stored", rows.to_arrow_table())
        return connection.from_arrow(asked.to_arrow_table()), "SELECT * FROM festaf_stored"


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _relation(rows: pl.DataFrame) -> Relation:
    return cast(Any, _connection()).from_arrow(cast(Any, rows).to_arrow())


def _query(rows: Relation, query: str) -> Relation:
    """What `query` says of `rows`, which it calls "it"."""
    return cast(Relation, rows.query("it", query))


def _scan(view: FeatureView, offline: OfflineStore) -> str:
    files = offline.files(view)
    types = {
        **{key.name: key.dtype for key in view.entities},
        **{name: "timestamp" for name in (view.event_time, view.created_time) if name},
        **{feature.name: feature.dtype for feature in stored_features(view)},
    }
    if not files.uris:
        columns = ", ".join(f"{_read(None, dtype)} AS {_name(name)}" for name, dtype in types.items())
        return f"SELECT 0::BIGINT AS {STORED}, {columns} WHERE false"
    columns = ", ".join(f"{_read(files.columns.get(name), dtype)} AS {_name(name)}" for name, dtype in types.items())
    paths = f"[{', '.join(_text(uri) for uri in files.uris)}]"
    number = f"(list_position({paths}, filename)::BIGINT << 40) + file_row_number"
    return (
        f"SELECT {number} AS {STORED}, {columns} "
        f"FROM read_parquet({paths}, union_by_name = true, filename = true, file_row_number = true)"
    )


def _read(name: str | None, dtype: DataType) -> str:
    if name is None:  # defined after the rows were written
        return f"CAST(NULL AS {sql_type(dtype)})"
    if dtype == "duration":  # Delta has no spans of time: they are stored as microseconds
        return f"to_microseconds({_name(name)})"
    return f"CAST({_name(name)} AS {sql_type(dtype)})"


def _joined(each: Lookup, stored: str) -> str:
    """The query that adds a view's features to the relation `it`, which has ASKED."""
    by, view = each.by, each.view
    keys = {key.name: sql_type(key.dtype) for key in view.entities}
    event, created = (
        f"coalesce(epoch_us({_name(name)}), {_EARLIEST})" if name else "0::BIGINT"
        for name in (by.event_time, by.created_time)
    )
    best = f"{{'e': {event}, 'c': {created}, 's': {STORED}}}"
    present = " AND ".join(f"{_name(name)} IS NOT NULL" for name in (*by.keys, *by.order[: by.event_time is not None]))
    equal = " AND ".join(f"CAST(it.{_name(key)} AS {dtype}) = seen.{_name(key)}" for key, dtype in keys.items())
    asked = f"epoch_us(it.{_name(by.at)})"
    if by.timeless:
        seen = f"SELECT {_names(by.keys)}, max({best}) AS best FROM stored WHERE {present} GROUP BY {_names(by.keys)}"
        join, valid = f"LEFT JOIN seen ON {equal}", "true"
    elif by.as_known:
        # The best of all that have appeared, by when the last of them did.
        appears = f"greatest({event}, {created})"
        running = f"max({best}) OVER (PARTITION BY {_names(by.keys)} ORDER BY {appears})"
        seen = f"SELECT {_names(by.keys)}, {appears} AS appears, {running} AS best FROM stored WHERE {present}"
        join, valid = f"ASOF LEFT JOIN seen ON {equal} AND {asked} >= seen.appears", f"{asked} IS NOT NULL"
    else:
        seen = f"SELECT {_names(by.keys)}, {best} AS best FROM stored WHERE {present}"
        upto = f"{{'e': {asked}, 'c': {_LATEST}, 's': {_LATEST}}}"
        join, valid = f"ASOF LEFT JOIN seen ON {equal} AND {upto} >= seen.best", f"{asked} IS NOT NULL"
    if by.ttl is not None:
        valid += f" AND {asked} - seen.best.e <= {round(by.ttl.total_seconds() * 1e6)}"
    values = ", ".join(f"stored.{_name(name)} AS {_name(column)}" for name, column in each.columns.items())
    return (
        f"WITH stored AS ({stored}), seen AS ({seen}), "
        f"matched AS (SELECT it.*, CASE WHEN {valid} THEN seen.best.s END AS {STORED} FROM it {join}) "
        f"SELECT matched.* EXCLUDE ({STORED}), {values} "
        f"FROM matched LEFT JOIN stored ON matched.{STORED} = stored.{STORED}"
    )


# --- windows -----------------------------------------------------------------------------------------------------


def _in_order(order: Order) -> str:
    return ", ".join([*(f"{_name(name)} NULLS FIRST" for name in order.columns), _ROW])


def _frame(window: Window, order: Order) -> str:
    """The rows that a row sees, as what stands behind OVER."""
    over, group = window.over, f"PARTITION BY {_names(window.group)}"
    if over.rows is not None:
        return f"({group} ORDER BY {_PLACE} ROWS BETWEEN {over.rows - 1} PRECEDING AND CURRENT ROW)"
    if order.event_time is None:
        return f"({group})"
    reach = "UNBOUNDED" if over.width is None else f"{window.microseconds - 1}"
    # Rows at one time are peers: the current row's range holds them all.
    return f"({group} ORDER BY {_TIME} RANGE BETWEEN {reach} PRECEDING AND CURRENT ROW)"


def _windowed(window: Window, order: Order) -> str:
    column, over = _name(window.value), _frame(window, order)
    real = window.takes in FLOATS
    nan = f"bool_or(isnan({column})) OVER {over}" if real else "false"
    match window.over.aggregate:
        case "count":
            return f"count({column}) OVER {over}"
        case "distinct":
            return f"count(DISTINCT {f'{column} + 0.0' if real else column}) OVER {over}"
        case "sum" if window.takes == "duration":
            return f"to_microseconds((sum(epoch_us({column})) OVER {over})::BIGINT)"
        case "sum":
            total = f"sum({f'{column}::DOUBLE' if real else column}) OVER {over}"
            # In 128 bits; only of 64 bits can so many be summed that they overflow those.
            return f"((({total}) + {_HALF} & {_WHOLE}) - {_HALF})" if window.takes == "int64" else total
        case "mean":
            return f"avg({column}::DOUBLE) OVER {over}"
        case "std":
            # DuckDB raises an error where a deviation is not finite.
            finite = f"CASE WHEN isfinite({column}::DOUBLE) THEN {column}::DOUBLE END"
            endless = f"bool_or(NOT isfinite({column}::DOUBLE)) OVER {over}"
            spread = f"CASE WHEN {endless} THEN 'NaN'::DOUBLE ELSE stddev_samp({finite}) OVER {over} END"
            return f"CASE WHEN count({column}) OVER {over} > 1 THEN {spread} END"
        case "min" | "max" as extreme:
            return (
                f"CASE WHEN {nan} THEN 'NaN' ELSE {extreme}({column}) OVER {over} END"
                if real
                else (f"{extreme}({column}) OVER {over}")
            )
        case "first":
            return f"arg_min({column}, {_PLACE}) OVER {over}"
        case "last":
            return f"arg_max({column}, {_PLACE}) OVER {over}"
        case "quantile":
            value = f"quantile_cont({column}::DOUBLE, {window.over.quantile}) OVER {over}"
            return f"CASE WHEN {nan} THEN 'NaN'::DOUBLE ELSE {value} END"
        case "time_since_last":
            return _since_last(window)


def _since_last(window: Window) -> str:
    there = _name(window.value) if window.takes == "bool" else f"{_name(window.value)} IS NOT NULL"
    earlier = (
        f"(PARTITION BY {_names(window.group)} ORDER BY {_TIME} RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    )
    when, place = (f"max(CASE WHEN {there} THEN {each} END) OVER {earlier}" for each in (_TIME, _PLACE))
    inside = "true"
    if window.over.width is not None:
        inside = f"{_TIME} - ({when}) < {window.microseconds}"
    if window.over.rows is not None:
        inside = f"{_PLACE} - ({place}) < {window.over.rows}"
    return f"CASE WHEN {inside} THEN to_microseconds({_TIME} - ({when})) END"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(_name, names))


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


ENGINE = DuckEngine()
