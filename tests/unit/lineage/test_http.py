"""Talking to a service, over a real socket: logins that expire, ports that move, answers that are no JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from e2e_ml.lineage.collectors import CollectError
from e2e_ml.lineage.collectors.http import Api, Connection, TooLongError, known


class Answers(BaseHTTPRequestHandler):
    valid = "Bearer 1"
    refusal = 401

    def do_GET(self) -> None:
        if self.path.startswith("/closed") and self.headers["Authorization"] != Answers.valid:
            return self._send(Answers.refusal, {})
        if self.path == "/tagged":
            return self._send(304 if self.headers["If-None-Match"] == '"a"' else 200, {"n": 1}, {"ETag": '"a"'})
        if self.path == "/page":
            return self._send(200, "<html>Log in</html>")
        if self.path == "/moved":
            return self._send(302, {}, {"Location": "/login"})
        if self.path == "/broken":
            return self._send(500, {})
        return self._send(200, {"path": self.path})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        content = b"" if status == 304 else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def api(url: str) -> Iterator[Api]:
    api = Api("Airflow", Connection("local", lambda: url + "/"))
    yield api
    api.close()


@pytest.mark.parametrize("refusal", [401, 403])  # Airflow says 403 to a token that it does not know
def test_a_login_that_expired_is_renewed_once(url: str, refusal: int) -> None:
    logins: list[int] = []
    Answers.refusal = refusal

    def headers() -> dict[str, str]:
        logins.append(1)
        return {"Authorization": f"Bearer {len(logins)}"}

    api = Api("Airflow", Connection("local", lambda: url, headers))
    Answers.valid = "Bearer 1"
    assert api.get("/closed")["path"] == "/closed"
    Answers.valid = "Bearer 2"
    assert api.get("/closed")["path"] == "/closed"
    assert len(logins) == 2
    Answers.valid = "nobody's"
    with pytest.raises(CollectError, match=rf"Airflow refuses the login \({refusal}\). Check its credentials"):
        api.get("/closed")
    api.close()


def test_an_etag_saves_the_body(api: Api) -> None:
    assert api.get_if_new("/tagged", None) == ({"n": 1}, '"a"')
    assert api.get_if_new("/tagged", '"a"') == (None, '"a"')


def test_the_services_own_clock_is_known(api: Api) -> None:
    api.get("/")
    assert api.server_time is not None
    assert api.server_time.tzinfo is not None


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/page", "something that is not JSON"),
        ("/moved", "Airflow answered 302 to GET /moved. See its log."),
        ("/broken", "Airflow answered 500 to GET /broken. See its log."),
    ],
)
def test_what_is_wrong_is_a_sentence(api: Api, path: str, sentence: str) -> None:
    with pytest.raises(CollectError, match=sentence):
        api.get(path)


def test_nobody_there_and_no_address() -> None:
    api = Api("MLflow", Connection("local", lambda: "http://127.0.0.1:9"))
    with pytest.raises(CollectError, match=r"MLflow does not answer at http://127.0.0.1:9"):
        api.get("/")
    api.close()
    with pytest.raises(CollectError, match="MLflow has no address yet"):
        Api("MLflow", Connection("local", lambda: None)).get("/")


def test_a_service_that_moved_to_another_port_is_followed(url: str) -> None:
    places = ["http://127.0.0.1:9", url]
    api = Api("Airflow", Connection("local", lambda: places[0]))
    with pytest.raises(CollectError):
        api.get("/")
    places.pop(0)
    assert api.get("/here") == {"path": "/here"}
    api.close()


def test_a_connection_does_not_print_its_login() -> None:
    assert "secret" not in repr(Connection("local", lambda: None, lambda: {"Authorization": "secret"}))


def test_facts_that_are_not_known_are_absent() -> None:
    assert known({"a": None, "b": "", "c": 0, "d": False, "e": []}) == {"c": 0, "d": False, "e": []}


def test_a_query_in_the_path_is_sent(api: Api) -> None:
    assert api.get("/here?a=1&b=2") == {"path": "/here?a=1&b=2"}
    assert api.get("/here", path="a b") == {"path": "/here?path=a+b"}


def test_an_answer_that_is_longer_than_was_asked_for_is_not_read(api: Api) -> None:
    assert api.get("/here", 1_000) == {"path": "/here"}
    with pytest.raises(TooLongError, match="with more than 5 bytes"):
        api.get("/here", 5)
    assert api.get("/there") == {"path": "/there"}  # on a connection that is sound
