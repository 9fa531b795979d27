"""A feature store that is asked through its server: what `FeatureStore.open` gives for an address.

Definitions are planned here and applied there; history is joined there, of entities that are sent; online rows, pushes
and what is known of stored rows come over the REST API. What needs the folder itself says so.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.parse import quote, urlencode, urlsplit

import orjson
import polars as pl

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Explanation, Registry, ViewStats
from e2e_ml.festaf.registry import asked as ask
from e2e_ml.festaf.registry import file
from e2e_ml.festaf.registry.asked import Names
from e2e_ml.festaf.registry.planning import Plan
from e2e_ml.festaf.rows import engines
from e2e_ml.festaf.rows.historical import PARQUET, check_size
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.profile import FeatureProfile
from e2e_ml.festaf.rows.push import Pushed
from e2e_ml.festaf.rows.sources.json_values import converter
from e2e_ml.festaf.rows.training_set import HistoricalFeatures
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.festaf.settings import TOKEN_VARIABLE
from e2e_ml.festaf.store import FeatureStore, OnlineFeatures

_PATIENCE = 60.0  # seconds for an answer
_PATIENCE_FOR_HISTORY = 3600.0  # for that of millions of rows, behind others
_JSON = "application/json"


class RemoteStore(FeatureStore):
    """The store behind a server's address. `token` is what writes need: FESTAF_TOKEN's value unless said."""

    def __init__(self, url: str, token: str | None = None, client: Any = None) -> None:
        super().__init__(Path())
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None or parts.query:
            raise FeatureStoreError(f"An address carries no secret. Give the token by token=, or in {TOKEN_VARIABLE}.")
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise FeatureStoreError("A store's server is asked by httpx: install e2e-ml[connections].") from error
        self.url = url.rstrip("/")
        self._token = token or os.environ.get(TOKEN_VARIABLE)
        self._client: Any = client or httpx.Client(timeout=_PATIENCE)
        self._trouble: Any = httpx.HTTPError
        self._known: tuple[str, Registry] | None = None

    def __repr__(self) -> str:
        return f"<FeatureStore: {self.url}>"

    @property
    def registry(self) -> Registry:
        """The definitions as applied last; sent again only when they have changed."""
        answer = self._ask("GET", "registry", headers={"if-none-match": self._known[0]} if self._known else {})
        if self._known is None or answer.status_code != 304:
            self._known = answer.headers.get("etag", ""), registries.parse(answer.text, f"{self.url}/api/v1/registry")
        return self._known[1]

    def apply(self, plan: Plan, *, by: str | None = None) -> Registry:
        """As FeatureStore.apply. The history names this process's user unless said, and the commit of this folder."""
        told = {"plan": plan.model_dump(mode="json"), "by": by or file.user(), "commit": file.commit_of(Path.cwd())}
        self._ask("POST", "apply", told)
        return self.registry

    def explain(self, name: str) -> Explanation:
        return Explanation.model_validate_json(self._ask("GET", f"features/{quote(name)}").content)

    def historical(
        self,
        what: Any,
        entities: Any,
        at: str = "event_timestamp",
        names: Names = "full",
        *,
        engine: str = "polars",
        as_known: bool = False,
    ) -> HistoricalFeatures:
        """As FeatureStore.historical, but the server joins at once, on Polars. Raises FeatureStoreError, too for more
        entities than it takes in one question."""
        if engine != "polars":
            raise FeatureStoreError(
                f"The server at {self.url} joins on Polars. Leave engine={engine!r} out, or open the project's folder."
            )
        ask.find(self.registry, what)
        rows = engines.engine("polars").frame(entities).collect()
        sent = io.BytesIO()
        rows.write_parquet(sent)
        check_size(len(rows), len(sent.getvalue()))
        name = ask.name_of(what)
        asked = {
            "features": [name] if name is not None else list(ask.names_of(what)),
            "at": at,
            "names": names,
            "as_known": as_known,
        }
        path = f"historical?{urlencode(asked, doseq=True)}"
        answer = self._ask("POST", path, sent.getvalue(), {"content-type": PARQUET}, timeout=_PATIENCE_FOR_HISTORY)
        return HistoricalFeatures.read_parquet(answer.content)

    def online(
        self,
        what: Any,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        at: datetime | None = None,
        names: Names = "full",
    ) -> OnlineFeatures:
        """As FeatureStore.online. JSON has no NaN: it comes as None."""
        moment = at or datetime.now(UTC)
        if moment.tzinfo is None:
            raise FeatureStoreError(f"{moment} has no time zone. Give an aware time, in UTC.")
        wanted = ask.find(self.registry, what)
        columns = wanted.columns(names)
        types = {f"{view.name}.{feature.name}": feature.dtype for view, feature in wanted.features}
        asked = [rows] if isinstance(rows, Mapping) else list(rows)
        question = {"features": list(types), "rows": asked, "at": moment, "names": names}
        answer: Any = self._ask("POST", "online", question).json()
        for name, dtype in types.items():
            convert = converter(dtype)
            for row in answer["rows"]:
                if row[columns[name]] is not None:
                    row[columns[name]] = convert(row[columns[name]])
        return OnlineFeatures(
            # What was asked comes back as it was given, and not as JSON has it.
            [{**got, **given} for got, given in zip(answer["rows"], asked, strict=True)],
            answer["missing"],
            tuple(types),
            tuple(columns[name] for name in types),
        )

    def push(self, view: Any, rows: Any) -> Pushed:
        given: object = rows
        if not isinstance(given, list | dict):
            given = pl.DataFrame(rows).to_dicts()
        answer = self._ask("POST", f"push/{self._name_of(view)}", cast("Any", given))
        return Pushed.model_validate_json(answer.content)

    def materialize(self, view: Any, start: datetime | None = None, end: datetime | None = None) -> int:
        wanted = {"view": self._name_of(view), "start": start, "end": end}
        return int(self._ask("POST", "materialize", wanted).json()["entities"])

    def validate(self, view: Any) -> tuple[Violation, ...]:
        return tuple(Violation.model_validate(each) for each in self._of(view, "violations"))

    def profile(self, view: Any) -> tuple[FeatureProfile, ...]:
        return tuple(FeatureProfile.model_validate(each) for each in self._of(view, "profile"))

    def stats(self, view: Any) -> ViewStats:
        return ViewStats.model_validate(self._of(view, "stats"))

    def intervals(self, view: Any) -> tuple[WrittenInterval, ...]:
        return tuple(WrittenInterval.model_validate(each) for each in self._of(view, "intervals"))

    # --- what needs the folder ------------------------------------------------------------------------------------

    def _elsewhere(self, what: str) -> NoReturn:
        raise FeatureStoreError(
            f"{what}: the server at {self.url} does not do that for others. Do it where its folder is: "
            "FeatureStore.open(folder)."
        )

    def learn(self, *_: Any, **__: Any) -> NoReturn:
        self._elsewhere("Parameters are learned on rows that are joined next to the registry that they go into")

    def offline(self, view: Any) -> NoReturn:
        self._elsewhere("A view's stored rows are read lazily from the files of its table")

    def load(self, *_: Any, **__: Any) -> NoReturn:
        self._elsewhere("A load reads the source with the project's own files, connections and functions")

    def reopen(self, *_: Any, **__: Any) -> NoReturn:
        self._elsewhere("Reopening loads from the source with the project's own files, connections and functions")

    def consumer(self, view: Any) -> NoReturn:
        self._elsewhere("A consumer reads a stream with the project's own connections")

    def prepared(self, what: Any, names: Names = "full") -> NoReturn:
        self._elsewhere("A prepared question is one to the online store itself; ask online(...)")

    def check(self, view: Any) -> NoReturn:
        self._elsewhere(
            "The rules that hold are counted on the stored rows; those that are broken are in validate(...)"
        )

    def trend(self, view: Any) -> NoReturn:
        self._elsewhere("What each write noted of its rows is read from the log of the table")

    def correlation(self, view: Any) -> NoReturn:
        self._elsewhere("Correlations are computed on the stored rows; the view's page shows them")

    @property
    def wishes(self) -> NoReturn:
        self._elsewhere("Wishes are made on the catalog's page, or by POST /api/v1/wishes")

    # --- inside ---------------------------------------------------------------------------------------------------

    def _name_of(self, view: Any) -> str:
        return quote(ask.name_of(view) or repr(view))

    def _of(self, view: Any, what: str) -> Any:
        return self._ask("GET", f"views/{self._name_of(view)}/{what}").json()

    def _ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Any:
        """The server's answer. `body` is sent as it is where it is bytes, else as JSON."""
        sent = dict(headers or {})
        if self._token is not None:
            sent["authorization"] = f"Bearer {self._token}"
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body, default=str)
        if content is not None:
            sent.setdefault("content-type", _JSON)
        try:
            answer = self._client.request(method, f"{self.url}/api/v1/{path}", content=content, headers=sent, **options)
        except self._trouble as error:
            raise FeatureStoreError(
                f"The server at {self.url} does not answer: {str(error) or type(error).__name__}. Is it running?"
            ) from None
        if answer.status_code in (200, 304):
            return answer
        try:
            said = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            said = answer.text.strip()[:200]
        if answer.status_code == 409:
            raise registries.RegistryChangedError(said)
        raise FeatureStoreError(said or f"The server at {self.url} answers {answer.status_code}.")
