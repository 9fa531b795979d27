"""A source's columns in the types of the definition: times in UTC, missing values filled, nothing guessed.

What does not fit its type is refused with the column and the value. Text is read as the types say: CSV holds all of
its values so, and in it lists, embeddings and structs are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import INTEGERS, DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.steps import SourceColumn, source_columns
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.polars_types import TIMESTAMP, polars_type
from e2e_ml.festaf.rows.sources.json_values import converter

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_OFFSET = re.compile(r"(Z|[+-]\d\d:?(\d\d)?)$")
_NESTED = {"list", "embedding", "struct"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where columns come from, for what errors say of it."""

    view: FeatureView
    place: str  # "the source data/weather.csv", "the pushed rows"

    def refuse(self, sentence: str) -> FeatureStoreError:
        return FeatureStoreError(f"{self.view.name}: {sentence}")


def conformed(origin: Origin, frame: pl.LazyFrame, found: pl.Schema) -> pl.LazyFrame:
    """The view's columns under their own names and in its types; rows without an event time are left out.

    Raises FeatureStoreError for a column that is lacking, and for times without a zone where none is said. Values that
    do not fit their type are found when the frame is collected.
    """
    view = origin.view
    columns = source_columns(view)
    places = {column.name: view.source_columns.get(column.name, column.name) for column in columns}
    # Rows that somebody holds in memory may have the definition's names already.
    places = {name: place if place in found or name not in found else name for name, place in places.items()}
    if absent := [place for place in places.values() if place not in found]:
        raise origin.refuse(
            f"{origin.place} has no column {', '.join(map(repr, absent))}. "
            f"It has {', '.join(found.names())}. Add the column to the data, or take it out of the definition."
        )
    frame = frame.select(
        _typed(origin, frame, places[column.name], column, found[places[column.name]]).alias(column.name)
        for column in columns
    )
    return frame if view.event_time is None else frame.filter(pl.col(view.event_time).is_not_null())


def of_records(origin: Origin, records: Sequence[Mapping[str, Any]], *, exact: bool) -> pl.DataFrame:
    """Rows as JSON has them, as `conformed` gives a frame's. What a row lacks is missing in it.

    exact: every name is a column of the view and every row has a time; else what is more is passed over. Raises
    FeatureStoreError for a value that is not of its type.
    """
    view = origin.view
    columns = source_columns(view)
    names = {column.name: view.source_columns.get(column.name, column.name) for column in columns}
    known = {*names, *names.values(), *(feature.name for feature in view.features)}
    if exact and (unknown := dict.fromkeys(name for record in records for name in record if name not in known)):
        raise origin.refuse(
            f"{origin.place} hold {', '.join(map(repr, unknown))}, and no such column is defined. "
            f"The columns are {', '.join(names)}."
        )
    series: list[pl.Series] = []
    for column in columns:
        name, place = column.name, names[column.name]
        values = _converted(origin, place, column.dtype, (r.get(place, r.get(name)) for r in records))
        one = pl.Series(name, values, polars_type(column.dtype))
        series.append(one if column.fill_null is None else one.to_frame().select(_filled(pl.col(name), column))[name])
    frame = pl.DataFrame(series)
    if view.event_time is not None and not exact:
        return frame.drop_nulls(view.event_time)
    if view.event_time is not None and frame[view.event_time].null_count():
        raise origin.refuse(f"{origin.place} lack {view.event_time!r} in a row. Each needs the time of its event.")
    return frame


def _typed(origin: Origin, frame: pl.LazyFrame, name: str, column: SourceColumn, found: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    wanted = polars_type(column.dtype)
    kind = dtypes.kind(column.dtype)
    if kind == "timestamp":
        value = _utc(origin, frame, name, found)
    elif (kind in _NESTED and found != wanted) or (kind == "duration" and not isinstance(found, pl.Duration)):
        if kind == "duration" and found != pl.String:
            raise origin.refuse(
                f"{name!r} of {origin.place} holds {found}, not spans of time. Store ISO 8601 text, such as PT1H30M."
            )

        def parsed(series: pl.Series) -> pl.Series:
            values = _converted(origin, name, column.dtype, series.to_list())
            return pl.Series(series.name, values, wanted)

        value = value.map_batches(parsed, return_dtype=wanted)
    elif kind == "bool" and found == pl.String:
        value = value.map_batches(lambda text: _truth(origin, name, text), return_dtype=pl.Boolean)
    elif kind == "date" and found == pl.String:
        value = value.str.to_date("%Y-%m-%d")
    elif kind in INTEGERS and found.is_float():
        value = _whole(origin, frame, name).cast(wanted)
    elif kind == "decimal" and found.is_float():
        value = value.fill_nan(None).cast(wanted)
    elif found != wanted:
        value = value.cast(wanted)
    return _filled(value, column)


def _truth(origin: Origin, name: str, text: pl.Series) -> pl.Series:
    known = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    plain = text.str.strip_chars().str.to_lowercase()
    made = plain.replace_strict(known, default=None, return_dtype=pl.Boolean)
    if wrong := text.filter(made.is_null() & (plain != "").fill_null(False)).head(1).to_list():
        raise origin.refuse(f"{name!r} of {origin.place} holds {_short(wrong[0])}, and is defined as bool.")
    return made


def _filled(value: pl.Expr, column: SourceColumn) -> pl.Expr:
    if column.fill_null is None:
        return value
    constant = converter(column.dtype)(column.fill_null)
    return value.fill_null(pl.lit(pl.Series([constant], dtype=polars_type(column.dtype))).first())


def _converted(origin: Origin, name: str, dtype: DataType, values: Iterable[Any]) -> list[Any]:
    convert = converter(dtype, origin.view.source.timezone)
    made: list[Any] = []
    for value in values:
        try:
            plain = value.item() if hasattr(value, "item") else value
            # An empty text is a missing value, but for a text.
            blank = plain is None or (plain == "" and dtype not in dtypes.TEXTS)
            made.append(None if blank else convert(plain))
        except LookupError:
            raise _zoneless(origin, name) from None
        except (ValueError, TypeError, ArithmeticError):
            raise origin.refuse(
                f"{name!r} of {origin.place} holds {_short(value)}, and is defined as {dtype}. "
                "Correct the data or the definition."
            ) from None
    return made


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _whole(origin: Origin, frame: pl.LazyFrame, name: str) -> pl.Expr:
    """Integers that were stored as floats, which is how pandas stores integers when some are missing."""
    value = pl.col(name).fill_nan(None)
    broken = frame.select(value.filter(value != value.floor()).head(1)).collect().to_series().to_list()
    if broken:
        raise origin.refuse(
            f"{name!r} of {origin.place} holds {broken[0]}, and is defined as an integer. "
            "Define it as fs.Float64(), or round it in the source."
        )
    return value


def _utc(origin: Origin, frame: pl.LazyFrame, name: str, found: pl.DataType) -> pl.Expr:
    """A column of times in UTC. Text is ISO 8601; all of a column's values carry an offset, or none does."""
    value = pl.col(name)
    if isinstance(found, pl.String):
        # One value tells whether the column carries offsets: it is not read whole for that.
        sample = frame.select(value.drop_nulls().head(1)).collect().to_series().to_list()
        text = value.str.strip_chars().str.replace(" ", "T", literal=True, n=1)
        if sample and _OFFSET.search(str(sample[0])[10:]):
            return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
        days = text.str.len_chars() == 10
        text = pl.when(days).then(text + "T00:00:00").otherwise(text)
        minutes = text.str.len_chars() == 16
        text = pl.when(minutes).then(text + ":00").otherwise(text)
        return _localized(origin, name, text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us"))
    if isinstance(found, pl.Datetime):
        if found.time_zone is not None:
            return value.dt.convert_time_zone("UTC").cast(TIMESTAMP)
        return _localized(origin, name, value.cast(pl.Datetime("us")))
    if isinstance(found, pl.Date):
        return _localized(origin, name, value.cast(pl.Datetime("us")))
    if isinstance(found, pl.Null):
        return value.cast(TIMESTAMP)
    raise origin.refuse(
        f"the column {name!r} of {origin.place} holds {found}, not times. Store timestamps, or ISO 8601 text."
    )


def _localized(origin: Origin, name: str, naive: pl.Expr) -> pl.Expr:
    zone = origin.view.source.timezone
    if zone is None:
        raise _zoneless(origin, name)
    ZoneInfo(zone)  # a zone that does not exist fails here, by name
    # An hour that the clocks repeat in autumn is taken as its first; one they skip in spring is an error.
    return naive.dt.replace_time_zone(zone, ambiguous="earliest").dt.convert_time_zone("UTC")


def _zoneless(origin: Origin, name: str) -> FeatureStoreError:
    return origin.refuse(
        f"the times in {name!r} of {origin.place} have no zone. "
        'Say it in the source, timezone="America/New_York", or store them in UTC.'
    )
