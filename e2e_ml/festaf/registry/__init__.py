"""The registry: what is defined, as one file that any language can read. The file stands here; the rest by module:

`planning` says what an apply would change, `explaining` and `listing` answer about what is defined, `asked` and
`search` find it: by the exact name, or by words. No row of data is read here.
"""

from __future__ import annotations

from e2e_ml.festaf.registry.file import (
    FILE_NAME,
    RegistryChangedError,
    RegistryError,
    apply,
    json_schema,
    parse,
    path_of,
    read,
    to_text,
)

__all__ = [
    "FILE_NAME",
    "RegistryChangedError",
    "RegistryError",
    "apply",
    "json_schema",
    "parse",
    "path_of",
    "read",
    "to_text",
]
