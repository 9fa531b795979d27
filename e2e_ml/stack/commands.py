"""The verbs `up`, `down`, `status`, `logs` and `doctor`: thin, every one a call into this room."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click

from e2e_ml.stack import background
from e2e_ml.stack import doctor as examination
from e2e_ml.stack.component import tail
from e2e_ml.stack.ownership import Owner
from e2e_ml.stack.recipe import NAMES, StackError
from e2e_ml.stack.service import State, Status
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import FILE_NAME, Workspace, WorkspaceError

_workspace = click.argument("workspace", default=".", type=click.Path(path_type=Path))
_POLL_SECONDS = 0.3
_COLOURS = {State.UP: "green", State.FAILED: "red", State.UNREACHABLE: "red", State.STARTING: "yellow"}


def _open(path: Path) -> Workspace:
    try:
        return Workspace.load(path)
    except WorkspaceError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@_workspace
@click.option("--foreground", is_flag=True, help="Stay, and stop the services on Ctrl-C.")
@click.option("--new", is_flag=True, help=f"Write a {FILE_NAME} first where there is none.")
def up(workspace: Path, foreground: bool, new: bool) -> None:
    """Start the services of WORKSPACE (the current folder if left out) and print their addresses."""
    if new and not (workspace / FILE_NAME).exists():
        try:
            Workspace.create(workspace)
        except WorkspaceError as error:
            raise click.ClickException(str(error)) from None
    opened = _open(workspace)
    stack = Stack(opened, kind=background.KIND)
    if (owner := stack.owner()) is not None:
        click.echo(f"Already running ({_who(owner)}).")
        _start_again(stack)
        raise SystemExit(_wait_until_up(stack, lambda: stack.owner() is not None))
    if foreground:
        printer = Printer()
        click.echo("Starting; Ctrl-C stops it.")
        try:
            code = background.run(stack, printer)
        except StackError as error:
            raise click.ClickException(str(error)) from None
        if code:
            click.echo("Another program has started this workspace in the meantime.", err=True)
        raise SystemExit(code)
    try:
        launched = background.launch(opened)
    except OSError as error:
        place = error.filename or opened.logs
        raise click.ClickException(f"{place} cannot be used: {error.strerror}. Make room, or move it away.") from None
    try:
        code = _wait_until_up(stack, lambda: launched.poll() is None or stack.owner() is not None)
    except KeyboardInterrupt:
        click.echo("\nStopping.")
        launched.terminate()
        launched.wait()
        raise SystemExit(130) from None
    raise SystemExit(code)


def _start_again(stack: Stack) -> None:
    """Ask the owner to start what failed or was stopped, and wait until it has heard."""
    stack.look()
    down = [s for s in stack.services.values() if s.managed and s.status().state in (State.FAILED, State.STOPPED)]
    before = {service.name: service.status() for service in down}
    for service in down:
        stack.request(service.name)
    deadline = time.monotonic() + 5
    while any(service.status() == before[service.name] for service in down) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        stack.look()


def _wait_until_up(stack: Stack, alive: Callable[[], bool]) -> int:
    """Follow the owner until nothing is starting any more; 0 when everything is up."""
    printer = Printer()
    unsubscribe = stack.subscribe(printer)
    stack.follow()
    for service in stack.services.values():
        if not service.managed:
            service.start()
    try:
        while True:
            time.sleep(_POLL_SECONDS)
            statuses = [service.status() for service in stack.services.values()]
            if not alive():
                log = stack.workspace.logs / "owner.log"
                click.echo(f"The program that runs the services ended. Its log is {log}.", err=True)
                for line in tail(log, 5):
                    click.echo(f"  {line}", err=True)
                return 1
            if all(status.state not in (State.STARTING, State.STOPPED) for status in statuses):
                break
    finally:
        unsubscribe()
        stack.stop()
    click.echo()
    for service, status in zip(stack.services.values(), statuses, strict=True):
        click.echo(_line(service.title, status))
    return 0 if all(status.state is State.UP for status in statuses) else 1


class Printer:
    """A line for each piece of news, not for each look."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[State, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, status: Status) -> None:
        with self._lock:
            news = (status.state, status.sentence)
            if self._last.get(status.service) == news or (status.state is State.UP and status.service in self._up()):
                return
            self._last[status.service] = news
            mark = click.style(f"{status.state.value:<11}", fg=_COLOURS.get(status.state))
            where = f" {status.url}" if status.state is State.UP else ""
            click.echo(f"{status.service:<8} {mark} {status.sentence}{where}")

    def _up(self) -> set[str]:
        return {name for name, (state, _) in self._last.items() if state is State.UP}


def _line(title: str, status: Status) -> str:
    mark = click.style(f"{status.state.value:<11}", fg=_COLOURS.get(status.state))
    version = f" {status.version}" if status.version else ""
    if status.state is State.UP:
        return f"{title:<14} {mark} {status.url}{version}"
    return f"{title:<14} {mark} {status.sentence}"


def _who(owner: Owner) -> str:
    return f"process {owner.pid}, {'started by `e2e-ml up`' if owner.kind == background.KIND else f'the {owner.kind}'}"


@click.command()
@_workspace
def down(workspace: Path) -> None:
    """Stop the services of WORKSPACE that `e2e-ml up` started."""
    stack = Stack(_open(workspace))
    owner = stack.owner()
    if owner is None:
        click.echo("Nothing is running.")
        return
    if owner.kind != background.KIND:
        raise click.ClickException(f"The {owner.kind} (process {owner.pid}) runs the services. Quit it to stop them.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(owner.pid, signal.SIGTERM)
    deadline = time.monotonic() + 40
    while owner.alive:
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"Process {owner.pid} does not stop. `kill -9 {owner.pid}` ends it and all it runs."
            )
        time.sleep(0.1)
    click.echo("Stopped.")


@click.command()
@_workspace
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(workspace: Path, as_json: bool) -> None:
    """Show the services of WORKSPACE. The exit code is 0 when all of them are up."""
    stack = Stack(_open(workspace))
    statuses = examination.statuses(stack)
    owner = stack.owner()
    if as_json:
        services = {name: {**dataclasses.asdict(s), "since": s.since.isoformat()} for name, s in statuses.items()}
        click.echo(json.dumps({"owner": dataclasses.asdict(owner) if owner else None, "services": services}, indent=1))
    else:
        for name, found in statuses.items():
            click.echo(_line(stack.services[name].title, found))
        click.echo(f"Run by {_who(owner)}." if owner else "Nobody runs the managed services; `e2e-ml up` starts them.")
    raise SystemExit(0 if all(s.state is State.UP for s in statuses.values()) else 1)


@click.command()
@click.argument("service", type=click.Choice([*NAMES, "owner"]))
@_workspace
@click.option("-f", "--follow", is_flag=True, help="Keep printing what comes.")
@click.option(
    "-n", "--lines", default=40, show_default=True, type=click.IntRange(1, 100_000), help="How many lines of each log."
)
def logs(service: str, workspace: Path, follow: bool, lines: int) -> None:
    """Show what SERVICE wrote: each of its components has a log, and the name stands before its lines."""
    folder = _open(workspace).logs
    found = sorted(p for p in folder.glob(f"{service}*.log"))
    if not found:
        raise click.ClickException(f"{service} has written nothing yet. `e2e-ml up` starts it.")
    offsets: dict[Path, int] = {}
    for log in found:
        offsets[log] = log.stat().st_size
        for line in tail(log, lines):
            _print_line(log, line, len(found) > 1)
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(_POLL_SECONDS)
            for log in sorted(folder.glob(f"{service}*.log")):
                offsets[log] = _print_news(log, offsets.get(log, 0))


def _print_news(log: Path, offset: int) -> int:
    """Print the whole lines beyond an offset; the new offset. A log that became shorter was begun anew."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(offset if size >= offset else 0)
            whole, newline, _ = file.read().rpartition(b"\n")
            start = offset if size >= offset else 0
    except OSError:
        return offset
    for line in whole.decode("utf-8", "replace").splitlines():
        _print_line(log, line, True)
    return start + len(whole) + len(newline)


def _print_line(log: Path, line: str, named: bool) -> None:
    click.echo(f"{click.style(log.stem, dim=True)} {line}" if named else line)


@click.command()
@_workspace
def doctor(workspace: Path) -> None:
    """Check this machine and WORKSPACE: each line is well, or says what is wrong and the next step."""
    findings = examination.examine(workspace)
    for finding in findings:
        mark = click.style("ok     ", fg="green") if finding.ok else click.style("problem", fg="red")
        click.echo(f"{mark} {finding.subject}: {finding.sentence}")
    raise SystemExit(0 if all(finding.ok for finding in findings) else 1)
