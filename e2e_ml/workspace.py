"""`Workspace`: what `workbench.yaml` says, checked: which services, managed or attached, and where things are kept.

    version: 1
    name: flights
    services:
      airflow: {managed: true, dags: dags}
      mlflow: {url: https://mlflow.example.com, credential: env:MLFLOW_TOKEN}
      festaf: {managed: true, project: .}

A service that is left out is managed with its defaults. A Feast project is read where it is given, by one of

      feast: {registry: data/registry.db}
      feast: {url: grpc://127.0.0.1:6570}
      feast: {repo: feature_repo}

Credentials are references (`env:NAME`, `file:PATH`), never values.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from e2e_ml.credentials import parse_credential
from e2e_ml.settings_file import FieldPlace, Problem, SettingsFileError, Strict, parse

FILE_NAME = "workbench.yaml"
STATE_NAME = ".e2e-ml"


class WorkspaceError(SettingsFileError):
    """A workspace that cannot be opened. The message holds a line a problem, each with its file, line and field."""


class Managed(Strict):
    """A service that the workbench starts and stops itself."""

    managed: Literal[True] = True
    port: int | None = Field(default=None, ge=1024, le=65535)  # None: a free one, kept from start to start


class ManagedAirflow(Managed):
    dags: str = "dags"


class ManagedFestaf(Managed):
    project: str = "."


def _checked_url(url: str, schemes: tuple[str, ...], example: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"this is not a URL; write it like {example}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not carry a user or password; leave them out and use credential: env:NAME")
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"this is no URL with {' or '.join(f'{s}://' for s in schemes)}; write it like {example}")
    if parts.query or parts.fragment:
        raise ValueError("a base URL ends before any ? or #; leave that part out")
    return url.rstrip("/")


class _WithCredential(Strict):
    credential: str | None = None

    @field_validator("credential")
    @classmethod
    def _check_credential(cls, reference: str | None) -> str | None:
        if reference is not None:
            parse_credential(reference)
        return reference

    def secret(self, root: Path) -> str | None:
        """The credential's value, None where there is none. Raises CredentialError."""
        return parse_credential(self.credential).resolve(root) if self.credential else None


class Attached(_WithCredential):
    """A service that runs elsewhere."""

    managed: Literal[False] = False
    url: str

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return _checked_url(url, ("http", "https"), "https://airflow.example.com")


class AttachedAirflow(Attached):
    dags: str = "dags"  # where the DAG files are on this machine, if they are


class AttachedFestaf(Attached):
    project: str = "."


class Feast(_WithCredential):
    """A Feast project that is read, never written: its registry's file, its registry server, or its folder.

    The credential is the server's bearer token.
    """

    registry: str | None = None  # the file, a path or a file:// URI
    url: str | None = None  # of `feast serve_registry`: grpc://host:6570, or grpcs:// for TLS
    repo: str | None = None  # the folder with feature_store.yaml, which says where the registry is
    project: str | None = None  # the only one to show of a registry that holds several
    ui: str | None = None  # where `feast ui` answers, if it does

    @field_validator("registry", "repo", "project")
    @classmethod
    def _check_text(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise ValueError("this is empty; write it, or leave the key out")
        return text

    @field_validator("registry")
    @classmethod
    def _check_registry(cls, registry: str | None) -> str | None:
        scheme = urlsplit(registry).scheme if registry and "://" in registry else "file"
        if scheme in ("grpc", "grpcs"):
            raise ValueError("this is a server's address; write it as `url`")
        if scheme != "file":
            raise ValueError(
                f"a registry at {scheme}:// is not read directly; run `feast serve_registry` and give its address as "
                "`url: grpc://HOST:6570`"
            )
        return registry

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None) -> str | None:
        return None if url is None else _checked_url(url, ("grpc", "grpcs"), "grpc://feast.example.com:6570")

    @field_validator("ui")
    @classmethod
    def _check_ui(cls, url: str | None) -> str | None:
        return None if url is None else _checked_url(url, ("http", "https"), "https://feast.example.com")

    @model_validator(mode="after")
    def _check_place(self) -> Feast:
        if self.registry is None and self.url is None and self.repo is None:
            raise ValueError("say where the registry is; write one of `registry`, `url` and `repo`")
        if self.registry is not None and self.url is not None:
            raise ValueError("the registry's file and its server are given; keep one of `registry` and `url`")
        if self.credential is not None and self.registry is not None:
            raise ValueError("a file asks for no credential; take it out, or give the server's `url`")
        return self


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


class Services(Strict):
    airflow: _Airflow = ManagedAirflow()
    mlflow: _Mlflow = Managed()
    festaf: _Festaf = ManagedFestaf()
    feast: Feast | None = None


class _Document(Strict):
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


def _read(file: Path, text: str) -> _Document:
    try:
        return parse(
            file, text, _Document, called="A workspace is", known=_known_keys, place=_place, sentence=_sentence
        )
    except SettingsFileError as error:
        raise WorkspaceError(*error.problems) from None


def _place(loc: FieldPlace) -> FieldPlace:
    """After services.NAME, pydantic names the branch it took: not a part of the file."""
    return loc[:2] + loc[3:] if loc[:1] == ("services",) and loc[2:3] in (("managed",), ("attached",)) else loc


def _sentence(place: FieldPlace, kind: str) -> str | None:
    match kind:
        case "literal_error" if place[-1:] == ("managed",):
            return "Write `managed: true`, or give the url of a service that runs elsewhere (not both)."
        case "greater_than_equal" | "less_than_equal":
            return "A port is a number from 1024 to 65535."
        case "model_type" | "model_attributes_type" | "dict_type" if place[-1:] == ("feast",):
            return "This must be a mapping, such as `{registry: data/registry.db}`."
        case "model_type" | "model_attributes_type" | "dict_type":
            return "This must be a mapping, such as `{managed: true}`."
        case _:
            return None


def _known_keys(place: FieldPlace, loc: Sequence[Hashable]) -> list[str]:
    attached = "attached" in loc[:-1]
    models: dict[FieldPlace, type[BaseModel]] = {
        (): _Document,
        ("services",): Services,
        ("services", "airflow"): AttachedAirflow if attached else ManagedAirflow,
        ("services", "mlflow"): Attached if attached else Managed,
        ("services", "festaf"): AttachedFestaf if attached else ManagedFestaf,
        ("services", "feast"): Feast,
    }
    model = models.get(place)
    return list(model.model_fields) if model else []
