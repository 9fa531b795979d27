"""The constants in a DAG's source that name things of the lifecycle. The source is parsed, never run.

A constant is a text, or what simple names, `+`, `Path(...) / ...`, `os.path.join(...)` and f-strings make of texts
alone; a text with a part that is only known when the task runs (`{ds}`, `{{ ds }}`) names nothing. A feature is
`view:feature`, however it is written, and a feature service stands among them by its name; a URI loses its user,
password and query, for they may be secret.

`models:/delay@champion` is the model `delay`. Of the models that a source names, `registers` are those that it makes
versions of, by the calls and outlets that do so, and `loads` those that it loads, or of which it names a version or an
alias: that has to be there already. What is done with the others cannot be told.
"""

from __future__ import annotations

import ast
import contextlib
import posixpath
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit, urlunsplit

KINDS = ("uris", "models", "registers", "loads", "experiments", "features", "columns")
MOST = 200  # constants of a kind
MOST_CHARACTERS = 500  # of a constant
MOST_SOURCE = 2_000_000  # characters of a source

_DATA = (
    ".parquet", ".pq", ".csv", ".csv.gz", ".tsv", ".json", ".jsonl", ".ndjson", ".orc", ".avro", ".feather", ".arrow",
    ".xlsx", ".h5", ".hdf5", ".npy", ".npz", ".zarr", ".delta", ".duckdb", ".tfrecord",
)  # fmt: skip
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_OUR_TAG = "ml:"  # `ml:train` and its like are tags of DAGs
_WEB = ("http", "https")  # data only where the path ends like data
_NAME = re.compile(r"[A-Za-z_]\w*")
_FEATURE = re.compile(r"[A-Za-z]\w*(@v\d+)?:[A-Za-z_]\w*|[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*__[A-Za-z0-9]\w*")
_MODEL = re.compile(r"models:/+([^/@{}\n]+)([/@].*)?", re.DOTALL)
_DOTTED = re.compile(r"[A-Za-z_]\w*[.:][A-Za-z_]\w*")

# What the argument of a call names: function -> (position, keyword) -> kind.
_ARGUMENTS = {
    "set_experiment": (0, "experiment_name", "experiments"),
    "create_experiment": (0, "name", "experiments"),
    "get_experiment_by_name": (0, "name", "experiments"),
    "register_model": (1, "name", "registers"),
    "create_registered_model": (0, "name", "registers"),
    "create_model_version": (0, "name", "registers"),
    "copy_model_version": (1, "dst_name", "registers"),
    "set_registered_model_alias": (0, "name", "models"),
    "transition_model_version_stage": (0, "name", "models"),
    "get_model_version_by_alias": (0, "name", "loads"),
    "get_latest_versions": (0, "name", "loads"),
    "get_feature_service": (0, "name", "services"),
}
_KEYWORDS = {
    "registered_model_name": "registers",
    "experiment_name": "experiments",
    "table": "uris",
    "table_name": "uris",
    "columns": "columns",
    "usecols": "columns",
    "target": "columns",
    "targets": "columns",
    "label": "columns",
    "features": "features",
    "feature_refs": "features",
    "service": "services",
    "feature_service": "services",
}
_ASSETS = {"outlets": "registers", "inlets": "loads", "schedule": "loads"}  # of a task or a DAG: assets `models:/delay`
_LOADERS = frozenset({
    "load_model", "spark_udf", "get_model_info", "download_artifacts", "predict", "evaluate", "build_docker",
})  # fmt: skip
_NO_FRAMES = frozenset({"environ", "context", "kwargs", "conf", "params", "outlet_events", "inlet_events", "os"})
_JOINS = ("os.path.join", "path.join", "posixpath.join")
_PATHS = ("Path", "PurePath", "PosixPath", "PurePosixPath", "str", "fspath")

Constants = dict[str, list[str]]


def constants(source: str) -> Constants:
    """What `source` names, by kind, each list sorted and bounded; every kind is there, empty lists too.

    A source that is no Python names nothing.
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    if len(source) <= MOST_SOURCE:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            _Reader(ast.parse(source), found).read()
    found["models"] |= found["registers"] | found["loads"]
    return {kind: sorted(found[kind])[:MOST] for kind in KINDS}


class _Reader:
    def __init__(self, tree: ast.Module, found: dict[str, set[str]]) -> None:
        self._tree, self._found = tree, found
        self._values = _assigned(tree)
        self._resolving: set[str] = set()

    def read(self) -> None:
        waiting: list[ast.AST] = [self._tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring, or code that is commented out by quotes
            if isinstance(node, ast.expr) and (text := self.text(node)) is not None:
                self._anywhere(text)
                continue
            match node:
                case ast.Call():
                    self._call(node)
                case ast.Subscript():
                    self._subscript(node)
                case ast.JoinedStr() | ast.BinOp():
                    self._begun(node)
                case _:
                    pass
            in_parts = isinstance(node, ast.JoinedStr | ast.BinOp) or (isinstance(node, ast.Call) and _is_path(node))
            parts = ast.iter_child_nodes(node)
            # A part of a text that is not known as a whole names nothing.
            waiting.extend(part for part in parts if not (in_parts and isinstance(part, ast.Constant)))

    # --- where a text stands says what it names ---

    def _call(self, call: ast.Call) -> None:
        name = _dotted(call.func).rpartition(".")[2]
        if (known := _ARGUMENTS.get(name)) is not None:
            position, keyword, kind = known
            named = [k.value for k in call.keywords if k.arg == keyword]
            self._take(kind, [*call.args[position : position + 1], *named])
        for keyword in call.keywords:
            if keyword.arg is not None and (kind := _KEYWORDS.get(keyword.arg)):
                self._take(kind, [keyword.value])
            if keyword.arg is not None and (kind := _ASSETS.get(keyword.arg)):
                self._models_in(kind, keyword.value)
        if name in _LOADERS:
            for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
                if (text := self.text(argument)) and (model := _model(text)):
                    self._add("loads", model[0])

    def _models_in(self, kind: str, node: ast.expr) -> None:
        """The models that stand in an expression by their URIs, also behind names."""
        for part in ast.walk(node):
            value = self._values.get(part.id) if isinstance(part, ast.Name) else None
            for each in (part, *(ast.walk(value) if value is not None else ())):
                if isinstance(each, ast.expr) and (text := self.text(each)) and (model := _model(text)):
                    self._add(kind, model[0])

    def _begun(self, node: ast.JoinedStr | ast.BinOp) -> None:
        """A text of which the end is known when the task runs alone: `models:/delay/` and a version."""
        if (model := _model(self._beginning(node))) and model[1]:
            self._add("loads", model[0])

    def _beginning(self, node: ast.expr) -> str:
        match node:
            case ast.JoinedStr(values=parts):
                pass
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                parts = [left, right]
            case _:
                return self.text(node) or ""
        known = ""
        for part in parts:
            if (text := self.text(part)) is None:
                return known + (self._beginning(part) if isinstance(part, ast.BinOp | ast.JoinedStr) else "")
            known += text
        return known

    def _subscript(self, node: ast.Subscript) -> None:
        """`frame["column"]`, `frame[["a", "b"]]`."""
        if _dotted(node.value).rpartition(".")[2] not in _NO_FRAMES:
            self._take("columns", [node.slice])

    def _take(self, kind: str, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            for text in self._texts(node):
                if kind == "columns":
                    if _NAME.fullmatch(text):
                        self._add("columns", text)
                elif kind == "features":
                    if _FEATURE.fullmatch(text) or _DOTTED.fullmatch(text):
                        self._add("features", _feature(text))
                    elif _NAME.fullmatch(text):
                        self._add("columns", text)
                elif kind == "services":
                    if _NAME.fullmatch(text):
                        self._add("features", text)
                elif kind in ("models", "registers", "loads"):
                    self._add(kind, text.removeprefix("models:/"))
                elif kind != "uris" or "://" not in text:
                    self._add(kind, text)

    def _texts(self, node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            for element in node.elts:
                yield from self._texts(element)
        elif isinstance(node, ast.Name) and isinstance(listed := self._values.get(node.id), ast.List | ast.Tuple):
            for element in listed.elts:
                if text := self.text(element):
                    yield text
        elif text := self.text(node):
            yield text

    def _anywhere(self, text: str) -> None:
        """What a text names by its form."""
        if text.startswith("models:/"):
            if model := _model(text):
                self._add("loads" if model[1].strip("/@") else "models", model[0])
        elif _SCHEME.fullmatch(text):
            if uri := _public(text):
                self._add("uris", uri)
        elif text.lower().endswith(_DATA) and not any(c.isspace() for c in text) and not text.startswith("."):
            self._add("uris", text)
        elif _FEATURE.fullmatch(text) and not text.startswith(_OUR_TAG):
            self._add("features", _feature(text))

    def _add(self, kind: str, text: str) -> None:
        if text and len(text) <= MOST_CHARACTERS and "{{" not in text:
            self._found[kind].add(text)

    # --- what an expression is, where it is a text ---

    def text(self, node: ast.expr) -> str | None:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self._named(name)
            case ast.JoinedStr(values=parts):
                return self._joined(parts, "")
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self.text(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._joined([left, right], "")
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._path([left, right])
            case ast.Call() if _is_path(node):
                return self._path(node.args)
            case _:
                return None

    def _named(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or name in self._resolving:
            return None
        self._resolving.add(name)
        try:
            return self.text(value)
        finally:
            self._resolving.discard(name)

    def _joined(self, parts: Iterable[ast.expr], between: str) -> str | None:
        texts = [self.text(part) for part in parts]
        known = [text for text in texts if text is not None]
        joined = between.join(known)
        return joined if len(known) == len(texts) and len(joined) <= MOST_CHARACTERS else None

    def _path(self, parts: Iterable[ast.expr]) -> str | None:
        texts = [self.text(part) for part in parts]
        known = [text for text in texts if text is not None]
        return posixpath.join(*known) if known and len(known) == len(texts) else None


def _assigned(tree: ast.Module) -> dict[str, ast.expr]:
    """Name -> what it is, for the names that the source gives one value to."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=value):
                targets = [target]
            case ast.NamedExpr(target=target, value=value):
                targets = [target]
            case ast.AugAssign(target=target) | ast.For(target=target):
                targets, value = [target, target], ast.Constant(None)  # it has several values
            case _:
                continue
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                values.setdefault(target.id, []).append(value)
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {name: known[0] for name, known in values.items() if len(known) == 1 and name not in arguments}


def _is_path(call: ast.Call) -> bool:
    name = _dotted(call.func)
    return bool(call.args) and not call.keywords and (name in _JOINS or name.rpartition(".")[2] in _PATHS)


def _model(text: str) -> tuple[str, str] | None:
    """The registered model of a URI, and what names a version or an alias of it, `/3`; None for what is no such URI."""
    found = _MODEL.fullmatch(text)
    return (found[1], found[2] or "") if found and not found[1].startswith("m-") else None


def _feature(text: str) -> str:
    """`view:feature` from that, from `view.feature` and from `view__feature`."""
    between = next(sign for sign in (":", ".", "__") if sign in text)
    return ":".join(text.split(between, 1))


def _dotted(node: ast.expr) -> str:
    """`os.path.join` from its expression; what is no name is empty."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}".lstrip(".")
        case _:
            return ""


def _public(uri: str) -> str | None:
    """A URI without user, password and query; None for a page of the web and for what is no URI."""
    try:
        parts = urlsplit(uri)
        if parts.scheme in _WEB and not parts.path.lower().endswith(_DATA):
            return None
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    return urlunsplit((parts.scheme, place, parts.path, "", parts.fragment)) if place or parts.path else None
