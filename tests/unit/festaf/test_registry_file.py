"""The registry's two files: they agree after a kill at any moment; old forms are read, and nothing is read twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from e2e_ml.festaf import model, registry
from e2e_ml.festaf.registry import RegistryError, history
from e2e_ml.festaf.registry import file as registry_file
from e2e_ml.festaf.registry.history import HistoryError
from e2e_ml.festaf.registry.planning import Plan
from tests.unit.festaf.worlds import T0, feature, plane, weather

DAY = timedelta(days=1)


def planned(folder: Path, number: int, *, wide: int = 1) -> Plan:
    """A plan that changes what is in the folder: the number is in every description."""
    current = registry.read(folder)
    views = tuple(
        weather(name=f"weather_{i}", description=f"number {number}", version=current.version + 1) for i in range(wide)
    )
    change = model.Change(action="change", kind="feature view", name="weather_0", details=(f"to {number}",))
    return Plan(
        project=current.project,
        base_version=current.version,
        at=T0 + number * DAY,
        changes=(change,),
        views=views,
        services=(),
    )


def apply(folder: Path, number: int) -> model.Registry:
    return registry.apply(folder, planned(folder, number), by=f"user-{number}")


# --- the two files -----------------------------------------------------------------------------------------------


def test_history_has_a_line_for_each_apply(tmp_path: Path) -> None:
    for number in range(3):
        apply(tmp_path, number)
    lines = (tmp_path / "registry.history.jsonl").read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [1, 2, 3]
    assert "history" not in json.loads((tmp_path / "registry.json").read_text())
    told = registry.read(tmp_path).history
    assert [(a.version, a.by, a.at) for a in told] == [(n + 1, f"user-{n}", T0 + n * DAY) for n in range(3)]
    assert told[-1].sha256 == history.digest((tmp_path / "registry.json").read_bytes())


def test_a_line_of_an_apply_that_never_was_does_not_count(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    path = tmp_path / "registry.json"
    history.append(path, [model.Applied(version=2, at=T0, by="dead", changes=())])
    assert [a.by for a in registry.read(tmp_path).history] == ["user-1"]
    apply(tmp_path, 2)
    assert [a.by for a in registry.read(tmp_path).history] == ["user-1", "user-2"]


def test_a_torn_line_is_cut_off_by_the_next_apply(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    with (tmp_path / "registry.history.jsonl").open("a") as file:
        file.write('{"version":2,"at":"2013-0')
    assert [a.version for a in registry.read(tmp_path).history] == [1]
    apply(tmp_path, 2)
    assert [a.by for a in registry.read(tmp_path).history] == ["user-1", "user-2"]


def test_a_broken_line_is_named_and_the_definitions_are_read_all_the_same(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    path = tmp_path / "registry.history.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    stored = registry.read(tmp_path)
    assert stored.version == 1
    with pytest.raises(HistoryError, match=r"registry\.history\.jsonl, line 1: .*Restore it from version control"):
        _ = stored.history


def test_an_older_registry_put_back_has_its_own_history(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    old = (tmp_path / "registry.json").read_bytes()
    apply(tmp_path, 2)
    (tmp_path / "registry.json").write_bytes(old)
    assert [a.by for a in registry.read(tmp_path).history] == ["user-1"]
    apply(tmp_path, 3)
    assert [a.by for a in registry.read(tmp_path).history] == ["user-1", "user-3"]
    assert len((tmp_path / "registry.history.jsonl").read_text().splitlines()) == 3  # and nothing was taken out


def test_a_failed_write_leaves_both_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(tmp_path, 1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    plan = planned(tmp_path, 2)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RegistryError, match="No space left on device"):
        registry.apply(tmp_path, plan)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


APPLIER = """
import sys
from pathlib import Path
from e2e_ml.festaf import registry
from tests.unit.festaf.test_registry_file import planned
folder, number = Path(sys.argv[1]), 1
while True:
    plan = planned(folder, number, wide=40)
    print(number, flush=True)
    registry.apply(folder, plan, by=f"user-{number}")
    number += 1
"""


@pytest.mark.parametrize("seed", range(6))
def test_killed_in_the_middle_of_an_apply_it_is_old_or_new(tmp_path: Path, seed: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", APPLIER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        chance = random.Random(seed)  # noqa: S311  # moments, not secrets
        for _ in range(chance.randint(2, 4)):
            assert process.stdout.readline()
        time.sleep(chance.uniform(0, 0.03))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        last = int((process.communicate()[0].split() or ["2"])[-1])
    after = registry.read(tmp_path)  # whole, or it would not be read
    numbers = {int(view.description.split()[1]) for view in after.views}
    assert len(numbers) == 1
    assert after.version == numbers.pop()
    assert after.version >= last - 1 or last == 2
    assert [(a.version, a.by) for a in after.history] == [(n, f"user-{n}") for n in range(1, after.version + 1)]
    apply(tmp_path, 99)
    assert [a.version for a in registry.read(tmp_path).history] == list(range(1, after.version + 2))
    assert not list(tmp_path.glob(".registry.json.*"))  # what the dead one left is gone


# --- old forms ---------------------------------------------------------------------------------------------------

FORM_1 = {
    "schema_version": 1,
    "project": "flights",
    "version": 1,
    "views": [
        {
            "name": "plane",
            "description": "",
            "purpose": "",
            "owner": None,
            "source": {"name": "planes", "format": "csv", "uri": "planes.csv", "timezone": None},
            "entities": [{"name": "tailnum", "dtype": "string", "description": ""}],
            "event_time": None,
            "ttl_seconds": None,
            "features": [
                {
                    "name": "seats",
                    "dtype": "int32",
                    "expression": None,
                    "inputs": [],
                    "constraints": [{"rule": "required", "value": None}],
                    "first_seen": "2026-01-01T00:00:00Z",
                    "changed_at": "2026-01-01T00:00:00Z",
                    "hidden": False,
                }
            ],
            "first_seen": "2026-01-01T00:00:00Z",
            "changed_at": "2026-01-01T00:00:00Z",
            "version": 1,
        }
    ],
    "services": [],
    "history": [
        {
            "version": 1,
            "at": "2026-01-01T00:00:00Z",
            "by": "ann",
            "commit": None,
            "changes": [{"action": "add", "kind": "feature view", "name": "plane", "details": ["1 feature: seats"]}],
        }
    ],
}


def test_a_registry_of_form_1_is_read_and_written_in_the_new_form(tmp_path: Path) -> None:
    (tmp_path / "registry.json").write_text(json.dumps(FORM_1))
    old = registry.read(tmp_path)
    assert [v.name for v in old.views] == ["plane"]
    assert [a.by for a in old.history] == ["ann"]
    apply(tmp_path, 2)
    new = registry.read(tmp_path)
    assert new.schema_version == 2
    assert [a.by for a in new.history] == ["ann", "user-2"]
    assert len((tmp_path / "registry.history.jsonl").read_text().splitlines()) == 2


# --- reading again -----------------------------------------------------------------------------------------------


def _aged(folder: Path) -> None:
    """As if it had been written a while ago."""
    past = time.time_ns() - 10**9
    os.utime(folder / "registry.json", ns=(past, past))


def test_a_file_that_stayed_is_not_read_again(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    _aged(tmp_path)
    first = registry.read(tmp_path)
    assert registry.read(tmp_path) is first
    apply(tmp_path, 2)
    assert registry.read(tmp_path).views[0].description == "number 2"


def test_a_file_that_was_just_written_is_not_trusted_to_stay(tmp_path: Path) -> None:
    apply(tmp_path, 1)
    path = tmp_path / "registry.json"
    before = path.stat()
    registry.read(tmp_path)
    text = path.read_text().replace("number 1", "number 7")  # in place, as long as before, and as old
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert registry.read(tmp_path).views[0].description == "number 7"


def test_what_was_checked_and_written_is_not_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(tmp_path, 1)

    def refuse(*_: object) -> list[tuple[str, str]]:
        return [("here", "it was looked at.")]

    monkeypatch.setattr(registry_file, "problems", refuse)
    assert registry.read(tmp_path).version == 1
    path = tmp_path / "registry.json"
    path.write_text(path.read_text() + " ")  # by hand
    with pytest.raises(RegistryError, match="here: it was looked at"):
        registry.read(tmp_path)


def test_another_program_writer_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(tmp_path, 1)
    monkeypatch.setattr(history, "WRITER", "e2e-ml 99")
    path = tmp_path / "registry.json"
    assert not history.is_written_by_us(path, path.read_bytes())


# --- the layout --------------------------------------------------------------------------------------------------


def test_what_is_as_the_schema_says_anyway_is_left_out() -> None:
    text = registry.to_text(model.Registry(project="flights", views=(plane(),)))
    assert json.loads(text) == {
        "schema_version": 2,
        "project": "flights",
        "version": 0,
        "views": [
            {
                "name": "plane",
                "features": [
                    {"name": "seats", "dtype": "int32", "first_seen": T0.isoformat().replace("+00:00", "Z"),
                     "changed_at": T0.isoformat().replace("+00:00", "Z")},
                    {"name": "jet", "dtype": "bool", "first_seen": T0.isoformat().replace("+00:00", "Z"),
                     "changed_at": T0.isoformat().replace("+00:00", "Z")},
                ],
                "first_seen": T0.isoformat().replace("+00:00", "Z"),
                "changed_at": T0.isoformat().replace("+00:00", "Z"),
                "source": {"name": "planes", "format": "csv", "uri": "planes.csv"},
                "entities": [{"name": "tailnum", "dtype": "string"}],
            }
        ],
    }  # fmt: skip
    assert registry.parse(text).views == (plane(),)


def test_a_changed_expression_is_one_line_of_a_diff() -> None:
    tree = {"op": "le", "args": [{"op": "column", "name": "temp"}, {"op": "literal", "dtype": "int64", "value": 32}]}
    other = {**tree, "op": "lt"}
    texts: list[str] = []
    for expression in (tree, other):
        cold = feature("cold", "bool").model_copy(update={"expression": expression})
        view = weather(features=(feature("temp"), cold))
        texts.append(registry.to_text(model.Registry(project="p", views=(view,))))
    lines = [text.splitlines() for text in texts]
    assert sum(a != b for a, b in zip(*lines, strict=True)) == 1
