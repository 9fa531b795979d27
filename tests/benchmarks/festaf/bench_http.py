"""Online rows over HTTP, beside an endpoint written by hand for just these rows: no guard, no checks, one SELECT.

    python -m tests.benchmarks.festaf.bench_http [--seconds 4] [--rounds 7] [--no-feast]

Both are one uvicorn worker with uvloop and httptools, asked by 8 clients of another process that keep their connections
and send the next question when an answer has come. So is Feast's feature server, on the same rows. By turns, so that
the ratio holds when the machine drifts. All three answer alike. Where others use the machine too, waiting for them
brings the ratio of the rates nearer to 1: so the processor's time for each request is told beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.benchmarks.festaf import feast_online
from tests.benchmarks.festaf.bench_online import bare_sqlite
from tests.benchmarks.festaf.rows_world import FEATURES, line, make
from tests.benchmarks.festaf.table import HEADER, Line
from tests.servers import free_port

CLIENTS = 8
ENTITIES = 100_000
PATIENCE = 120.0  # seconds for a server to start, on a machine with much else to do


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


Request = Callable[[int, list[int]], bytes]  # of a port and keys


def request(port: int, keys: list[int]) -> bytes:
    """The question for these keys, as HTTP has it."""
    body = orjson.dumps({"features": "things", "rows": [{"id": key} for key in keys]})
    head = f"POST /api/v1/online HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def load(port: int, count: int, seconds: float, asked: Request = request) -> float:
    """Requests a second of all clients together."""
    import uvloop

    chance = random.Random(7)  # noqa: S311
    requests = [asked(port, [chance.randrange(ENTITIES) for _ in range(count)]) for _ in range(100)]

    async def all_clients() -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(_client(port, requests, until) for _ in range(CLIENTS))))

    return uvloop.run(all_clients()) / seconds


@contextmanager
def _running(*command: str, port: int, asked: Request = request) -> Iterator[int]:
    """A server while it answers; gives its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                load(port, 1, 0.05, asked)
                break
            except (OSError, EOFError):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} does not answer.") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _used(pid: int) -> float:
    """Seconds of the processor that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(_used(int(child)) for child in children)


def lines(*, feast: bool = True, seconds: float = 4.0, rounds: int = 7) -> Iterator[Line]:
    """The table's lines."""
    with tempfile.TemporaryDirectory(prefix="bench-http-") as name:
        folder = Path(name)
        make(folder, ENTITIES)
        bare_sqlite(folder)
        theirs = feast_online.Repository.make(folder, feast_online.sqlite_of(folder)) if feast else None
        if theirs is not None:
            theirs.materialize()
        for count, reach in ((1, 0.5), (100, 0.6)):
            yield _compared(folder, count, reach, theirs, seconds, rounds)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--no-feast", action="store_true")
    options.add_argument("--bare", type=int, metavar="PORT")
    options.add_argument("--database", type=Path)
    given = options.parse_args()
    if given.bare:
        bare(given.bare, given.database)
        return
    print(HEADER)
    for each in lines(feast=not given.no_feast, seconds=given.seconds, rounds=given.rounds):
        print(each.row(), flush=True)


def _compared(
    folder: Path, count: int, reach: float, feast: feast_online.Repository | None, seconds: float, rounds: int
) -> Line:
    python, module = (sys.executable, "-m"), "tests.benchmarks.festaf.bench_http"
    ours, plain, theirs = free_port(), free_port(), free_port()
    serve = (*python, "e2e_ml.cli", "festaf", "serve", "--project", str(folder), "--port", str(ours))
    by_hand = (*python, module, "--bare", str(plain), "--database", str(folder / "bare.db"))
    rates: dict[int, list[float]] = {}
    costs: dict[int, list[float]] = {}
    with ExitStack() as running:
        pids = {
            ours: running.enter_context(_running(*serve, port=ours)),
            plain: running.enter_context(_running(*by_hand, port=plain)),
        }
        if feast is not None:
            server = _running(*feast.serve(theirs), port=theirs, asked=feast_online.request)
            pids[theirs] = running.enter_context(server)
        _answer_alike(ours, plain, theirs if feast else None, count)
        for _ in range(rounds):
            for port, pid in pids.items():
                before = _used(pid)
                rate = load(port, count, seconds, feast_online.request if port == theirs else request)
                rates.setdefault(port, []).append(rate)
                costs.setdefault(port, []).append((_used(pid) - before) / (rate * seconds))
    middle = {port: statistics.median(kept) for port, kept in rates.items()}
    cost = {port: f", {statistics.median(kept) * 1e6:,.0f} µs each" for port, kept in costs.items()}
    case = f"HTTP, {CLIENTS} clients, 1 worker, SQLite: {count} x 10 features"
    behind = (cost.get(theirs, ""), cost[plain], cost[ours])
    return line(case, middle.get(theirs), middle[plain], middle[ours], "requests/s", reach, least=True, behind=behind)


def _answer_alike(ours: int, plain: int, feast: int | None, count: int) -> None:
    keys = list(range(count))
    answers = [_answer(port, request(port, keys)) for port in (ours, plain)]
    assert answers[0] == answers[1]
    if feast is not None:
        rows = feast_online.rows_of(_answer(feast, feast_online.request(feast, keys)))
        named = [{"id": row["id"], **{f"things__{name}": row[name] for name in FEATURES}} for row in rows]
        assert named == answers[0]["rows"], "Feast's rows are not ours."


def _answer(port: int, asked: bytes) -> Any:
    head, _, body = asked.partition(b"\r\n\r\n")
    path = head.split()[1].decode()
    answer = httpx.post(f"http://127.0.0.1:{port}{path}", content=body, headers={"content-type": "application/json"})
    return answer.raise_for_status().json()


if __name__ == "__main__":
    main()
