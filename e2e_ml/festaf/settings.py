"""`festaf.yaml`: where a project's rows are served from, and the databases and brokers that its sources name.

    version: 1
    online: redis://127.0.0.1:6379/0                  # left out: a SQLite file in the project
    connections:
      warehouse: {url: "postgresql://reader@db.example.com/flights", credential: env:WAREHOUSE_PASSWORD}
      events: {url: "redis://broker.example.com:6379/0", credential: file:secrets/broker}

With a password `online` is written as a connection is. Credentials are references (`env:NAME`, `file:PATH`), never
values: the file belongs into version control.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import orjson
from pydantic import Field, field_validator

from e2e_ml.credentials import CredentialError, parse_credential
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.naming import project_name
from e2e_ml.settings_file import SECRET_KEYS, FieldPlace, Problem, SettingsFileError, Strict, parse

FILE_NAME = "festaf.yaml"
TOKEN_VARIABLE = "FESTAF_TOKEN"  # noqa: S105 - the name of the variable with what a server's writes need
_SQL = ("postgresql", "sqlite")
_REDIS = ("redis", "rediss", "unix")
_HTTP = ("http", "https")


class SettingsError(FeatureStoreError):
    """A festaf.yaml that cannot be read. The message holds a line a problem, each with its file, line and field."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Connection(Strict):
    """Something that answers at an address: `url` without a password, and a reference to the credential."""

    url: str
    credential: str | None = None

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise ValueError("this is no URL; write it like postgresql://reader@db.example.com/flights") from None
        if parts.password is not None or any(
            name.lower() in SECRET_KEYS - {"user"} for name, _ in parse_qsl(parts.query)
        ):
            raise ValueError("a URL must not carry a password; leave it out and use credential: env:NAME")
        if parts.scheme not in (*_SQL, *_REDIS, *_HTTP):
            raise ValueError("a connection is of postgresql://, sqlite:///, redis:// or https://")
        return url

    @field_validator("credential")
    @classmethod
    def _check_credential(cls, reference: str | None) -> str | None:
        if reference is not None:
            parse_credential(reference)
        return reference

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    def secret(self, project: Path) -> str | None:
        """The credential's value, None where there is none. Raises FeatureStoreError."""
        if self.credential is None:
            return None
        try:
            return parse_credential(self.credential).resolve(project)
        except CredentialError as error:
            raise FeatureStoreError(str(error)) from None


class Settings(Strict):
    """What a festaf.yaml says. `online`: None for the SQLite file of the project."""

    version: Literal[1] = 1
    online: Connection | None = None
    connections: dict[str, Connection] = Field(default_factory=dict)

    @field_validator("online", mode="before")
    @classmethod
    def _short(cls, online: Any) -> Any:
        return {"url": online} if isinstance(online, str) else online

    @field_validator("online")
    @classmethod
    def _served_by_redis(cls, online: Connection | None) -> Connection | None:
        if online is not None and online.scheme not in _REDIS:
            raise ValueError("rows are served by Redis, redis://host:6379/0, or without this line by a SQLite file")
        return online

    def connection(self, name: str | None, *kinds: str) -> Connection:
        """The connection called `name`, of one of the URL schemes `kinds`. Raises FeatureStoreError."""
        found = self.connections.get(name or "")
        if found is None:
            known = ", ".join(self.connections) or "none"
            raise FeatureStoreError(
                f"There is no connection {name!r} in {FILE_NAME}; it has {known}. "
                f"Write it there: connections: {{{name}: {{url: {kinds[0]}://..., credential: env:NAME}}}}."
            )
        if found.scheme not in kinds:
            raise FeatureStoreError(
                f"The connection {name!r} in {FILE_NAME} is of {found.scheme}://, where {kinds[0]}:// is needed."
            )
        return found


def read(project: Path) -> Settings:
    """The settings of a project folder; the defaults where it has no festaf.yaml. Raises SettingsError.

    What was read is kept until the file changes.
    """
    path = project / FILE_NAME
    try:
        about = path.stat()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(Problem(path, f"The file cannot be read: {error.strerror}.")) from None
    return _read(path, (about.st_mtime_ns, about.st_size, about.st_ino))


def project_of(project: Path) -> str:
    """The name of the project in a folder, as its registry says; the folder's own where it has none yet."""
    path = project / "registry.json"
    try:
        about = path.stat()
    except OSError:
        return project_name(project.resolve().name)
    return _project_of(path, (about.st_mtime_ns, about.st_size, about.st_ino))


@lru_cache(maxsize=16)
def _project_of(path: Path, _version: object) -> str:
    try:
        return str(orjson.loads(path.read_bytes())["project"])
    except (OSError, ValueError, KeyError, TypeError):
        return project_name(path.resolve().parent.name)


@lru_cache(maxsize=16)
def _read(path: Path, _version: object) -> Settings:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(Problem(path, "The file cannot be read. Put a readable file there.")) from None
    try:
        return parse(
            path, text, Settings, called="Settings are", may_be_empty=True, known=_known_keys, sentence=_sentence
        )
    except SettingsFileError as error:
        raise SettingsError(*error.problems) from None


def _known_keys(place: FieldPlace, _loc: Sequence[Hashable]) -> list[str]:
    return list(Connection.model_fields if place else Settings.model_fields)


def _sentence(_place: FieldPlace, kind: str) -> str | None:
    if kind in ("model_type", "dict_type"):
        return "This must be a mapping, such as `{url: ..., credential: env:NAME}`."
    return None


def without_secrets(text: str) -> str:
    """A driver's message without the password that an address in it may carry."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1@", text)
