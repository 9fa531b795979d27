"""References to secrets, as settings hold them: `env:NAME` or `file:PATH`, never the secret itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


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
