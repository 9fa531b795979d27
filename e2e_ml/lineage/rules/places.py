"""What lies at a URI: the same place in another spelling, behind a symbolic link, or around a part file."""

from __future__ import annotations

from collections.abc import Iterator

from e2e_ml.lineage.rules import keys
from e2e_ml.lineage.rules.look import Answer, Look
from e2e_ml.lineage.rules.uris import folder_of_file, normal_uri, tables_above
from e2e_ml.refs import Kind, Ref

LINKED, PART = "by a symbolic link", "as a part of its folder"
_TABLES = (Kind.SOURCE, Kind.DATASET, Kind.ASSET)


def lying_at(at: str, look: Look) -> Iterator[tuple[Answer, str]]:
    """What lies at a URI, each thing once, and how: "" where the URIs are equal, else in words."""
    seen = set[Ref]()
    here = normal_uri(at)
    ways = [(f"uri {here}", "")]
    if linked := keys.real(at):
        ways.append((linked, LINKED))
    ways += [(f"uri {folder}", PART) for folder in tables_above(here)]
    for key, how in ways:
        for found in look(key):
            if found.ref not in seen and (how != PART or found.ref.kind in _TABLES):
                seen.add(found.ref)
                yield found, how


def ending_with(at: str, look: Look) -> list[Answer]:
    """Of a relative path: the files and folders of this or another machine whose places end with it."""
    here = normal_uri(at)
    if not here.startswith("./") or here in ("./.", "./.."):
        return []
    return [found for found in look(keys.tail(here)) if str(found.value).endswith(here[1:])]


def near(at: str, look: Look) -> list[Answer]:
    """The tables whose folder holds a data file right in it: perhaps a part of them, perhaps a neighbour."""
    folder = folder_of_file(normal_uri(at))
    return [found for found in look(f"uri {folder}") if found.ref.kind in _TABLES] if folder else []
