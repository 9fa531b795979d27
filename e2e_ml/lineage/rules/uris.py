"""Where data lies, as two services would agree on it: pure functions of a URI, but for symbolic links of this machine.

s3a://lake/weather/                                    s3://lake/weather
https://lake.s3.eu-west-1.amazonaws.com/weather        s3://lake/weather
abfss://raw@lake.dfs.core.windows.net/weather          abfs://raw@lake/weather
/data/a b.csv, file:/data/a%20b.csv                    file:///data/a%20b.csv
C:\\data\\a.csv, file:///C:/data/a.csv                   file:///c:/data/a.csv
/dbfs/mnt/a, dbfs:/mnt/a                               dbfs:///mnt/a
Main.Sales.Orders                                      table://main.sales.orders
data/a.csv                                             ./data/a.csv, which is no other project's
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # a letter alone is a drive
_DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|$)")
_TABLE = re.compile(r"\w+(?:\.\w+){1,3}", re.ASCII)
_DATA = ("parquet", "pq", "orc", "avro", "csv", "tsv", "json", "jsonl", "txt", "arrow", "feather", "gz", "zst",
         "snappy", "bz2", "zip", "xlsx", "db", "h5", "npy", "pkl", "py", "yaml", "yml", "xml", "html")  # fmt: skip
_SAFE = "!$&'()*+,;=:@~"  # what stands in a path as it is (RFC 3986)
_SAME = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs", "wasb": "abfs", "wasbs": "abfs", "postgres": "postgresql",
    "viewfs": "hdfs",
}  # fmt: skip
# Their authority is a host, whose case does not count; elsewhere it is a name of somebody's own.
_HOSTS = ("http", "https", "hdfs", "ftp", "sftp", "postgresql", "mysql", "kafka", "trino", "abfs")
_PORTS = {"http": "80", "https": "443", "postgresql": "5432", "mysql": "3306"}
_AZURE = re.compile(r"([a-z0-9]+)\.(?:dfs|blob)\.core\.windows\.net")
_S3_HOST = re.compile(r"(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_GS_HOST = re.compile(r"(?:(.+)\.)?storage\.(?:googleapis|cloud\.google)\.com")
_SIGNED = ("X-Amz-", "X-Goog-", "sig=")  # queries that open a door and name nothing
# What lies in a table's folder: its part files, its partitions, its log, and patterns that stand for them.
_PART = re.compile(
    r".*(?:\*|%3F|%5B).*|part[-_.]?\d.*|[^=]+=.*|_delta_log|_SUCCESS|metadata"
    rf"|(?:[\dT_Z-]+|[0-9a-f]{{8}}-[0-9a-f-]{{27,}}[^/]*|[0-9a-f]{{32}})(?:\.(?:{'|'.join(_DATA)}))+",
    re.ASCII,
)
_FILE = re.compile(rf".+\.(?:{'|'.join(_DATA)})", re.ASCII | re.IGNORECASE)
_DEEPEST = 6  # folders above a part file


def normal_uri(text: str) -> str:
    """The one spelling of a URI, a path or a table's name. Symbolic links are not followed: see `real_uri`."""
    text = text.strip()
    if _DRIVE.match(text):
        return _path(text.replace("\\", "/"))
    if text.startswith("\\\\"):  # a share of Windows
        return normal_uri(f"file:{quote(text.replace(chr(92), '/'), safe=f'{_SAFE}/')}")
    if not _SCHEME.match(text):
        if text.startswith("/") and not text.startswith("//"):
            return _path(text)
        if not text.startswith("//"):
            return _relative(text)
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket that opens no IPv6 address: a name of its own
        return text
    scheme, authority, query = (
        _SAME.get(parts.scheme, parts.scheme or "file"),
        parts.netloc.strip(),
        parts.query.strip(),
    )
    segments = [_segment(segment) for segment in parts.path.split("/")]
    if scheme in ("file", "dbfs") and not authority:
        if parts.path and not parts.path.startswith("/"):
            return _relative("/".join(segments)) if scheme == "file" else _finished("dbfs", "", segments, query)
        return _file(segments, query) if scheme == "file" else _finished("dbfs", "", segments, query)
    if scheme == "file":
        if _DRIVE.match(authority):
            return _file([authority, *segments], query)
        authority = "" if authority.lower() == "localhost" else authority
        if not authority:
            return _file(segments, query)
    if scheme in _HOSTS:
        authority = _host(scheme, authority)
    return _in_store(scheme, authority, segments, query) or _finished(scheme, authority, segments, query)


def _path(path: str) -> str:
    """Of a path that starts at its root: signs stand for themselves."""
    return _file([quote(segment, safe=_SAFE) for segment in path.split("/")], "")


def _file(segments: list[str], query: str) -> str:
    path = _joined(segments)
    if path == "dbfs" or path.startswith("dbfs/"):
        return _finished("dbfs", "", [path[5:]], query)
    if _DRIVE.match(path):
        path = f"{path[0].lower()}{path[1:]}"
    return _finished("file", "", [path], query)


def _relative(text: str) -> str:
    if _TABLE.fullmatch(text) and not text.lower().endswith(_ENDINGS):
        return f"table://{text.lower()}"
    path = text.removeprefix("./")
    while (shorter := posixpath.normpath(path.strip())) != path:
        path = shorter
    return f"./{path}"


_ENDINGS = tuple(f".{ending}" for ending in _DATA)


def _segment(segment: str) -> str:
    try:
        return quote(unquote_to_bytes(segment), safe=_SAFE)
    except UnicodeEncodeError:
        return quote(segment, safe=f"{_SAFE}%", errors="replace")


def _joined(segments: list[str]) -> str:
    return posixpath.normpath(f"/{'/'.join(segments)}").strip("/")


def _finished(scheme: str, authority: str, segments: list[str], query: str) -> str:
    place = f"{authority}/{_joined(segments)}".rstrip("/")
    return f"{scheme}://{place}{f'?{query}' if query else ''}"


def _host(scheme: str, authority: str) -> str:
    """Without a login, in small letters, without the port that goes without saying."""
    container, at, host = authority.rpartition("@")
    host = host.lower().removesuffix(f":{_PORTS[scheme]}") if scheme in _PORTS else host.lower()
    return f"{container}{at}{host}" if scheme == "abfs" else host


def _in_store(scheme: str, authority: str, segments: list[str], query: str) -> str | None:
    """The URI of what is named by the web address of its object store, or by Azure's long name of an account."""
    if scheme == "abfs":
        container, at, host = authority.rpartition("@")
        account = _AZURE.fullmatch(host)
        return _finished("abfs", f"{container}{at}{account[1]}", segments, query) if account and at else None
    if scheme not in ("http", "https"):
        return None
    path, _, rest = _joined(segments).partition("/")
    query = "" if any(sign in query for sign in _SIGNED) else query
    if path and (account := _AZURE.fullmatch(authority)):
        return _finished("abfs", f"{path}@{account[1]}", [rest], query)
    for store, pattern in (("s3", _S3_HOST), ("gs", _GS_HOST)):
        if found := pattern.fullmatch(authority):
            if found[1]:
                return _finished(store, found[1], segments, query)
            return _finished(store, path, [rest], query) if path else None
    return None


# --- folders ---------------------------------------------------------------------------------------------------------


def tables_above(uri: str) -> Iterator[str]:
    """The folders of which a normal URI names a part: `s3://lake/rain` of `s3://lake/rain/day=1/part-0.parquet`."""
    scheme, _, rest = uri.partition("://")
    root = 1 if scheme in ("file", "dbfs") else 0
    segments = rest.partition("?")[0].split("/")
    for end in range(len(segments) - 1, max(len(segments) - 1 - _DEEPEST, root), -1):
        if not _PART.fullmatch(segments[end]):
            return
        if end > root + (0 if scheme == "file" else 1):
            yield f"{scheme}://{'/'.join(segments[:end])}"


def folder_of_file(uri: str) -> str | None:
    """The folder right above a data file whose name says nothing of a table; None for what is no such file."""
    folder, _, name = uri.partition("?")[0].rpartition("/")
    if not _FILE.fullmatch(name) or _PART.fullmatch(name) or folder.count("/") < 3:
        return None
    return folder


def is_pattern(uri: str) -> bool:
    return bool(re.search(r"\*|%3F|%5B", uri))


# --- symbolic links of this machine ----------------------------------------------------------------------------------

_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "fuse",
    "ceph",
    "gluster",
    "lustre",
    "afs",
    "autofs",
    "davfs",
    "ncpfs",
    "virtiofs",
)
_LINKS = 40  # followed for one path, as the system itself does
_REMEMBERED = 30.0  # seconds for which it is not looked again


def real_uri(uri: str) -> str | None:
    """Where a normal `file://` URI of this machine leads by symbolic links; None where there are none on its way.

    File systems of the network are not touched: a server that is down would hold everything up.
    """
    if not uri.startswith("file:///"):
        return None
    return _real(uri, int(time.monotonic() / _REMEMBERED))


@lru_cache(4096)
def _real(uri: str, moment: int) -> str | None:
    path = os.fsdecode(unquote_to_bytes(uri.removeprefix("file://").partition("?")[0]))
    if "\0" in path:
        return None
    real = _followed(path, _network_mounts(moment))
    return _path(real) if real is not None and real != path else None


def _followed(path: str, mounts: tuple[str, ...]) -> str | None:
    """The path without links; None where it does not exist, is not to be looked at, or leads in a circle."""
    waiting, done, links = path.strip("/").split("/"), "", 0
    while waiting:
        step = waiting.pop(0)
        if step in ("", "."):
            continue
        if step == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{step}"
        if any(here == mount or here.startswith(f"{mount}/") for mount in mounts):
            return None
        try:
            target = os.readlink(here)  # noqa: PTH115 - the target as it is written
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: it is there and no link
                return None
            done = here
            continue
        links += 1
        if links > _LINKS:
            return None
        waiting = [*target.split("/"), *waiting]
        done = "" if target.startswith("/") else done
    return done or "/"


@lru_cache(1)
def _network_mounts(moment: int) -> tuple[str, ...]:
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ()
    fields = [line.split(" ") for line in lines]
    mounts = [field[1] for field in fields if len(field) > 2 and field[2].startswith(_NETWORK)]
    return tuple(mount.replace("\\040", " ").rstrip("/") for mount in mounts if mount != "/")
