"""A small server of pages on loopback: each shows its own address and links to others, as the services' pages do."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PAGE = """<!doctype html><html><head><title>page</title></head><body>
<h1 id="where"></h1>
<a id="away" href="http://example.invalid/away">away</a>
<a id="onward" href="/views/hourly_weather/features/is_freezing">onward</a>
<script>
  const show = () => {{ document.getElementById("where").textContent = "at " + location.pathname + location.hash; }};
  addEventListener("popstate", show); addEventListener("hashchange", show); show();
  const go = (path) => {{ history.pushState(null, "", path); show(); }};
</script></body></html>"""


class Pages:
    """`requests` are the paths asked for, with their headers; `/views/moved` redirects; `password` protects."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.password: tuple[str, str] | None = None
        self.refusals = 0  # right passwords that are refused before one is taken
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, dict(self.headers.items())))
                if outer.refuses(self.headers.get("Authorization")):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="test"')
                    self.end_headers()
                    return
                if self.path.startswith("/views/moved"):
                    self.send_response(302)
                    self.send_header("Location", "/views/elsewhere")
                    self.end_headers()
                    return
                body = _PAGE.format().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="test-pages")
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def refuses(self, given: str | None) -> bool:
        if not self.password:
            return False
        if given == self.expected() and self.refusals:
            self.refusals -= 1
            return True
        return given != self.expected()

    def expected(self) -> str:
        user, password = self.password or ("", "")
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __enter__(self) -> Pages:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
