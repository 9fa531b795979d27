"""Feast: the registry of a project, from its file or from a registry server, without Feast itself.

A registry comes whole or not at all, so a visit is one sweep; where nothing has changed it is an empty batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ml.credentials import CredentialError
from e2e_ml.lineage.collectors import Batch, CollectError, Record
from e2e_ml.lineage.collectors.feast_graph import registry_records
from e2e_ml.lineage.collectors.feast_places import (
    Content,
    Place,
    RegistryFile,
    RegistryServer,
    Repository,
    folder_around,
    local_path,
    place_of,
    read_repository,
)
from e2e_ml.lineage.collectors.feast_projects import read_registry, with_projects
from e2e_ml.lineage.collectors.feast_registry import Registry
from e2e_ml.lineage.collectors.feast_wire import read
from e2e_ml.refs import Kind
from e2e_ml.workspace import Feast

COMPLETE = frozenset({
    Kind.PROJECT, Kind.SOURCE, Kind.ENTITY, Kind.FEATURE_VIEW, Kind.FEATURE, Kind.FEATURE_SERVICE,
})  # fmt: skip
_READER = 1  # rises when the same registry gives other records


def feast_collector(settings: Feast, root: Path, instance: str = "local") -> FeastCollector:
    """The collector of `services.feast` in the workspace at `root`. What cannot be read is told at the visit."""
    return FeastCollector(settings, root, instance)


@dataclass(frozen=True, slots=True)
class _Found:
    """A registry, the folder that the paths in it are relative to, and the only project of it that is wanted."""

    place: Place
    folder: Path | None
    project: str | None

    @property
    def read_as(self) -> list[str | int | None]:
        return [_READER, self.place.title, str(self.folder or ""), self.project]


class FeastCollector:
    def __init__(self, settings: Feast, root: Path, instance: str) -> None:
        self._settings, self._root, self._instance = settings, root, instance

    @property
    def name(self) -> str:
        return f"feast:{self._instance}"

    def close(self) -> None:
        """A connection lives no longer than a visit."""

    def collect(self, cursor: Mapping[str, Any]) -> Iterator[Batch]:
        found = self._find()
        same = cursor.get("read_as") == found.read_as
        content = found.place.read(str(cursor.get("stamp", "")) if same else "")
        if content is None:
            yield Batch(cursor=cursor)
            return
        digest = hashlib.sha256(content.data).hexdigest()
        after = {"read_as": found.read_as, "stamp": content.stamp, "digest": digest}
        if same and cursor.get("digest") == digest:
            yield Batch(cursor=after)
            return
        yield Batch(_records(content, found), after, COMPLETE)

    def _find(self) -> _Found:
        settings = self._settings
        repository = read_repository(local_path(settings.repo, self._root)) if settings.repo else None
        place = self._place(repository)
        folder = repository.folder if repository else None
        if folder is None and isinstance(place, RegistryFile):
            folder = folder_around(place.path)
        return _Found(place, folder, settings.project or (repository.project if repository else None))

    def _place(self, repository: Repository | None) -> Place:
        settings = self._settings
        if settings.registry:
            return RegistryFile(local_path(settings.registry, self._root))
        if settings.url:
            return RegistryServer(settings.url, self._secret)
        if repository is None:
            raise CollectError("workbench.yaml says no place of Feast's registry. Write `registry`, `url` or `repo`.")
        place = place_of(repository)
        return RegistryServer(place.url, self._secret) if isinstance(place, RegistryServer) else place

    def _secret(self) -> str | None:
        try:
            return self._settings.secret(self._root)
        except CredentialError as error:
            raise CollectError(str(error)) from None


def _records(content: Content, found: _Found) -> tuple[Record, ...]:
    place = found.place
    if not content.data:
        raise CollectError(f"{place.title} is empty. {place.doubt}")
    try:
        registry = read_registry(content.data)
        if content.parts:
            registry = with_projects(registry, {name: read(Registry, part) for name, part in content.parts.items()})
        records = registry_records(registry, found.folder, found.project)
    except ValueError as error:
        raise CollectError(f"{place.title} holds no whole registry: {str(error).rstrip('.')}. {place.doubt}") from None
    if found.project is not None and not any(r.node.ref.kind is Kind.PROJECT for r in records):
        raise CollectError(
            f"{place.title} holds no project {found.project}. Run `feast apply` in its folder, or correct the name in "
            "workbench.yaml."
        )
    return tuple(records)
