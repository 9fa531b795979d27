"""The online store in Redis: for each view a hash of packed rows by key, and a sorted set of the keys by event time.

    festaf:{project:view}:rows      key -> event time, created time, the layout's name, the odd mark, values as JSON
    festaf:{project:view}:times     key by event time in microseconds
    festaf:{project:view}:layouts   a layout's name -> [[feature, type], ...]: how its rows are read
    festaf:{project:view}:staged:*  rows on their way in; they expire if their writer dies

The braces keep a view's keys on one node of a cluster. A write is staged first, and then brought in by one script,
which Redis runs whole: where nothing older stays, the staged hash takes the old one's name. Redis counts in doubles:
event times are ordered to the microsecond up to the year 2255.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import orjson
import polars as pl

from e2e_ml.festaf import dtypes
from e2e_ml.festaf.dtypes import DataType
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import FeatureView
from e2e_ml.festaf.rows.online.protocol import FIRST_VALUE, Found, Reader, microseconds, served_types
from e2e_ml.festaf.rows.online.values import KeyForm, StoredKey, decoders, odd_floats, stored
from e2e_ml.festaf.settings import Connection

try:
    import redis
except ModuleNotFoundError as error:
    raise FeatureStoreError(
        "The online store is in Redis, which needs the package redis: install e2e-ml[connections]."
    ) from error

_Choose = Callable[[list[Any]], Sequence[Any]]
_HEADER = struct.Struct("<qq8sB")  # event time, created time, the layout's name, odd
_NEVER = -(2**63)  # the event time or created time of a row without one
_CHUNK = 2_000  # rows a command: large enough for speed, small enough for others to be served in between
_STAGED_SECONDS = 3600
_PATIENCE = 5.0  # seconds for Redis to accept a connection

# KEYS: rows, times, staged rows, staged times. ARGV: the interval's ends, "" where all is replaced or rows are added;
# "replace" to forget all that was there. Rows of the interval go; staged rows come in where nothing newer stands.
_BRING_IN = """
if ARGV[3] == 'replace' then
    redis.call('UNLINK', KEYS[1], KEYS[2])
elseif ARGV[1] ~= '' then
    if redis.call('ZCOUNT', KEYS[2], ARGV[1], '(' .. ARGV[2]) == redis.call('HLEN', KEYS[1]) then
        redis.call('UNLINK', KEYS[1], KEYS[2])
    else
        local gone = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[1], '(' .. ARGV[2])
        for i = 1, #gone do
            redis.call('HDEL', KEYS[1], gone[i])
            redis.call('ZREM', KEYS[2], gone[i])
        end
    end
end
if redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('RENAME', KEYS[3], KEYS[1])
    redis.call('PERSIST', KEYS[1])
    if redis.call('EXISTS', KEYS[4]) == 1 then
        redis.call('RENAME', KEYS[4], KEYS[2])
        redis.call('PERSIST', KEYS[2])
    end
    return 1
end
local cursor = '0'
repeat
    local page = redis.call('HSCAN', KEYS[3], cursor, 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], 2 do
        local key, row = page[2][i], page[2][i + 1]
        local event, created = struct.unpack('<i8i8', row)
        local there = redis.call('HGET', KEYS[1], key)
        local newer = true
        if there then
            local event_there, created_there = struct.unpack('<i8i8', there)
            newer = event > event_there or (event == event_there and created >= created_there)
        end
        if newer then
            redis.call('HSET', KEYS[1], key, row)
            local score = redis.call('ZSCORE', KEYS[4], key)
            if score then redis.call('ZADD', KEYS[2], score, key) end
        end
    end
until cursor == '0'
redis.call('UNLINK', KEYS[3], KEYS[4])
return 1
"""


def connect(connection: Connection, project: Path) -> redis.Redis:
    """A client of the Redis at a connection's address, with its password. Nothing is sent yet."""
    return redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        connection.url,
        password=connection.secret(project),
        socket_connect_timeout=_PATIENCE,
        socket_keepalive=True,
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """The keys of one view."""

    rows: str
    times: str
    layouts: str

    @classmethod
    def of(cls, project: str, view: str) -> _Names:
        base = f"festaf:{{{project}:{view}}}"
        return cls(f"{base}:rows", f"{base}:times", f"{base}:layouts")

    def staged(self) -> tuple[str, str]:
        name = f"{self.rows.removesuffix(':rows')}:staged:{uuid.uuid4().hex}"
        return f"{name}:rows", f"{name}:times"


class RedisStore:
    waits = True

    def __init__(self, client: redis.Redis, project: str) -> None:
        self._client = client
        self._project = project
        self._bring_in = client.register_script(_BRING_IN)

    def reader(self, view: FeatureView, features: Sequence[str]) -> Reader:
        return _Reader(self._client, _Names.of(self._project, view.name), view, tuple(features)).read

    def replace_interval(
        self,
        view: FeatureView,
        newest: pl.DataFrame,
        start: datetime,
        end: datetime,
        older: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> int:
        names, form = _Names.of(self._project, view.name), KeyForm(view.name, view.entities)
        low, high = microseconds(start), microseconds(end)
        with self._staging(view, names) as staging:
            rows = staging.put(newest)
            served: Any = self._run("ZRANGEBYSCORE", names.times, low, f"({high}")
            known = pl.Series("key", [field.decode() for field in served], pl.String)
            orphans = known.filter(~known.is_in(rows["__key"].cast(pl.String).implode())).to_list()
            if orphans:
                keys: list[StoredKey] = [int(key) for key in orphans] if form.is_number else orphans
                staging.put(older(form.frame(keys)))
            staging.bring_in(low, high)
            return int(self._run("ZCOUNT", names.times, low, f"({high}"))

    def replace_all(self, view: FeatureView, newest: pl.DataFrame) -> int:
        with self._staging(view, _Names.of(self._project, view.name)) as staging:
            rows = staging.put(newest)
            staging.bring_in(mode="replace")
        return len(rows)

    def upsert(self, view: FeatureView, newest: pl.DataFrame) -> None:
        with self._staging(view, _Names.of(self._project, view.name)) as staging:
            staging.put(newest)
            staging.bring_in()

    def count(self, view: FeatureView) -> int:
        with _answering(self._client):
            return int(self._run("HLEN", _Names.of(self._project, view.name).rows))

    def _run(self, *command: Any) -> Any:
        return cast("Any", self._client).execute_command(*command)

    @contextmanager
    def _staging(self, view: FeatureView, names: _Names) -> Generator[_Staging]:
        staging = _Staging(self._client, self._bring_in, view, names)
        with _answering(self._client):
            try:
                yield staging
            except BaseException:
                staging.forget()
                raise


class _Staging:
    """Rows of one write beside the view's, until a script brings them in."""

    def __init__(self, client: redis.Redis, bring_in: Any, view: FeatureView, names: _Names) -> None:
        self._client = client
        self._script = bring_in
        self._view = view
        self._names = names
        self._rows, self._times = names.staged()
        self._form = KeyForm(view.name, view.entities)
        self._types = served_types(view)
        layout = orjson.dumps(list(self._types.items()))
        self._layout = hashlib.blake2b(layout, digest_size=8).digest()
        self._pipe: Any = cast("Any", client).pipeline(transaction=False)
        self._pipe.hset(names.layouts, self._layout, layout)

    def put(self, newest: pl.DataFrame) -> pl.DataFrame:
        """Stage rows; gives them with their `__key`."""
        rows = newest.drop_nulls([key.name for key in self._view.entities])
        kind = pl.Int64 if self._form.is_number else pl.String
        rows = rows.with_columns(
            self._form.column(rows).alias("__key") if len(rows) else pl.lit(None, kind).alias("__key")
        )
        times = {"__event": self._view.event_time, "__created": self._view.created_time}
        lacking = {name: dtype for name, dtype in self._types.items() if name not in rows.columns}
        kept = rows.select(
            "__key",
            *(
                (pl.col(column).cast(pl.Int64).fill_null(_NEVER) if column else pl.lit(_NEVER)).alias(name)
                for name, column in times.items()
            ),
            *(pl.lit(None).alias(n) if n in lacking else pl.col(n) for n in self._types),
        )
        types = {"__key": "string", "__event": "int64", "__created": "int64", **self._types}
        packed = self._packed(stored(kept, types))
        while chunk := list(islice(packed, _CHUNK)):
            self._pipe.execute_command("HSET", self._rows, *(part for _, key, row in chunk for part in (key, row)))
            if self._view.event_time is not None:
                self._pipe.execute_command("ZADD", self._times, *(part for e, key, _ in chunk for part in (e, key)))
            if len(chunk) == _CHUNK:
                self._expiring().execute()
        return rows

    def bring_in(self, start: int | str = "", end: int | str = "", mode: str = "add") -> None:
        keys = [self._names.rows, self._names.times, self._rows, self._times]
        self._script(keys=keys, args=[start, end, mode], client=self._expiring())
        self._pipe.execute()

    def forget(self) -> None:
        """Remove what is staged, where Redis still answers; else it expires."""
        try:
            self._pipe.reset()
            self._client.unlink(self._rows, self._times)
        except redis.RedisError:
            return

    def _expiring(self) -> Any:
        self._pipe.expire(self._rows, _STAGED_SECONDS)
        self._pipe.expire(self._times, _STAGED_SECONDS)
        return self._pipe

    def _packed(self, rows: Iterable[Sequence[Any]]) -> Generator[tuple[int, StoredKey, bytes]]:
        pack, dumps, layout = _HEADER.pack, orjson.dumps, self._layout
        for key, event, created, *values, odd in rows:
            yield event, key, pack(event, created, layout, odd or 0) + dumps(values, default=_text)


class _Reader:
    """Reads some features of a view, whatever the definitions were when a row was written."""

    def __init__(self, client: redis.Redis, names: _Names, view: FeatureView, features: tuple[str, ...]) -> None:
        self._client = client
        self._run: Any = cast("Any", client).execute_command
        self._names = names
        types = {f.name: f.dtype for f in view.features}
        self._wanted = {name: types[name] for name in features}
        wanted = tuple(self._wanted.values())
        self._decoders = tuple((FIRST_VALUE + i, decode) for i, decode in decoders(wanted))
        self._floats = tuple(FIRST_VALUE + i for i in odd_floats(wanted))
        self._bytes = {FIRST_VALUE + i for i, dtype in enumerate(wanted) if dtypes.kind(dtype) == "embedding"}
        self._choices: dict[bytes, _Choose] = {}

    def read(self, keys: Sequence[StoredKey], again: bool = False, /) -> Mapping[StoredKey, Found]:
        if not keys:
            return {}
        with _answering(self._client):
            answer: list[bytes | None] = self._run("HMGET", self._names.rows, *keys)
        found: dict[StoredKey, Found] = {}
        unpack, loads, choices, size = _HEADER.unpack_from, orjson.loads, self._choices, _HEADER.size
        for key, packed in zip(keys, answer, strict=True):
            if packed is None:
                continue
            event, _, layout, odd = unpack(packed)
            choose = choices.get(layout) or self._choice(layout)
            row = [key, None if event == _NEVER else event, odd, *choose(loads(packed[size:]))]
            if odd or self._decoders:
                self._decode(row)
            found[key] = row
        return found

    def _decode(self, row: list[Any]) -> None:
        for i, decode in self._decoders:
            if row[i] is not None:
                value = row[i]
                row[i] = decode(a2b_base64(value) if i in self._bytes else value)
        if row[2]:
            for i in self._floats:
                if isinstance(row[i], str):
                    row[i] = float(row[i])

    def _choice(self, name: bytes) -> _Choose:
        """What takes the wanted features out of the values of a row that was written by this layout."""
        with _answering(self._client):
            text: bytes | None = self._run("HGET", self._names.layouts, name)
        layout: dict[str, DataType] = dict(orjson.loads(text)) if text else {}
        choice = _chooser(layout, self._wanted)
        self._choices[name] = choice
        return choice


def _chooser(layout: Mapping[str, DataType], wanted: Mapping[str, DataType]) -> _Choose:
    place = {feature: i for i, feature in enumerate(layout)}
    if list(layout.items()) == list(wanted.items()):
        return list
    if len(wanted) > 1 and all(layout.get(name) == dtype for name, dtype in wanted.items()):
        return cast("_Choose", itemgetter(*(place[name] for name in wanted)))
    taken = [(place.get(name, 0), _converted(layout.get(name, ""), dtype)) for name, dtype in wanted.items()]
    return lambda values: [convert(values[i]) for i, convert in taken]


def _converted(old: DataType, new: DataType) -> Callable[[Any], Any]:
    """A kept value under another type; None where it has to be written anew."""
    if old == new or {old, new} <= dtypes.TEXTS or (new in dtypes.FLOATS and old in dtypes.FLOATS):
        return lambda value: value
    if new in dtypes.FLOATS and old in dtypes.INTEGERS:
        return lambda value: None if value is None else float(value)
    if new in dtypes.INTEGERS and old in dtypes.INTEGERS:
        limit = 2 ** (int(new.removeprefix("int")) - 1)
        return lambda value: value if value is not None and -limit <= value < limit else None
    return lambda value: None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode()
    raise TypeError(f"{value!r} cannot be stored online.")


@contextmanager
def _answering(client: redis.Redis) -> Generator[None]:
    try:
        yield
    except redis.AuthenticationError as error:
        raise FeatureStoreError(
            f"The online store at {_address(client)} refuses the password. Correct the credential in festaf.yaml."
        ) from error
    except redis.RedisError as error:
        raise FeatureStoreError(
            f"The online store at {_address(client)} does not answer: {error}. Start it, or correct festaf.yaml."
        ) from error


def _address(client: redis.Redis) -> str:
    about: dict[str, Any] = client.connection_pool.connection_kwargs
    return str(about.get("path") or f"redis://{about.get('host')}:{about.get('port')}/{about.get('db', 0)}")
