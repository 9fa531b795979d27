"""The verbs of the window: `open`. Thin, and without Qt until a verb runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from e2e_ml.workspace import Workspace, WorkspaceError


@click.command()
@click.argument("workspace", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--new", is_flag=True, help="Write a workbench.yaml first where there is none.")
def open_(workspace: Path, new: bool) -> None:
    """Open WORKSPACE (the current folder if left out) in the window; its services start behind it."""
    from e2e_ml.workspace import FILE_NAME, Workspace, WorkspaceError

    try:
        opened = (
            Workspace.create(workspace) if new and not (workspace / FILE_NAME).exists() else Workspace.load(workspace)
        )
    except WorkspaceError as error:
        # In the terminal in any case; in a window too, for whoever started the program by a click.
        click.echo(f"Error: {error}", err=True)
        opened = _mended(error, workspace)
        if opened is None:
            sys.exit(1)
    from e2e_ml.desktop import app

    sys.exit(app.run(opened))


def _mended(error: WorkspaceError, place: Path) -> Workspace | None:
    """The workspace once the person has mended it in an editor; None when they leave, or where there is no screen."""
    from e2e_ml.desktop import display

    if not display.is_there():
        return None
    from e2e_ml.desktop import app

    return app.ask_to_mend(error, place)
