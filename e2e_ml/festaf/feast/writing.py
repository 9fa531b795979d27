"""A festaf project made of what a Feast repository holds: `features.py`, and a note for everything that was changed on
the way or had to stay behind."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2e_ml.festaf.feast import bodies, spelling
from e2e_ml.festaf.feast.computing import NotComputedError, computed
from e2e_ml.festaf.feast.reading import OnDemand, Projection, Repository, Service, View
from e2e_ml.festaf.naming import snake_case

_WIDTH = 120
_FILES = {"": "parquet", "parquet": "parquet", "delta": "delta"}


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know of one item: `left` where it was not carried over."""

    item: str
    sentence: str
    left: bool = False

    def __str__(self) -> str:
        return f"{self.item}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Written:
    """The project's files by name, the items that came along, and the notes."""

    project: str
    files: Mapping[str, str]
    carried: tuple[str, ...]
    notes: tuple[Note, ...]

    @property
    def left(self) -> tuple[Note, ...]:
        return tuple(note for note in self.notes if note.left)


@dataclass(slots=True)
class _Class:
    """A class that was written, and its features: their names in Feast, and here."""

    name: str
    features: dict[str, str]
    keys: tuple[str, ...] = ()


def write(repository: Repository, root: Path, output: Path) -> Written:
    """The definitions of `repository`, which lies in `root`, for a project in `output`. Nothing is written to disk."""
    return _Writer(repository, root, output).write()


@dataclass
class _Writer:
    repository: Repository
    root: Path
    output: Path
    notes: list[Note] = field(default_factory=list[Note])
    carried: list[str] = field(default_factory=list[str])
    classes: dict[str, _Class] = field(default_factory=dict[str, _Class])  # by Feast's name of the view, or projection
    blocks: list[str] = field(default_factory=list[str])

    def write(self) -> Written:
        repository = self.repository
        for view in repository.views:
            self._view(view, view.name, {}, view.name)
        for on_demand in repository.on_demand:
            self._on_demand(on_demand)
        for service in repository.services:
            self._service(service)
        for other in repository.others:
            self._left(other, "festaf has no permissions of its own: the catalog's server asks for a token to write.")
        files = {"features.py": self._module(), **self._settings()}
        return Written(repository.project, files, tuple(self.carried), tuple(self.notes))

    def _module(self) -> str:
        about = self.repository.description or f"The features of {self.repository.project}."
        origin = f"Written by `e2e-ml festaf import-feast` from Feast {self.repository.feast}."
        head = f'"""{_sentence(about)}\n\n{origin}\n"""\n\n'
        body = "\n\n\n".join(self.blocks)
        imports = "from __future__ import annotations\n\n"
        if "timedelta(" in body:
            imports += "from datetime import timedelta\n\n"
        return f"{head}{imports}from e2e_ml import festaf as fs\n\n\n{body}\n"

    # --- feature views ----------------------------------------------------------------------------------------------

    def _view(self, view: View, feast_name: str, join_key_map: Mapping[str, str], called: str) -> None:
        """Write a view, or a copy of it under another name and by other keys."""
        item = f"feature view {called}"
        if reason := _why_not(view):
            self._left(item, reason)
            return
        try:
            made = computed(view)
        except NotComputedError as error:
            self._left(item, str(error))
            return
        name = self._class_name(item, called)
        lines = list(self._about(view.description, view.owner, view.tags, source=self._source(item, view)))
        if view.ttl_seconds:
            lines.append(f"ttl = {spelling.duration(view.ttl_seconds)}")
        lines.append("")
        mapped = {feast: theirs for theirs, feast in view.source.field_mapping.items()} if view.source else {}
        keys: list[str] = []
        for key in view.keys:
            dtype = spelling.type_of(key.type) if key.type else None
            if dtype is None:
                self._note(item, f"the type of its key {key.name} is not known; it is written as text. Correct it.")
            asked = join_key_map.get(key.name, key.name)
            own = spelling.column_name(asked)
            theirs = mapped.get(key.name, key.name)
            column = f"fs.{dtype or 'String'}()" + (f".named({spelling.text(theirs)})" if own != theirs else "")
            described = f".describe({spelling.text(key.description)})" if key.description else ""
            lines.append(f"{own} = fs.Entity({column}){described}")
            keys.append(own)
        lines += self._times(item, view, mapped)
        lines.append("")
        features: dict[str, str] = {}
        given = {each.name for each in view.features}
        for each in made.columns:
            structs = tuple(view.source.structs.get(each.name, ())) if view.source else ()
            dtype = spelling.type_of(each.type, structs, each.vector_length)
            if dtype is None:
                self._left(
                    f"{item}, {each.name}", f"festaf has no type for {each.type.type}. Make it columns of its own."
                )
                continue
            own = made.called[each.name]
            theirs = mapped.get(each.name, each.name)
            if own != each.name:
                self._note(item, f"its {_kind(each.name, given)} {each.name} is called {own} here.")
            if each.type.type == "Json":
                self._note(item, f"{each.name} is JSON, and text here; as fs.Struct its fields could be read.")
            if each.name in given and each.name not in made.features:
                features[each.name] = own
            lines.append(f"{own} = {spelling.column(each, dtype, source_name=theirs if own != theirs else None)}")
        fields = {each.name: each for each in view.features}
        for feast, text in made.features.items():
            own = features[feast] = spelling.column_name(feast)
            lines.append(f"{own} = {spelling.computed(text, fields.get(feast))}")
        for sentence in made.notes:
            self._note(item, sentence)
        self._tell_of(item, view)
        self._class(item, name, "FeatureView", view.description, lines)
        self.classes[feast_name] = _Class(name, features, tuple(keys))

    def _times(self, item: str, view: View, mapped: Mapping[str, str]) -> Iterator[str]:
        source = view.source
        if source is None or not source.timestamp_field:
            self._note(item, "its source names no event time: it holds the current values alone.")
            return
        for feast, role in ((source.timestamp_field, "EventTime"), (source.created_timestamp_column, "CreatedTime")):
            if feast:
                own, theirs = spelling.column_name(feast), mapped.get(feast, feast)
                yield f"{own} = fs.{role}()" + (f".named({spelling.text(theirs)})" if own != theirs else "")

    def _tell_of(self, item: str, view: View) -> None:
        if view.stream is not None and view.stream.type == "PushSource":
            self._note(item, f"rows of {view.stream.name} come by store.push({item.rpartition(' ')[2]!r}, rows).")
        elif view.stream is not None:
            kind = view.stream.type.removesuffix("Source")
            self._left(f"{item}, {view.stream.name}", f"festaf does not listen to {kind}: push its rows, or load them.")
        if view.kind == "LabelView":
            self._note(
                item, f"a label view is a feature view here; {view.conflict_policy or 'the last write'} decided."
            )
        if view.version != "latest":
            self._note(item, f"it was pinned to {view.version}; the registry keeps its own versions.")
        if not view.online or not view.enabled:
            self._note(item, "it was switched off online; here every view is served once it is loaded.")
        if view.inference:
            self._note(item, f"Feast could not look into its source ({view.inference}).")

    def _source(self, item: str, view: View) -> str:
        source = view.source
        if source is None:
            self._note(item, "it has no source in Feast: its rows come by store.push.")
            return 'fs.push(timezone="UTC")'
        if source.type == "FileSource" and source.format in _FILES:
            return f'fs.{_FILES[source.format]}({spelling.text(self._place(source.path))}, timezone="UTC")'
        if source.type == "PostgreSQLSource":
            rows = source.query or source.table
            return f'fs.sql("{_CONNECTION}", {spelling.text(rows)}, timezone="UTC")'
        placeholder = f"data/{re.sub(r'[^A-Za-z0-9._-]+', '_', source.name)}.parquet"
        what = f"{source.type} {source.table or source.name}".strip()
        self._left(f"{item}, its source", f"festaf does not read {what}. Have its rows written to {placeholder}.")
        return f'fs.parquet({spelling.text(placeholder)}, timezone="UTC")'

    def _place(self, path: str) -> str:
        """A path as seen from the project; what has a scheme stays."""
        if "://" in path:
            return path
        return os.path.relpath((self.root / path).resolve(), self.output.resolve())

    # --- on-demand views --------------------------------------------------------------------------------------------

    def _on_demand(self, view: OnDemand) -> None:
        item = f"on-demand view {view.name}"
        columns: dict[str, str] = {}
        for read in view.reads:
            found = self._projected(read)
            if found is None:
                self._left(item, f"it reads {read.view}, which was left out.")
                return
            for feast, own in found.features.items():
                written = f"{found.name}.{own}"
                columns.setdefault(feast, written)
                columns[f"{read.alias or read.view}__{feast}"] = written
        request: list[str] = []
        for each in view.request:
            dtype = spelling.type_of(each.type, (), each.vector_length)
            if dtype is None:
                self._left(item, f"its request has {each.name}, of a type that festaf lacks: {each.type.type}.")
                return
            own = spelling.column_name(each.name)
            columns[each.name] = own
            request.append(f"{own} = {spelling.column(each, dtype)}.request()")
        try:
            given = bodies.expressions(view.code, columns)
        except bodies.NotAnExpressionError as error:
            self._left(
                item,
                f"its function is no expression: {error}. Write its features as expressions of {_names(columns)}, or "
                "as a function with fs.python.",
            )
            return
        name = self._class_name(item, view.name)
        lines = [*self._about(view.description, view.owner, view.tags)]
        lines += [*request, ""]
        features: dict[str, str] = {}
        for each in view.features:
            if each.name not in given:
                self._left(f"{item}, {each.name}", "its function does not give it.")
                continue
            own = features[each.name] = spelling.column_name(each.name)
            lines.append(f"{own} = {spelling.computed(given[each.name], each)}")
        if view.stored:
            self._note(item, "Feast stored its values; here they are computed when they are asked for.")
        self._class(item, name, "OnDemandView", view.description, lines)
        self.classes[view.name] = _Class(name, features)

    # --- feature services -------------------------------------------------------------------------------------------

    def _service(self, service: Service) -> None:
        item = f"feature service {service.name}"
        members: list[str] = []
        for read in service.reads:
            found = self._projected(read)
            if found is None:
                self._left(f"{item}, {read.view}", "the view was left out.")
                continue
            wanted = read.features or tuple(found.features)
            for feast in wanted:
                if feast in found.features:
                    members.append(f"{found.name}.{found.features[feast]}")
                elif feast not in found.keys:
                    self._left(f"{item}, {read.view}:{feast}", "the feature was left out.")
        if not members:
            self._left(item, "none of its features came along.")
            return
        if service.logged:
            self._note(item, "what it served was logged; festaf logs no answers.")
        name = self._class_name(item, service.name)
        lines = list(self._about(service.description, service.owner, service.tags))
        lines.append(f"features = ({', '.join(dict.fromkeys(members))}{',' if len(members) == 1 else ''})")
        self._class(item, name, "FeatureService", service.description, lines)

    def _projected(self, read: Projection) -> _Class | None:
        """The class of a view as a service asks for it: a copy where it has another name or other keys there."""
        original = next((view for view in self.repository.views if view.name == read.view), None)
        if original is None or (not read.alias and not read.join_key_map):
            return self.classes.get(read.view)
        keys = "_".join(read.join_key_map.values())
        called = read.alias or f"{read.view}_by_{keys}"
        feast_name = f"{read.view} as {called} by {keys}"
        if feast_name not in self.classes and read.view in self.classes:
            told = len(self.notes)
            self._view(original, feast_name, read.join_key_map, called)
            del self.notes[told:]  # the same as of the view itself
        return self.classes.get(feast_name)

    # --- text -------------------------------------------------------------------------------------------------------

    def _about(self, description: str, owner: str, tags: Mapping[str, str], source: str | None = None) -> Iterator[str]:
        if source:
            yield f"source = {source}"
        if owner:
            yield f"owner = {spelling.owner(owner)}"
        if words := spelling.tags(tags):
            yield f"tags = ({', '.join(map(spelling.text, words))}{',' if len(words) == 1 else ''})"

    def _class_name(self, item: str, called: str) -> str:
        name = spelling.class_name(called)
        if snake_case(name) != called:
            self._note(item, f"it is called {snake_case(name)} here.")
        return name

    def _class(self, item: str, name: str, base: str, description: str, lines: Sequence[str]) -> None:
        body = list(_paragraphs(lines))
        about = [f'"""{_sentence(description)}"""', ""] if description else []
        text = "\n".join(_wrapped(line) for line in [*about, *body])
        self.blocks.append(f"class {name}(fs.{base}):\n{textwrap.indent(text, '    ')}")
        self.carried.append(item)

    def _settings(self) -> dict[str, str]:
        """festaf.yaml, where there is a database to name or a Redis to serve from."""
        offline, online = self.repository.offline_store, self.repository.online_store
        lines = ["version: 1"]
        if online.get("type") == "redis":
            lines.append(f"online: redis://{online.get('address') or '127.0.0.1:6379'}/0")
            self._note("online store", "Redis is in festaf.yaml. If it has a password, add credential: env:NAME there.")
        elif online.get("type", "sqlite") != "sqlite":
            self._left("online store", f"festaf serves from SQLite or Redis, not from {online['type']}.")
        if 'fs.sql("' in "".join(self.blocks):
            place = f"{offline.get('host', '127.0.0.1')}:{offline.get('port', '5432')}/{offline.get('database', '')}"
            url = f"postgresql://{offline.get('user', 'postgres')}@{place}"
            lines += ["connections:", f'  {_CONNECTION}: {{url: "{url}", credential: env:FEAST_PASSWORD}}']
            self._note("offline store", "its database is in festaf.yaml; the password is read from FEAST_PASSWORD.")
        return {"festaf.yaml": "\n".join(lines) + "\n"} if len(lines) > 1 else {}

    def _note(self, item: str, sentence: str) -> None:
        self.notes.append(Note(item, sentence))

    def _left(self, item: str, sentence: str) -> None:
        self.notes.append(Note(item, sentence, left=True))


_CONNECTION = "feast"


def _why_not(view: View) -> str:
    """Why a view cannot come along; empty where it can."""
    if view.derived_from:
        return f"it is made of {', '.join(view.derived_from)} inside Feast. Define it over its stored table."
    if not view.keys:
        return "it has no entity; a view here has at least one. Give its rows a key, such as a constant."
    return ""


def _kind(name: str, features: Collection[str]) -> str:
    return "feature" if name in features else "column"


def _names(columns: Mapping[str, str]) -> str:
    return ", ".join(dict.fromkeys(columns.values()))


def _sentence(description: str) -> str:
    plain = " ".join(description.replace("\\", "/").replace('"""', "'''").split())
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."


def _paragraphs(lines: Sequence[str]) -> Iterator[str]:
    """No two empty lines, and none at the ends."""
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    while kept and not kept[-1]:
        kept.pop()
    yield from kept


def _wrapped(line: str) -> str:
    """A line of a class body in the width of a page: a tuple an item a line, a chain of calls a call a line."""
    if len(line) + 4 <= _WIDTH:
        return line
    head, _, value = line.partition(" = ")
    if line.startswith('"""'):
        return "\n".join(textwrap.wrap(line, _WIDTH - 4))
    if value.startswith("(") and value.endswith(")") and head in ("features", "tags"):
        items = [part.rstrip(",") for part in value[1:-1].split(", ")]
        return f"{head} = (\n" + "".join(f"    {item},\n" for item in items) + ")"
    calls = re.split(r"(?=\.(?:named|describe|tags|request)\()", value)
    if len(calls) > 1:
        return f"{head} = (\n" + "\n".join(f"    {call}" for call in calls) + "\n)"
    return line
