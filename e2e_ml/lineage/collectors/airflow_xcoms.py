"""What task instances handed on as XComs: the MLflow runs and model versions that they name, and nothing else.

Airflow lists the XComs of a DAG run in one answer, without their values; each value is a request of its own. So only
those of task instances that have just succeeded are asked for, by keys that may hold such a name, some at each visit;
and a task that has handed on something else several times in a row is asked again only now and then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast

from e2e_ml.lineage.collectors import Record
from e2e_ml.lineage.collectors import airflow_records as records
from e2e_ml.lineage.collectors.airflow_api import AirflowApi
from e2e_ml.lineage.collectors.http import StatusError, TooLongError, TooSlowError

MOST_ASKED = 30  # requests of a visit, and what its last DAG run takes
MOST_OF_A_RUN = 20  # XComs of a DAG run that are read
MOST_WAITING = 500  # task instances whose XComs wait to be read; the newest stay
MOST_BYTES = 1 << 20  # of an XCom, as it is sent
MOST_KNOWN = 10_000  # task instances, or tasks, that are remembered
BARREN, NOW_AND_THEN = 5, 20  # task instances in a row that named nothing, and of how many one is read from then on
MOST_NAMES, MOST_VALUES, DEEPEST, MOST_CHARACTERS = 20, 200, 4, 1_000  # of one XCom

_KEY = re.compile(r"return_value|(?!_).*(run|model|mlflow|version|uri).*", re.IGNORECASE | re.DOTALL)
_RUN = re.compile(r"([0-9a-f]{32})|runs:/([0-9a-f]{32})(/.*)?")
_VERSION = re.compile(r"models:/([^/@]+/[0-9]+)")

Json = Mapping[str, Any]
_Task = tuple[str, int]  # the id of a task, and the index of its instance where it is mapped


class Memory:
    """What spares requests while the collector lives; nothing is lost with it."""

    def __init__(self) -> None:
        self.refused = False
        self.known: dict[tuple[str, str, str, int], Any] = {}  # task instances that were asked about -> when they ended
        self.barren: dict[tuple[str, str], int] = {}  # tasks -> how many of their instances in a row named nothing


class XComs:
    """`waiting`: the task instances whose XComs are still to be read, as JSON; it is kept in the cursor."""

    def __init__(self, instance: str, api: AirflowApi, memory: Memory, waiting: list[list[Any]]) -> None:
        self._instance, self._api, self._memory, self._waiting = instance, api, memory, waiting

    def note(self, task_instances: Iterable[Json]) -> None:
        """Wait for the XComs of those that succeeded and were not asked about since."""
        known = self._memory.known
        for record in task_instances:
            key = (record["dag_id"], record["dag_run_id"], record["task_id"], record.get("map_index", -1))
            if self._memory.refused or record.get("state") != "success" or known.get(key, "") == record.get("end_date"):
                continue
            if len(known) >= MOST_KNOWN:
                known.clear()
            known[key] = record.get("end_date")
            if list(key) not in self._waiting:
                self._waiting.append(list(key))
        del self._waiting[:-MOST_WAITING]

    def _is_in_turn(self, task: tuple[str, str]) -> bool:
        """Whether to ask about one more instance of a task; one that is not asked about counts as one of many."""
        barren = self._memory.barren.get(task, 0)
        if barren < BARREN or barren % NOW_AND_THEN == 0:
            return True
        self._memory.barren[task] = barren + 1
        return False

    def read(self) -> list[Record]:
        """What those that wait longest named, as many as a visit may ask about."""
        told, until = list[Record](), self._api.requests + MOST_ASKED
        while self._waiting and self._api.requests < until and not self._memory.refused:
            dag_id, run_id = self._waiting[0][:2]
            of_run = [each for each in self._waiting if each[:2] == [dag_id, run_id]]
            self._waiting[:] = [each for each in self._waiting if each[:2] != [dag_id, run_id]]
            mine: dict[_Task, dict[str, list[str]]] = {
                (task_id, index): {} for _, _, task_id, index in of_run if self._is_in_turn((dag_id, task_id))
            }
            for task, names in self._named(dag_id, run_id, mine) if mine else ():
                mine[task] = joined(mine[task], names)
            for (task_id, index), names in mine.items():
                self._learn((dag_id, task_id), bool(names))
                if names:
                    told.append(records.handed_on(self._instance, (dag_id, run_id, task_id, index), names))
        return told

    def _named(self, dag_id: str, run_id: str, mine: Iterable[_Task]) -> Iterator[tuple[_Task, dict[str, list[str]]]]:
        """What the XComs of these task instances of a DAG run name. Those that cannot be had name nothing."""
        wanted = set(mine)
        try:
            entries = [
                entry
                for entry in self._api.xcoms(dag_id, run_id)
                if (entry["task_id"], entry["map_index"]) in wanted and _KEY.fullmatch(entry["key"])
            ]
        except StatusError as error:
            self._memory.refused = error.status == HTTPStatus.FORBIDDEN
            return
        except (TooSlowError, LookupError, TypeError):
            return
        for entry in entries[:MOST_OF_A_RUN]:
            try:
                value = self._api.xcom(entry, MOST_BYTES)
            except (StatusError, TooLongError, TooSlowError, LookupError, TypeError):  # gone meanwhile, or a table
                continue
            yield (entry["task_id"], entry["map_index"]), named(value)

    def _learn(self, task: tuple[str, str], fruitful: bool) -> None:
        barren = self._memory.barren
        if len(barren) >= MOST_KNOWN:
            barren.clear()
        if fruitful:
            barren.pop(task, None)
        else:
            barren[task] = barren.get(task, 0) + 1


def named(value: Any) -> dict[str, list[str]]:
    """The ids of MLflow runs and the model versions, as `name/3`, that an XCom's value names: {runs, versions}."""
    found: dict[str, dict[str, None]] = {"runs": {}, "versions": {}}
    for text in _texts(value):
        if run := _RUN.fullmatch(text):
            found["runs"][run[1] or run[2]] = None
        elif version := _VERSION.fullmatch(text):
            found["versions"][version[1]] = None
    return {kind: sorted(names)[:MOST_NAMES] for kind, names in found.items() if names}


def joined(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {
        kind: sorted({*one.get(kind, ()), *other.get(kind, ())})[:MOST_NAMES]
        for kind in ("runs", "versions")
        if kind in one or kind in other
    }


def _texts(value: Any) -> Iterator[str]:
    """The short texts in a value, which Airflow gives as JSON in a text, or as the JSON that it is."""
    if isinstance(value, str) and value[:1] in ('"', "[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return
    waiting, seen = [(value, 0)], 0
    while waiting and seen < MOST_VALUES:
        (each, depth), seen = waiting.pop(0), seen + 1
        match each:
            case str() if len(each) <= MOST_CHARACTERS:
                yield each.strip()
            case dict() | list() if depth < DEEPEST:
                inner = cast(dict[str, Any], each).values() if isinstance(each, dict) else cast(list[Any], each)
                waiting += [(part, depth + 1) for part in list(inner)[:MOST_VALUES]]
            case _:
                pass
