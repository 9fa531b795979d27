"""The registry: what a plan says, what an apply writes, what of a broken file is said, and two writers at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from e2e_ml.festaf import model, registry
from e2e_ml.festaf.commands import festaf
from e2e_ml.festaf.definition.loading import load_definitions
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.registry import RegistryChangedError, RegistryError
from e2e_ml.festaf.registry.explaining import explain
from e2e_ml.festaf.registry.planning import Plan, plan

DEFINITIONS = """\
from datetime import timedelta
from e2e_ml import festaf as fs

class HourlyWeather(fs.FeatureView):
    "The weather."
    source = fs.csv("weather.csv")
    owner = fs.Owner("weather-team", "weather@example.com")
    purpose = "Winter."
    schedule = "@hourly"
    ttl = timedelta(hours=3)
    origin = fs.Entity(fs.String())
    observed_at = fs.EventTime()
    temp = fs.Float64().bounds(-40, 130).describe("Air temperature, °F")
    wind = fs.Float64()
    is_freezing = temp <= 32
    bitter = is_freezing & (wind > 25)
    wind_6h = wind.mean().over(timedelta(hours=6))

class Plane(fs.FeatureView):
    source = fs.csv("planes.csv")
    tailnum = fs.Entity(fs.String())
    seats = fs.Int32()

class Late(fs.FeatureService):
    "Is it late?"
    features = [HourlyWeather.bitter, Plane.seats]
    target = HourlyWeather.wind > 40

class Windy(fs.FeatureService):
    features = [HourlyWeather.wind_6h]
"""
DAY_1, DAY_2, DAY_3 = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "flights"
    folder.mkdir()
    (folder / "features.py").write_text(DEFINITIONS)
    return folder


def planned(project: Path, at: datetime, *edits: tuple[str, str]) -> Plan:
    """A plan for the definitions with some text of them replaced."""
    text = DEFINITIONS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (project / "features.py").write_text(text)
    return plan(registry.read(project), load_definitions(project), at)


def applied(project: Path, at: datetime, *edits: tuple[str, str]) -> model.Registry:
    return registry.apply(project, planned(project, at, *edits), by="ann")


# --- plan --------------------------------------------------------------------------------------------------------


def test_the_first_plan_adds_everything(project: Path) -> None:
    first = planned(project, DAY_1)
    assert (first.project, first.base_version) == ("flights", 0)
    assert [(c.action, c.kind, c.name) for c in first.changes] == [
        ("add", "feature view", "hourly_weather"),
        ("add", "feature view", "plane"),
        ("add", "feature service", "late"),
        ("add", "feature service", "windy"),
    ]
    assert not registry.path_of(project).exists()


WEATHER_SERVICES = ("late", "windy")
TEMP = '    temp = fs.Float64().bounds(-40, 130).describe("Air temperature, °F")\n'
WIND = "    wind = fs.Float64()\n"
WINDY = "class Windy(fs.FeatureService):\n    features = [HourlyWeather.wind_6h]\n"

CHANGES: list[tuple[str, tuple[str, str], list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]]] = [
    (
        "an expression",
        ("temp <= 32", "temp <= 30"),
        [
            (
                "change",
                "hourly_weather.is_freezing",
                ("expression: temp <= 32 -> temp <= 30",),
                ("hourly_weather.bitter", "late"),
            )
        ],
    ),
    (
        "a type and a rule",
        ("    wind = fs.Float64()", "    wind = fs.Float32().required()"),
        [
            (
                "change",
                "hourly_weather.wind",
                ("type: float64 -> float32", "constraints: + required"),
                ("hourly_weather.bitter", "hourly_weather.wind_6h", "late", "windy"),
            )
        ],
    ),
    (
        "a bound",
        ("130", "120"),
        [
            (
                "change",
                "hourly_weather.temp",
                ("constraints: + at most 120.0, - at most 130.0",),
                ("hourly_weather.is_freezing", "hourly_weather.bitter", "late"),
            )
        ],
    ),
    (
        "a window",
        ("hours=6", "hours=7"),
        [
            (
                "change",
                "hourly_weather.wind_6h",
                ("expression: wind.mean().over(timedelta(hours=6)) -> wind.mean().over(timedelta(hours=7))",),
                ("windy",),
            )
        ],
    ),
    (
        "a ttl",
        ("hours=3", "hours=4"),
        [("change", "hourly_weather", ("ttl in seconds: 10800.0 -> 14400.0",), WEATHER_SERVICES)],
    ),
    (
        "an owner",
        ('    owner = fs.Owner("weather-team", "weather@example.com")\n', ""),
        [
            (
                "change",
                "hourly_weather",
                ('owner: {"name": "weather-team", "email": "weather@example.com"} -> nothing',),
                WEATHER_SERVICES,
            )
        ],
    ),
    (
        "a source",
        ('fs.csv("planes.csv")', 'fs.parquet("planes.parquet")'),
        [
            (
                "change",
                "plane",
                ("source format: csv -> parquet", "source uri: planes.csv -> planes.parquet"),
                ("late",),
            )
        ],
    ),
    (
        "a new feature",
        ("    seats = fs.Int32()\n", "    seats = fs.Int32()\n    big = seats > 100\n"),
        [("add", "plane.big", ("bool: seats > 100",), ())],
    ),
    ("a service gone", (WINDY, ""), [("remove", "windy", (), ())]),
    (
        "a service's features",
        ("[HourlyWeather.wind_6h]", "[HourlyWeather.temp]"),
        [("change", "windy", ("features: + hourly_weather.temp, - hourly_weather.wind_6h",), ())],
    ),
    (
        "a target",
        ("HourlyWeather.wind > 40", "HourlyWeather.wind > 50"),
        [
            ("change", "hourly_weather.late__target", ("expression: wind > 40 -> wind > 50",), ("late",)),
            ("change", "late", ("target code: wind > 40 -> wind > 50",), ()),
        ],
    ),
    (
        "the order",
        (TEMP + WIND, WIND + TEMP),
        [("change", "hourly_weather", ("order of features",), WEATHER_SERVICES)],
    ),
]


@pytest.mark.parametrize(("edit", "changes"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_plan_says_what_changes_and_who_stands_on_it(
    project: Path, edit: tuple[str, str], changes: list[Any]
) -> None:
    applied(project, DAY_1)
    got = planned(project, DAY_2, edit)
    assert [(c.action, c.name, c.details, c.impact) for c in got.changes] == changes
    for change in got.changes:
        assert change.name in str(got)
        assert all(name in str(got) for name in change.impact)


def test_what_a_service_stands_on_cannot_go_unnoticed(project: Path) -> None:
    applied(project, DAY_1)
    got = planned(project, DAY_2, ("    seats = fs.Int32()", "    rows = fs.Int32()"), ("Plane.seats", "Plane.rows"))
    assert [(c.action, c.name, c.impact) for c in got.changes] == [
        ("add", "plane.rows", ("late",)),
        ("remove", "plane.seats", ("late",)),
        ("change", "late", ()),
    ]


# --- apply -------------------------------------------------------------------------------------------------------


def test_what_is_applied_is_what_is_read(project: Path) -> None:
    written = applied(project, DAY_1)
    assert registry.read(project) == written
    assert written.version == 1
    (entry,) = written.history
    assert (entry.version, entry.at, entry.by) == (1, DAY_1, "ann")
    assert len(entry.changes) == 4


def test_applying_again_changes_nothing(project: Path) -> None:
    applied(project, DAY_1)
    before = registry.path_of(project).read_bytes()
    assert planned(project, DAY_2).is_empty
    assert applied(project, DAY_2).version == 1
    assert registry.path_of(project).read_bytes() == before


def test_only_what_changed_is_dated_anew(project: Path) -> None:
    applied(project, DAY_1)
    second = applied(project, DAY_2, ("temp <= 32", "temp <= 30"))
    weather, plane = second.views
    assert (weather.version, weather.first_seen, weather.changed_at) == (2, DAY_1, DAY_2)
    assert (plane.version, plane.changed_at) == (1, DAY_1)
    freezing, bitter = weather.feature("is_freezing"), weather.feature("bitter")
    assert (freezing.first_seen, freezing.changed_at) == (DAY_1, DAY_2)
    assert (bitter.first_seen, bitter.changed_at) == (DAY_1, DAY_1)
    assert [s.version for s in second.services] == [1, 1]
    third = applied(project, DAY_3, ("[HourlyWeather.wind_6h]", "[HourlyWeather.temp]"))
    assert third.views[0].feature("is_freezing").changed_at == DAY_3  # it went back to 32
    assert [(s.name, s.version, s.changed_at) for s in third.services] == [("late", 1, DAY_1), ("windy", 2, DAY_3)]
    assert [(h.version, h.at) for h in third.history] == [(1, DAY_1), (2, DAY_2), (3, DAY_3)]


def test_a_plan_from_an_older_version_is_refused(project: Path) -> None:
    stale = planned(project, DAY_1)
    applied(project, DAY_2)
    before = registry.path_of(project).read_bytes()
    with pytest.raises(RegistryChangedError, match=r"ann applied version 1 at 2026-01-02 00:00:00 UTC\. Plan again\."):
        registry.apply(project, stale)
    assert registry.path_of(project).read_bytes() == before


def test_a_plan_for_another_project_is_refused(project: Path) -> None:
    applied(project, DAY_1)
    other = planned(project, DAY_2, ("temp <= 32", "temp <= 30")).model_copy(update={"project": "boats"})
    with pytest.raises(RegistryChangedError, match="belongs to the project flights"):
        registry.apply(project, other)


APPLIER = """
import sys
from e2e_ml.festaf import registry
from e2e_ml.festaf.registry.planning import Plan
plan = Plan.model_validate_json(sys.stdin.readline())
print("ready", flush=True)
sys.stdin.readline()
try:
    print("won", registry.apply(sys.argv[1], plan, by=sys.argv[2]).version)
except registry.RegistryChangedError as error:
    print("told", error)
"""


def test_of_two_appliers_at_once_one_wins_and_the_others_are_told(project: Path) -> None:
    applied(project, DAY_1)
    plans = [planned(project, DAY_2, ("temp <= 32", f"temp <= {limit}")) for limit in range(4)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPLIER, str(project), f"user-{i}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(len(plans))
    ]
    try:
        for process, each in zip(processes, plans, strict=True):
            assert process.stdin
            assert process.stdout
            process.stdin.write(each.model_dump_json() + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    winners = [i for i, answer in enumerate(answers) if answer == "won 2"]
    assert len(winners) == 1, answers
    losers = [answer for i, answer in enumerate(answers) if i not in winners]
    assert all(f"user-{winners[0]} applied version 2" in answer for answer in losers), answers
    stored = registry.read(project)
    assert stored.history[-1].by == f"user-{winners[0]}"
    assert stored.views[0].feature("is_freezing").code == f"temp <= {winners[0]}"


def test_a_failed_write_leaves_the_old_registry_and_no_litter(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    applied(project, DAY_1)
    before = registry.path_of(project).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    change = planned(project, DAY_2, ("temp <= 32", "temp <= 30"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RegistryError, match=r"No space left on device\. It is as it was\. Make room"):
        registry.apply(project, change)
    assert registry.path_of(project).read_bytes() == before
    assert not list(project.glob(".registry.json.*"))


def test_the_file_stays_readable_by_other_users(project: Path) -> None:
    applied(project, DAY_1)
    assert stat.S_IMODE(registry.path_of(project).stat().st_mode) == 0o644


def test_the_commit_is_noted(project: Path) -> None:
    def git(*args: str) -> str:
        identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(project), *identity, *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "features.py")
    git("commit", "-qm", "first")
    assert applied(project, DAY_1).history[-1].commit == git("rev-parse", "HEAD")


# --- reading -----------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_an_empty_registry(tmp_path: Path) -> None:
    (tmp_path / "My flights").mkdir()
    assert registry.read(tmp_path / "My flights") == model.Registry(project="My-flights")
    assert registry.read(tmp_path / "My flights", name="boats").project == "boats"


def _set(data: Any, path: list[str | int], value: Any) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


FREEZING: list[str | int] = ["views", 0, "features", 2]
BROKEN: list[tuple[list[str | int], Any, str]] = [
    ([*FREEZING, "dtype"], "decimal", r"views\[0\].features\[2\].dtype: Value error, 'decimal' is no type"),
    ([*FREEZING, "colour"], "red", r"views\[0\].features\[2\].colour: Extra inputs"),
    (["version"], "many", r"version: Input should be a valid integer"),
    (["schema_version"], 99, r"form 99, of a newer e2e-ml"),
    ([*FREEZING, "dtype"], "int64", r"hourly_weather.is_freezing.expression: It gives bool"),
    ([*FREEZING, "inputs"], ["wind"], r"hourly_weather.is_freezing.inputs: The expression reads temp"),
    ([*FREEZING, "expression", "op"], "eval", r"hourly_weather.is_freezing.expression: There is no operation 'eval'"),
    ([*FREEZING, "expression", "args", 0, "name"], "nope", r"no column 'nope'"),
    ([*FREEZING, "name"], "temp", r"two columns called temp"),
    (["services", 0, "features", 0], "plane.wings", r"services\[0\].features: late reads plane.wings, which is not in"),
    (["services", 0, "name"], "plane", r"plane: There are two of that name"),
    (["services", 0, "target", "feature"], "nope", r"services\[0\].target: late reads hourly_weather.nope"),
]


@pytest.mark.parametrize(("path", "value", "sentence"), BROKEN, ids=[row[2] for row in BROKEN])
def test_a_broken_registry_is_named_by_file_and_field(
    project: Path, path: list[str | int], value: Any, sentence: str
) -> None:
    applied(project, DAY_1)
    file = registry.path_of(project)
    data = json.loads(file.read_text())
    _set(data, path, value)
    file.write_text(json.dumps(data))
    with pytest.raises(RegistryError, match=sentence) as caught:
        registry.read(project)
    assert str(file) in str(caught.value)


def test_a_circle_of_features_is_refused(project: Path) -> None:
    applied(project, DAY_1)
    file = registry.path_of(project)
    data = json.loads(file.read_text())
    negated = {"op": "not", "args": [{"op": "column", "name": "bitter"}]}
    _set(data, [*FREEZING, "expression"], negated)
    _set(data, [*FREEZING, "inputs"], ["bitter"])
    file.write_text(json.dumps(data))
    with pytest.raises(RegistryError, match="in a circle: is_freezing -> bitter -> is_freezing"):
        registry.read(project)


@pytest.mark.parametrize("text", ["", "{", '{"project": }', "[" * 100_000])
def test_what_is_no_json_is_refused_in_a_sentence(project: Path, text: str) -> None:
    registry.path_of(project).write_text(text)
    with pytest.raises(RegistryError, match=r"registry\.json is not JSON"):
        registry.read(project)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_what_is_no_registry_is_refused_in_a_sentence(project: Path, text: str) -> None:
    registry.path_of(project).write_text(text)
    with pytest.raises(RegistryError, match="the whole"):
        registry.read(project)


# --- the five answers --------------------------------------------------------------------------------------------


def test_a_feature_is_explained_down_to_the_source(project: Path) -> None:
    stored = applied(project, DAY_1)
    stats = model.ViewStats(rows=3, newest_event=DAY_2, last_written=DAY_3)
    e = explain(stored, "hourly_weather.bitter", stats)
    assert e.kind == "feature"
    assert (e.dtype, e.code) == ("bool", "is_freezing & (wind > 25)")
    assert e.inputs == ("temp", "wind")
    assert e.owner == model.Owner(name="weather-team", email="weather@example.com")
    assert (e.schedule, e.dag_id) == ("@hourly", "festaf.flights.hourly_weather")
    assert (e.newest_event, e.last_written, e.first_seen) == (DAY_2, DAY_3, DAY_1)
    assert (e.purpose, e.used_by) == ("Winter.", ("late",))


def test_a_view_and_a_service_are_explained(project: Path) -> None:
    stored = applied(project, DAY_1)
    view, service = explain(stored, "hourly_weather"), explain(stored, "late")
    assert (view.kind, view.inputs, view.used_by) == ("feature view", ("temp", "wind"), ("late", "windy"))
    assert (service.kind, service.code) == ("feature service", "wind > 40")
    assert service.inputs == ("hourly_weather.bitter", "plane.seats", "hourly_weather.wind")
    assert explain(stored, "plane").dag_id is None


def test_an_unknown_name_gets_the_nearest(project: Path) -> None:
    with pytest.raises(
        FeatureStoreError, match=r"nothing called hourly_weather.tmp in flights. Did you mean hourly_weather.temp"
    ):
        explain(applied(project, DAY_1), "hourly_weather.tmp")


# --- the command line --------------------------------------------------------------------------------------------


def run(project: Path, *args: str) -> Any:
    return CliRunner().invoke(festaf, [*args, "--project", str(project)], prog_name="e2e-ml festaf")


def test_the_verbs_of_a_project(project: Path) -> None:
    assert "+ feature view hourly_weather" in run(project, "plan").output
    first = run(project, "apply", "--name", "nyc")
    assert first.exit_code == 0
    assert "Applied: version 1" in first.output
    assert "nothing to apply" in run(project, "apply").output
    assert json.loads(run(project, "apply", "--json").output) is None
    listed = run(project, "list").output
    assert "temp <= 32" in listed
    assert "late  (service: 2 features, predicts wind > 40)" in listed
    assert "late__target" not in listed
    assert json.loads(run(project, "list", "--json").output)["views"]["plane"] == ["seats"]
    shown = run(project, "show", "hourly_weather.bitter")
    assert shown.exit_code == 0, shown.output
    assert "weather-team <weather@example.com>" in shown.output
    assert "DAG festaf.nyc.hourly_weather" in shown.output
    assert json.loads(run(project, "show", "late", "--json").output)["kind"] == "feature service"
    assert json.loads(CliRunner().invoke(festaf, ["schema"]).output) == registry.json_schema()


def test_the_verbs_say_errors_as_sentences(project: Path) -> None:
    assert "is empty" in run(project, "list").output
    (project / "features.py").write_text(DEFINITIONS.replace("fs.Int32()", "fs.String().lower_bound(0)"))
    for verb in ("plan", "apply"):
        answer = run(project, verb)
        assert answer.exit_code == 1
        assert answer.output.startswith("Error: ")
        assert "Plane.seats: a String has no lower_bound" in answer.output
    registry.path_of(project).write_text("{")
    assert "registry.json is not JSON" in run(project, "list").output
    assert not registry.path_of(project.parent).exists()


def test_the_window_of_time_survives_the_file(project: Path) -> None:
    stored = applied(project, DAY_1)
    expression = stored.views[0].feature("wind_6h").expression
    assert expression is not None
    assert expression["seconds"] == timedelta(hours=6).total_seconds()
