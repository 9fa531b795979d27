"""Facts as rules read them: what a service tells may have any form, and a rule has to bear it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from e2e_ml.lineage.times import parse

_YEARS = (1970, 9000)  # outside of them times cannot be reckoned with


def mapping(value: Any) -> Mapping[str, Any]:
    """It, where it is one; else an empty one."""
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [mapping(each) for each in _list(value) if isinstance(each, Mapping)]


def text(value: Any) -> str:
    """A text, or a number as one; else nothing."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def texts(value: Any) -> list[str]:
    """The texts in a list that are not empty, each once; one text is a list of one."""
    given = [value] if isinstance(value, str) else _list(value)
    return list(dict.fromkeys(found for each in given if (found := text(each))))


def pairs(value: Any) -> dict[str, str]:
    """Tags or params: names with texts that are not empty."""
    return {name: found for name, each in mapping(value).items() if (found := text(each))}


def moment(value: Any) -> datetime | None:
    """A time in UTC; None for what is none."""
    try:
        at = parse(text(value))
    except OverflowError:
        return None
    return at if at and _YEARS[0] <= at.year < _YEARS[1] else None


def _list(value: Any) -> Iterable[Any]:
    return cast(Iterable[Any], value) if isinstance(value, list | tuple) else ()
