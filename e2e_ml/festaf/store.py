"""The feature store of a project folder: its registry, its offline and its online store, behind one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from e2e_ml.festaf import registry as registries
from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.errors import FeatureStoreError, UnwrittenViewWarning, warn
from e2e_ml.festaf.model import Explanation, FeatureView, IntervalStats, Learned, Registry, ViewStats
from e2e_ml.festaf.registry import asked as ask
from e2e_ml.festaf.registry import explaining, learning, planning
from e2e_ml.festaf.registry.asked import Names
from e2e_ml.festaf.registry.history import Entry, entries
from e2e_ml.festaf.registry.planning import Definitions, Plan
from e2e_ml.festaf.rows import engines, historical, pipeline, profile, push, validation
from e2e_ml.festaf.rows.learning import learn
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.on_demand import Computation, computation
from e2e_ml.festaf.rows.online import OnlineStore
from e2e_ml.festaf.rows.online.serving import Missing, Question
from e2e_ml.festaf.rows.push import Pushed
from e2e_ml.festaf.rows.streams import Consumer
from e2e_ml.festaf.rows.training_set import HistoricalFeatures
from e2e_ml.festaf.wishes import Wishes

if TYPE_CHECKING:
    from e2e_ml.festaf.scoring import Predictions

REGISTRY = registries.FILE_NAME
_PREPARED = 1000  # questions that are kept


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """`rows` in the order asked: the asked values, and a value for each feature. A value that is missing is None, and
    `missing` says why, row by row: {column: "absent" (no such entity is stored) or "expired" (older than the ttl)}."""

    rows: list[dict[str, Any]]
    missing: list[dict[str, Missing]]
    features: tuple[str, ...]
    columns: tuple[str, ...]

    def to_polars(self) -> pl.DataFrame:
        return pl.DataFrame(self.rows, infer_schema_length=None)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question to the online store, with the full names of what it asks and their columns in an answer."""

    question: Question
    features: tuple[str, ...]
    columns: tuple[str, ...]
    computation: Computation | None = None

    @property
    def waits(self) -> bool:
        """Whether an answer takes long enough for a server to do something else meanwhile."""
        return self.question.waits or self.computation is not None

    def answer(
        self, rows: Sequence[Mapping[str, Any]], at: datetime
    ) -> tuple[list[dict[str, Any]], list[dict[str, Missing]]]:
        """The asked rows with the features' columns, and why one is missing. `at` is when a ttl counts from."""
        answered, missing = self.question.answer(rows, at)
        if self.computation is not None:
            self.computation.answer(answered, missing)
        return answered, missing


class FeatureStore:
    """Made by `open`. The registry is read anew for every question, so that an apply elsewhere is seen.

    >>> class Courier(fs.FeatureView):
    ...     source = fs.push()
    ...     courier = fs.Entity(fs.String())
    ...     minutes = fs.Float64()
    ...     late = minutes > 35
    >>> store = fs.FeatureStore.open(folder, name="pizza")
    >>> store.apply(store.plan([Courier])).version
    1
    >>> store.push(Courier, [{"courier": "ana", "minutes": 31.0}, {"courier": "ben", "minutes": 48.0}]).rows
    2
    >>> store.online("courier.late", [{"courier": "ben"}, {"courier": "eve"}]).rows
    [{'courier': 'ben', 'courier__late': True}, {'courier': 'eve', 'courier__late': None}]
    >>> store.historical(Courier, pl.DataFrame({"courier": ["ana"]}), names="short").to_polars().to_dicts()
    [{'courier': 'ana', 'minutes': 31.0, 'late': False}]
    """

    def __init__(self, project: Path, name: str | None = None) -> None:
        self.path = project
        self._file = str(project.absolute() / REGISTRY)
        self._name = name
        self._online: OnlineStore | None = None
        self._prepared: dict[Any, Prepared] = {}
        self._prepared_for: Registry | None = None

    def __repr__(self) -> str:
        return f"<FeatureStore: {self.path}>"

    @classmethod
    def open(cls, path: str | Path, name: str | None = None, *, token: str | None = None) -> FeatureStore:
        """The store in a project folder, beside a registry.json, or behind a server's URL. A folder without a registry
        starts one there.

        `name` is the project's where it is new; else the folder's own. `token` is what a server's writes need, the
        value of FESTAF_TOKEN unless said: it does not belong into a URL. Raises FeatureStoreError for another file, and
        for a registry that cannot be read.
        """
        if str(path).startswith(("http://", "https://")):
            from e2e_ml.festaf.remote import RemoteStore

            return RemoteStore(str(path), token)
        place = Path(path).resolve()
        if place.name == REGISTRY and not place.is_dir():
            place = place.parent
        if place.exists() and not place.is_dir():
            raise FeatureStoreError(f"{place} is a file. Give the project's folder, or its registry.json.")
        store = cls(place, name)
        registries.read(place, name=name)
        return store

    @property
    def registry(self) -> Registry:
        """The definitions as applied last; version 0 where nothing was applied yet."""
        return registries.read(self._file, name=self._name)

    @property
    def project(self) -> str:
        return self.registry.project

    @property
    def wishes(self) -> Wishes:
        """The features that people look for and that do not exist: who wants them, and the answers given."""
        return Wishes(self.path)

    # --- definitions ------------------------------------------------------------------------------------------------

    def plan(self, definitions: Definitions) -> Plan:
        """What applying `definitions` (a module, or view and service classes) would change. Writes nothing."""
        return planning.plan(self.registry, definitions)

    def apply(self, plan: Plan, *, by: str | None = None) -> Registry:
        """Make a plan so. Raises RegistryChangedError when somebody applied something else in between."""
        return registries.apply(self.path, plan, by=by)

    def history(self, name: str) -> tuple[Entry, ...]:
        """What became of a view, a feature (`view.feature`) or a service over all applies, newest last: when, by whom,
        from which commit, and its definitions before and after. Renames are followed."""
        return entries(self.registry.history, name)

    def learn(
        self, what: Any, entities: Any, at: str = "event_timestamp", *, by: str | None = None
    ) -> dict[str, Learned]:
        """Learn the parameters of the scaled features among `what`, and write them into the registry.

        what, entities, at: as in `historical`; the entities are those of the training set alone, else the test set
        leaks. The features are then computed with these numbers, wherever they are read, until their definition
        changes. Gives the parameters by full name; what they were already writes no new version. Raises
        FeatureStoreError, and RegistryChangedError when somebody applied something meanwhile.
        """
        registry, moment = self.registry, datetime.now(UTC)
        wanted = ask.find(registry, what)
        scaled = learning.scaled_in(wanted)
        plain = learning.unscaled_of(wanted)
        columns = plain.columns("full")
        on = engines.engine("polars")
        rows = on.to_polars(self._joined(plain, columns, on.frame(entities), at, on, as_known=False))
        found = {name: learn(name, scaling, rows[columns[name]], moment) for name, scaling in scaled.items()}
        if changed := learning.differing(registry, found):
            registries.learned(self.path, registry, changed, learning.changes(registry, changed), moment, by=by)
        return found

    def explain(self, name: str) -> Explanation:
        """Who, what, when, how and why of a view, a feature (`view.feature`) or a service."""
        registry = self.registry
        view = registry.view(name.partition(".")[0])
        stats = pipeline.offline_store(self.path).stats(view) if view is not None else None
        return explaining.explain(registry, name, stats)

    # --- reading ----------------------------------------------------------------------------------------------------

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
        """The features of each entity as they were known at the time in the column `at`.

        what: a service or view (name or class), a feature ("view.feature" or the column), or several of them. entities:
        any frame that narwhals knows, with the key columns and, where a view has times, `at`, in any time zone.
        names: "full" gives columns `view__feature`, "short" `feature` where no other has that name.
        engine: polars, pandas, duckdb, dask or spark; `.native()` of the answer is its frame. as_known: only what had
        been written by that time, so that later corrections do not leak; every view then needs an fs.CreatedTime().
        Nothing is read until the answer is converted. Raises FeatureStoreError.
        """
        registry = self.registry
        wanted = ask.find(registry, what)
        columns = wanted.columns(names)
        on = engines.engine(engine)
        frame = on.frame(entities)
        _check_target(wanted, historical.names(frame))
        joined = self._joined(wanted, columns, frame, at, on, as_known=as_known)
        target = wanted.target and columns[f"{wanted.target[0].name}.{wanted.target[1].name}"]
        features = {f"{view.name}.{feature.name}" for view, feature in wanted.features}
        contract = Contract.of(
            registry,
            {full: column for full, column in columns.items() if full in features},
            service=wanted.service,
            target=target,
            at=at if at in historical.names(frame) else None,
            keys=tuple(dict.fromkeys(key.name for view, _ in wanted.by_view(columns) for key in view.entities)),
        )
        return HistoricalFeatures(joined, contract, on)

    def online(
        self,
        what: Any,
        rows: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        at: datetime | None = None,
        names: Names = "full",
    ) -> OnlineFeatures:
        """The newest features of each asked row, or of one, in the order asked. `at` is the moment a ttl counts from:
        now."""
        moment = at or datetime.now(UTC)
        if moment.tzinfo is None:
            raise FeatureStoreError(f"{moment} has no time zone. Give an aware time, in UTC.")
        prepared = self.prepared(what, names)
        answered, missing = prepared.answer([rows] if isinstance(rows, Mapping) else rows, moment)
        return OnlineFeatures(answered, missing, prepared.features, prepared.columns)

    def prepared(self, what: Any, names: Names = "full") -> Prepared:
        """What `online` asks the online store; kept until the registry changes. Raises FeatureStoreError."""
        registry = self.registry
        if registry is not self._prepared_for:
            self._prepared, self._prepared_for = {}, registry
        # Columns compare as expressions do, so they are known by their names.
        key = (what if isinstance(what, str) else ask.names_of(what), names)
        known = self._prepared.get(key)
        if known is None:
            if self._online is None:
                self._online = pipeline.online_store(self.path)
            wanted = ask.find(registry, what)
            columns = wanted.columns(names)
            full = tuple(f"{view.name}.{feature.name}" for view, feature in wanted.features)
            question = Question(self._online, wanted.by_view(columns, target=False))
            computed = self._computation(wanted, {name: columns[name] for name in full})
            known = Prepared(question, full, tuple(columns[name] for name in full), computed)
            if len(self._prepared) < _PREPARED:
                self._prepared[key] = known
        return known

    def predict(
        self, model: Any, keys: Any, *, at: str = "event_timestamp", missing: Literal["refuse", "pass"] = "refuse"
    ) -> Predictions:
        """Ask a model that was logged with its features (`data.log_model`) by entity keys alone.

        model: an MLflow URI, such as "models:/flight-delay@champion", or a loaded pyfunc model. keys: a frame, rows, or
        one row, with the entity keys and what on-demand views ask of a request. With a column `at` the features are
        those known at that time, else those in the online store. missing: whether a row that lacks a required feature
        is refused or scored all the same; any other feature may be missing. Raises FeatureStoreError, with every
        reason, where the registry no longer fits the model: a feature that was removed, retyped or redefined.
        """
        from e2e_ml.festaf import scoring

        return scoring.predict(self, model, keys, at, missing)

    def _joined(
        self, wanted: ask.Asked, columns: dict[str, str], frame: Any, at: str, on: engines.Engine, *, as_known: bool
    ) -> Any:
        """`frame` with what is asked of each of its rows, fetched and computed."""
        offline = pipeline.offline_store(self.path)
        for view, _ in wanted.by_view(columns):
            if not offline.is_written(view):
                warn(
                    f"{view.name} was never written: its features are missing. Run its DAG, or store.load it.",
                    UnwrittenViewWarning,
                )
        joined = historical.join(frame, wanted.by_view(columns), offline, at, on, as_known=as_known)
        made = self._computation(wanted, columns)
        if made is None:
            return joined
        return historical.select(made.add(joined, on), [*historical.names(frame), *columns.values()])

    def _computation(self, wanted: ask.Asked, columns: dict[str, str]) -> Computation | None:
        """What of an answer no store holds. `columns` are those that the answer shows."""
        if not wanted.computed:
            return None
        return computation(wanted.computed, wanted.needed, wanted.read_columns(columns), columns, self.path)

    def offline(self, view: Any) -> pl.LazyFrame:
        """The view's stored rows, lazily."""
        record = self.view(view)
        return pipeline.offline_store(self.path).scan(record)

    def view(self, what: Any) -> FeatureView:
        """The record of a view, by its name or class. Raises FeatureStoreError."""
        return ask.view_named(self.registry, what)

    # --- writing ----------------------------------------------------------------------------------------------------

    def load(
        self,
        view: Any,
        start: datetime | None = None,
        end: datetime | None = None,
        dag_run_id: str | None = None,
        *,
        engine: str = "polars",
    ) -> WrittenInterval:
        """Bring the source's rows of [start, end) into both stores, as the view's DAG does.

        Doing it again replaces that interval's rows. A view without times loads its current snapshot. engine: what
        computes the features: polars, pandas, duckdb, dask or spark, all to the same values. Raises
        `pipeline.NoRowsError` where there is nothing, FeatureStoreError where a required value is missing.
        """
        return pipeline.load(replace(self._interval(view, start, end, dag_run_id), engine=engine))

    def reopen(self, view: Any, start: datetime, end: datetime) -> tuple[WrittenInterval, ...]:
        """Load anew every written interval that [start, end) touches, and later ones whose windows see their rows: for
        corrections that came later than the view's `lateness`. Gives what was written, oldest first."""
        return pipeline.reopen(self._interval(view, start, end, None))

    def materialize(self, view: Any, start: datetime | None = None, end: datetime | None = None) -> int:
        """Bring the online store up to date with the offline rows of [start, end); gives the entities now served from
        it. A view without times, or without start and end, is brought up to date whole."""
        record = self.view(view)
        if record.event_time is not None and start is None and end is None:
            newest = self.stats(record).newest_event
            if newest is None:
                return 0
            start, end = datetime(1, 1, 1, tzinfo=UTC), newest + timedelta(microseconds=1)
        return pipeline.materialize_online(self._interval(record, start, end, None))

    def push(self, view: Any, rows: Any) -> Pushed:
        """Bring rows into both stores at once: any frame that narwhals knows, or rows as JSON has them.

        They hold the source's columns; features are computed, windows over the stored rows too. A row is its keys and
        times: pushed again, it takes the place of what it was, so that a push may be repeated. A load from the view's
        source keeps it until the source holds a row of the same keys and event time, created no earlier. Raises
        FeatureStoreError, and has written nothing, for a value that does not fit and a broken rule that refuses rows: a
        missing `required` value does; other broken rules are told in the answer.
        """
        registry = self.registry
        return push.push(self.path, ask.view_named(registry, view), rows, registry_version=registry.version)

    def consumer(self, view: Any) -> Consumer:
        """What reads the view's stream and pushes its rows: `consumer.run(stop)`. Raises FeatureStoreError."""
        name = self.view(view).name

        def view_of() -> tuple[FeatureView, int]:
            registry = self.registry
            return ask.view_named(registry, name), registry.version

        return Consumer(self.path, view_of)

    # --- knowing ----------------------------------------------------------------------------------------------------

    def validate(self, view: Any) -> tuple[validation.Violation, ...]:
        """Every constraint that the stored rows break: rule, count and examples. How it was before: `trend`."""
        return self.check(view).broken

    def check(self, view: Any) -> validation.Checked:
        """Every constraint of a view, broken or not, with the stored rows that it was checked on."""
        record = self.view(view)
        return validation.check(record, self.offline(record))

    def trend(self, view: Any) -> tuple[IntervalStats, ...]:
        """How a view's rules and features fared, oldest first, as each interval's write has noted it: rows, broken rows
        of each constraint, and each feature's missing values, mean, deviation and ends. No row is read for it."""
        return pipeline.offline_store(self.path).trend(self.view(view))

    def profile(self, view: Any) -> tuple[profile.FeatureProfile, ...]:
        """Each feature of the stored rows in numbers, with its distribution."""
        record = self.view(view)
        return profile.profile(record, self.offline(record))

    def correlation(self, view: Any) -> profile.Correlation:
        """How the numeric features of the stored rows go together, pair by pair."""
        record = self.view(view)
        return profile.correlation(record, self.offline(record))

    def stats(self, view: Any) -> ViewStats:
        """How many rows are stored, the newest event in them, and when they were written last."""
        return pipeline.offline_store(self.path).stats(self.view(view))

    def intervals(self, view: Any) -> tuple[WrittenInterval, ...]:
        """The ledger: which data intervals are written, when, by which DAG run, and which constraints they break."""
        return pipeline.offline_store(self.path).intervals(self.view(view))

    def _interval(
        self, view: Any, start: datetime | None, end: datetime | None, dag_run_id: str | None
    ) -> pipeline.Interval:
        registry = self.registry
        return pipeline.Interval(self.path, ask.view_named(registry, view), start, end, registry.version, dag_run_id)


def _check_target(wanted: ask.Asked, columns: Sequence[str]) -> None:
    """Say what to do where the entities are those of a scoring, and a service asks for its target too."""
    if wanted.target is None:
        return
    view, feature = wanted.target
    needed = {key.name for other, _ in wanted.by_view(wanted.columns("full"), target=False) for key in other.entities}
    if absent := [key.name for key in view.entities if key.name not in needed.union(columns)]:
        raise FeatureStoreError(
            f"{view.name}.{feature.name}, the target of {wanted.service}, is asked by {', '.join(absent)}, which the "
            "entities lack. Add it for a training set; to score, ask for the features alone, a list of their names."
        )
