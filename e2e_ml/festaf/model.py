"""The registry's records, as they stand in `registry.json`: definitions as data, neutral of language and of engine.

Nothing here computes. `schema_version` changes when a reader of the old form would misread the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from e2e_ml.festaf import dtypes

SCHEMA_VERSION = 2


def _known(dtype: str) -> str:
    dtypes.parse(dtype)
    return dtype


DataType = Annotated[dtypes.DataType, AfterValidator(_known)]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Owner(Record):
    name: str
    email: str | None = None


class Source(Record):
    """Where a view's rows come from.

    `uri` is, by format: for files a path relative to the project folder, or with a scheme; for `sql` the table or the
    query, read through `connection`; for `http` the address of JSON, CSV or Parquet; for `push` the stream's name,
    "" where rows come by `push` alone.
    """

    name: str
    format: Literal["csv", "parquet", "delta", "sql", "http", "push"]
    uri: str
    timezone: str | None = None  # the zone of naive times in it; None: naive times are refused
    connection: str | None = None  # a name in the project's festaf.yaml: addresses and credentials stay out of here


class TaskRef(Record):
    """An existing DAG's task that makes a view."""

    dag_id: str
    task_id: str


class Constraint(Record):
    """A rule for a feature's values, checked on what is stored. A missing value breaks `required` alone.

    `lower_bound` and `upper_bound` hold the least and the greatest value allowed, `above` and `below` the first value
    that is not; `accepted_values` a list; `min_length` and `max_length` a number of characters, of a list's elements;
    `matches` a regular expression that the whole text fits (Rust's syntax, RE2's but for a few words); `required` and
    `unique` hold nothing. Times are written as ISO 8601, decimals as text, durations in seconds.
    """

    rule: Literal[
        "required",
        "lower_bound",
        "upper_bound",
        "above",
        "below",
        "accepted_values",
        "min_length",
        "max_length",
        "matches",
        "unique",
    ]
    value: Any = None


class Learned(Record):
    """The parameters of a scaled feature, learned on a training set: `mean` and `std`, or `min` and `max`."""

    parameters: dict[str, float]
    rows: int  # that they were learned on
    at: datetime


class Feature(Record):
    name: str
    dtype: DataType
    description: str = ""
    expression: dict[str, Any] | None = None  # the expression tree; None: a column of the source as it is
    code: str | None = None  # the expression as readable Python, for people
    sql: str | None = None  # the same as SQL
    # The columns and features that the expression reads; one of another view by its full name, "plane.seats".
    inputs: tuple[str, ...] = ()
    fill_null: Any = None
    constraints: tuple[Constraint, ...] = ()
    learned: Learned | None = None  # None where nothing is scaled, or nothing was learned yet
    tags: tuple[str, ...] = ()
    deprecated: str | None = None  # why, and what to use instead
    renamed_from: str | None = None
    # What its column is called in the stores; None: as the feature is. A rename leaves the stored rows as they are.
    stored_as: str | None = None
    first_seen: datetime  # when it was first applied; kept over later applies
    changed_at: datetime  # when its definition last changed
    hidden: bool = False  # an intermediate expression without a name of its own

    @property
    def column(self) -> str:
        """Its column in the offline table and its field in the online store."""
        return self.stored_as or self.name


class Key(Record):
    """An entity as a view uses it: the key column."""

    name: str
    dtype: DataType
    description: str = ""


N = TypeVar("N", bound="View | FeatureService | Feature")


class Indexed(Record):
    """A record that finds its parts by name without a walk through all of them."""

    _by_name: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = PrivateAttr(default_factory=dict[int, Any])

    def _named(self, parts: tuple[N, ...]) -> dict[str, N]:
        """`parts` by their names. Kept by what they are, for `model_copy` takes private attributes along."""
        held = self._by_name.get(id(parts))
        if held is None or held[0] is not parts:
            held = self._by_name[id(parts)] = (parts, {part.name: part for part in parts})
        return held[1]

    def __eq__(self, other: object) -> bool:
        # Pydantic compares private attributes too, and what was looked up makes no other record.
        return type(other) is type(self) and self.__dict__ == other.__dict__


class View(Indexed):
    """What feature views and on-demand views have in common: features, and who answers for them."""

    name: str
    description: str = ""
    purpose: str = ""
    owner: Owner | None = None
    features: tuple[Feature, ...]
    tags: tuple[str, ...] = ()
    deprecated: str | None = None
    renamed_from: str | None = None
    module: str = ""  # the module it was defined in, for people; never imported to use the store
    first_seen: datetime
    changed_at: datetime
    version: int = 1  # counts the changes of this view's definition

    def feature(self, name: str) -> Feature:
        """The feature called `name`. Raises KeyError."""
        found = self._named(self.features).get(name)
        if found is None:
            raise KeyError(f"{self.name}.{name}")
        return found

    def has(self, name: str) -> bool:
        return name in self._named(self.features)


class OnDemandView(View):
    """Features computed when they are asked for, from what the request brings and from features of other views.

    Expressions call a feature of another view by its full name: `hourly_weather.is_freezing`. Without `request` it
    combines features of several views. Its keys are those of the views that it reads.
    """

    request: tuple[Key, ...] = ()


class FeatureView(View):
    source: Source
    # Under what name its rows are kept in the stores; None: its own. A rename leaves the stored rows where they are.
    stored_as: str | None = None
    source_columns: dict[str, str] = Field(default_factory=dict)  # what the source calls columns otherwise, by name
    entities: tuple[Key, ...]
    event_time: str | None = None  # the column; None: a view without timestamps
    event_time_description: str = ""
    created_time: str | None = None
    ttl_seconds: float | None = None
    schedule: str | None = None  # cron or preset; festaf makes the DAG
    start: datetime | None = None  # the start of its first data interval
    end: datetime | None = None  # the end of its last one; None: it goes on
    produced_by: TaskRef | None = None
    # How long after its interval has ended a row may still come or be corrected: each run looks at the intervals that
    # ended within it once more, and rewrites those that have changed.
    lateness_seconds: float | None = None
    on_broken: Literal["warn", "fail"] = "warn"  # what a broken rule does besides `required`, which always fails

    @property
    def table(self) -> str:
        """The name of its offline table, and of its rows in the online store."""
        return self.stored_as or self.name


AnyView = FeatureView | OnDemandView


class Target(Record):
    """What a model learns to predict: an expression over one view."""

    view: str
    feature: str  # a feature of that view, hidden where the expression was written in the service
    code: str


class FeatureService(Record):
    name: str
    description: str = ""
    purpose: str = ""
    owner: Owner | None = None
    features: tuple[str, ...]  # full names, "hourly_weather.temp", in order
    target: Target | None = None
    tags: tuple[str, ...] = ()
    deprecated: str | None = None
    renamed_from: str | None = None
    first_seen: datetime
    changed_at: datetime
    version: int = 1


RecordKind = Literal["feature view", "on-demand view", "feature", "feature service"]


class Change(Record):
    """One line of a plan and of the history."""

    action: Literal["add", "change", "rename", "remove", "learn"]
    kind: RecordKind
    name: str  # full name, after a rename the new one
    details: tuple[str, ...] = ()  # "expression: temp <= 32 -> temp <= 30"
    impact: tuple[str, ...] = ()  # full names of services (and features) that stand on it
    dags: tuple[str, ...] = ()  # that run with the changed definition
    # The definitions themselves, as they stand in the registry: a view's without its features where those have
    # changes of their own. None: there was none, or there is none any more.
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Applied(Record):
    """One apply: a line of the history, newest last. It lies beside registry.json, in registry.history.jsonl."""

    version: int
    at: datetime
    by: str
    commit: str | None = None
    changes: tuple[Change, ...]
    writer: str = ""  # the program that checked and wrote it, "e2e-ml 0.1.0"
    sha256: str = ""  # of registry.json as this apply wrote it


class Registry(Indexed):
    """Everything that is defined. How it came so, `history`, is read when it is asked for."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: int = SCHEMA_VERSION
    project: str
    version: int = 0  # counts applies; a writer that read an older one is refused
    views: tuple[FeatureView, ...] = ()
    on_demand: tuple[OnDemandView, ...] = ()
    services: tuple[FeatureService, ...] = ()

    # Files of form 1 have it in them, and so have a server's answers; a project keeps it in a file of its own.
    inline: tuple[Applied, ...] = Field(default=(), alias="history")

    _read_history: Callable[[], tuple[Applied, ...]] = PrivateAttr(default=tuple)

    @property
    def history(self) -> tuple[Applied, ...]:
        """Every apply, newest last."""
        return self.inline or self._read_history()

    def with_history(self, read: Callable[[], tuple[Applied, ...]]) -> Registry:
        """The same definitions, with a history that is read when it is asked for."""
        made = self.model_copy(update={"inline": ()})
        made._read_history = read
        return made

    def whole(self) -> Registry:
        """With the history in it, as one value to send."""
        return self.model_copy(update={"inline": self.history})

    def view(self, name: str) -> FeatureView | None:
        """The view called `name`, if there is one."""
        return self._named(self.views).get(name)

    def any_view(self, name: str) -> AnyView | None:
        """The feature view or on-demand view called `name`, if there is one."""
        return self.view(name) or self._named(self.on_demand).get(name)

    def all_views(self) -> tuple[AnyView, ...]:
        """Feature views, then on-demand views."""
        return (*self.views, *self.on_demand)

    def service(self, name: str) -> FeatureService | None:
        """The service called `name`, if there is one."""
        return self._named(self.services).get(name)


# --- answers -----------------------------------------------------------------------------------------------------


class ViewStats(Record):
    """What is known of a view's stored rows."""

    rows: int = 0
    newest_event: datetime | None = None
    last_written: datetime | None = None


class RuleCount(Record):
    """How one constraint fared in one written interval."""

    feature: str
    rule: str
    value: Any = None
    checked: int  # rows
    broken: int


class FeatureStats(Record):
    """One feature in one written interval. Numbers have all five; of a bool `mean` is the share that is true."""

    feature: str
    missing: int
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None


class IntervalStats(Record):
    """One point of a view's trend: what one data interval (or snapshot) held when it was written last.

    `checks` has every constraint, broken or not, and `features` every stored feature; both are empty for intervals
    that an older festaf wrote. `start` and `end` are None for a snapshot of a view without times.
    """

    start: datetime | None
    end: datetime | None
    rows: int
    written_at: datetime
    writes: int = 1  # how often it was written; above one it was run again, or reopened for rows that came late
    dag_run_id: str | None = None
    registry_version: int = 0
    checks: tuple[RuleCount, ...] = ()
    features: tuple[FeatureStats, ...] = ()


class Explanation(Record):
    """The five answers about a feature or a view."""

    name: str  # full name
    kind: RecordKind
    dtype: DataType | None = None
    # who
    owner: Owner | None = None
    # what
    description: str = ""
    source: Source | None = None
    # What it comes from in the end: columns of the source, of others features and values of the request.
    inputs: tuple[str, ...] = ()
    request: tuple[Key, ...] = ()  # what has to come with the request
    marks: tuple[str, ...] = ()  # what to beware of, in a word or two: "deprecated", "python features.encode"
    deprecated: str | None = None  # why, and what to use instead
    renamed_from: str | None = None
    # when
    first_seen: datetime
    changed_at: datetime
    schedule: str | None = None
    newest_event: datetime | None = None
    last_written: datetime | None = None
    # how
    code: str | None = None
    sql: str | None = None
    expression: dict[str, Any] | None = None
    python: tuple[str, ...] = ()  # the functions of the project's own code that compute it: "features.encode"
    learned: Learned | None = None
    constraints: tuple[Constraint, ...] = ()
    dag_id: str | None = None
    task_id: str | None = None
    # why
    purpose: str = ""
    used_by: tuple[str, ...] = Field(default=(), description="feature services and features that read it")
