"""Where in a person's definitions something stands, and the error that says so.

A definition runs inside the body of a class that does not exist yet, so that the place is read from the calling frame,
and the field's name, where an error needs it, from the source text of its statement.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from e2e_ml.festaf.errors import FeatureStoreError

_FESTAF = f"{Path(__file__).parents[1]}{os.sep}"


@dataclass(frozen=True, slots=True)
class Place:
    """A statement of a definition. `owner` is the class in whose body it stands, "" outside of one."""

    file: str
    line: int
    owner: str = ""

    def field(self) -> str:
        """The name that the statement gives to what it makes, "" where that cannot be told."""
        try:
            tree = ast.parse("".join(linecache.getlines(self.file)))
        except (SyntaxError, ValueError):
            return ""
        covering = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno <= self.line <= (node.end_lineno or 0)
        ]
        if not covering:
            return ""
        statement = max(covering, key=lambda node: node.lineno)
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return ast.unparse(targets[0]).strip("()")

    def __str__(self) -> str:
        path = Path(self.file)
        if path.is_absolute() and path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"{path}:{self.line}"


class DefinitionError(FeatureStoreError):
    """A definition without meaning. The message is a sentence that names file, line, class and field.

    `place` and `field` hold the same as data; `sentence` is the message without them.
    """

    def __init__(self, sentence: str, place: Place | None = None, field: str | None = None) -> None:
        self.sentence = sentence
        self.place = place
        self.field = (place.field() if place and field is None else field) or ""
        named = ".".join(part for part in (place.owner if place else "", self.field) if part)
        super().__init__(": ".join(part for part in (str(place) if place else "", named, sentence) if part))


def here() -> Place:
    """The nearest statement of a class body outside of festaf that led here, else the nearest statement at all."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    nearest: Place | None = None
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_FESTAF):
            # Only the body of a class has a __qualname__ among its local names.
            owner = frame.f_locals.get("__qualname__")
            if isinstance(owner, str):
                return Place(frame.f_code.co_filename, frame.f_lineno, owner.rpartition(".")[2])
            nearest = nearest or Place(frame.f_code.co_filename, frame.f_lineno)
            if frame.f_code.co_name == "<module>":
                break
        frame = frame.f_back
    return nearest or Place("<unknown>", 0)


def refuse(sentence: str) -> DefinitionError:
    """The error for the statement that is being executed."""
    return DefinitionError(sentence, here())
