"""festaf.yaml: what it says, and how it is refused: with file, line and field, and never with a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_ml.festaf import settings
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.settings import SettingsError


def read(folder: Path, text: str) -> settings.Settings:
    (folder / "festaf.yaml").write_text(text)
    return settings.read(folder)


def test_without_a_file_rows_are_served_by_sqlite(tmp_path: Path) -> None:
    assert settings.read(tmp_path) == settings.Settings()
    assert read(tmp_path, "") == settings.Settings()


def test_what_a_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(
        tmp_path,
        "version: 1\nonline: redis://127.0.0.1:6379/0\nconnections:\n"
        '  warehouse: {url: "postgresql://reader@db.example.com/flights", credential: env:WAREHOUSE}\n'
        "  local: {url: 'sqlite:///data.db', credential: file:secret}\n",
    )
    assert found.online is not None
    assert found.online.url == "redis://127.0.0.1:6379/0"
    assert found.online.secret(tmp_path) is None
    monkeypatch.setenv("WAREHOUSE", "p@ss")
    assert found.connection("warehouse", "postgresql").secret(tmp_path) == "p@ss"
    (tmp_path / "secret").write_text("from a file\n")
    assert found.connection("local", "sqlite").secret(tmp_path) == "from a file"


@pytest.mark.parametrize(
    ("text", "line", "field", "sentence"),
    [
        ("version: 2", 1, "version", "reads version 1"),
        ("version: 1\nonlin: redis://x", 2, "onlin", "Did you mean 'online'"),
        ("version: 1\npassword: x", 2, "password", "A secret has no place"),
        ("version: 1\nonline: postgresql://x/y", 2, "online", "Rows are served by Redis"),
        ("version: 1\nonline: redis://:hush@x", 2, "online.url", "must not carry a password"),
        ("version: 1\nonline:\n  credential: env:X", 2, "online.url", "This is required"),
        ("connections:\n  a:\n    url: redis://x\n    token: hush", 4, "connections.a.token", "A secret has no place"),
        ("connections:\n  a:\n    url: 'redis://x?password=hush'", 3, "connections.a.url", "must not carry"),
        ("connections:\n  a: {url: ftp://x}", 2, "connections.a.url", "A connection is of postgresql"),
        ("connections:\n  a: {url: redis://x, credential: hush}", 2, "connections.a.credential", "is a reference"),
        ("connections:\n  a: {url: redis://x}\n  a: {url: redis://y}", 3, "connections.a", "stands twice"),
        ("version: 1\n  online: x", 2, None, "This is not YAML"),
        ("- a", 1, None, "Settings are a mapping"),
        ("connections: [a]", 1, "connections", "must be a mapping"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, field: str | None, sentence: str
) -> None:
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    (problem,) = error.value.problems
    assert (problem.line, problem.field) == (line, field)
    assert sentence in problem.sentence
    assert "festaf.yaml" in str(error.value)
    assert "hush" not in str(error.value)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    first = read(tmp_path, "version: 1")
    assert settings.read(tmp_path) is first
    assert read(tmp_path, "version: 1\nonline: redis://there").online is not None


def test_a_connection_that_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    found = read(tmp_path, "connections:\n  events: {url: redis://x}")
    with pytest.raises(FeatureStoreError, match=r"There is no connection 'warehouse' in festaf.yaml; it has events"):
        found.connection("warehouse", "postgresql")
    with pytest.raises(FeatureStoreError, match=r"is of redis://, where postgresql:// is needed"):
        found.connection("events", "postgresql", "sqlite")


def test_a_credential_that_leads_nowhere_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    found = read(tmp_path, "connections:\n  events: {url: redis://x, credential: env:NOT_SET}")
    with pytest.raises(FeatureStoreError, match="NOT_SET is not set"):
        found.connection("events", "redis").secret(tmp_path)


def test_a_password_is_taken_out_of_a_drivers_message() -> None:
    assert settings.without_secrets("no postgresql://u:hush@h/d there") == "no postgresql://u@h/d there"


def test_the_projects_name_is_the_registrys(tmp_path: Path) -> None:
    assert settings.project_of(tmp_path / "my flights") == "my-flights"
    (tmp_path / "registry.json").write_text('{"schema_version": 2, "project": "flights"}')
    assert settings.project_of(tmp_path) == "flights"
