"""What a request brings to on-demand views: a column of the asker's frame, or a value in each of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import narwhals as nw

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType, kind
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression.compile_narwhals import narwhals_dtype
from e2e_ml.festaf.expression.evaluate_numbers import single


@dataclass(frozen=True, slots=True)
class Requested:
    """A value that the request brings: what people call it, and its column once it is of its type."""

    view: str
    name: str
    dtype: DataType
    column: str


def as_column(found: nw.Schema, each: Requested) -> nw.Expr:
    """The request's column in its type. Raises FeatureStoreError where it is not there, or is of another kind."""
    if each.name not in found:
        raise FeatureStoreError(
            f"{each.view} is computed from {each.name}, which comes with the request: the entities need the column "
            f"{each.name!r}, of type {each.dtype}. They have {', '.join(found.names()) or 'no column'}."
        )
    given, wanted = found[each.name], narwhals_dtype(each.dtype)
    column = nw.col(each.name)
    if isinstance(given, nw.Datetime) and each.dtype == "timestamp" and given.time_zone is not None:
        column = column.dt.convert_time_zone("UTC")
    elif not _fits(given, each.dtype):
        raise FeatureStoreError(
            f"{each.view} is computed from {each.name}, {each.dtype}; the column {each.name!r} holds {given}. "
            "Convert it first."
        )
    return column.cast(wanted).alias(each.column)


def _fits(given: nw.dtypes.DType, wanted: DataType) -> bool:
    match kind(wanted):
        case "int8" | "int16" | "int32" | "int64":
            return given.is_integer()
        case "float32" | "float64":
            return given.is_numeric()
        case "decimal":
            return given.is_integer() or given.is_decimal()
        case "string" | "category":
            return isinstance(given, nw.String | nw.Categorical | nw.Enum)
        case "list" | "embedding":
            return isinstance(given, nw.List | nw.Array)
        case "bool" | "date" | "duration":
            names = {"bool": nw.Boolean, "date": nw.Date, "duration": nw.Duration}
            return isinstance(given, names[wanted])
        case "struct":
            return isinstance(given, nw.Struct)
        case _:
            return False


def converter(each: Requested) -> Callable[[Mapping[str, Any]], Any]:
    """What takes a row's value of the request. Takes what JSON has for it, and NumPy's scalars."""

    def convert(row: Mapping[str, Any]) -> Any:
        try:
            value = row[each.name]
        except KeyError:
            raise FeatureStoreError(
                f"{each.view} is computed from {each.name}, which comes with the request: give it in every row, as "
                f"{each.dtype}. A row has only {', '.join(name for name in row if not name.startswith('__festaf_'))}."
            ) from None
        if value is None:
            return None
        if hasattr(value, "item"):
            value = value.item()
        try:
            return as_value(each.dtype, value)
        except (TypeError, ValueError, ArithmeticError, KeyError):
            raise FeatureStoreError(
                f"{each.view} is computed from {each.name}, {each.dtype}; {value!r} is none."
            ) from None

    return convert


def as_value(dtype: DataType, value: Any) -> Any:
    """A value of the type, from Python's or from what JSON has for it. Raises ValueError or TypeError for another."""
    match kind(dtype):
        case "int8" | "int16" | "int32" | "int64":
            bits = int(dtype[3:]) - 1
            if isinstance(value, bool) or int(value) != value or not -(2**bits) <= value < 2**bits:
                raise ValueError
            return int(value)
        case "float32" | "float64":
            if isinstance(value, bool | str):
                raise TypeError
            return single(value) if dtype == "float32" else float(value)
        case "bool" | "string" | "category":
            if not isinstance(value, bool if dtype == "bool" else str):
                raise TypeError
            return value
        case "date":
            day = date.fromisoformat(value) if isinstance(value, str) else value
            if not isinstance(day, date) or isinstance(day, datetime):
                raise TypeError
            return day
        case "timestamp":
            time = datetime.fromisoformat(value) if isinstance(value, str) else value
            if not isinstance(time, datetime) or time.utcoffset() is None:
                raise ValueError
            return time.astimezone(UTC)
        case "duration":
            return value if isinstance(value, timedelta) else timedelta(microseconds=value)
        case "decimal":
            return _decimal(dtype, value)
        case "struct":
            fields = dtypes.parse(dtype).fields
            return {n: None if (v := value.get(n)) is None else as_value(t, v) for n, t in fields.items()}
        case _:
            parsed = dtypes.parse(dtype)
            if isinstance(value, str) or (parsed.size and len(value) != parsed.size):
                raise ValueError
            return [None if each is None else as_value(parsed.element, each) for each in value]


def _decimal(dtype: DataType, value: Any) -> Decimal:
    parsed = dtypes.parse(dtype)
    number = Decimal(str(value)).quantize(Decimal(1).scaleb(-parsed.scale))
    if abs(number) >= 10 ** (parsed.precision - parsed.scale):
        raise InvalidOperation
    return number
