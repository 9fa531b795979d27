"""What an embedded page may do, as pure functions of plain values: navigate, open windows, ask, download.

The Qt wiring in `page` asks here and does what it is told; nothing in this module knows Qt.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from urllib.parse import urlsplit


class Verdict(Enum):
    STAY = auto()  # the view shows it
    OUTSIDE = auto()  # the person is offered to open it in the system's browser
    REFUSE = auto()


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: what the web calls an origin."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


_DEFAULT_PORTS = {"http": 80, "https": 443}
_OUTSIDE_SCHEMES = frozenset({"http", "https", "mailto"})


def origin(url: str) -> Origin | None:
    """The origin of an http(s) URL; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return Origin(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


def navigation(url: str, own: Origin | None, *, main_frame: bool) -> Verdict:
    """Where a navigation goes: the service's own origin stays, another host is offered outside, the rest is refused.

    Frames inside the page may also hold `about:blank`, `blob:` of the own origin and `data:`; they never lead outside.
    """
    scheme = url.partition(":")[0].lower()
    if own is not None and origin(url) == own:
        return Verdict.STAY
    if scheme == "blob":
        return Verdict.STAY if own is not None and origin(url[len("blob:") :]) == own else Verdict.REFUSE
    if not main_frame:
        return Verdict.STAY if url == "about:blank" or url == "about:srcdoc" or scheme == "data" else Verdict.REFUSE
    if url == "about:blank":
        return Verdict.STAY
    return Verdict.OUTSIDE if scheme in _OUTSIDE_SCHEMES else Verdict.REFUSE


# What a page may ask for (names of QWebEnginePermission.PermissionType). All that is not here is denied.
_GRANTED_TO_OWN = frozenset({"ClipboardReadWrite"})


def permission(name: str, url: str, own: Origin | None) -> bool:
    """Whether the page at `url` is given the permission `name`. Deny by default; only the own origin is asked about."""
    return name in _GRANTED_TO_OWN and own is not None and origin(url) == own


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def certificate(url: str, description: str) -> str:
    """A bad certificate is never accepted. The answer is the sentence that says so, with the next step."""
    where = origin(url)
    host = where.host if where else url
    reason = description.rstrip(".") or "it cannot be verified"
    return (
        f"The certificate of {host} was refused: {reason}. "
        "Install its authority in the system's certificate store, then reload."
    )


def gives_password(challenge_url: str, own: Origin | None, *, asked_before: bool) -> bool:
    """Whether an HTTP basic challenge is answered: to the own origin, once (a second asking is a refusal)."""
    return own is not None and origin(challenge_url) == own and not asked_before


def download_target(suggested: str, folder: Path, exists: Callable[[Path], bool]) -> Path:
    """Where a download is written: a tame file name in `folder`, numbered when the name is taken; never elsewhere."""
    name = re.sub(r"[\x00-\x1f\x7f/\\:*?\"<>|]+", "_", suggested).strip(". ")[:120] or "download"
    target = folder / name
    number = 1
    while exists(target):
        number += 1
        target = folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
    return target


def is_login_page(service: str, path: str) -> bool:
    """Whether the page at `path` asks for a password: the session has ended."""
    return service == "airflow" and path.startswith(("/auth/login", "/login"))


def place_name(path: str) -> str:
    """Words for a page that shows no single thing: `/#/experiments?x=1` is "experiments", the start page "start"."""
    inner = path.split("#", 1)[1] if "#" in path else path
    words = [word for word in inner.split("?", 1)[0].split("/") if word]
    return " / ".join(words).replace("-", " ").replace("_", " ") or "start"
