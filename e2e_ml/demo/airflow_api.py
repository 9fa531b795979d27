"""The few questions that the story asks of Airflow's REST API v2, and the answers as values.

A moment without an answer is waited out; what stays wrong is told as a sentence with the next step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

Headers = Callable[[], Mapping[str, str]]

_PATIENCE = 120.0  # seconds that Airflow may be away, as when it is started again
_PAUSE = 1.0


class AirflowError(Exception):
    """Airflow does not answer, or refuses; the message says what to do."""


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run. `state` is Airflow's: queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str
    logical_date: datetime | None
    queued_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in ("success", "failed")


class AirflowApi:
    """`url` is Airflow's base URL; `headers` gives those that log in, and is asked again when a token has run out."""

    def __init__(self, url: str, headers: Headers, patience: float = _PATIENCE) -> None:
        self.url = url.rstrip("/")
        # Is told, in a sentence, before each further try of what was not answered; what it raises ends the wait.
        self.waiting: Callable[[str], None] = lambda _: None
        self._headers = headers
        self._patience = patience
        # Loopback and its token are nothing for a proxy of the environment.
        self._client = httpx.Client(base_url=f"{self.url}/api/v2", timeout=30.0, trust_env=False)
        self._login: Mapping[str, str] | None = None

    def close(self) -> None:
        self._client.close()

    def has_dag(self, dag_id: str) -> bool:
        """Whether Airflow has parsed it, and its file is still there."""
        found = self._ask("GET", f"/dags/{_q(dag_id)}", accept=(404,))
        return found is not None and not found.get("is_stale")

    def import_errors(self) -> dict[str, str]:
        """The last line of what is wrong, by the DAG file's name."""
        found = self._ask("GET", "/importErrors") or {}
        errors: Sequence[Mapping[str, str]] = found.get("import_errors", [])
        return {str(e["filename"]): e["stack_trace"].strip().rpartition("\n")[2] for e in errors}

    def unpause(self, dag_id: str) -> None:
        self._ask("PATCH", f"/dags/{_q(dag_id)}", json={"is_paused": False}, params={"update_mask": "is_paused"})

    def trigger(self, dag_id: str, note: str) -> DagRun:
        body = {"logical_date": None, "note": note}
        return _run(self._ask("POST", f"/dags/{_q(dag_id)}/dagRuns", json=body) or {})

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> bool:
        """Run the intervals that begin in [first, last] and have not succeeded.

        False where Airflow still has a backfill of the DAG open: it closes them every half a minute.
        """
        body = {
            "dag_id": dag_id,
            "from_date": first.isoformat(),
            "to_date": last.isoformat(),
            "reprocess_behavior": "failed",
            "max_active_runs": 1,
        }
        return self._ask("POST", "/backfills", json=body, accept=(409,)) is not None

    def runs(self, dag_ids: Iterable[str]) -> list[DagRun]:
        """Every run of these DAGs, the newest first."""
        body = {"dag_ids": list(dag_ids), "page_limit": 1000, "order_by": "-run_after"}
        found = self._ask("POST", "/dags/~/dagRuns/list", json=body) or {}
        return [_run(run) for run in found.get("dag_runs", [])]

    def failed_tasks(self, run: DagRun) -> list[str]:
        path = f"/dags/{_q(run.dag_id)}/dagRuns/{_q(run.run_id)}/taskInstances"
        found = self._ask("GET", path, params={"state": ["failed"]}) or {}
        return [str(t["task_id"]) for t in found.get("task_instances", [])]

    def task_states(self, run: DagRun) -> dict[str, str | None]:
        path = f"/dags/{_q(run.dag_id)}/dagRuns/{_q(run.run_id)}/taskInstances"
        found = self._ask("GET", path, params={"limit": 100}) or {}
        return {str(t["task_id"]): t["state"] for t in found.get("task_instances", [])}

    def result(self, run: DagRun, task_id: str) -> Any:
        """What a task returned; None where it returned nothing."""
        path = f"/dags/{_q(run.dag_id)}/dagRuns/{_q(run.run_id)}/taskInstances/{_q(task_id)}/xcomEntries/return_value"
        found = self._ask("GET", path, params={"stringify": False}, accept=(404,))
        return None if found is None else found.get("value")

    def page(self, run: DagRun, task_id: str | None = None) -> str:
        """The page in Airflow where the run, or a task's log, is read."""
        task = f"/tasks/{_q(task_id)}" if task_id else ""
        return f"{self.url}/dags/{_q(run.dag_id)}/runs/{_q(run.run_id)}{task}"

    def _ask(self, method: str, path: str, accept: tuple[int, ...] = (), **request: Any) -> dict[str, Any] | None:
        """The JSON answer; None for a status in `accept`. Raises AirflowError."""
        until = time.monotonic() + self._patience
        renewed = False
        while True:
            try:
                if self._login is None:
                    self._login = self._headers()
                answer = self._client.request(method, path, headers=dict(self._login), **request)
            except httpx.TransportError as error:
                reason = type(error).__name__
            else:
                if answer.status_code in accept:
                    return None
                if answer.is_success:
                    return answer.json() if answer.content else {}
                if answer.status_code == 401 and not renewed:
                    renewed, self._login = True, None
                    continue
                if answer.status_code < 500:
                    raise AirflowError(_refused(method, path, answer))
                reason = f"status {answer.status_code}"
            if time.monotonic() > until:
                raise AirflowError(
                    f"Airflow at {self.url} does not answer ({reason}). Look at its log with `e2e-ml logs airflow`, "
                    "then start the demo again: what is done stays done."
                )
            self.waiting(f"Airflow does not answer for the moment ({reason}); it is asked again.")
            time.sleep(_PAUSE)


def _refused(method: str, path: str, answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail", answer.text)
    except ValueError:
        detail = answer.text
    if answer.status_code in (401, 403):
        return f"Airflow refuses the login for {method} {path}. Check the credential of airflow in workbench.yaml."
    return f"Airflow refuses {method} {path}: {str(detail)[:300]}"


def _run(found: Mapping[str, Any]) -> DagRun:
    return DagRun(
        dag_id=str(found["dag_id"]),
        run_id=str(found["dag_run_id"]),
        state=str(found["state"]),
        logical_date=_moment(found.get("logical_date")),
        queued_at=_moment(found.get("queued_at")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _q(part: str) -> str:
    return quote(part, safe="")
