"""Finding the definitions of a project: its `features.py`, or the modules of its `features/` package."""

from __future__ import annotations

import difflib
import importlib.util
import linecache
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

from e2e_ml.festaf.definition.classes import DefinitionClass, FeatureService, FeatureView, OnDemandView
from e2e_ml.festaf.definition.columns import Column
from e2e_ml.festaf.definition.places import DefinitionError, Place


def load_definitions(project: Path | str) -> list[DefinitionClass]:
    """Run the definition modules of a project folder and give the classes in them, in the order of their definition.

    Modules run anew at each call. They may import each other (`from features.weather import HourlyWeather`, or
    `from .weather import ...`), and what else lies in the folder. Raises DefinitionError for whatever goes wrong.
    """
    folder = Path(project).resolve()
    files = _files(folder)
    if not files:
        raise DefinitionError(
            f"There are no definitions in {folder}. Write your feature views into {folder / 'features.py'}."
        )
    for name in [name for name in sys.modules if name == "features" or name.startswith("features.")]:
        del sys.modules[name]
    found: dict[DefinitionClass, None] = {}
    sys.path.insert(0, str(folder))
    try:
        for name, file in files:
            for value in vars(_run(name, file)).values():
                if isinstance(value, type) and issubclass(value, FeatureView | OnDemandView | FeatureService):
                    found.update({value: None} if "__record__" in vars(value) else {})
    finally:
        sys.path.remove(str(folder))
    if not found:
        raise DefinitionError(f"{files[0][1]} defines no feature view. Subclass fs.FeatureView in it.")
    return list(found)


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Module names and files, a package before its modules."""
    package, module = folder / "features", folder / "features.py"
    if module.is_file():
        return [("features", module)]
    inside = sorted(package.rglob("*.py")) if package.is_dir() else []
    named = [(".".join(file.relative_to(folder).with_suffix("").parts), file) for file in inside]
    return [(name.removesuffix(".__init__"), file) for name, file in sorted(named, key=lambda pair: pair[0])]


class _FreshLoader(SourceFileLoader):
    """Compiles the file as it now is. Byte code is matched by size and second, so that a quick edit could be missed."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run(name: str, file: Path) -> object:
    if name in sys.modules:  # another module has imported it
        return sys.modules[name]
    search = [str(file.parent)] if file.name == "__init__.py" else None
    loader = _FreshLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader, submodule_search_locations=search)
    if spec is None:
        raise DefinitionError(f"{file} is not a Python module.")
    linecache.checkcache(str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except DefinitionError:
        raise
    except SyntaxError as error:
        place = Place(error.filename or str(file), error.lineno or 0)
        raise DefinitionError(f"it is not Python: {error.msg}.", place, "") from None
    except (Exception, SystemExit) as error:
        raise DefinitionError(_stopped(error), _last_place(error, file)) from error
    return module


def _stopped(error: BaseException) -> str:
    """What stopped a definition module, in words."""
    match error:
        case NameError(name=str(name)):
            return f"there is nothing called {name} here.{_meant(name, _names_at(error))}"
        case AttributeError(name=str(name), obj=type() as owner) if issubclass(owner, FeatureView | OnDemandView):
            known = [member for member, value in vars(owner).items() if isinstance(value, Column)]
            return f"{owner.__name__} has no column {name}. It has: {', '.join(known)}."
        case ImportError(name=str(name)):
            return f"it imports {name}, which does not work: {error}. Install it, or correct the import."
        case SystemExit():
            return "it ends the program. A definition only defines: take the exit out."
        case _:
            return f"it stopped with {type(error).__name__}: {error}"


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f" Did you mean {close[0]}?" if close else " Define it above, or correct the name."


def _names_at(error: BaseException) -> list[str]:
    """What could have been meant where an error was raised: the columns of a class body, else all that has a name."""
    frame = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    columns = [name for name, value in frame.f_locals.items() if isinstance(value, Column)]
    return columns or [*frame.f_locals, *frame.f_globals]


def _last_place(error: BaseException, file: Path) -> Place:
    """The last statement of the definition file that was reached, and the class in whose body it stands."""
    frames = [f for f in traceback.walk_tb(error.__traceback__) if f[0].f_code.co_filename == str(file)]
    if not frames:
        return Place(str(file), 0)
    frame, line = frames[-1]
    owner = frame.f_locals.get("__qualname__")
    return Place(str(file), line, owner.rpartition(".")[2] if isinstance(owner, str) else "")
