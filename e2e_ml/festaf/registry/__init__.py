"""The registry: what is defined, as one file that any language can read, and how it came so. By module:

`file` reads and writes `registry.json`, laid out by `layout`, held right by `checking`, published by `schema`, and
`history` its history. `planning` says what an apply would change: `renaming` finds what is only called anew,
`carrying` keeps what is known, `differing` puts differences into words, and `standing` knows who stands on what.
`explaining`, `listing` and `marks` answer about what is defined; `asked` and `search` find it: by the exact name, or
by words. No row of data is read here.
"""

from __future__ import annotations

from e2e_ml.festaf.registry.file import (
    FILE_NAME,
    RegistryChangedError,
    RegistryError,
    apply,
    learned,
    parse,
    path_of,
    read,
)
from e2e_ml.festaf.registry.layout import to_text
from e2e_ml.festaf.registry.schema import json_schema

__all__ = [
    "FILE_NAME",
    "RegistryChangedError",
    "RegistryError",
    "apply",
    "json_schema",
    "learned",
    "parse",
    "path_of",
    "read",
    "to_text",
]
