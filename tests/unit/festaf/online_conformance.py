"""What every online store must keep to: one suite, which each store's own test file runs against itself."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.model import Feature, FeatureView, Key
from e2e_ml.festaf.rows.online import OnlineStore
from e2e_ml.festaf.rows.online.protocol import FIRST_VALUE
from e2e_ml.festaf.rows.online.serving import Question
from e2e_ml.festaf.rows.online.values import KeyForm
from e2e_ml.festaf.rows.polars_types import polars_type
from tests.unit.festaf.worlds import TIME, feature, hour, weather

VALUES: Mapping[str, Sequence[Any]] = {
    "bool": [True, False, None],
    "int8": [-128, 127, None],
    "int16": [-(2**15), 2**15 - 1, None],
    "int32": [-(2**31), 2**31 - 1, None],
    "int64": [-(2**63), 2**63 - 1, None],
    "float32": [0.5, math.nan, -math.inf, None],
    "float64": [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, None],
    "string": ["", 'LÆ"[,', "nan", "0012", "🦆", None],
    "category": ["rain", "1", None],
    "date": [date(1969, 12, 31), date(1, 1, 1), date(9999, 12, 31), None],
    "timestamp": [hour(0) + timedelta(microseconds=1), datetime(1912, 1, 1, tzinfo=hour(0).tzinfo), None],
    "duration": [timedelta(microseconds=-1), timedelta(days=400, microseconds=3), None],
    "decimal(38, 4)": [Decimal("-1234567890123456789012345678901234.5678"), Decimal("0.5000"), None],
    "list(float64)": [[1.5, None, math.nan, math.inf], [], None],
    "list(string)": [["a", 'b"', ""], None],
    "list(timestamp)": [[hour(1), None], None],
    "embedding(3)": [[0.5, -1.0, math.inf], None],
    "struct(a: int64, b: list(date), c: decimal(5, 2))": [
        {"a": 1, "b": [date(2013, 1, 1), None], "c": Decimal("1.50")},
        {"a": None, "b": None, "c": None},
        None,
    ],
}


def view_of(features: tuple[Feature, ...], keys: str = "int64", **changes: Any) -> FeatureView:
    entities = tuple(Key(name=f"k{i}", dtype=dtype) for i, dtype in enumerate(keys.split("|")))
    more = {"name": "things", "created_time": "made", "ttl_seconds": None, **changes}
    return weather(entities=entities, features=features, **more)


def frame(view: FeatureView, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    schema = {k.name: polars_type(k.dtype) for k in view.entities}
    schema |= {name: TIME for name in (view.event_time, view.created_time) if name}
    schema |= {f.name: polars_type(f.dtype) for f in view.features}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def read(store: OnlineStore, view: FeatureView, *keys: Any, features: Sequence[str] | None = None) -> list[Any]:
    """The values of each key's row, None where there is none."""
    names = features or [f.name for f in view.features if not f.hidden]
    form = KeyForm(view.name, view.entities)
    parts = [key if isinstance(key, tuple) else (key,) for key in keys]
    asked = form.of([dict(zip((k.name for k in view.entities), part, strict=True)) for part in parts])
    found = store.reader(view, names)([key for key in asked if key is not None])
    return [list(found[key][FIRST_VALUE:]) if key is not None and key in found else None for key in asked]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and a == b


def nothing_older(keys: pl.DataFrame) -> pl.DataFrame:
    raise AssertionError(f"Nobody should ask for {keys}")


X = view_of((feature("x"),))


def at(key: Any, hours: float, x: float, made: float | None = None) -> dict[str, Any]:
    return {"k0": key, "observed_at": hour(hours), "made": None if made is None else hour(made), "x": x}


class OnlineConformance:
    """Subclasses give the fixture `store`, an empty store."""

    @pytest.mark.parametrize("dtype", VALUES)
    def test_a_value_of_every_type_comes_back_as_it_was(self, store: OnlineStore, dtype: str) -> None:
        view = view_of((feature("v", dtype), feature("x")))
        values = VALUES[dtype]
        rows = [{"k0": i, "observed_at": hour(1), "v": value, "x": float(i)} for i, value in enumerate(values)]
        assert store.replace_all(view, frame(view, rows)) == len(values)
        for i, (found, value) in enumerate(zip(read(store, view, *range(len(values))), values, strict=True)):
            assert same(found, [value, float(i)]), (found, value)

    @pytest.mark.parametrize(
        ("dtypes", "keys"),
        [
            ("int64", [-(2**63), 0, 2**63 - 1]),
            ("string", ["", 'a"b', "0012", "12", "🦆"]),
            ("category", ["rain", "snow"]),
            ("date", [date(2013, 1, 1), date(1969, 1, 1)]),
            ("timestamp", [hour(0), hour(0) + timedelta(microseconds=1)]),
            ("bool", [True, False]),
            ("decimal(9, 2)", [Decimal("1.50"), Decimal("-0.01")]),
            ("string|int32", [("a", 1), ("a,1", 1), ("a", 11), ("", 0)]),
            ("string|date", [("a", date(2013, 1, 1)), ("a", date(2013, 1, 2))]),
        ],
    )
    def test_every_kind_of_key_finds_its_own_row(self, store: OnlineStore, dtypes: str, keys: list[Any]) -> None:
        view = view_of((feature("x"),), dtypes)
        parts = [key if isinstance(key, tuple) else (key,) for key in keys]
        rows = [
            {**{f"k{j}": part for j, part in enumerate(key)}, "observed_at": hour(1), "x": float(i)}
            for i, key in enumerate(parts)
        ]
        store.replace_all(view, frame(view, rows))
        assert read(store, view, *reversed(keys)) == [[float(i)] for i in reversed(range(len(keys)))]
        assert [read(store, view, key) for key in keys] == [[[float(i)]] for i in range(len(keys))]
        form = KeyForm(view.name, view.entities)
        named = [{f"k{j}": part for j, part in enumerate(key)} for key in parts]
        assert [form.values(key) for key in form.of(named) if key is not None] == parts

    def test_keys_are_asked_as_json_and_numpy_have_them(self, store: OnlineStore) -> None:
        import numpy as np

        store.replace_all(X, frame(X, [at(7, 1, 1.0)]))
        assert read(store, X, np.int64(7), 7.0, np.float32(7)) == [[1.0]] * 3
        assert read(store, X, None) == [None]
        with pytest.raises(FeatureStoreError, match=r"things is asked by k0, an int64; 'seven' is none"):
            read(store, X, "seven")
        with pytest.raises(FeatureStoreError, match="things is asked by k0; a row has only origin"):
            KeyForm(X.name, X.entities).of([{"origin": "JFK"}])
        day = view_of((feature("x"),), "date")
        store.replace_all(day, frame(day, [{"k0": date(2013, 1, 1), "observed_at": hour(1), "x": 2.0}]))
        assert read(store, day, "2013-01-01") == [[2.0]]

    def test_an_older_row_never_overwrites_a_newer_one(self, store: OnlineStore) -> None:
        for row in (at(1, 5, 5.0), at(1, 4, 4.0), at(2, 1, 1.0)):
            store.upsert(X, frame(X, [row]))
        assert read(store, X, 1, 2, 3) == [[5.0], [1.0], None]
        store.upsert(X, frame(X, [at(1, 5, 5.5, made=6)]))
        store.upsert(X, frame(X, [at(1, 5, 5.4, made=5)]))
        assert read(store, X, 1) == [[5.5]]
        store.upsert(X, frame(X, [at(1, 5, 5.6, made=6)]))  # as new: the one that comes last
        assert read(store, X, 1) == [[5.6]]
        assert store.count(X) == 2

    def test_an_interval_replaces_its_own_rows_and_no_others(self, store: OnlineStore) -> None:
        store.upsert(X, frame(X, [at(1, 1, 1.0), at(2, 25, 2.0), at(3, 30, 3.0)]))
        rows = frame(X, [at(2, 24.5, 2.5), at(4, 26, 4.0)])
        older = frame(X, [at(3, 10, 3.1)])
        asked: list[pl.DataFrame] = []

        def before(keys: pl.DataFrame) -> pl.DataFrame:
            asked.append(keys)
            return older

        assert store.replace_interval(X, rows, hour(24), hour(48), before) == 2
        assert [keys.to_dicts() for keys in asked] == [[{"k0": 3}]]
        # Of 2 the interval has an older row than was served; of 3 none any more: the one from before is served again.
        assert read(store, X, 1, 2, 3, 4) == [[1.0], [2.5], [3.1], [4.0]]
        assert store.replace_interval(X, rows.clear(), hour(24), hour(48), lambda _: rows.clear()) == 0
        assert read(store, X, 1, 2, 3, 4) == [[1.0], None, [3.1], None]

    def test_an_interval_that_holds_all_there_is_may_be_written_again(self, store: OnlineStore) -> None:
        rows = frame(X, [at(i, 1 + i / 100, float(i)) for i in range(50)])
        for _ in range(2):
            assert store.replace_interval(X, rows, hour(0), hour(24), nothing_older) == 50
        assert store.count(X) == 50
        assert store.replace_interval(X, rows.clear(), hour(24), hour(48), nothing_older) == 0
        assert store.replace_interval(X, rows.head(3), hour(0), hour(24), lambda keys: rows.clear()) == 3
        assert store.count(X) == 3

    def test_a_later_interval_keeps_an_earlier_one_from_overwriting(self, store: OnlineStore) -> None:
        store.replace_interval(X, frame(X, [at(1, 30, 30.0)]), hour(24), hour(48), nothing_older)
        rows = frame(X, [at(1, 2, 2.0), at(2, 3, 3.0)])
        assert store.replace_interval(X, rows, hour(0), hour(24), nothing_older) == 1
        assert read(store, X, 1, 2) == [[30.0], [3.0]]

    def test_a_view_without_times_is_replaced_whole(self, store: OnlineStore) -> None:
        view = view_of((feature("x"),), event_time=None, created_time=None)
        store.replace_all(view, frame(view, [{"k0": 1, "x": 1.0}, {"k0": 2, "x": 2.0}]))
        assert store.replace_all(view, frame(view, [{"k0": 2, "x": 3.0}, {"k0": None, "x": 9.0}])) == 1
        store.upsert(view, frame(view, [{"k0": 5, "x": 5.0}]))
        assert read(store, view, 1, 2, 5) == [None, [3.0], [5.0]]
        assert store.replace_all(view, frame(view, [])) == 0
        assert store.count(view) == 0

    def test_a_time_to_live_and_an_absent_entity_are_told_apart(self, store: OnlineStore) -> None:
        view = X.model_copy(update={"ttl_seconds": 3600.0})
        store.upsert(view, frame(view, [at(1, 10, 1.0), at(2, 8.9, 2.0)]))
        question = Question(store, [(view, {"x": "things__x"})])
        asked = [{"k0": 2, "id": "a"}, {"k0": 3}, {"k0": 1}, {"k0": None}, {"k0": 1}]
        answered, missing = question.answer(asked, hour(10))
        assert answered == [
            {"k0": 2, "id": "a", "things__x": None},
            {"k0": 3, "things__x": None},
            {"k0": 1, "things__x": 1.0},
            {"k0": None, "things__x": None},
            {"k0": 1, "things__x": 1.0},
        ]
        assert missing == [{"things__x": "expired"}, {"things__x": "absent"}, {}, {"things__x": "absent"}, {}]
        # Both ends count.
        assert question.answer([{"k0": 1}], hour(11))[1] == [{}]
        assert question.answer([{"k0": 1}], hour(11) + timedelta(microseconds=1))[1] == [{"things__x": "expired"}]

    def test_more_are_asked_than_a_statement_has_places_for(self, store: OnlineStore) -> None:
        store.replace_all(X, frame(X, [at(i, 1, float(i)) for i in range(0, 5000, 2)]))
        assert read(store, X, *range(5000)) == [None if i % 2 else [float(i)] for i in range(5000)]

    def test_views_do_not_see_each_other(self, store: OnlineStore) -> None:
        other = view_of((feature("x"),), name="others")
        store.upsert(X, frame(X, [at(1, 1, 1.0)]))
        assert read(store, other, 1) == [None]
        store.replace_all(other, frame(other, [at(1, 1, 7.0)]))
        store.replace_all(X, frame(X, []))
        assert read(store, other, 1) == [[7.0]]

    def test_a_reader_follows_a_definition_that_changes(self, store: OnlineStore) -> None:
        def of(**types: str) -> FeatureView:
            return view_of(tuple(feature(name, dtype) for name, dtype in types.items()))

        first = of(x="int32", gone="float64", text="string")
        store.upsert(first, frame(first, [{"k0": 1, "observed_at": hour(1), "x": 3, "gone": 1.0, "text": "a"}]))
        reader = store.reader(first, ["x", "text"])
        # Read by the new definition before anything was written by it: what is not there is missing.
        second = of(X="bool", x="float64", text="category", new="int64")
        assert read(store, second, 1, features=["new", "X"]) == [[None, None]]
        follows = store.reader(second, ["new"])
        assert follows([1])[1][FIRST_VALUE] is None
        store.upsert(second, frame(second, [{"k0": 2, "observed_at": hour(2), "X": True, "x": 0.5, "new": 7}]))
        assert read(store, second, 1, 2) == [[None, 3.0, "a", None], [True, 0.5, None, 7]]
        assert follows([2])[2][FIRST_VALUE] == 7
        # One that was made for the old definition goes on as well as it can.
        assert set(reader([1, 2])) == {1, 2}
        third = of(x="string", gone="timestamp")
        store.upsert(third, frame(third, [{"k0": 3, "observed_at": hour(2), "x": "b", "gone": hour(3)}]))
        assert read(store, third, 1, 3) == [[None, None], ["b", hour(3)]]

    def test_a_reader_sees_a_write_whole_or_not_at_all(self, store: OnlineStore) -> None:
        count, rounds = 400, 12
        store.replace_all(X, frame(X, [at(i, 1, 0.0) for i in range(count)]))
        reader, seen, done = store.reader(X, ["x"]), set[tuple[int, int]](), threading.Event()

        def look() -> None:
            while not done.is_set():
                found = reader(list(range(count)))
                seen.add((len(found), len({row[FIRST_VALUE] for row in found.values()})))

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for n in range(1, rounds):
            rows = frame(X, [at(i, 1, float(n)) for i in range(count)])
            match n % 3:
                case 0:
                    store.replace_all(X, rows)
                case 1:
                    store.replace_interval(X, rows, hour(0), hour(24), nothing_older)
                case _:
                    store.upsert(X, rows)
        done.set()
        for thread in threads:
            thread.join()
        assert seen == {(count, 1)}

    def test_concurrent_writers_leave_the_newest_row(self, store: OnlineStore) -> None:
        def write(first: int) -> None:
            for n in range(first, 24, 4):
                store.upsert(X, frame(X, [at(i, n, float(n)) for i in range(20)]))

        threads = [threading.Thread(target=write, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read(store, X, *range(20)) == [[23.0]] * 20
