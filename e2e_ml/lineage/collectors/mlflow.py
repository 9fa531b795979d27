"""MLflow over its public REST API: experiments, runs, logged models, registered models and their versions.

The API is the one that MLflow's own client speaks. It is spoken here without that client: a login stays in the request,
out of the process's environment; a server that is down is known after seconds, not after the client's retries, which
cannot be cut short; and the client costs a second and 100 MiB of imports for six requests.

A visit asks for what has changed since the last one. Its requests are a constant number and those for what has changed:

    runs                       those that have started or ended since, those that run
    deleted runs               the newest, and a page of the others in turn: MLflow neither tells nor orders by when one
                               was deleted, but it lists them apart, and that list is short beside the whole
    logged models, versions    those updated since
    registered models          all, for a moved alias changes no time: 1,000 come in one answer
    a run's features.json      where the tag that has them was cut; Feast's own file is made of the tag and as short
    a version's MLmodel        once, for its columns: neither runs nor versions nor logged models have a signature
    what was deleted, tagged   is found by reading the lists from today backwards, a page now and then, at once where a
                               count has shrunk. A model's versions are numbered from 1, so what is missing is gone
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from e2e_ml import refs
from e2e_ml.festaf import run_tags
from e2e_ml.lineage.collectors import Batch, Record
from e2e_ml.lineage.collectors import mlflow_records as records
from e2e_ml.lineage.collectors.http import Connection, StatusError, TooSlowError, since
from e2e_ml.lineage.collectors.visits import START, Place, Read, ServiceCollector, State, Visit
from e2e_ml.refs import Kind

OVERLAP = 60.0  # seconds read twice, for clocks of other machines that wrote times
PAGE = 200  # runs or logged models of a page; half as many and fewer where the server takes too long for them
NEWEST = 100  # versions, and deleted runs, that are looked at at every visit
VERSIONS = 250  # of a page, when their turn comes
MANY = 1_000  # experiments or registered models of a page: they are small
MOST_IDS = 5_000  # experiments that one search is asked about
MOST_FILES = 30  # artifacts that a visit reads
MOST_WAITING = 10_000  # artifacts that wait to be read
RUNNING_FOR = 86_400.0  # seconds for which a run is looked at whenever it runs; later when its turn comes
EXPERIMENTS_EVERY = 900.0  # seconds between readings of all experiments; between these those that changed are read
AFTER_THE_LAST = 100  # versions behind a model's newest that may have been there
_API = "/api/2.0/mlflow"

Json = Mapping[str, Any]


class MlflowCollector(ServiceCollector):
    TITLE, FORM = "MLflow", 2

    def __init__(self, connection: Connection, transport: httpx.BaseTransport | None = None) -> None:
        super().__init__(connection, transport)
        self.memory = _Memory()

    def visit(self, state: State, again: bool) -> Iterator[Batch]:
        return _Visit(self, state, again).batches()


class _Memory:
    """What spares requests while the collector lives; nothing is lost with it."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}  # id -> name
        self.experiments_at = 0.0  # when all were read; 0: never
        self.files: set[tuple[Any, ...]] = set()  # artifacts that were asked for
        self.listed: dict[str, int] = {}  # models whose versions were listed -> when they had changed
        self.page = PAGE


class _Visit(Visit):
    def __init__(self, collector: MlflowCollector, state: State, again: bool) -> None:
        super().__init__(state, again)
        self._instance, self._api, self._memory = collector.instance, collector.http, collector.memory
        self._waiting: list[list[str]] = state.setdefault("files", [])
        self._changed: dict[str, int] = {}  # registered models -> when they changed
        self._since = 0  # in milliseconds since 1970, as MLflow counts

    def batches(self) -> Iterator[Batch]:
        experiments = self._read_experiments()
        self.begin(since(self._api, 0), OVERLAP, ("runs", "logged_models", "versions"))
        self._since = int(self.state["since"] * 1000)
        yield self._experiments(experiments)
        yield from self._models()
        yield from self._new_versions()
        yield from self._news()
        yield from self.walk("runs", (Kind.RUN,), self._older_runs)
        yield from self.walk("logged_models", (Kind.LOGGED_MODEL,), self._older_logged_models)
        yield from self.walk("versions", (Kind.MODEL_VERSION,), self._older_versions)
        yield from self._files()
        yield self.batch(ends=True)

    # --- experiments ---

    def _all_experiments(self) -> bool:
        at = self._memory.experiments_at
        return not at or self.looks_again or time.monotonic() - at >= EXPERIMENTS_EVERY

    def _read_experiments(self) -> list[Json]:
        """All of them now and then; in between those that were made, renamed, deleted or restored."""
        if self._all_experiments():
            wanted: dict[str, Any] = {"view_type": "ACTIVE_ONLY"}
        else:
            wanted = {"view_type": "ALL", "filter": f"last_update_time >= {int(self.state.get('since', 0) * 1000)}"}
        return list(self._search_all("experiments", {**wanted, "max_results": MANY}))

    def _experiments(self, found: list[Json]) -> Batch:
        memory, gone = self._memory, [e["experiment_id"] for e in found if e.get("lifecycle_stage") == "deleted"]
        living = [e for e in found if e.get("lifecycle_stage") != "deleted"]
        whole = self._all_experiments()
        if whole:
            memory.experiments, memory.experiments_at = {}, time.monotonic()
        if any(memory.experiments.pop(number, None) for number in gone):
            self.again("runs", "logged_models")  # what was in it is deleted with it
        memory.experiments.update((e["experiment_id"], e["name"]) for e in living)
        return self.batch(
            (records.experiment(self._instance, e) for e in living),
            whole=(Kind.EXPERIMENT,) if whole else (),
            gone=(refs.experiment(self._instance, number) for number in gone),
        )

    def _chunks(self) -> list[list[str]]:
        ids = list(self._memory.experiments)
        return [ids[i : i + MOST_IDS] for i in range(0, len(ids), MOST_IDS)]

    # --- runs and logged models ---

    def _news(self) -> Iterator[Batch]:
        """What was updated since the last visit. Times are those that the runs' own machines wrote."""
        news: State = self.state.setdefault("news", {"began": self.now, "step": 0, "token": ""})
        at, running = self._since, self._since - int(RUNNING_FOR * 1000)
        searches: list[tuple[str, State, Callable[[Json], Record]]] = [
            ("runs", _runs(f"attributes.start_time >= {at}"), self._run),
            ("runs", _runs(f"attributes.end_time >= {at} and attributes.start_time < {at}"), self._run),
            ("runs", _runs(f"attributes.status = 'RUNNING' and attributes.start_time < {at} "
                           f"and attributes.start_time >= {running}"), self._run),
            ("logged-models", {"filter": f"last_updated_timestamp >= {at}"}, self._logged_model),
        ]  # fmt: skip
        steps = [(ids, search) for ids in self._chunks() for search in searches]
        while (step := int(news["step"])) < len(steps):
            ids, (kind, search, tell) = steps[step]
            wanted: State = {**search, "experiment_ids": ids}
            items, token = self._search(kind, {**wanted, "max_results": self._memory.page, "page_token": news["token"]})
            news.update({"token": token} if token else {"token": "", "step": step + 1})
            if items:
                yield self.batch([tell(item) for item in items])
        deleted = list(self._deleted())
        self.state["since"] = news["began"] - OVERLAP
        del self.state["news"]
        yield self.batch(gone=(refs.run(self._instance, run["info"]["run_id"]) for run in deleted))

    def _deleted(self) -> Iterator[Json]:
        """The newest runs of those that were deleted, and a page of the others in turn."""
        more = False
        for ids in self._chunks():
            newest, token = self._search("runs", {**_deleted_runs(""), "experiment_ids": ids, "max_results": NEWEST})
            more = more or bool(token)
            yield from newest
        if more:
            place: Place = self.state.get("deleted", START)
            found, following = self._before("runs", "attributes.start_time", _deleted_runs, _started, place)
            self.state["deleted"] = following or START
            yield from found

    def _older_runs(self, place: Place, first: bool) -> Read:
        found, following = self._before("runs", "attributes.start_time", _runs, _started, place)
        return Read([self._run(run, first) for run in found], len(found), following)

    def _older_logged_models(self, place: Place, first: bool) -> Read:
        def made(model: Json) -> int:
            return int(model["info"].get("creation_timestamp_ms") or 0)

        found, following = self._before("logged-models", "creation_timestamp", _logged_models, made, place)
        return Read([self._logged_model(model) for model in found], len(found), following)

    def _before(
        self, kind: str, attribute: str, wanted: Callable[[str], State], time_of: Callable[[Json], int], place: Place
    ) -> tuple[list[Json], Place | None]:
        """A page of what is not newer than the last item of the page before, newest first: by a time, not by a number
        of items, which would skip some where others are deleted meanwhile."""
        chunks, chunk, bound = self._chunks(), place.get("chunk", 0), place.get("bound")
        if chunk >= len(chunks):
            return [], None
        body: State = {**wanted("" if bound is None else f"{attribute} <= {bound}"), "experiment_ids": chunks[chunk]}
        page = {"max_results": self._memory.page, "page_token": place.get("token", "")}
        items, token = self._search(kind, {**body, **page})
        if not items or not token:
            return items, {"chunk": chunk + 1} if chunk + 1 < len(chunks) else None
        last = time_of(items[-1])
        return items, {"chunk": chunk, "bound": last, **({"token": token} if last == bound else {})}

    def _run(self, run: Json, wants_files: bool = True) -> Record:
        info = run["info"]
        if wants_files and records.is_cut(run):
            self._wait_for((info["run_id"], info.get("end_time")), ["run", info["run_id"]])
        return records.run(self._instance, run, self._memory.experiments.get(info["experiment_id"]))

    def _logged_model(self, model: Json) -> Record:
        return records.logged_model(self._instance, model)

    # --- the model registry ---

    def _models(self) -> Iterator[Batch]:
        """All registered models where one answer holds them, else those that changed last, and the rest in turn."""
        found, token = self._registry("registered-models", max_results=MANY, order_by="last_updated_timestamp DESC")
        models = [model for model in found if not records.is_prompt(model)]
        changed = {m["name"]: int(m.get("last_updated_timestamp") or 0) for m in models}
        self._changed = {name: at for name, at in changed.items() if at >= self._since}
        told = (record for model in models for record in records.registered_model(self._instance, model))
        if token:
            yield self.batch(told)
            yield from self.walk("models", (Kind.REGISTERED_MODEL, Kind.ALIAS), self._older_models)
            return
        if len(models) < self.state.get("count", 0):
            self.again("versions")
        self.state["count"] = len(models)
        yield self.batch(told, whole=(Kind.REGISTERED_MODEL, Kind.ALIAS))

    def _older_models(self, place: Place, first: bool) -> Read:
        found, token = self._registry("registered-models", max_results=MANY, page_token=place.get("token", ""))
        models = [model for model in found if not records.is_prompt(model)]
        told = [record for model in models for record in records.registered_model(self._instance, model)]
        return Read(told, len(found), {"token": token} if token else None)

    def _new_versions(self) -> Iterator[Batch]:
        token, newest = "", dict[str, int]()
        while True:
            found, token = self._newest_versions(token, NEWEST)
            new = [v for v in found if int(v.get("last_updated_timestamp") or 0) >= self._since]
            for version in new:
                newest.setdefault(version["name"], int(version["last_updated_timestamp"]))
            if new:
                yield self.batch(self._version(v, v["creation_timestamp"] >= self._since) for v in new)
            if len(new) < len(found) or not token:
                break
        # A model that changed after all of its versions may have lost one.
        for name, at in self._changed.items():
            if at > newest.get(name, 0) and self._memory.listed.get(name) != at and not ("'" in name and '"' in name):
                yield self._versions_of(name)
                self._memory.listed[name] = at

    def _versions_of(self, name: str) -> Batch:
        token, found = "", list[Json]()
        quote = '"' if "'" in name else "'"
        while True:
            page, token = self._registry("model-versions", filter=f"name={quote}{name}{quote}", max_results=MANY,
                                         page_token=token)  # fmt: skip
            found += page
            if not token:
                break
        there = {int(version["version"]) for version in found}
        gone = [n for n in range(1, max(there, default=0) + AFTER_THE_LAST) if n not in there]
        versions = (self._version(version, False) for version in found)
        return self.batch(versions, gone=(refs.model_version(self._instance, name, number) for number in gone))

    def _older_versions(self, place: Place, first: bool) -> Read:
        found, token = self._newest_versions(place.get("token", ""), VERSIONS)
        told = [self._version(version, first) for version in found if not records.is_prompt(version)]
        return Read(told, len(found), {"token": token} if token else None)

    def _newest_versions(self, token: str, most: int) -> tuple[list[Json], str]:
        order = "last_updated_timestamp DESC"
        return self._registry("model-versions", max_results=most, order_by=order, page_token=token)

    def _version(self, version: Json, wants_files: bool) -> Record | None:
        if records.is_prompt(version):
            return None
        name, number = version["name"], str(version["version"])
        if wants_files:
            self._wait_for((name, number), ["version", name, number])
        return records.model_version(self._instance, version)

    # --- artifacts ---

    def _wait_for(self, key: tuple[Any, ...], file: list[str]) -> None:
        if key not in self._memory.files and len(self._waiting) < MOST_WAITING:
            self._memory.files.add(key)
            self._waiting.append(file)

    def _files(self) -> Iterator[Batch]:
        wanted, self._waiting[:MOST_FILES] = self._waiting[:MOST_FILES], []
        if wanted:
            yield self.batch([self._file(*file) for file in wanted])
        if self._waiting:
            self.progress["files"] = f"Reading the columns of models: {len(self._waiting):,} to go."

    def _file(self, kind: str, name: str, version: str = "") -> Record | None:
        """What an artifact tells; nothing where it is not there or cannot be had."""
        try:
            if kind == "version":
                place = {"path": "MLmodel", "name": name, "version": version}
                text = self._api.text("/model-versions/get-artifact", **place)
                return records.version_columns(self._instance, name, version, text)
            text = self._api.text("/get-artifact", path=run_tags.FEATURES_FILE, run_uuid=name)
            return records.retrievals(self._instance, name, json.loads(text))
        except (StatusError, TooSlowError, ValueError):
            return None

    # --- searching ---

    def _search(self, kind: str, body: State) -> tuple[list[Json], str]:
        """A page of a search, and the token of the next one."""
        try:
            answer = self._api.post(f"{_API}/{kind}/search", {k: v for k, v in body.items() if v != ""})
        except TooSlowError:
            self._memory.page = max(self._memory.page // 4, 10)
            raise
        return answer.get("models" if kind == "logged-models" else kind, []), answer.get("next_page_token", "")

    def _search_all(self, kind: str, body: State) -> Iterator[Json]:
        token = ""
        while True:
            items, token = self._search(kind, {**body, "page_token": token})
            yield from items
            if not token:
                return

    def _registry(self, kind: str, **query: Any) -> tuple[list[Json], str]:
        answer = self._api.get(f"{_API}/{kind}/search", **{k: v for k, v in query.items() if v != ""})
        return answer.get(kind.replace("-", "_"), []), answer.get("next_page_token", "")


def _runs(wanted: str) -> State:
    """Newest first, unless they are asked for since a time: then what comes meanwhile is at the end."""
    return {"filter": wanted, "order_by": [f"attributes.start_time {'ASC' if '>=' in wanted else 'DESC'}"]}


def _deleted_runs(wanted: str) -> State:
    return {**_runs(wanted), "run_view_type": "DELETED_ONLY"}


def _started(run: Json) -> int:
    return int(run["info"].get("start_time") or 0)


def _logged_models(wanted: str) -> State:
    return {"filter": wanted, "order_by": [{"field_name": "creation_timestamp", "ascending": False}]}
