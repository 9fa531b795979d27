"""What an operation gives for operands of these types: the rules that the table in `operations` names.

A rule takes the operands' types and the operands, constants among them, and gives the type of the result: None where
they do not fit, or an ExpressionError where a sentence of its own says it better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from zoneinfo import available_timezones

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import FLOATS, INTEGERS, MAX_PRECISION, NUMBERS, TEXTS, DataType, is_number, kind, parse
from e2e_ml.festaf.expression.patterns import check_pattern
from e2e_ml.festaf.expression.tree import Expression, ExpressionError, Literal

Types = Sequence[DataType]
Args = Sequence[Expression]
Rule = Callable[[Types, Args], DataType | None]

TRUNCATIONS = ("hour", "day")
_MOMENTS = frozenset({"timestamp", "date"})
_ORDERED = frozenset({"string", "date", "timestamp", "duration"})


def only_types(rule: Callable[[Types], DataType | None]) -> Rule:
    return lambda types, _: rule(types)


def of(given: DataType, gives: DataType) -> Rule:
    """All operands of one type."""
    return lambda types, _: gives if all(t == given for t in types) else None


def constants(args: Args) -> list[Literal]:
    return [arg for arg in args if isinstance(arg, Literal)]


# --- numbers -----------------------------------------------------------------------------------------------------


def number(types: Types) -> DataType | None:
    """The type of arithmetic: int64 among integers, a decimal with decimals, float64 with any float."""
    if not all(map(is_number, types)):
        return None
    if INTEGERS.issuperset(types):
        return "int64"
    if FLOATS.isdisjoint(types):
        return dtypes.decimal(MAX_PRECISION, max(scale(t) for t in types))
    return "float64"


def scale(dtype: DataType) -> int:
    """The digits behind the point that a decimal has, 0 of an integer."""
    return parse(dtype).scale


def real(types: Types) -> DataType | None:
    return "float64" if all(map(is_number, types)) else None


def whole(types: Types) -> DataType | None:
    """Of division with a remainder, which decimals lack."""
    return number(types) if NUMBERS.issuperset(types) else None


def addition(types: Types) -> DataType | None:
    match tuple(types):
        case ("string", "string"):
            return "string"
        case ("timestamp" | "date", "duration") | ("duration", "timestamp" | "date"):
            return "timestamp"
        case ("duration", "duration"):
            return "duration"
        case _:
            return number(types)


def subtraction(types: Types) -> DataType | None:
    match tuple(types):
        case ("timestamp", "timestamp") | ("date", "date") | ("duration", "duration"):
            return "duration"
        case ("timestamp" | "date", "duration"):
            return "timestamp"
        case _:
            return number(types)


def product(types: Types) -> DataType | None:
    result = number(types)
    if result is None or kind(result) != "decimal":
        return result
    digits = sum(map(scale, types))
    if digits > MAX_PRECISION:
        raise ExpressionError(f"The product has {digits} digits behind the point: more than {MAX_PRECISION}.")
    return dtypes.decimal(MAX_PRECISION, digits)


def negation(types: Types) -> DataType | None:
    return "duration" if types[0] == "duration" else number(types)


def sign(types: Types) -> DataType | None:
    return "int64" if is_number(types[0]) else None


def rounding(types: Types, args: Args) -> DataType | None:
    for digits in constants(args[1:]):
        if digits.dtype != "int64" or not 0 <= int(str(digits.value)) <= 15:
            raise ExpressionError(f"round takes a number of digits from 0 to 15, not {digits.value!r}.")
    return real(types[:1])


def clipping(types: Types, args: Args) -> DataType | None:
    low, high = (constant.value for constant in constants(args[1:]))
    result = number(types)
    if result is not None and low > high:  # pyright: ignore[reportOperatorIssue]  # both are numbers
        raise ExpressionError(f"clip takes the lower bound first: {low!r} is above {high!r}.")
    return result


def buckets(types: Types, args: Args) -> DataType | None:
    if number(types) is None:
        return None
    edges = [float(str(constant.value)) for constant in constants(args[1:])]
    if any(low >= high for low, high in pairwise(edges)):
        raise ExpressionError("bucketize takes edges that rise, each above the one before.")
    return "int64"


# --- comparison, logic, choice -----------------------------------------------------------------------------------


def comparable(types: Types) -> bool:
    """Whether values of these types can be compared: all of them numbers, texts, or of one scalar type."""
    if all(map(is_number, types)) or TEXTS.issuperset(types):
        return True
    return len(set(types)) == 1 and types[0] in dtypes.SCALARS


def equality(types: Types) -> DataType | None:
    return "bool" if comparable(types) else None


def order(types: Types) -> DataType | None:
    ordered = all(map(is_number, types)) or (len(set(types)) == 1 and types[0] in _ORDERED)
    return "bool" if ordered else None


def logic(types: Types) -> DataType | None:
    return "bool" if set(types) == {"bool"} else None


def test(_: Types) -> DataType | None:
    return "bool"


def nan_test(types: Types) -> DataType | None:
    return "bool" if types[0] in FLOATS else None


def fits(wanted: DataType, given: DataType) -> bool:
    """Whether a value of the one type may stand where the other is wanted: nothing is lost but what is out of range."""
    if wanted == given or (wanted in TEXTS and given in TEXTS):
        return True
    if kind(wanted) == "decimal":
        return is_number(given) and given not in FLOATS and scale(given) <= scale(wanted)
    return (wanted in FLOATS and is_number(given)) or (wanted in INTEGERS and given in INTEGERS)


def filling(types: Types) -> DataType | None:
    return types[0] if fits(types[0], types[1]) else None


def choice(types: Types, _: Args) -> DataType | None:
    """when(condition, value, condition, value, ..., otherwise): the type of the first value."""
    last = len(types) - len(types) % 2
    conditions, values = types[0:last:2], [*types[1:last:2], *types[last:]]
    if any(condition != "bool" for condition in conditions):
        raise ExpressionError("when takes a condition that is true or false, such as temp > 32.")
    for value in values:
        if not fits(values[0], value):
            raise ExpressionError(f"The values of when are of one type: {value} does not fit {values[0]}.")
    return values[0]


def mapping(types: Types, args: Args) -> DataType | None:
    """map(x, key, value, key, value, ..., default): the values' type; integers and floats together are floats."""
    pairs = 1 + 2 * ((len(types) - 1) // 2)
    keys, values = types[1:pairs:2], [*types[2:pairs:2], *types[pairs:]]
    if types[0] not in TEXTS | INTEGERS | {"bool"} or not comparable([types[0], *keys]):
        return None
    _distinct("map", args[1:pairs:2])
    if len(set(values)) == 1:
        return values[0]
    if set(values) == {"int64", "float64"}:
        return "float64"
    raise ExpressionError(f"The values of map are of one type, not {' and '.join(dict.fromkeys(values))}.")


def ordinal(types: Types, args: Args) -> DataType | None:
    if types[0] not in TEXTS | INTEGERS or not comparable(types):
        return None
    _distinct("ordinal", args[1:])
    return "int64"


def _distinct(name: str, args: Args) -> None:
    if len(set(args)) != len(args):
        raise ExpressionError(f"{name} names a value twice.")


# --- text --------------------------------------------------------------------------------------------------------


def searching(types: Types, args: Args) -> DataType | None:
    """Of a text for a text, of a list for an element."""
    if kind(types[0]) == "list":
        return "bool" if comparable([parse(types[0]).element, types[1]]) else None
    return "bool" if types[0] == types[1] == "string" else None


def length(types: Types) -> DataType | None:
    return "int64" if types[0] == "string" or kind(types[0]) == "list" else None


def matching(types: Types, args: Args) -> DataType | None:
    for pattern in constants(args[1:]):
        check_pattern(pattern.value)
    return "bool" if types[0] == "string" else None


def extraction(types: Types, args: Args) -> DataType | None:
    pattern, group = constants(args[1:])
    groups = check_pattern(pattern.value)
    if group.dtype != "int64" or not 0 <= int(str(group.value)) <= groups:
        raise ExpressionError(f"extract takes a group from 0, the whole match, to {groups}, not {group.value!r}.")
    return "string" if types[0] == "string" else None


def splitting(types: Types, args: Args) -> DataType | None:
    if any(separator.value == "" for separator in constants(args[1:])):
        raise ExpressionError("split takes a text that stands between the parts, not an empty one.")
    return dtypes.list_of("string") if set(types) == {"string"} else None


def replacing(types: Types, args: Args) -> DataType | None:
    if constants(args[1:])[0].value == "":
        raise ExpressionError("replace takes a text to look for, not an empty one.")
    return "string" if set(types) == {"string"} else None


def slicing(types: Types, args: Args) -> DataType | None:
    if any(c.dtype != "int64" or int(str(c.value)) < 0 for c in constants(args[1:])):
        raise ExpressionError("slice takes a start and a length, both from 0 on.")
    return "string" if types[0] == "string" else None


# --- times -------------------------------------------------------------------------------------------------------


def _check_zones(args: Args) -> None:
    for constant in constants(args[1:]):
        if constant.dtype == "string" and constant.value not in available_timezones():
            raise ExpressionError(f"There is no time zone {constant.value!r}. A zone is called like America/New_York.")


def part(types: Types, args: Args) -> DataType | None:
    """Of a date, or of a timestamp in the zone named."""
    if types[0] not in _MOMENTS or (len(types) == 2 and (types[0] == "date" or types[1] != "string")):
        return None
    _check_zones(args)
    return "int64"


def part_of_day(types: Types, args: Args) -> DataType | None:
    return None if types[0] == "date" else part(types, args)


def day_of(types: Types, args: Args) -> DataType | None:
    if types[0] != "timestamp" or any(t != "string" for t in types[1:]):
        return None
    _check_zones(args)
    return "date"


def truncation(types: Types, args: Args) -> DataType | None:
    for unit in constants(args[1:]):
        if unit.value not in TRUNCATIONS:
            raise ExpressionError(f"truncate takes {' or '.join(TRUNCATIONS)}, not {unit.value!r}.")
    return "timestamp" if types[0] == "timestamp" else None


# --- lists, embeddings, structs ----------------------------------------------------------------------------------


def getting(types: Types, args: Args) -> DataType | None:
    if kind(types[0]) not in ("list", "embedding"):
        return None
    for index in constants(args[1:]):
        if index.dtype != "int64" or int(str(index.value)) < 0:
            raise ExpressionError(f"get takes a place from 0 on, not {index.value!r}.")
    return parse(types[0]).element


def list_mean(types: Types) -> DataType | None:
    return "float64" if kind(types[0]) == "list" and parse(types[0]).element in NUMBERS else None


def list_sum(types: Types) -> DataType | None:
    return number([parse(types[0]).element]) if list_mean(types) else None


def list_extreme(types: Types) -> DataType | None:
    return parse(types[0]).element if list_mean(types) else None


def similarity(types: Types) -> DataType | None:
    if not all(kind(t) == "embedding" for t in types):
        return None
    if len(set(types)) > 1:
        raise ExpressionError(f"Vectors are as long as each other: {' and '.join(types)} are not.")
    return "float64"


def field(types: Types, args: Args) -> DataType | None:
    if kind(types[0]) != "struct":
        return None
    fields = parse(types[0]).fields
    for name in constants(args[1:]):
        if name.value not in fields:
            raise ExpressionError(f"The struct has no field {name.value!r}. It has: {', '.join(fields)}.")
        return fields[str(name.value)]
    return None
