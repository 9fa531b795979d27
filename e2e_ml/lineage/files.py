"""Where a workspace keeps what is read of its lifecycle, and what people said of it."""

from __future__ import annotations

from pathlib import Path

from e2e_ml.lineage.index import Index
from e2e_ml.lineage.judgements import Judgements
from e2e_ml.workspace import Workspace


def index_file(workspace: Workspace) -> Path:
    """A cache, in the workspace's private folder."""
    return workspace.state / "lineage.sqlite"


def judgements_file(workspace: Workspace) -> Path:
    """Beside workbench.yaml, so that a team may share it."""
    return workspace.root / "lineage-judgements.jsonl"


def open_index(workspace: Workspace) -> Index:
    """The index of a workspace, beside whoever has it open already."""
    return Index(index_file(workspace), Judgements(judgements_file(workspace)))
