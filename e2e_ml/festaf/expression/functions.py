"""The project's own code behind an expression: which function a definition means, and finding that very one again.

A function is known by its module, its name and the hash of its source text. It is imported from the project folder only
when it is to run, and only where its source is what was applied.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from e2e_ml.festaf.expression.tree import ExpressionError, Python

Function = Callable[..., Any]  # of a polars.DataFrame, giving a polars.Series


@dataclass(frozen=True, slots=True)
class Identity:
    module: str
    name: str
    sha256: str


def identify(function: object) -> Identity:
    """Which function it is. Raises ExpressionError unless it is a `def` at the top of a module with a source file."""
    if not isinstance(function, FunctionType) or function.__qualname__ != function.__name__ or "<" in function.__name__:
        raise ExpressionError(
            f"{getattr(function, '__qualname__', function)!r} is no function at the top of a module. Write it as a def "
            "there, so that it can be found again by its name."
        )
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    if function.__module__ == "__main__" or file is None:
        raise ExpressionError(f"{function.__name__} stands in no module. Put it into one of the project folder.")
    sha256 = _sha256(Path(file), function.__name__)
    if sha256 is None:
        raise ExpressionError(f"There is no def {function.__name__} at the top of {file}. Write one.")
    return Identity(function.__module__, function.__name__, sha256)


def _sha256(file: Path, name: str) -> str | None:
    """The hash of a function's source text, decorators included; None where the file has none of that name."""
    try:
        tree = ast.parse(text := file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not found:
        return None
    first = min([found[-1].lineno, *(decorator.lineno for decorator in found[-1].decorator_list)])
    lines = text.splitlines()[first - 1 : found[-1].end_lineno]
    return hashlib.sha256("\n".join(line.rstrip() for line in lines).encode()).hexdigest()


def load(node: Python, project: Path | str) -> Function:
    """The function that a node means, from its module in the project folder.

    Raises ExpressionError, with what to do, when the module lies elsewhere or does not import, and when the function is
    missing or its source has changed since it was applied.
    """
    folder = Path(project).resolve()
    called = f"{node.module}.{node.function}"
    file = _file(node.module, folder)
    if file is None:
        raise ExpressionError(f"{called} needs the module {node.module} in {folder}, and it is not there. Restore it.")
    found = _sha256(file, node.function)
    if found is None:
        raise ExpressionError(f"{file} has no function {node.function}. Restore it, or apply definitions without it.")
    if found != node.sha256:
        raise ExpressionError(f"{called} has changed since it was applied. Apply the definitions again, or restore it.")
    try:
        with _LOADING:
            return getattr(_loaded(node.module, file, folder), node.function)
    except (Exception, SystemExit) as error:
        raise ExpressionError(f"{called} cannot be imported: {type(error).__name__}: {error}. Mend {file}.") from error


def _file(module: str, folder: Path) -> Path | None:
    stem = folder.joinpath(*module.split("."))
    return next((file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()), None)


class FreshLoader(SourceFileLoader):
    """Compiles the file as it now is. Byte code is matched by size and second, so that a quick edit could be missed."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


_LOADING = threading.RLock()
_RUN: dict[Path, tuple[bytes, ModuleType]] = {}  # the modules that were run here, and of which text


def _loaded(name: str, file: Path, folder: Path) -> ModuleType:
    """The module as its file now is, run once for each text. It stays out of `sys.modules`: two projects may have
    modules of one name in one process."""
    text = file.read_bytes()
    known = _RUN.get(file)
    if known is not None and known[0] == text:
        return known[1]
    search = [str(file.parent)] if file.name == "__init__.py" else None
    loader = FreshLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader, submodule_search_locations=search)
    if spec is None:
        raise ImportError(f"{file} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.path.insert(0, str(folder))
    sys.modules[name] = module
    try:
        if parent := name.rpartition(".")[0]:
            importlib.import_module(parent)
        loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
    _RUN[file] = (text, module)
    return module
