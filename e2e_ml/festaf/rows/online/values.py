"""How keys and values are kept online: as the few types that SQLite and JSON have in common, exactly.

    bool                      0 or 1
    integers, floats, texts   as they are
    date                      days since 1970
    timestamp, duration       microseconds
    decimal                   text
    list, struct              JSON, its elements kept likewise
    embedding                 32-bit floats, little-endian, as bytes

NaN and the infinities are the texts `nan`, `inf` and `-inf`, for neither JSON nor a column of SQLite holds them all. A
row with one is marked as odd: only there does a reader look for them.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import Any

import orjson
import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Key
from e2e_ml.festaf.rows.polars_types import polars_type

Stored = int | float | str | bytes | None
StoredKey = int | str
Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_INTEGRAL = dtypes.INTEGERS | {"bool", "date", "timestamp", "duration"}
_BUFFER = 4096  # rows that Polars makes at once
_PLAIN = dtypes.NUMBERS | dtypes.TEXTS  # read as they are kept
_PLAIN_KEYS = dict.fromkeys(dtypes.INTEGERS, int) | dict.fromkeys(dtypes.TEXTS, str)  # asked as they are kept


def is_integral(dtype: DataType) -> bool:
    """Whether its values are kept as whole numbers."""
    return dtype in _INTEGRAL


# --- values ------------------------------------------------------------------------------------------------------


def stored(rows: pl.DataFrame, types: Mapping[str, DataType]) -> Iterable[Sequence[Any]]:
    """The columns of `types` as they are kept, row by row, and behind them the mark of an odd row: 1, else None."""
    kept, slow = _kept(rows, types)
    if slow:
        return _encoded(kept, slow)
    # Most rows go as Polars gives them, without a look at each.
    plain = kept.filter(pl.col("__odd").is_null()).iter_rows(buffer_size=_BUFFER)
    return chain(plain, _encoded(kept.filter(pl.col("__odd").is_not_null()), slow))


def stored_apart(
    rows: pl.DataFrame, types: Mapping[str, DataType]
) -> tuple[Iterable[Sequence[Any]], Iterable[Sequence[Any]]]:
    """As `stored`, but first the rows that go as Polars gives them, without the mark, which none of them has."""
    kept, slow = _kept(rows, types)
    if slow:
        return (), _encoded(kept, slow)
    plain, odd = kept.filter(pl.col("__odd").is_null()), kept.filter(pl.col("__odd").is_not_null())
    return plain.drop("__odd").iter_rows(buffer_size=_BUFFER), _encoded(odd, slow)


def _kept(rows: pl.DataFrame, types: Mapping[str, DataType]) -> tuple[pl.DataFrame, dict[int, Convert]]:
    """The columns as Polars makes them, with the mark `__odd`, and what is left to do at which positions."""
    floats = [name for name, dtype in types.items() if dtype in dtypes.FLOATS]
    odd = pl.any_horizontal(~pl.col(name).is_finite() for name in floats) if floats else pl.lit(False)
    kept = rows.with_columns(odd.fill_null(False).alias("__odd")).select(
        *(_column(name, dtype) for name, dtype in types.items()),
        pl.when(pl.col("__odd")).then(pl.lit(1, pl.Int8)).alias("__odd"),
    )
    return kept, {i: encode for i, dtype in enumerate(types.values()) if (encode := _encoder(dtype)) is not None}


def _encoded(kept: pl.DataFrame, slow: Mapping[int, Convert]) -> Iterator[list[Any]]:
    for row in kept.iter_rows(buffer_size=_BUFFER):
        values = list(row)
        for i, encode in slow.items():
            if values[i] is not None:
                values[i] = encode(values[i])
        if values[-1]:
            values = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in values]
        yield values


def decoders(types: Sequence[DataType]) -> tuple[tuple[int, Convert], ...]:
    """The positions whose values are not read as they are kept, with what makes values of them; of None, None."""
    return tuple((i, decode) for i, dtype in enumerate(types) if (decode := decoder(dtype)) is not None)


def odd_floats(types: Sequence[DataType]) -> tuple[int, ...]:
    """The positions at which an odd row may hold a text for a number."""
    return tuple(i for i, dtype in enumerate(types) if dtype in dtypes.FLOATS)


def _column(name: str, dtype: DataType) -> pl.Expr:
    column = pl.col(name)
    match dtypes.kind(dtype):
        case "bool":
            return column.cast(pl.Int8)
        case "float32":
            return column.cast(pl.Float64)
        case "date":
            return column.cast(pl.Int32)
        case "timestamp" | "duration":
            return column.cast(pl.Int64)
        case "decimal":
            return column.cast(pl.String)
        case _:
            return column


def _encoder(dtype: DataType) -> Convert | None:
    """What `_column` leaves to do for a value that is not None."""
    match dtypes.kind(dtype):
        case "embedding":
            return _pack
        case "list" | "struct":
            encode = _nested(dtype, to_json=True)
            return lambda value: orjson.dumps(encode(value)).decode()
        case _:
            return None


@cache
def decoder(dtype: DataType) -> Convert | None:
    """What makes a value of a kept one that is not None; None where it is read as it is kept."""
    if dtype in _PLAIN:
        return None
    match dtypes.kind(dtype):
        case "bool":
            return bool
        case "embedding":
            return _unpack
        case "list" | "struct":
            decode = _nested(dtype, to_json=False)
            return lambda text: decode(orjson.loads(text))
        case _:
            return _from_json_scalar(dtype)


def _pack(values: Sequence[float]) -> bytes:
    packed = array("f", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(data: bytes) -> list[float]:
    values = array("f", data)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


@cache
def _nested(dtype: DataType, *, to_json: bool) -> Convert:
    """The conversion of one value within a list or struct, to what JSON holds or back."""
    parsed = dtypes.parse(dtype)
    match parsed.kind:
        case "list" | "embedding":
            inner = _nested(parsed.element, to_json=to_json)
            return lambda values: None if values is None else [inner(value) for value in values]
        case "struct":
            fields = {name: _nested(inner, to_json=to_json) for name, inner in parsed.fields.items()}
            return lambda value: (
                None if value is None else {name: convert(value.get(name)) for name, convert in fields.items()}
            )
        case _:
            convert = _to_json_scalar(dtype) if to_json else _from_json_scalar(dtype)
            return lambda value: None if value is None else convert(value)


def _to_json_scalar(dtype: DataType) -> Convert:
    match dtypes.kind(dtype):
        case "float32" | "float64":
            return lambda value: value if math.isfinite(value) else str(value)
        case "date":
            return lambda value: value.toordinal() - _DAY_ZERO
        case "timestamp":
            return lambda value: (value - _EPOCH) // _MICROSECOND
        case "duration":
            return lambda value: value // _MICROSECOND
        case "decimal":
            return str
        case _:
            return lambda value: value


def _from_json_scalar(dtype: DataType) -> Convert:
    match dtypes.kind(dtype):
        case "bool":
            return bool
        case "float32" | "float64":
            return float
        case "date":
            return lambda days: date.fromordinal(days + _DAY_ZERO)
        case "timestamp":
            return lambda us: _EPOCH + timedelta(microseconds=us)
        case "duration":
            return lambda us: timedelta(microseconds=us)
        case "decimal":
            return Decimal
        case _:
            return lambda value: value


# --- keys --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How the keys of one view are kept: one number or text as it is, anything else as a JSON array."""

    view: str
    keys: tuple[Key, ...]

    @property
    def is_number(self) -> bool:
        return len(self.keys) == 1 and is_integral(self.keys[0].dtype)

    @property
    def is_text(self) -> bool:
        return len(self.keys) == 1 and self.keys[0].dtype in dtypes.TEXTS

    def column(self, rows: pl.DataFrame) -> pl.Series:
        """The keys of a frame's rows, in which no key is missing."""
        if self.is_number or self.is_text:
            return rows.select(_column(self.keys[0].name, self.keys[0].dtype)).to_series()
        parts = rows.select(_column(key.name, key.dtype) for key in self.keys).iter_rows()
        return pl.Series("key", map(_packed, parts), pl.String)

    def values(self, kept: StoredKey) -> tuple[Any, ...]:
        """The key's values again, as `column` was given them."""
        parts = [kept] if self.is_number or self.is_text else orjson.loads(str(kept))
        decode = (decoder(key.dtype) for key in self.keys)
        return tuple(convert(part) if convert else part for convert, part in zip(decode, parts, strict=True))

    def frame(self, kept: Sequence[StoredKey]) -> pl.DataFrame:
        """Keys as a frame of the view's key columns."""
        schema = {key.name: polars_type(key.dtype) for key in self.keys}
        return pl.DataFrame([self.values(key) for key in kept], schema=schema, orient="row")

    def of(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[StoredKey | None]:
        """The keys that rows ask for; None where a part of one is missing. Raises FeatureStoreError."""
        try:
            if len(self.keys) == 1:
                name, dtype = self.keys[0].name, self.keys[0].dtype
                asked = [row[name] for row in rows]
                if set(map(type, asked)) == {_PLAIN_KEYS.get(dtype)}:
                    return asked
            return [self._of(row) for row in rows]
        except KeyError:
            has = next(row for row in rows if any(key.name not in row for key in self.keys))
            raise FeatureStoreError(
                f"{self.view} is asked by {', '.join(k.name for k in self.keys)}; a row has only {', '.join(has)}."
            ) from None

    def _of(self, row: Mapping[str, Any]) -> StoredKey | None:
        parts = [self._part(key, row[key.name]) for key in self.keys]
        if None in parts:
            return None
        return parts[0] if self.is_number or self.is_text else _packed(parts)

    def _part(self, key: Key, value: Any) -> Any:
        """A key's value as it is kept. Takes what JSON has for it, and NumPy's scalars."""
        if hasattr(value, "item"):
            value = value.item()
        if value is None or value != value:
            return None
        try:
            return _asked(key.dtype, value)
        except (TypeError, ValueError, ArithmeticError):
            raise FeatureStoreError(
                f"{self.view} is asked by {key.name}, {_article(key.dtype)} {key.dtype}; {value!r} is none."
            ) from None


def _asked(dtype: DataType, value: Any) -> Any:
    if isinstance(value, bool) != (dtype == "bool"):
        raise TypeError
    match dtypes.kind(dtype):
        case "bool":
            return int(value)
        case "int8" | "int16" | "int32" | "int64":
            if not isinstance(value, int | float) or value != int(value):
                raise TypeError
            return int(value)
        case "string" | "category":
            if not isinstance(value, str):
                raise TypeError
            return value
        case "float32" | "float64":
            return float(value)
        case "date":
            day = date.fromisoformat(value) if isinstance(value, str) else value
            if isinstance(day, datetime):
                raise TypeError
            return day.toordinal() - _DAY_ZERO
        case "timestamp":
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
            return (time - _EPOCH) // _MICROSECOND
        case "duration":
            return value // _MICROSECOND
        case "decimal":
            return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-dtypes.parse(dtype).scale)))
        case _:
            raise TypeError


def _packed(parts: Sequence[Any]) -> str:
    return orjson.dumps(parts).decode()


def _article(dtype: DataType) -> str:
    return "an" if dtype.startswith("int") else "a"
