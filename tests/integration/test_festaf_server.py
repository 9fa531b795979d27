"""The real server of a real project, as a subprocess on a free port: its API, its pages, and what it refuses."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.model import Explanation, Registry
from e2e_ml.festaf.store import FeatureStore
from tests.festaf_server import TOKEN, CatalogServer, run_server
from tests.servers import free_port

DEFINITIONS = '''
from datetime import UTC, datetime, timedelta

from e2e_ml import festaf as fs


class Weather(fs.FeatureView):
    """Weather at the airport <b>hour by hour</b>."""

    source = fs.csv("weather.csv", timezone="UTC")
    owner = fs.Owner("weather-team", "weather@example.com")
    purpose = "Wind explains delays."
    schedule = "@daily"
    start = datetime(2013, 1, 1, tzinfo=UTC)
    tags = ("departure",)

    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()

    temp = fs.Float64().bounds(-40, 20).describe("Air temperature.")
    wind = fs.Float64().required()
    freezing = (temp <= 0).describe("Ice on the wings.")
    wind_mean_6h = wind.mean().over(timedelta(hours=6))


class Runway(fs.FeatureView):
    """Nobody loads these."""

    source = fs.csv("runways.csv")
    runway = fs.Entity(fs.String())
    length = fs.Float64()


class Delay(fs.FeatureService):
    """Will it be late?"""

    features = [Weather.temp, Weather.freezing, Weather.wind_mean_6h]
'''


def make_project(folder: Path) -> FeatureStore:
    folder.mkdir()
    (folder / "features.py").write_text(DEFINITIONS)
    rows = [f"JFK,2013-01-{1 + h // 24:02}T{h % 24:02}:00:00,{h - 10},{h}" for h in range(48)]
    (folder / "weather.csv").write_text("\n".join(["origin,observed_at,temp,wind", *rows]) + "\n")
    store = FeatureStore.open(folder, "airport")
    store.apply(store.plan(load_definitions(folder)), by="ada")
    store.load("weather", datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC))
    return store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogServer]:
    """For tests that only read."""
    folder = tmp_path_factory.mktemp("server")
    make_project(folder / "airport")
    running = run_server(folder / "airport", folder / "log")
    yield running
    running.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[CatalogServer]:
    """For tests that change the project below it."""
    make_project(tmp_path / "airport")
    running = run_server(tmp_path / "airport", tmp_path / "log")
    yield running
    running.stop()


# --- the API -----------------------------------------------------------------------------------------------------


def test_health(server: CatalogServer) -> None:
    health = server.json("/health")
    assert health == {"status": "ok", "version": health["version"], "project": "airport", "registry_version": 1}


def test_the_registry_comes_whole(server: CatalogServer) -> None:
    registry = Registry.model_validate(server.json("/api/v1/registry"))
    assert registry == FeatureStore.open(server.project).registry.whole()


@pytest.mark.parametrize("path", ["/api/v1/registry", "/api/v1/stats"])
def test_what_has_not_changed_is_not_sent_again(server: CatalogServer, path: str) -> None:
    first = server.get(path)
    again = server.get(path, **{"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert server.get(path, **{"if-none-match": '"another"'}).status_code == 200


def test_statistics_of_all_views_at_once(server: CatalogServer) -> None:
    views = server.json("/api/v1/stats")["views"]
    assert views["weather"]["rows"] == 24
    assert views["weather"]["newest_event"] == "2013-01-01T23:00:00Z"
    nothing: dict[str, object] = {"rows": 0, "newest_event": None, "last_written": None}
    source = views["runway"].pop("source")
    assert (source.startswith("file:///"), source.endswith("/runways.csv")) == (True, True)
    assert views["runway"] == {**nothing, "written_until": None}
    assert views["weather"]["written_until"] == "2013-01-02T00:00:00Z"
    of_one = server.json("/api/v1/views/weather/stats")
    assert of_one == {key: views["weather"][key] for key in nothing}


def test_intervals_profile_and_broken_rules_of_a_view(server: CatalogServer) -> None:
    (interval,) = server.json("/api/v1/views/weather/intervals")
    assert (interval["start"], interval["rows"]) == ("2013-01-01T00:00:00Z", 24)
    temp = server.json("/api/v1/views/weather/profile")[0]
    assert (temp["feature"], temp["min"], temp["max"], temp["missing"]) == ("temp", -10.0, 13.0, 0)
    assert server.json("/api/v1/views/weather/violations") == []


@pytest.mark.parametrize(
    ("name", "kind"), [("weather.freezing", "feature"), ("weather", "feature view"), ("delay", "feature service")]
)
def test_five_answers(server: CatalogServer, name: str, kind: str) -> None:
    explanation = Explanation.model_validate(server.json(f"/api/v1/features/{name}"))
    assert (explanation.name, explanation.kind) == (name, kind)
    assert kind == "feature service" or explanation.dag_id == "festaf.airport.weather"


def test_search_gives_pages_and_names(server: CatalogServer) -> None:
    found = server.json("/api/v1/search?q=ice")["hits"]
    assert [(hit["path"], hit["ref"]) for hit in found] == [
        ("/views/weather/features/freezing", "festaf://airport/weather#freezing")
    ]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/api/v1/views/wether", "no feature view 'wether'"),
        ("/api/v1/views/wether/profile", "no feature view 'wether'"),
        ("/api/v1/services/nope", "no feature service 'nope'"),
        ("/api/v1/features/weather.snow", "no feature 'snow'"),
        ("/api/v1/nope", "no page '/api/v1/nope'"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(server: CatalogServer, path: str, says: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 404
    assert says in answer.json()["detail"]


def test_the_routes_are_described(server: CatalogServer) -> None:
    paths = server.json("/openapi.json")["paths"]
    page = server.get("/api").text
    for path in paths:
        assert re.sub(r"([_./])", r"\1<wbr>", path) in page or f">{path}<" in page
    assert "/api/v1/materialize" in paths


# --- writes ------------------------------------------------------------------------------------------------------


def materialize(server: CatalogServer, token: str | None, **wanted: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{server.url}/api/v1/materialize", json=wanted, headers=headers, timeout=60)


def test_a_write_needs_the_token(server: CatalogServer) -> None:
    for token, says in ((None, "needs the server's token"), ("wrong", "not this server's token")):
        refused = materialize(server, token, view="weather")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert says in refused.json()["detail"]
    done = materialize(server, TOKEN, view="weather")
    assert (done.status_code, done.json()) == (200, {"view": "weather", "entities": 1})
    assert TOKEN not in server.log.read_text()


def test_a_write_that_is_not_understood_is_refused_in_words(server: CatalogServer) -> None:
    naive = materialize(server, TOKEN, view="weather", start="2013-01-01T00:00:00")
    assert naive.status_code == 422
    assert "start" in naive.json()["detail"]
    assert materialize(server, TOKEN, view="snow").status_code == 404
    half = materialize(server, TOKEN, view="weather", start="2013-01-01T00:00:00Z")
    assert half.status_code == 422
    assert half.json()["detail"].endswith(".")


# --- guard -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/api/v1/registry", "/static/catalog.css", "/health"])
def test_another_hosts_name_is_refused(server: CatalogServer, path: str) -> None:
    refused = server.get(path, host="evil.example.com")
    assert refused.status_code == 400
    assert "does not answer to the name 'evil.example.com'" in refused.text
    assert "nosniff" in refused.headers["x-content-type-options"]


@pytest.mark.parametrize("path", ["/", "/views/nope", "/api/v1/views", "/static/catalog.js"])
def test_every_answer_says_what_a_page_may_do(server: CatalogServer, path: str) -> None:
    headers = server.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/base.html", "/static/../catalog/base.html", "/static/%2e%2e/.keep"])
def test_templates_are_no_ones_to_fetch(server: CatalogServer, path: str) -> None:
    assert server.get(path).status_code == 404


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("/", ["weather", "runway", "delay", "3 features", "weather-team"]),
        (
            "/views/weather",
            ["Wind explains delays.", "festaf.<wbr>airport.<wbr>weather", "24 rows", "is never missing"],
        ),
        ("/views/weather/features/freezing", ["temp &lt;= 0", "Ice on the wings.", 'class="tree fits"', "delay"]),
        ("/views/weather/features/temp", ['class="histogram"', "Median", "is between −40 and 20", "holds"]),
        ("/views/runway", ["No DAG makes this view.", "No rows yet.", "Nobody says."]),
        ("/services/delay", ["wind_<wbr>mean_<wbr>6h", "Will it be late?", "feast.feature_service=delay"]),
        ("/entities/origin", ["entity · string", "weather"]),
        ("/sources/weather", ["weather.<wbr>csv", "naive times in it are of UTC"]),
        ("/search?q=ice", ["freezing", "1 result"]),
        ("/search?q=zebra", ["Nothing is called, described, owned or tagged like “zebra”."]),
    ],
)
def test_pages_show_what_they_are_about(server: CatalogServer, path: str, shows: list[str]) -> None:
    assert server.get(path).headers["content-type"].startswith("text/html")
    page = server.page(path)
    for text in shows:
        assert text in page
    assert "<b>hour by hour" not in page, "text of a definition is never HTML"


@pytest.mark.parametrize(
    ("path", "says", "near"),
    [
        ("/views/wether", "There is no feature view &#39;wether&#39; in airport.", "/views/weather"),
        ("/views/weather/features/freezin", "has no feature &#39;freezin&#39;", "/views/weather/features/freezing"),
        ("/services/dealy", "There is no feature service &#39;dealy&#39;", "/services/delay"),
        ("/entities/origine", "There is no entity &#39;origine&#39;", "/entities/origin"),
        ("/sources/wether", "There is no source &#39;wether&#39;", "/views/weather"),
        ("/nowhere", "There is no page &#39;/nowhere&#39;.", "/"),
    ],
)
def test_a_page_that_is_not_there_says_so_and_what_comes_near(
    server: CatalogServer, path: str, says: str, near: str
) -> None:
    page = server.get(path)
    assert page.status_code == 404
    assert says in page.text
    assert f'href="{near}"' in page.text


def test_every_link_of_every_page_leads_somewhere(server: CatalogServer) -> None:
    waiting, seen = ["/"], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = server.get(path)
        assert page.status_code == 200, path
        if page.headers["content-type"].startswith("text/html"):
            waiting += [link for link in re.findall(r'(?:href|src)="(/[^"#]*)"', page.text) if link not in seen]
    assert {"/views/weather", "/services/delay", "/entities/runway", "/static/catalog.css", "/openapi.json"} <= seen


# --- trying it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("/views/weather?ask.origin=JFK", ["weather.<wbr>temp", "<code>13</code>", "<code>false</code>"]),
        ("/services/delay?ask.origin=JFK", ["weather.<wbr>wind_<wbr>mean_<wbr>6h", "<code>20.5</code>"]),
        ("/views/weather?ask.origin=LAX", ["missing: absent"]),
        ("/views/weather?ask.origin=", ["A key is needed."]),
        ("/views/weather", ['placeholder="JFK"', '<option value="JFK">']),
    ],
)
def test_a_row_is_looked_up_from_the_page(server: CatalogServer, path: str, shows: list[str]) -> None:
    page = server.page(path)
    for text in shows:
        assert text in page


# --- wishes ------------------------------------------------------------------------------------------------------


def key_of(server: CatalogServer) -> str:
    found = re.search(r'name="key" value="([^"]+)"', server.get("/wishes").text)
    assert found is not None
    return found[1]


def send(server: CatalogServer, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
    return httpx.post(server.url + path, data=form, headers=headers or {}, timeout=60)


def test_a_person_wishes_joins_and_answers_without_a_token(own_server: CatalogServer) -> None:
    empty = own_server.get("/search?q=gusts%20%26%20squalls").text
    assert 'href="/wishes?name=gusts%20%26%20squalls#new"' in empty
    assert 'value="gusts &amp; squalls"' in own_server.get("/wishes?name=gusts%20%26%20squalls").text
    key = key_of(own_server)
    made = send(own_server, "/wishes", key=key, name="gusts & <squalls>", by="ada", why="Delays.")
    assert (made.status_code, made.headers["location"]) == (303, "/wishes/1")
    page = own_server.get("/wishes/1").text
    assert "gusts &amp; &lt;squalls&gt;" in page
    assert send(own_server, "/wishes/1/votes", key=key, by="bob", why="").status_code == 303
    assert "2 people" in own_server.get("/wishes/1").text
    wrong = send(own_server, "/wishes/1/answer", key=key, by="ops", answer="", feature="weather.gust")
    assert wrong.status_code == 422
    assert "There is no feature &#39;weather.gust&#39;" in wrong.text
    answered = send(own_server, "/wishes/1/answer", key=key, by="ops", answer="", feature="weather.wind")
    assert answered.status_code == 303
    assert 'href="/views/weather/features/wind"' in own_server.get("/wishes/1").text
    (data,) = own_server.json("/api/v1/wishes")
    assert (data["status"], data["feature"], len(data["votes"])) == ("made", "weather.wind", 2)


@pytest.mark.parametrize(
    ("key", "headers", "says"),
    [
        ("", {}, "started again since this page was opened"),
        ("guessed", {}, "started again since this page was opened"),
        ("the page's", {"sec-fetch-site": "cross-site"}, "not of this server"),
        ("the page's", {"sec-fetch-site": "same-site"}, "not of this server"),
    ],
)
def test_a_form_of_another_site_is_refused_and_what_was_typed_is_kept(
    server: CatalogServer, key: str, headers: dict[str, str], says: str
) -> None:
    key = key_of(server) if key == "the page's" else key
    refused = send(server, "/wishes", headers, key=key, name="from elsewhere", by="eve")
    assert refused.status_code == 403
    assert says in refused.text
    assert 'value="from elsewhere"' in refused.text
    assert server.json("/api/v1/wishes") == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"name": "x"}', "application/json", 415),
        (b"name=x", "text/plain", 415),
        (b"name=" + b"x" * 40_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_what_is_no_form_of_the_page_is_refused(server: CatalogServer, body: bytes, kind: str, status: int) -> None:
    refused = httpx.post(server.url + "/wishes", content=body, headers={"content-type": kind}, timeout=60)
    assert refused.status_code == status
    assert server.json("/api/v1/wishes") == []


def test_programs_wish_with_the_token(own_server: CatalogServer) -> None:
    def post(path: str, token: str | None, **data: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.post(own_server.url + path, json=data, headers=headers, timeout=60)

    assert post("/api/v1/wishes", None, name="gusts", by="ada").status_code == 401
    assert post("/api/v1/wishes", TOKEN, name="gusts", by="").status_code == 422
    assert post("/api/v1/wishes", TOKEN, name="gusts", by="ada").json()["number"] == 1
    assert len(post("/api/v1/wishes/1/votes", TOKEN, by="bob", why="Delays.").json()["votes"]) == 2
    assert post("/api/v1/wishes/1/answer", TOKEN, by="ops", answer="No.").json()["status"] == "answered"
    assert post("/api/v1/wishes/9/votes", TOKEN, by="bob").status_code == 404
    assert own_server.json("/api/v1/wishes/1")["answer"] == "No."
    assert own_server.get("/api/v1/wishes/9").status_code == 404
    assert own_server.get("/wishes/9").status_code == 404
    assert own_server.get("/wishes/nine").status_code == 404


def test_a_feature_applied_after_the_wish_is_suggested_for_it(own_server: CatalogServer) -> None:
    send(own_server, "/wishes", key=key_of(own_server), name="wind squared", by="ada")
    assert "Is this it?" not in own_server.get("/wishes/1").text
    features = own_server.project / "features.py"
    text = features.read_text()
    features.write_text(text.replace("    freezing =", "    wind_squared = wind * wind\n    freezing ="))
    store = FeatureStore.open(own_server.project)
    store.apply(store.plan(load_definitions(own_server.project)), by="ada")
    page = own_server.get("/wishes/1").text
    assert "Is this it?" in page
    assert 'name="feature" value="weather.wind_squared"' in page


# --- following the project ---------------------------------------------------------------------------------------


def test_an_apply_and_a_load_show_without_a_restart(own_server: CatalogServer) -> None:
    tag = own_server.get("/api/v1/stats").headers["etag"]
    features = own_server.project / "features.py"
    features.write_text(features.read_text() + "\n\nclass Later(fs.FeatureService):\n    features = [Weather.wind]\n")
    store = FeatureStore.open(own_server.project)
    store.apply(store.plan(load_definitions(own_server.project)), by="ada")
    assert own_server.json("/health")["registry_version"] == 2
    assert own_server.get("/services/later").status_code == 200
    later = own_server.get("/api/v1/stats").headers["etag"]
    store.load("weather", datetime(2013, 1, 2, tzinfo=UTC), datetime(2013, 1, 3, tzinfo=UTC))
    assert own_server.json("/api/v1/stats")["views"]["weather"]["rows"] == 48
    assert len({tag, later, own_server.get("/api/v1/stats").headers["etag"]}) == 3
    page = own_server.page("/views/weather")
    assert "48 rows" in page
    assert "17 rows" in page, "the second day is warmer than the rule allows"


def test_a_registry_that_somebody_breaks_keeps_its_last_version(own_server: CatalogServer) -> None:
    registry = own_server.project / "registry.json"
    good = registry.read_text()
    registry.write_text(good[: len(good) // 2])
    page = own_server.get("/views/weather")
    assert page.status_code == 200
    assert "The registry cannot be read." in page.text
    registry.write_text(good)
    assert "The registry cannot be read." not in own_server.get("/views/weather").text


def test_an_empty_project_without_a_token_says_the_next_steps(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    server = run_server(tmp_path / "empty", tmp_path / "log", token=None)
    try:
        page = server.get("/").text
        assert "No feature view is defined yet." in page
        assert "e2e-ml festaf apply" in page
        assert server.json("/health")["registry_version"] == 0
        refused = materialize(server, "anything", view="weather")
        assert refused.status_code == 403
        assert "FESTAF_TOKEN" in refused.json()["detail"]
    finally:
        server.stop()


@pytest.mark.parametrize("case", ["a broken registry", "an occupied port"])
def test_a_server_that_cannot_start_says_why(tmp_path: Path, case: str) -> None:
    make_project(tmp_path / "airport")
    if case == "a broken registry":
        (tmp_path / "airport" / "registry.json").write_text("{")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] if case == "an occupied port" else free_port()
        command = [sys.executable, "-c", "from e2e_ml.cli import main; main()", "festaf", "serve"]
        ended = subprocess.run(
            [*command, "--project", str(tmp_path / "airport"), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ("registry.json" if case == "a broken registry" else "Choose another with --port") in ended.stderr
