"""What `e2e-ml doctor` looks at: Python, the window's system libraries, disk, the workspace, its ports and services."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e_ml.credentials import CredentialError, parse_credential
from e2e_ml.stack.ports import is_free, occupied_sentence
from e2e_ml.stack.service import State, Status
from e2e_ml.stack.stack import Stack
from e2e_ml.workspace import Attached, Workspace, WorkspaceError

_ENOUGH_BYTES = 2 * 2**30
_ATTACHED_ANSWER_SECONDS = 12.0

_PACKAGES = (("PySide6", "window", "desktop"), ("airflow", "Airflow", "local"), ("mlflow", "MLflow", "local"))

# What QtWebEngine and the xcb platform load, and the Debian package that brings it.
LIBRARIES: Mapping[str, str] = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libnss3.so": "libnss3",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libasound.so.2": "libasound2",
    "libXcomposite.so.1": "libxcomposite1",
    "libXdamage.so.1": "libxdamage1",
    "libXrandr.so.2": "libxrandr2",
    "libXtst.so.6": "libxtst6",
    "libfontconfig.so.1": "libfontconfig1",
}


@dataclass(frozen=True, slots=True)
class Finding:
    ok: bool
    subject: str
    sentence: str


def examine(place: Path) -> list[Finding]:
    """Every finding about this machine and the workspace in a folder; nothing is started or changed."""
    findings = [_python(), *_packages(), _libraries(), _disk(place)]
    try:
        workspace = Workspace.load(place)
    except WorkspaceError as error:
        return [*findings, *(Finding(False, "workspace", str(problem)) for problem in error.problems)]
    findings.append(Finding(True, "workspace", f"{workspace.name} in {workspace.root}"))
    return [*findings, *_folders(workspace), *_credentials(workspace), *_services(workspace)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding(True, "Python", version)
    return Finding(False, "Python", f"{version} is not supported. Install Python 3.11, 3.12 or 3.13 and install again.")


def _packages() -> Iterator[Finding]:
    for module, title, extra in (
        ("PySide6", "window", "desktop"),
        ("airflow", "Airflow", "local"),
        ("mlflow", "MLflow", "local"),
    ):
        if importlib.util.find_spec(module) is not None:
            yield Finding(True, title, "installed")
        else:
            yield Finding(False, title, f"not installed. Install it with `pip install 'e2e-ml[{extra}]'`.")


def _libraries() -> Finding:
    missing = [package for library, package in LIBRARIES.items() if not _loads(library)]
    if not missing:
        return Finding(True, "system libraries", "all that the window needs are there")
    return Finding(
        False, "system libraries", f"the window needs {len(missing)} more: `sudo apt-get install {' '.join(missing)}`."
    )


def _loads(library: str) -> bool:
    # Loading asks the very search that Qt will make; find_library would need a compiler or ldconfig.
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _disk(place: Path) -> Finding:
    existing = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free >= _ENOUGH_BYTES:
        return Finding(True, "disk", f"{free / 2**30:.0f} GiB free")
    return Finding(False, "disk", f"only {free / 2**30:.1f} GiB free at {existing}. Make room: 2 GiB or more.")


def _folders(workspace: Workspace) -> Iterator[Finding]:
    if isinstance(workspace.services.festaf, Attached) or workspace.festaf_project.is_dir():
        return
    step = "Make it, or change services.festaf.project in workbench.yaml."
    yield Finding(False, "feature store", f"there is no folder {workspace.festaf_project}. {step}")


def _credentials(workspace: Workspace) -> Iterator[Finding]:
    for name in ("airflow", "festaf", "mlflow"):
        setting = getattr(workspace.services, name)
        if not isinstance(setting, Attached) or setting.credential is None:
            continue
        try:
            setting.secret(workspace.root)
        except CredentialError as error:
            yield Finding(False, f"{name} credential", str(error))
            continue
        reference = parse_credential(setting.credential)
        path = workspace.root / Path(reference.place).expanduser()
        if reference.kind == "file" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(False, f"{name} credential", f"others can read {path}. Run `chmod 600 {path}`.")
        else:
            yield Finding(True, f"{name} credential", f"{reference} is set")


def _services(workspace: Workspace) -> Iterator[Finding]:
    stack = Stack(workspace)
    running = stack.owner() is not None
    for name, status in statuses(stack).items():
        service = stack.services[name]
        if service.managed and not running:
            port = getattr(workspace.services, name).port
            if port is not None and not is_free(port):
                yield Finding(False, service.title, occupied_sentence(port, f"services.{name}.port"))
            else:
                yield Finding(True, service.title, "not running; `e2e-ml up` starts it")
        elif status.state in (State.UP, State.STARTING):
            yield Finding(True, service.title, f"{status.state.value} at {status.url}")
        else:
            yield Finding(False, service.title, status.sentence)


def statuses(stack: Stack) -> dict[str, Status]:
    """How every service is now: the managed as their owner tells, the attached as one look at each shows."""
    attached = [service for service in stack.services.values() if not service.managed]
    answered = threading.Event()

    def listen(status: Status) -> None:
        if all(s.status().state not in (State.STOPPED, State.STARTING) for s in attached):
            answered.set()

    unsubscribe = stack.subscribe(listen)
    for service in attached:
        service.start()
    if attached:
        answered.wait(_ATTACHED_ANSWER_SECONDS)
    stack.look()
    found = {name: service.status() for name, service in stack.services.items()}
    unsubscribe()
    stack.stop()
    return found
