"""The verbs of the window: `open`, `demo`, `tour`. Thin, and without Qt until a verb runs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from platformdirs import user_data_path

if TYPE_CHECKING:
    from e2e_ml.demo.story import Progress
    from e2e_ml.desktop.workbench import Workbench
    from e2e_ml.stack import Stack
    from e2e_ml.workspace import Workspace

_FOLDER = click.Path(path_type=Path, file_okay=False)


def demo_folder() -> Path:
    """Where the demo's workspace lies unless a person says otherwise."""
    return user_data_path("e2e-ml", appauthor=False) / "demo"


@click.command()
@click.argument("workspace", default=".", type=_FOLDER)
@click.option("--new", is_flag=True, help="Write a workbench.yaml first where there is none.")
def open_(workspace: Path, new: bool) -> None:
    """Open WORKSPACE (the current folder if left out) in the window; its services start behind it."""
    from e2e_ml.workspace import FILE_NAME, Workspace

    def load() -> Workspace:
        if new and not (workspace / FILE_NAME).exists():
            return Workspace.create(workspace)
        return Workspace.load(workspace)

    opened = _mended(load)
    from e2e_ml.desktop import app

    sys.exit(app.run(opened))


def _mended(load: Callable[[], Workspace]) -> Workspace:
    """The workspace that `load` gives, once the person has mended it where it is broken; ends the program else.

    What is wrong is said in the terminal in any case; in a window too, for whoever started the program by a click.
    """
    from e2e_ml.desktop import display
    from e2e_ml.festaf import FeatureStoreError
    from e2e_ml.workspace import WorkspaceError

    try:
        return load()
    except (WorkspaceError, FeatureStoreError) as error:
        if not display.is_there():
            raise click.ClickException(str(error)) from None
        click.echo(f"Error: {error}", err=True)
        from e2e_ml.desktop import app

        if (mended := app.ask_to_mend(error, load)) is None:
            sys.exit(1)
        return mended


@click.command()
@click.option("--workspace", type=_FOLDER, help="The demo's folder; made where it is missing.")
@click.option(
    "--out", type=_FOLDER, default=Path("build/tour"), help="Where the pictures go where there is no display."
)
@click.option("--no-window", is_flag=True, help="Do all but the window, and stay until Ctrl-C.")
def demo(workspace: Path | None, out: Path, no_window: bool) -> None:
    """Open the demo: real flights through real DAGs into a feature store, and two models that learn from them.

    Without a display it uses a virtual one, plays the guided tour and writes its pictures.
    """
    from e2e_ml.desktop import display
    from e2e_ml.stack import Stack

    folder = workspace or demo_folder()
    opened = _demo_workspace(folder) if no_window else _mended(lambda: _prepared(folder))
    click.echo(f"The demo lives in {opened.root}.")
    stack = Stack(opened, kind="demo")
    if no_window:
        sys.exit(_demo_on_terminal(stack))
    if display.is_there():
        sys.exit(_demo_in_window(opened, stack, None))
    click.echo("There is no display: the window opens on a virtual one, and the guided tour takes pictures of it.")
    try:
        with display.virtual():
            sys.exit(_demo_in_window(opened, stack, out))
    except display.NoDisplayError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--workspace", type=_FOLDER, help="The demo's folder.")
@click.option("--out", type=_FOLDER, help="Play by itself, and write a picture of each step and an index.html here.")
@click.option("--theme", type=click.Choice(["system", "light", "dark"]), default="system", show_default=True)
def tour(workspace: Path | None, out: Path | None, theme: str) -> None:
    """Tell the story of a feature inside the window, from raw flights to a champion model. The demo has to have run."""
    from e2e_ml.desktop import display
    from e2e_ml.stack import Stack
    from e2e_ml.workspace import Workspace, WorkspaceError

    try:
        opened = Workspace.load(workspace or demo_folder())
    except WorkspaceError as error:
        raise click.ClickException(f"{error} `e2e-ml demo` makes the demo.") from None
    stack = Stack(opened)
    with contextlib.ExitStack() as screen:
        if not display.is_there():
            if out is None:
                raise click.ClickException("There is no display. Say --out DIR to have the tour take pictures.")
            click.echo("There is no display: the window opens on a virtual one.")
            try:
                screen.enter_context(display.virtual())
            except display.NoDisplayError as error:
                raise click.ClickException(str(error)) from None
        code = _in_window(opened, stack, lambda bench, end: _guide(bench, out, end, theme=theme))
    sys.exit(code)


def _prepared(folder: Path) -> Workspace:
    from e2e_ml.demo.project import prepare
    from e2e_ml.workspace import Workspace

    return Workspace.load(prepare(folder))


def _demo_workspace(folder: Path) -> Workspace:
    from e2e_ml.festaf import FeatureStoreError
    from e2e_ml.workspace import WorkspaceError

    try:
        return _prepared(folder)
    except (WorkspaceError, FeatureStoreError) as error:
        raise click.ClickException(str(error)) from None


def _demo_on_terminal(stack: Stack) -> int:
    """Services and story with a line for each piece of news; stays until Ctrl-C or SIGTERM."""
    from e2e_ml.demo.story import StoryCancelledError, StoryError
    from e2e_ml.desktop import demonstration
    from e2e_ml.stack.commands import Printer
    from e2e_ml.stack.recipe import StackError

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with stack:
        stack.subscribe(Printer())
        try:
            stack.start()
            champion = demonstration.perform(stack, _printed(), ended.is_set)
        except StoryCancelledError:
            click.echo("Stopped. The next start goes on where this one was.")
            return 130
        except (StackError, StoryError) as error:
            click.echo(f"Error: {error}", err=True)
            return 1
        click.echo(f"Done: version {champion.version} of {champion.model} is the champion, AUC {champion.auc:.3f}.")
        click.echo("The services stay up until Ctrl-C.")
        ended.wait()
    return 0


def _printed() -> Callable[[Progress], None]:
    """Print a sentence of the story once, not at each look."""
    last = ""

    def report(progress: Progress) -> None:
        nonlocal last
        if progress.sentence != last and progress.step != "services":
            last = progress.sentence
            click.echo(f"demo     {progress.done:>4.0%}        {progress.sentence}")

    return report


End = Callable[[Exception | None], object]


def _in_window(workspace: Workspace, stack: Stack, opened: Callable[[Workbench, End], object]) -> int:
    """Open the window and call `opened` with it and with how to end: None for a good end. The exit code."""
    from e2e_ml.desktop import app

    failures: list[Exception] = []

    def run(workbench: Workbench) -> None:
        def end(error: Exception | None) -> None:
            if error is not None:
                failures.append(error)
            workbench.window.close()

        opened(workbench, end)

    code = app.run(workspace, stack, opened=run)
    for error in failures:
        click.echo(f"Error: {error}", err=True)
    return 1 if failures else code


def _demo_in_window(workspace: Workspace, stack: Stack, pictures: Path | None) -> int:
    """The demo behind the window. With a folder for pictures: then the tour, then the end."""
    from e2e_ml.desktop import demonstration
    from e2e_ml.stack.commands import Printer

    stack.subscribe(Printer())
    told = _printed()

    def opened(workbench: Workbench, end: End) -> None:
        window = workbench.window

        def done(champion: object) -> None:
            workbench.reader.refresh_now()
            window.status.tell("")
            click.echo("The demo has run.")
            if pictures is not None:
                _guide(workbench, pictures, end)

        def failed(error: Exception) -> None:
            click.echo(f"Error: {error}", err=True)
            window.status.tell("The demo stopped")
            window.notices.tell("demo", "The demo stopped", str(error), "Go on with the demo", tell_story)
            if pictures is not None:
                end(error)

        def perform(control: Control) -> object:
            def report(progress: Progress) -> None:
                told(progress)
                control.report(progress.sentence, progress.done)

            return demonstration.perform(stack, report, lambda: control.cancelled)

        def tell_story() -> None:
            window.status.tell("")
            window.notices.take_back("demo")
            workbench.operations.run_watched("Running the demo", perform).success(done).failure(failed).start()

        tell_story()

    from e2e_ml.desktop.operations import Control

    return _in_window(workspace, stack, opened)


def _guide(workbench: Workbench, pictures: Path | None, end: End, *, theme: str = "system") -> None:
    """Play the tour. With pictures the window closes after it; without, the person takes it, and the window stays."""
    from e2e_ml.desktop.tour import guide

    if theme != "system" or pictures is not None:  # pictures are as asked, not as somebody left the window
        workbench.window.use_theme(theme)
    if pictures is None:
        guide.guide(workbench)
        return

    def done(error: Exception | None) -> None:
        if error is None:
            click.echo(f"Every step of the tour was seen. The pictures: {pictures / 'index.html'}")
        end(error)

    guide.Guide(workbench, pictures, done).start()
