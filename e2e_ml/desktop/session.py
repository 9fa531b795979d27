"""What survives a restart, per workspace: one JSON file under its state. A damaged or older file begins anew."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

log = logging.getLogger(__name__)
FILE_NAME = "window.json"


class Session(BaseModel):
    """The window as it was left. Every field has a default: a first start is a session too."""

    model_config = ConfigDict(extra="ignore")

    version: Literal[1] = 1
    geometry: str = ""  # Qt's own form, in hexadecimal
    stage: str = "Features"
    focus: str | None = None  # a Ref's URI
    leading: str = "festaf"
    layout: Literal["auto", "beside", "columns"] = "auto"
    maximised: bool = False
    share: float = Field(default=0.65, ge=0.3, le=0.9)
    explorer_open: bool | None = None  # None: as the width has it
    inspector_open: bool | None = None
    explorer_width: int = Field(default=232, ge=160, le=600)
    inspector_width: int = Field(default=352, ge=240, le=800)
    zooms: dict[str, float] = Field(default_factory=dict)
    pinned: list[str] = Field(default_factory=list)
    theme: Literal["system", "light", "dark"] = "system"


def load(state: Path) -> Session:
    """The session of the workspace whose state lies in `state`."""
    try:
        return Session.model_validate_json((state / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return Session()
    except (OSError, ValidationError) as error:
        log.warning("The window's last layout could not be read and is begun anew: %s", error)
        return Session()


def save(state: Path, session: Session) -> None:
    """Replace the file whole, readable by its owner alone."""
    state.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=state, prefix=f".{FILE_NAME}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(session.model_dump_json(indent=1) + "\n")
        Path(name).replace(state / FILE_NAME)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
