"""Feast's names, types, times and texts in the words of definitions."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping

from e2e_ml.festaf.feast.reading import Field, Type
from e2e_ml.festaf.naming import snake_case

# What a class body says of itself, and what it calls by name: no column can be called so.
_TAKEN = {
    "source", "owner", "purpose", "schedule", "start", "end", "produced_by", "ttl", "lateness", "on_broken", "tags",
    "deprecated", "renamed_from", "features", "target", "fs", "timedelta",
}  # fmt: skip
_SCALARS = {
    "Int32": "Int32", "Int64": "Int64", "Float32": "Float32", "Float64": "Float64", "Bool": "Bool",
    "String": "String", "UnixTimestamp": "Timestamp", "ZonedTimestamp": "Timestamp", "Uuid": "String",
    "TimeUuid": "String", "Json": "String",
}  # fmt: skip
_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


def class_name(name: str) -> str:
    """A class whose name in the registry is `name`, as near as can be: `driver_stats` -> `DriverStats`."""
    words = [word[0].upper() + word[1:] for word in re.split(r"\W|_", name) if word] or ["View"]
    words = words if words[0][0].isalpha() else [f"V{words[0]}", *words[1:]]
    joined = "".join(words)
    return joined if snake_case(joined) == name else "_".join(words)


def column_name(name: str) -> str:
    """A column that can stand in a class body; most are as they were."""
    plain = re.sub(r"__+", "_", re.sub(r"\W", "_", name)).strip("_") or "column"
    plain = plain if plain[0].isalpha() else f"column_{plain}"
    return f"{plain}_" if plain in _TAKEN or keyword.iskeyword(plain) else plain


def type_of(dtype: Type, structs: tuple[str, ...] = (), vector_length: int = 0) -> str | None:
    """The type's name after `fs.`, with what stands in parentheses where it has any; None where there is none."""
    if dtype.type in _SCALARS:
        return _SCALARS[dtype.type]
    if dtype.type in ("Map", "ScalarMap") and structs:
        return f"Struct({', '.join(f'{name}=fs.String' for name in structs)})"
    if dtype.type == "Struct" and all(name.isidentifier() for name in dtype.fields):
        fields = {name: type_of(each) for name, each in dtype.fields.items()}
        known = all(fields.values()) and fields
        return f"Struct({', '.join(f'{name}=fs.{each}' for name, each in fields.items())})" if known else None
    if dtype.type in ("Array", "Set") and dtype.of is not None:
        if vector_length and dtype.of.type in ("Float32", "Float64"):
            return f"Embedding({vector_length})"
        of = type_of(dtype.of)
        return f"List(fs.{of})" if of else None
    return None


def column(field: Field, type_: str, *, source_name: str | None = None) -> str:
    """A column as it is written: `fs.Float64().named("x").describe("...")`."""
    made = f"fs.{type_}" if type_.endswith(")") else f"fs.{type_}()"
    named = f".named({text(source_name)})" if source_name else ""
    described = f".describe({text(field.description)})" if field.description else ""
    words = tags(field.tags)
    return f"{made}{named}{described}" + (f".tags({', '.join(map(text, words))})" if words else "")


def computed(expression: str, field: Field | None) -> str:
    """An expression with what is said of the feature: `(a + b).describe("...")`."""
    described = f".describe({text(field.description)})" if field and field.description else ""
    words = tags(field.tags) if field else []
    said = described + (f".tags({', '.join(map(text, words))})" if words else "")
    simple = re.fullmatch(r"[\w.]+(\(.*\))?", expression) and " " not in expression
    return f"({expression}){said}" if said and not simple else f"{expression}{said}"


def tags(given: Mapping[str, str]) -> list[str]:
    """Feast's pairs as words: `team:drivers`. Feast's own housekeeping is left out."""
    return [f"{key}:{value}" if value else key for key, value in given.items() if not key.startswith("feast:")]


def owner(name: str) -> str:
    return f"fs.Owner({text(name)}, {text(name)})" if "@" in name else f"fs.Owner({text(name)})"


def duration(seconds: float) -> str:
    """`timedelta(hours=6)`, in the largest unit that it is whole in."""
    for unit, length in _UNITS:
        if seconds % length == 0:
            return f"timedelta({unit}={int(seconds // length)})"
    return f"timedelta(seconds={seconds})"


def text(value: str | None) -> str:
    """A string in Python, in double quotes."""
    return json.dumps(" ".join((value or "").split()), ensure_ascii=False)
