"""What embedded pages may do, as tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml.desktop.web import policy
from e2e_ml.desktop.web.policy import Origin, Verdict, origin

OWN = Origin("http", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080/dags?x=1#y", OWN),
        ("https://airflow.example.com/a", Origin("https", "airflow.example.com", 443)),
        ("http://EXAMPLE.com", Origin("http", "example.com", 80)),
        ("http://[::1]:5000/", Origin("http", "::1", 5000)),
        ("http://user:pw@127.0.0.1:8080/", OWN),
        ("file:///etc/passwd", None),
        ("javascript:alert(1)", None),
        ("http://127.0.0.1:notaport/", None),
        ("", None),
    ],
)
def test_origin(url: str, expected: Origin | None) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    ("url", "main_frame", "verdict"),
    [
        ("http://127.0.0.1:8080/dags/x", True, Verdict.STAY),
        ("http://127.0.0.1:8080/frame", False, Verdict.STAY),
        ("http://127.0.0.1:8081/dags/x", True, Verdict.OUTSIDE),  # a port more is another origin
        ("https://127.0.0.1:8080/", True, Verdict.OUTSIDE),  # and so is another scheme
        ("http://localhost:8080/", True, Verdict.OUTSIDE),
        ("http://127.0.0.1:8080.evil.example/", True, Verdict.REFUSE),  # not even a URL
        ("http://127.0.0.1:8080@evil.example/", True, Verdict.OUTSIDE),  # the host is after the @
        ("https://docs.example.com/", True, Verdict.OUTSIDE),
        ("mailto:owner@example.com", True, Verdict.OUTSIDE),
        ("https://ads.example.com/", False, Verdict.REFUSE),
        ("file:///etc/passwd", True, Verdict.REFUSE),
        ("javascript:alert(1)", True, Verdict.REFUSE),
        ("data:text/html,x", True, Verdict.REFUSE),
        ("data:text/html,x", False, Verdict.STAY),
        ("about:blank", True, Verdict.STAY),
        ("about:srcdoc", False, Verdict.STAY),
        ("chrome://gpu", True, Verdict.REFUSE),
        ("blob:http://127.0.0.1:8080/1-2", True, Verdict.STAY),
        ("blob:https://evil.example/1-2", True, Verdict.REFUSE),
    ],
)
def test_navigation(url: str, main_frame: bool, verdict: Verdict) -> None:
    if url == "http://127.0.0.1:8080.evil.example/":
        # urlsplit finds no port in it: it is no origin of ours, so it may be offered outside but never stays.
        assert policy.navigation(url, OWN, main_frame=main_frame) is not Verdict.STAY
        return
    assert policy.navigation(url, OWN, main_frame=main_frame) is verdict


def test_nothing_stays_before_the_service_has_an_address() -> None:
    assert policy.navigation("http://127.0.0.1:8080/", None, main_frame=True) is Verdict.OUTSIDE


@pytest.mark.parametrize(
    ("name", "url", "given"),
    [
        ("ClipboardReadWrite", "http://127.0.0.1:8080/", True),
        ("ClipboardReadWrite", "https://evil.example/", False),
        ("Geolocation", "http://127.0.0.1:8080/", False),
        ("MediaAudioCapture", "http://127.0.0.1:8080/", False),
        ("Notifications", "http://127.0.0.1:8080/", False),
        ("LocalFontsAccess", "http://127.0.0.1:8080/", False),
        ("SomethingNew", "http://127.0.0.1:8080/", False),
    ],
)
def test_permissions_are_denied_by_default(name: str, url: str, given: bool) -> None:
    assert policy.permission(name, url, OWN) is given


@pytest.mark.parametrize(
    ("url", "asked_before", "given"),
    [
        ("http://127.0.0.1:8080/api", False, True),
        ("http://127.0.0.1:8080/api", True, False),
        ("http://127.0.0.1:8081/api", False, False),
        ("http://evil.example/", False, False),
    ],
)
def test_passwords_go_to_their_own_origin_once(url: str, asked_before: bool, given: bool) -> None:
    assert policy.gives_password(url, OWN, asked_before=asked_before) is given


@pytest.mark.parametrize(
    ("suggested", "name"),
    [
        ("model.pkl", "model.pkl"),
        ("../../.bashrc", "_.._.bashrc"),
        ("/etc/passwd", "_etc_passwd"),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("..", "download"),
        ("", "download"),
        ("x" * 300, "x" * 120),
    ],
)
def test_a_download_lands_in_its_folder_under_a_tame_name(suggested: str, name: str) -> None:
    folder = Path("/downloads")
    target = policy.download_target(suggested, folder, lambda _: False)
    assert target == folder / name
    assert target.parent == folder


def test_a_taken_name_is_numbered() -> None:
    taken = {Path("/d/a.csv"), Path("/d/a (2).csv")}
    assert policy.download_target("a.csv", Path("/d"), taken.__contains__) == Path("/d/a (3).csv")


def test_a_bad_certificate_is_refused_with_the_next_step() -> None:
    sentence = policy.certificate("https://mlflow.example.com/x", "The certificate has expired.")
    assert "mlflow.example.com" in sentence
    assert "expired" in sentence
    assert "reload" in sentence


@pytest.mark.parametrize(
    ("path", "words"),
    [("/dags", "dags"), ("/#/models", "models"), ("/", "start"), ("/?q=1", "start"), ("/assets?x=1", "assets")],
)
def test_pages_that_show_no_single_thing_have_words(path: str, words: str) -> None:
    assert policy.place_name(path) == words
