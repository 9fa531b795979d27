"""Online rows over HTTP, beside an endpoint written by hand for just these rows: no guard, no checks, one SELECT.

    python -m tests.benchmarks.festaf.bench_http [--seconds 5] [--rounds 3]

Both are one uvicorn worker with uvloop and httptools, asked by 8 clients of another process that keep their connections
and send the next question when an answer has come. By turns, so that the ratio holds when the machine drifts.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks.festaf.bench_online import bare_sqlite
from tests.benchmarks.festaf.rows_world import FEATURES, line, make
from tests.benchmarks.festaf.table import HEADER, Line
from tests.servers import free_port

CLIENTS = 8
ENTITIES = 100_000


def bare(port: int, database: Path) -> None:
    """The endpoint by hand, on a bare table."""
    import uvicorn

    db = sqlite3.connect(database, isolation_level=None)
    columns = ("id", *(f"things__{name}" for name in FEATURES))
    select = f"SELECT id, {', '.join(FEATURES)} FROM things WHERE id IN "

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        keys = [row["id"] for row in orjson.loads(body)["rows"]]
        found = {r[0]: r for r in db.execute(f"{select}({', '.join('?' * len(keys))})", keys)}
        rows = [dict(zip(columns, found[key], strict=True)) for key in keys]
        content = orjson.dumps({"rows": rows, "missing": [{} for _ in keys]})
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, server_header=False)


async def _client(port: int, requests: list[bytes], until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    while time.perf_counter() < until:
        writer.write(requests[done % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        done += 1
    writer.close()
    return done


def load(port: int, count: int, seconds: float) -> float:
    """Requests a second of all clients together."""
    import uvloop

    chance = random.Random(7)  # noqa: S311
    requests = [_request(port, [chance.randrange(ENTITIES) for _ in range(count)]) for _ in range(100)]

    async def all_clients() -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(_client(port, requests, until) for _ in range(CLIENTS))))

    return uvloop.run(all_clients()) / seconds


def _request(port: int, keys: list[int]) -> bytes:
    body = orjson.dumps({"features": "things", "rows": [{"id": key} for key in keys]})
    head = f"POST /api/v1/online HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def _running(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                load(port, 1, 0.05)
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def lines(*, feast: bool = True, seconds: float = 5.0, rounds: int = 3) -> Iterator[Line]:
    """The table's lines. Feast's figures are those that were measured of it before."""
    with tempfile.TemporaryDirectory(prefix="bench-http-") as name:
        folder = Path(name)
        make(folder, ENTITIES)
        bare_sqlite(folder)
        for count, reach, told in ((1, 0.5, "884 requests/s"), (100, 0.6, "40 requests/s")):
            yield _compared(folder, count, reach, told if feast else "", seconds, rounds)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=5.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--bare", type=int, metavar="PORT")
    options.add_argument("--database", type=Path)
    given = options.parse_args()
    if given.bare:
        bare(given.bare, given.database)
        return
    print(HEADER)
    for each in lines(seconds=given.seconds, rounds=given.rounds):
        print(each.row(), flush=True)


def _compared(folder: Path, count: int, reach: float, feast: str, seconds: float, rounds: int) -> Line:
    ours, plain = free_port(), free_port()
    serve = ("-m", "e2e_ml.cli", "festaf", "serve", "--project", str(folder), "--port", str(ours))
    constant = ("-m", "tests.benchmarks.festaf.bench_http", "--bare", str(plain), "--database", str(folder / "bare.db"))
    with _running(*serve, port=ours), _running(*constant, port=plain):
        _answers_alike(ours, plain, count=count)
        rates = [(load(ours, count, seconds), load(plain, count, seconds)) for _ in range(rounds)]
    festaf, limit = (statistics.median(rate[i] for rate in rates) for i in (0, 1))
    case = f"HTTP, {CLIENTS} clients, 1 worker, SQLite: {count} x 10 features"
    return line(case, feast, limit, festaf, "requests/s", reach, least=True)


def _answers_alike(*ports: int, count: int) -> None:
    import httpx

    question = {"features": "things", "rows": [{"id": key} for key in range(count)]}
    answers = [httpx.post(f"http://127.0.0.1:{port}/api/v1/online", json=question).json() for port in ports]
    assert answers[0] == answers[1]


if __name__ == "__main__":
    main()
