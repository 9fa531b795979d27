"""Where a Feast registry is read from: its file, or a registry server over gRPC.

SQL registries and those in object stores are not read here: `feast serve_registry` serves them.
"""

# grpcio carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlsplit

import yaml

from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors.feast_projects import lacks_projects
from e2e_ml.lineage.collectors.feast_registry import Registry
from e2e_ml.lineage.collectors.feast_wire import WireError, parts, read, written

SETTINGS_NAME = "feature_store.yaml"
PORT = 6570  # Feast's own choice for its registry server
TIMEOUT = 10.0  # seconds
_LARGEST = 512 * 1024 * 1024  # bytes of a registry
_TRIES = 3  # of reading a file that is written meanwhile
_LISTS = (  # the server's lists, and the registry's fields that hold the same
    ("ListEntities", 1),
    ("ListFeatureViews", 6),
    ("ListFeatureServices", 7),
    ("ListOnDemandFeatureViews", 8),
    ("ListDataSources", 12),
    ("ListStreamFeatureViews", 14),
    ("ListLabelViews", 19),
)
_SERVE = "Run `feast serve_registry` there and give its address as `url: grpc://HOST:6570`."


@dataclass(frozen=True, slots=True)
class Content:
    """A registry's bytes, and what says next time that they have not changed."""

    data: bytes
    stamp: str
    parts: Mapping[str, bytes] = field(default_factory=dict[str, bytes])  # project -> it alone, where data does not say


class Place(Protocol):
    @property
    def title(self) -> str:
        """What it is, as a sentence begins: "Feast's registry /data/registry.db"."""
        ...

    @property
    def doubt(self) -> str:
        """What to do where its content is no registry."""
        ...

    def read(self, stamp: str) -> Content | None:
        """The registry, or None where it is as it was at `stamp`. Raises CollectError."""
        ...


@dataclass(frozen=True, slots=True)
class RegistryFile:
    path: Path

    @property
    def title(self) -> str:
        return f"Feast's registry {self.path}"

    @property
    def doubt(self) -> str:
        return "It may be written just now; if this stays, run `feast apply` in the project's folder again."

    def read(self, stamp: str) -> Content | None:
        try:
            for _ in range(_TRIES):
                before = self._stamp()
                if before == stamp:
                    return None
                data = self.path.read_bytes()
                if self._stamp() == before:
                    break
            else:
                raise CollectError(f"{self.title} is written all the time. It is read again at the next visit.")
        except FileNotFoundError:
            raise CollectError(
                f"{self.title} is not there. Run `feast apply` in the project's folder, or correct the path in "
                "workbench.yaml."
            ) from None
        except OSError as error:
            raise CollectError(
                f"{self.title} cannot be read: {error.strerror or error}. Give yourself the right to read it."
            ) from None
        if data.startswith(b"SQLite format 3\0"):
            raise CollectError(f"{self.title} is a SQL registry, which is not read as a file. {_SERVE}")
        return Content(data, before)

    def _stamp(self) -> str:
        told = self.path.stat()
        return f"{told.st_mtime_ns}-{told.st_size}-{told.st_ino}"


def _no_secret() -> str | None:
    return None


@dataclass(frozen=True, slots=True, repr=False)
class RegistryServer:
    """`secret` gives the bearer token, None where the server asks for none. A connection lives for one visit."""

    url: str  # grpc://host:port, or grpcs:// for TLS
    secret: Callable[[], str | None] = _no_secret

    @property
    def title(self) -> str:
        return f"Feast's registry server at {self.url}"

    @property
    def doubt(self) -> str:
        return "Does the address in workbench.yaml lead to `feast serve_registry`, and may its login see the project?"

    def read(self, stamp: str) -> Content | None:
        try:
            import grpc
        except ImportError:
            raise CollectError(
                "Feast's registry server is read by grpcio, which is not installed. Run `pip install grpcio`, or give "
                "the registry's file."
            ) from None
        secret = self.secret()
        metadata = (("authorization", f"Bearer {secret}"),) if secret else ()
        with self._channel(grpc) as channel:

            def ask(method: str, request: bytes = b"") -> bytes:
                call = channel.unary_unary(f"/feast.registry.RegistryServer/{method}")
                return cast(bytes, call(request, timeout=TIMEOUT, metadata=metadata))

            try:
                return _answer(ask, stamp)
            except grpc.RpcError as error:
                raise CollectError(self._sentence(grpc, error)) from None

    def _channel(self, grpc: Any) -> Any:
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        target = f"{host}:{parts.port or PORT}"
        options = [("grpc.max_receive_message_length", _LARGEST)]
        if parts.hostname in ("127.0.0.1", "localhost", "::1"):
            options.append(("grpc.enable_http_proxy", 0))
        if parts.scheme == "grpcs":
            return grpc.secure_channel(target, grpc.ssl_channel_credentials(_certificates()), options)
        return grpc.insecure_channel(target, options)

    def _sentence(self, grpc: Any, error: Any) -> str:
        code, told = error.code(), str(error.details() or "").strip().rstrip(".")
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return f"{self.title} does not answer. Start it with `feast serve_registry`, or correct the address."
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return f"{self.title} refuses the login. Check the credential of feast in workbench.yaml."
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return f"{self.title} is no registry server. {self.doubt}"
        return f"{self.title} answered {code.name}: {told}. See its log."


def _answer(ask: Callable[..., bytes], stamp: str) -> Content | None:
    data = ask("Proto")
    try:
        registry = read(Registry, data)
    except WireError:  # told by whoever reads it
        return Content(data, "")
    # The bytes of one and the same registry differ from call to call, in the order of their maps.
    found = hashlib.sha256(repr(registry).encode()).hexdigest()
    return None if found == stamp else Content(data, found, _parts(data, registry, ask))


def _parts(data: bytes, registry: Registry, ask: Callable[..., bytes]) -> dict[str, bytes]:
    """The projects one by one where the whole does not say what belongs to which: asked for where there are several."""
    names = [project.spec.name for project in registry.projects]
    if not lacks_projects(registry):
        return {}
    if len(names) == 1:
        return {names[0]: data}
    lists = {name: [(number, ask(method, written(1, name.encode()))) for method, number in _LISTS] for name in names}
    return {name: b"".join(_renumbered(*each) for each in told) for name, told in lists.items()}


def _renumbered(number: int, answer: bytes) -> bytes:
    """The things that a list holds in its first field, as the field of the registry that has this number."""
    things = (value for field, _, value in parts(answer) if field == 1 and not isinstance(value, int))
    return b"".join(written(number, bytes(value)) for value in things)


def _certificates() -> bytes | None:
    """The machine's own certificates, as for HTTPS; None for those that grpcio brings."""
    found = ssl.get_default_verify_paths().cafile
    return Path(found).read_bytes() if found else None


# --- what is written where -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Repository:
    """What `feature_store.yaml` in a project's folder says."""

    folder: Path
    project: str
    registry: str  # a path or an address
    registry_type: str  # "file", "sql", "remote", ...


def read_repository(folder: Path) -> Repository:
    """Raises CollectError."""
    file = folder / SETTINGS_NAME
    try:
        # Feast replaces $NAME in the whole file as well.
        told: Any = yaml.safe_load(os.path.expandvars(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CollectError(f"{file} is not there. Give the folder of a Feast project as `repo`.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or "it is not YAML"
        raise CollectError(f"{file} cannot be read: {reason}. Correct it.") from None
    settings = cast(Mapping[str, Any], told) if isinstance(told, dict) else {}
    project, registry = settings.get("project"), settings.get("registry")
    kind = "file"
    if isinstance(registry, dict):
        options = cast(Mapping[str, Any], registry)
        kind, registry = str(options.get("registry_type") or "file"), options.get("path")
    if not isinstance(project, str) or not isinstance(registry, str) or not project or not registry:
        raise CollectError(f"{file} does not say its project and the path of its registry. Write both.")
    return Repository(folder, project, registry, kind)


def place_of(repository: Repository) -> Place:
    """The registry of a project's folder. Raises CollectError for one that is not read here."""
    where = repository.registry
    if repository.registry_type == "remote":
        return RegistryServer(f"grpc://{where}")
    if repository.registry_type != "file" or urlsplit(where).scheme not in ("", "file"):
        raise CollectError(
            f"The registry of the Feast project {repository.project} is at {_without_login(where)}, which is not read "
            f"directly. {_SERVE}"
        )
    return RegistryFile(local_path(where, repository.folder))


def local_path(where: str, base: Path) -> Path:
    """A path or a file:// URI, seen from `base`."""
    path = unquote(urlsplit(where).path) if where.startswith("file:") else where
    return Path(os.path.normpath(base / Path(path).expanduser()))


def folder_around(registry: Path) -> Path | None:
    """The project's folder that a registry's file lies in, as deep as Feast puts it; None where there is none."""
    return next((folder for folder in registry.parents[:3] if (folder / SETTINGS_NAME).is_file()), None)


def _without_login(address: str) -> str:
    scheme, slashes, rest = address.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}" if slashes else address
