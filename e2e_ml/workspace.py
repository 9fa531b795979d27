"""`Workspace`: what `workbench.yaml` says, checked: which services, managed or attached, and where things are kept.

    version: 1
    name: flights
    services:
      airflow: {managed: true, dags: dags}
      mlflow: {url: https://mlflow.example.com, credential: env:MLFLOW_TOKEN}
      festaf: {managed: true, project: .}

A service that is left out is managed with its defaults. Credentials are references (`env:NAME`, `file:PATH`), never
values.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator
from yaml.parser import ParserError
from yaml.scanner import ScannerError

FILE_NAME = "workbench.yaml"
STATE_NAME = ".e2e-ml"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a `workbench.yaml`."""

    file: Path
    sentence: str
    line: int | None = None  # counted from 1
    field: str | None = None  # "services.mlflow.url"

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        return f"{self.file}{line}: {f'{self.field}: ' if self.field else ''}{self.sentence}"


class WorkspaceError(Exception):
    """A workspace that cannot be opened. The message holds a line a problem, each with its file, line and field."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class CredentialError(Exception):
    """A credential reference that leads nowhere; the message says which and what to do, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Where a secret is kept: an environment variable or a file. The secret is `user:password` or a bearer token."""

    kind: Literal["env", "file"]
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"

    def resolve(self, root: Path) -> str:
        """The secret itself. Raises CredentialError. A relative file is looked up below the workspace's root."""
        if self.kind == "env":
            if not (value := os.environ.get(self.place, "").strip()):
                raise CredentialError(f"The environment variable {self.place} is not set. Set it and start again.")
            return value
        path = root / Path(self.place).expanduser()
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise CredentialError(
                f"The credential file {path} cannot be read: {reason}. Write the secret into it."
            ) from None
        if not value:
            raise CredentialError(f"The credential file {path} is empty. Write the secret into it.")
        return value


def parse_credential(reference: str) -> Credential:
    """Read a reference. Raises ValueError, with a sentence that never repeats what may be a secret."""
    kind, colon, place = reference.partition(":")
    if kind == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", place):
        return Credential("env", place)
    if kind == "file" and place.strip():
        return Credential("file", place)
    if kind == "keyring" and colon:
        raise ValueError("keyring references are not supported yet; use env:NAME or file:PATH")
    raise ValueError(
        "a credential is a reference, env:NAME or file:PATH, never the secret itself; "
        "move the secret to an environment variable or to a file that only you can read"
    )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Managed(_Strict):
    """A service that the workbench starts and stops itself."""

    managed: Literal[True] = True
    port: int | None = Field(default=None, ge=1024, le=65535)  # None: a free one, kept from start to start


class ManagedAirflow(Managed):
    dags: str = "dags"


class ManagedFestaf(Managed):
    project: str = "."


class Attached(_Strict):
    """A service that runs elsewhere."""

    managed: Literal[False] = False
    url: str
    credential: str | None = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise ValueError("this is not a URL; write it like https://airflow.example.com") from None
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL must not carry a user or password; leave them out and use credential: env:NAME")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("this is not an http(s) URL; write it like https://airflow.example.com")
        if parts.query or parts.fragment:
            raise ValueError("a base URL ends before any ? or #; leave that part out")
        return url.rstrip("/")

    @field_validator("credential")
    @classmethod
    def _check_credential(cls, reference: str | None) -> str | None:
        if reference is not None:
            parse_credential(reference)
        return reference

    def secret(self, root: Path) -> str | None:
        """The credential's value, None where there is none. Raises CredentialError."""
        return parse_credential(self.credential).resolve(root) if self.credential else None


class AttachedAirflow(Attached):
    dags: str = "dags"  # where the DAG files are on this machine, if they are


class AttachedFestaf(Attached):
    project: str = "."


def _kind(value: Any) -> str:
    if isinstance(value, Attached):
        return "attached"
    if not isinstance(value, Mapping):
        return "managed"
    settings = cast("Mapping[str, Any]", value)
    return "attached" if "url" in settings or settings.get("managed") is False else "managed"


_Airflow = Annotated[
    Annotated[ManagedAirflow, Tag("managed")] | Annotated[AttachedAirflow, Tag("attached")], Discriminator(_kind)
]
_Mlflow = Annotated[Annotated[Managed, Tag("managed")] | Annotated[Attached, Tag("attached")], Discriminator(_kind)]
_Festaf = Annotated[
    Annotated[ManagedFestaf, Tag("managed")] | Annotated[AttachedFestaf, Tag("attached")], Discriminator(_kind)
]


class Services(_Strict):
    airflow: _Airflow = ManagedAirflow()
    mlflow: _Mlflow = Managed()
    festaf: _Festaf = ManagedFestaf()


class _Document(_Strict):
    version: Literal[1]
    name: str = Field(min_length=1, max_length=80)
    services: Services = Services()


@dataclass(frozen=True, slots=True)
class Workspace:
    """An opened workspace: a folder with a valid `workbench.yaml`, and a private folder for what the program keeps."""

    root: Path
    name: str
    services: Services

    @property
    def file(self) -> Path:
        return self.root / FILE_NAME

    @property
    def state(self) -> Path:
        """What the program keeps: databases, secrets, ports, logs; mode 0700. Deleting it forgets all of that."""
        return self.root / STATE_NAME

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def dags(self) -> Path:
        return (self.root / self.services.airflow.dags).resolve()

    @property
    def festaf_project(self) -> Path:
        return (self.root / self.services.festaf.project).resolve()

    @classmethod
    def load(cls, place: str | os.PathLike[str]) -> Workspace:
        """Open the workspace in a folder, or the one of a `workbench.yaml`. Raises WorkspaceError.

        The private state folder is made where it is missing.
        """
        path = Path(place).expanduser().absolute()
        file = path if path.suffix in (".yaml", ".yml") else path / FILE_NAME
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise WorkspaceError(Problem(file, "There is no such file. `e2e-ml up --new FOLDER` writes one.")) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise WorkspaceError(
                Problem(file, f"The file cannot be read: {reason}. Put a readable file there.")
            ) from None
        document = _read(file, text)
        workspace = cls(file.parent.resolve(), document.name, document.services)
        workspace._make_state()
        return workspace

    @classmethod
    def create(
        cls, folder: str | os.PathLike[str], name: str | None = None, services: Mapping[str, Any] | None = None
    ) -> Workspace:
        """Write a fresh `workbench.yaml` and open it. Raises WorkspaceError where there is one already.

        `services` has the shape of the file; what is left out is managed here with its defaults.
        """
        root = Path(folder).expanduser().absolute()
        file = root / FILE_NAME
        if file.exists():
            raise WorkspaceError(Problem(file, "There is one already. Open it, or choose another folder."))
        chosen = {
            "airflow": {"managed": True},
            "mlflow": {"managed": True},
            "festaf": {"managed": True},
            **(services or {}),
        }
        text = _TEMPLATE.format(name=json.dumps(name or root.name, ensure_ascii=False)) + "".join(
            f"  {service}: {json.dumps(settings)}\n" for service, settings in chosen.items()
        )
        _read(file, text)
        try:
            root.mkdir(parents=True, exist_ok=True)
            _write_new(file, text)
        except OSError as error:
            sentence = f"The file cannot be written: {error.strerror}. Choose a folder in which you may write."
            raise WorkspaceError(Problem(file, sentence)) from None
        return cls.load(root)

    def _make_state(self) -> None:
        try:
            for folder in (self.state, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
            ignore = self.state / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            sentence = (
                f"The program's own folder {self.state} cannot be used: {error.strerror}. "
                "Give yourself the right to write there, and make sure that it is a folder."
            )
            raise WorkspaceError(Problem(self.file, sentence)) from None


_TEMPLATE = """\
# A workspace of the e2e-ml workbench. `e2e-ml doctor .` checks it.
# A service that runs elsewhere: {{url: https://..., credential: env:NAME}} (or file:PATH; never the secret itself).
version: 1
name: {name}
services:
"""


def _write_new(file: Path, text: str) -> None:
    """Write a file whole, or fail where somebody else was faster."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        Path(temporary).chmod(0o644)
        os.link(temporary, file)
    finally:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()


# -- reading, with the line of every field ---------------------------------------------------------------------------

_Place = tuple[str | int, ...]


def _read(file: Path, text: str) -> _Document:
    try:
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))  # pyright: ignore[reportUnknownMemberType]
        lines = _lines(file, node)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it cannot be read"
        sentence = f"This is not YAML: {reason}."
        if isinstance(error, ScannerError | ParserError):
            sentence += " Look here and at the lines above for what is not closed or not indented."
        raise WorkspaceError(Problem(file, sentence, mark.line + 1 if mark else None)) from None
    if not isinstance(data, dict):
        raise WorkspaceError(Problem(file, "A workspace is a mapping that begins with `version: 1`.", 1))
    try:
        return _Document.model_validate(data)
    except ValidationError as error:
        raise WorkspaceError(*(_problem(file, lines, e) for e in error.errors())) from None


def _lines(file: Path, node: yaml.Node | None, place: _Place = ()) -> dict[_Place, int]:
    """The line of each field, counted from 1. A key that stands twice is refused: YAML would drop one silently."""
    lines: dict[_Place, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (*place, str(key.value))
            if at in lines:
                raise WorkspaceError(
                    Problem(file, "This key stands twice; keep one.", key.start_mark.line + 1, _dotted(at))
                )
            lines[at] = key.start_mark.line + 1
            lines |= _lines(file, value, at)
    return lines


def _problem(file: Path, lines: Mapping[_Place, int], error: Any) -> Problem:
    loc: _Place = error["loc"]
    # After services.NAME, pydantic names the branch it took: not a part of the file.
    place = loc[:2] + loc[3:] if loc[:1] == ("services",) and loc[2:3] in (("managed",), ("attached",)) else loc
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    return Problem(file, _sentence(place, error), line, _dotted(place))


def _sentence(place: _Place, error: Any) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "This is required. Write it."
        case "extra_forbidden":
            return _unknown(place, error["loc"])
        case "literal_error" if place == ("version",):
            return "This program reads version 1; write `version: 1`."
        case "literal_error" if place[-1:] == ("managed",):
            return "Write `managed: true`, or give the url of a service that runs elsewhere (not both)."
        case "value_error":
            sentence = str(context.get("error", "it is not valid"))
            return sentence[0].upper() + sentence[1:] + "."
        case "greater_than_equal" | "less_than_equal":
            return "A port is a number from 1024 to 65535."
        case "string_type":
            return "This must be a text."
        case "int_type":
            return "This must be a whole number."
        case "model_type" | "model_attributes_type" | "dict_type":
            return "This must be a mapping, such as `{managed: true}`."
        case _:
            return error["msg"] + "."


_SECRETS = {"password", "passwd", "token", "secret", "api_key", "apikey", "key", "username", "user", "auth"}


def _unknown(place: _Place, loc: Sequence[Hashable]) -> str:
    key = str(place[-1])
    if key.lower() in _SECRETS:
        return "A secret has no place in this file. Use `credential: env:NAME` or file:PATH, and change the secret."
    known = _known_keys(place[:-1], "attached" in loc[:-1])
    if not known:
        return "This is not known here. Take it out."
    close = difflib.get_close_matches(key, known, 1, 0.6)
    if close:
        return f"This is not known here. Did you mean {close[0]!r}?"
    return f"This is not known here. Known are: {', '.join(known)}."


def _known_keys(place: _Place, attached: bool) -> list[str]:
    models: dict[_Place, type[BaseModel]] = {
        (): _Document,
        ("services",): Services,
        ("services", "airflow"): AttachedAirflow if attached else ManagedAirflow,
        ("services", "mlflow"): Attached if attached else Managed,
        ("services", "festaf"): AttachedFestaf if attached else ManagedFestaf,
    }
    model = models.get(place)
    return list(model.model_fields) if model else []


def _dotted(place: _Place) -> str:
    return ".".join(map(str, place))
