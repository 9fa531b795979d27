"""`workbench.yaml`: what it may say, and the sentence, with line and field, for what it may not."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from e2e_ml.credentials import Credential, CredentialError, parse_credential
from e2e_ml.workspace import Attached, Feast, Managed, Workspace, WorkspaceError


def write(folder: Path, text: str) -> Path:
    (folder / "workbench.yaml").write_text(text, encoding="utf-8")
    return folder


HEAD = "version: 1\nname: flights\n"


def test_what_is_left_out_is_managed_with_its_defaults(tmp_path: Path) -> None:
    workspace = Workspace.load(write(tmp_path, HEAD))
    assert all(isinstance(getattr(workspace.services, name), Managed) for name in ("airflow", "mlflow", "festaf"))
    assert workspace.dags == tmp_path / "dags"
    assert workspace.festaf_project == tmp_path
    assert (workspace.name, workspace.root) == ("flights", tmp_path)


def test_services_are_read(tmp_path: Path) -> None:
    text = HEAD + (
        "services:\n"
        "  airflow: {managed: true, port: 8080, dags: pipelines}\n"
        "  mlflow: {url: 'https://mlflow.example.com/ml/', credential: env:MLFLOW_LOGIN}\n"
        "  festaf: {managed: true, project: store}\n"
    )
    workspace = Workspace.load(write(tmp_path, text) / "workbench.yaml")
    assert isinstance(workspace.services.airflow, Managed)
    assert workspace.services.airflow.port == 8080
    assert workspace.dags == tmp_path / "pipelines"
    assert isinstance(workspace.services.mlflow, Attached)
    assert workspace.services.mlflow.url == "https://mlflow.example.com/ml"
    assert workspace.festaf_project == tmp_path / "store"


@pytest.mark.parametrize(
    "feast",
    [
        {"registry": "data/registry.db"},
        {"registry": "file:///data/registry.db", "project": "drivers"},
        {"url": "grpc://127.0.0.1:6570", "credential": "env:FEAST_TOKEN", "repo": "feature_repo"},
        {"repo": "feature_repo", "ui": "http://127.0.0.1:8888"},
    ],
)
def test_a_feast_project_is_read_where_it_is_given(tmp_path: Path, feast: dict[str, str]) -> None:
    assert Workspace.load(write(tmp_path, HEAD)).services.feast is None
    workspace = Workspace.load(write(tmp_path, HEAD + f"services:\n  feast: {json.dumps(feast)}\n"))
    assert workspace.services.feast == Feast(**feast)


def test_the_state_is_private_and_kept_out_of_git(tmp_path: Path) -> None:
    workspace = Workspace.load(write(tmp_path, HEAD))
    for folder in (workspace.state, workspace.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (workspace.state / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("text", "line", "field", "words"),
    [
        ("", 1, None, "begins with"),
        ("[1, 2]", 1, None, "begins with"),
        ("version: 1\nname: [", 2, None, "not YAML"),
        ("version: 1\nname: !!python/object/apply:os.getcwd []\n", 2, None, "not YAML"),
        ("name: flights\n", None, "version", "required"),
        ("version: 2\nname: flights\n", 1, "version", "version 1"),
        ("version: 1\n", None, "name", "required"),
        ("version: 1\nname: 7\n", 2, "name", "text"),
        ("version: 1\nname: a\nname: b\n", 3, "name", "twice"),
        (HEAD + "servces: {}\n", 3, "servces", "'services'"),
        (HEAD + "services:\n  airfow: {}\n", 4, "services.airfow", "'airflow'"),
        (HEAD + "services:\n  airflow: {managed: true, dag: x}\n", 4, "services.airflow.dag", "'dags'"),
        (HEAD + "services:\n  airflow: yes please\n", 4, "services.airflow", "mapping"),
        (HEAD + "services:\n  airflow:\n    managed: true\n    port: 80\n", 6, "services.airflow.port", "1024"),
        (HEAD + "services:\n  airflow: {port: '8080'}\n", 4, "services.airflow.port", "whole number"),
        (HEAD + "services:\n  mlflow: {managed: false}\n", 4, "services.mlflow.url", "required"),
        (HEAD + "services:\n  mlflow: {managed: true, url: 'http://x'}\n", 4, "services.mlflow.managed", "not both"),
        (HEAD + "services:\n  mlflow: {url: ftp://x}\n", 4, "services.mlflow.url", "http"),
        (HEAD + "services:\n  mlflow: {url: 'https://x:y'}\n", 4, "services.mlflow.url", "not a URL"),
        (HEAD + "services:\n  mlflow: {url: 'https://x/?a=b'}\n", 4, "services.mlflow.url", "leave that part out"),
        (HEAD + "services:\n  mlflow: {url: 'https://x', port: 1}\n", 4, "services.mlflow.port", "Known are"),
        (HEAD + "services:\n  mlflow: {url: 'https://x', token: hunter2}\n", 4, "services.mlflow.token", "no place"),
        (HEAD + "services:\n  mlflow: {url: 'https://me:hunter2@x'}\n", 4, "services.mlflow.url", "user or password"),
        (
            HEAD + "services:\n  mlflow: {url: 'https://x', credential: hunter2}\n",
            4,
            "services.mlflow.credential",
            "env:",
        ),
        (
            HEAD + "services:\n  mlflow: {url: 'https://x', credential: 'me:hunter2'}\n",
            4,
            "services.mlflow.credential",
            "env:",
        ),
        (
            HEAD + "services:\n  mlflow: {url: 'https://x', credential: 'keyring:a'}\n",
            4,
            "services.mlflow.credential",
            "not supported",
        ),
        (HEAD + "services:\n  feast: {}\n", 4, "services.feast", "Say where the registry is"),
        (HEAD + "services:\n  feast: yes please\n", 4, "services.feast", "{registry: data/registry.db}"),
        (HEAD + "services:\n  feast: {registry: a.db, url: 'grpc://x'}\n", 4, "services.feast", "keep one"),
        (HEAD + "services:\n  feast: {registry: ''}\n", 4, "services.feast.registry", "empty"),
        (HEAD + "services:\n  feast: {registry: 's3://a/b.db'}\n", 4, "services.feast.registry", "serve_registry"),
        (HEAD + "services:\n  feast: {registry: 'grpc://a:1'}\n", 4, "services.feast.registry", "as `url`"),
        (HEAD + "services:\n  feast:\n    url: http://x:6570\n", 5, "services.feast.url", "grpc:// or grpcs://"),
        (HEAD + "services:\n  feast: {url: 'grpc://me:hunter2@x'}\n", 4, "services.feast.url", "user or password"),
        (HEAD + "services:\n  feast: {repo: a, ui: 'grpc://x'}\n", 4, "services.feast.ui", "http:// or https://"),
        (HEAD + "services:\n  feast: {registri: a.db}\n", 4, "services.feast.registri", "'registry'"),
        (HEAD + "services:\n  feast: {url: 'grpc://x', token: hunter2}\n", 4, "services.feast.token", "no place"),
        (
            HEAD + "services:\n  feast: {url: 'grpc://x', credential: hunter2}\n",
            4,
            "services.feast.credential",
            "env:",
        ),
        (HEAD + "services:\n  feast: {registry: a, credential: env:A}\n", 4, "services.feast", "no credential"),
    ],
)
def test_an_error_names_file_line_and_field(
    tmp_path: Path, text: str, line: int | None, field: str | None, words: str
) -> None:
    with pytest.raises(WorkspaceError) as caught:
        Workspace.load(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.field) == (tmp_path / "workbench.yaml", line, field)
    assert words in problem.sentence
    assert "hunter2" not in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        Workspace.load(write(tmp_path, "version: 3\nname: ''\nservices: {airflow: {port: 1}}\n"))
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"no such file.*up --new"):
        Workspace.load(tmp_path)


def test_create_writes_what_load_reads(tmp_path: Path) -> None:
    made = Workspace.create(
        tmp_path / "new", "my project: one", {"mlflow": {"url": "https://x", "credential": "env:A"}}
    )
    assert Workspace.load(tmp_path / "new") == made
    assert made.name == "my project: one"
    assert isinstance(made.services.mlflow, Attached)


def test_create_never_replaces(tmp_path: Path) -> None:
    before = write(tmp_path, HEAD) / "workbench.yaml"
    with pytest.raises(WorkspaceError, match="one already"):
        Workspace.create(tmp_path)
    assert before.read_text() == HEAD
    assert [path.name for path in tmp_path.iterdir()] == ["workbench.yaml"]


def test_create_refuses_what_load_would(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="user or password"):
        Workspace.create(tmp_path / "new", services={"mlflow": {"url": "https://a:b@x"}})
    assert not (tmp_path / "new").exists()


def test_a_credential_is_looked_up_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_LOGIN", " me:secret\n")
    (tmp_path / "token").write_text("abc\n")
    assert parse_credential("env:A_LOGIN").resolve(tmp_path) == "me:secret"
    assert parse_credential("file:token").resolve(tmp_path) == "abc"
    assert parse_credential(f"file:{tmp_path / 'token'}").resolve(Path("/")) == "abc"


def test_a_credential_that_leads_nowhere_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    (tmp_path / "empty").touch()
    for reference, words in (
        (Credential("env", "NO_SUCH"), "NO_SUCH is not set"),
        (Credential("file", "missing"), "cannot be read"),
        (Credential("file", "empty"), "is empty"),
    ):
        with pytest.raises(CredentialError, match=words):
            reference.resolve(tmp_path)
