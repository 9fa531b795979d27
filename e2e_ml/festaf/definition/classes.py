"""What a person writes: views and feature services as classes, and the values that stand in them.

A class is read and checked when it is complete, and kept as a record; nothing runs and nothing is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import ClassVar
from typing import Literal as OneOf

from e2e_ml.festaf import model
from e2e_ml.festaf.definition.columns import Column
from e2e_ml.festaf.definition.sources import Source


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for it: a person or a team, and where to write to them."""

    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """An existing DAG's task that makes a view."""

    dag_id: str
    task_id: str


class FeatureView:
    """A group of features with one source and one key. Subclass it; the docstring says what it holds.

    `source` and at least one `fs.Entity` are needed, all else is optional: `owner` (who), `purpose` (why), `schedule`
    (cron or preset: festaf makes the DAG) or `produced_by` (an existing DAG's task does), `start` and `end` (the start
    of the first data interval and the end of the last one, aware), `ttl` (how long a row counts), `lateness` (how long
    after its interval's end a row may still come or change: runs within it rewrite what changed), `on_broken` ("warn",
    or "fail": a run that finds a broken rule writes nothing; a missing `required` value always does), `tags`.

    >>> class HourlyWeather(fs.FeatureView):
    ...     source = fs.csv("weather.csv")
    ...     origin = fs.Entity(fs.String())
    ...     observed_at = fs.EventTime()
    ...     temp = fs.Float64().bounds(-40, 130)
    ...     is_freezing = temp <= 32
    >>> HourlyWeather.is_freezing
    <Bool: HourlyWeather.is_freezing>
    """

    source: ClassVar[Source]
    owner: ClassVar[Owner | None] = None
    purpose: ClassVar[str] = ""
    schedule: ClassVar[str | None] = None
    start: ClassVar[datetime | None] = None
    end: ClassVar[datetime | None] = None
    produced_by: ClassVar[Task | None] = None
    ttl: ClassVar[timedelta | None] = None
    lateness: ClassVar[timedelta | None] = None
    on_broken: ClassVar[OneOf["warn", "fail"]] = "warn"
    tags: ClassVar[Sequence[str]] = ()

    deprecated: ClassVar[str | None] = None  # what to use instead
    renamed_from: ClassVar[str | None] = None  # what it was called until now: its rows and its history go on

    __record__: ClassVar[model.FeatureView]

    def __init_subclass__(cls) -> None:
        from e2e_ml.festaf.definition.view_records import view_record

        cls.__record__ = view_record(cls)


class OnDemandView:
    """Features that are computed when they are asked for, from what the request brings and from other views' features.

    >>> class AtTheGate(fs.OnDemandView):
    ...     scheduled_hour = fs.Int32().request()
    ...     is_night = (scheduled_hour < 6) | (scheduled_hour > 21)
    ...     cold_night = is_night & HourlyWeather.is_freezing

    Without a request it combines features of several views. It has neither source, keys nor times: it is asked by the
    keys of the views that it reads. The same expressions run on a training set and on an online answer.
    """

    owner: ClassVar[Owner | None] = None
    purpose: ClassVar[str] = ""
    tags: ClassVar[Sequence[str]] = ()
    deprecated: ClassVar[str | None] = None
    renamed_from: ClassVar[str | None] = None

    __record__: ClassVar[model.OnDemandView]

    def __init_subclass__(cls) -> None:
        from e2e_ml.festaf.definition.view_records import on_demand_record

        cls.__record__ = on_demand_record(cls)


class FeatureService:
    """What one model needs, and so its contract: `features` in order and, for a supervised model, the `target`.

    A target is a feature, or an expression over one view's columns, such as `Flights.arr_delay > 15`.

    >>> class WindSoon(fs.FeatureService):
    ...     features = [HourlyWeather.temp]
    ...     target = HourlyWeather.temp > 50
    """

    features: ClassVar[Sequence[Column]] = ()
    target: ClassVar[Column | None] = None
    owner: ClassVar[Owner | None] = None
    purpose: ClassVar[str] = ""
    tags: ClassVar[Sequence[str]] = ()
    deprecated: ClassVar[str | None] = None
    renamed_from: ClassVar[str | None] = None

    __record__: ClassVar[model.FeatureService]
    __target__: ClassVar[model.Feature | None]  # the hidden feature of a target that was written here

    def __init_subclass__(cls) -> None:
        from e2e_ml.festaf.definition.service_records import service_record

        cls.__record__, cls.__target__ = service_record(cls)


DefinitionClass = type[FeatureView] | type[OnDemandView] | type[FeatureService]
Definitions = ModuleType | Iterable[DefinitionClass]
