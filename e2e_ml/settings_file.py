"""Reading a settings file: YAML into a pydantic model, every problem told with its file, line and field.

`workspace` reads workbench.yaml by it and `festaf.settings` festaf.yaml; each has its own model and error.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from yaml.parser import ParserError
from yaml.scanner import ScannerError

FieldPlace = tuple[str | int, ...]  # ("services", "mlflow", "url")
SECRET_KEYS = frozenset(
    {"password", "passwd", "token", "secret", "api_key", "apikey", "key", "username", "user", "auth"}
)
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a settings file."""

    file: Path
    sentence: str
    line: int | None = None  # counted from 1
    field: str | None = None  # "services.mlflow.url"

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        return f"{self.file}{line}: {f'{self.field}: ' if self.field else ''}{self.sentence}"


class SettingsFileError(Exception):
    """What is wrong in a settings file: a line a problem, each with its file, line and field."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Strict(BaseModel):
    """Settings as they have to be written: no unknown key, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def parse(
    file: Path,
    text: str,
    model: type[ModelT],
    *,
    called: str,
    may_be_empty: bool = False,
    known: Callable[[FieldPlace, Sequence[Hashable]], Sequence[str]],
    place: Callable[[FieldPlace], FieldPlace] = lambda loc: loc,
    sentence: Callable[[FieldPlace, str], str | None] = lambda place, kind: None,
) -> ModelT:
    """Read `text` as `model`. Raises SettingsFileError.

    called: what the file is, for a sentence ("A workspace is"). may_be_empty: an empty file holds the defaults. known:
    the keys that may stand at a place, given with pydantic's own location of the error. place: where in the file
    pydantic's location lies, if that is elsewhere. sentence: the file's own words for a pydantic error type at a place,
    None where the common ones do.
    """
    try:
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]
        lines = _lines(file, node)
        data: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsFileError(_not_yaml(file, error)) from None
    if data is None and may_be_empty:
        data = {}
    if not isinstance(data, dict):
        raise SettingsFileError(Problem(file, f"{called} a mapping that begins with `version: 1`.", 1))
    try:
        return model.model_validate(data)
    except ValidationError as errors:
        problems: list[Problem] = []
        for error in errors.errors():
            at = place(error["loc"])
            line = next((lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in lines), None)
            said = sentence(at, error["type"]) or _sentence(at, error, known)
            problems.append(Problem(file, said, line, _dotted(at)))
        raise SettingsFileError(*problems) from None


def _not_yaml(file: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    sentence = f"This is not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}."
    if isinstance(error, ScannerError | ParserError):
        sentence += " Look here and at the lines above for what is not closed or not indented."
    return Problem(file, sentence, mark.line + 1 if mark else None)


def _lines(file: Path, node: yaml.Node | None, place: FieldPlace = ()) -> dict[FieldPlace, int]:
    """The line of each field, counted from 1. A key that stands twice is refused: YAML would drop one silently."""
    lines: dict[FieldPlace, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (*place, str(key.value))
            if at in lines:
                line = key.start_mark.line + 1
                raise SettingsFileError(Problem(file, "This key stands twice; keep one.", line, _dotted(at)))
            lines[at] = key.start_mark.line + 1
            lines |= _lines(file, value, at)
    return lines


def _sentence(
    place: FieldPlace, error: Mapping[str, Any], known: Callable[[FieldPlace, Sequence[Hashable]], Sequence[str]]
) -> str:
    match error["type"]:
        case "missing":
            return "This is required. Write it."
        case "extra_forbidden":
            return _unknown(str(place[-1]), known(place[:-1], error["loc"]))
        case "literal_error" if place == ("version",):
            return "This program reads version 1; write `version: 1`."
        case "value_error":
            said = str(error.get("ctx", {}).get("error", "it is not valid"))
            return f"{said[0].upper()}{said[1:]}."
        case "string_type":
            return "This must be a text."
        case "int_type":
            return "This must be a whole number."
        case _:
            return f"{error['msg']}."


def _unknown(key: str, known: Sequence[str]) -> str:
    if key.lower() in SECRET_KEYS:
        return "A secret has no place in this file. Use `credential: env:NAME` or file:PATH, and change the secret."
    if not known:
        return "This is not known here. Take it out."
    close = difflib.get_close_matches(key, known, 1, 0.6)
    return "This is not known here. " + (f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(known)}.")


def _dotted(place: FieldPlace) -> str:
    return ".".join(map(str, place))
