"""What festaf's own loads tell: datasets, columns, quality, and how a run ends. Facets are held against the standard's
own client."""

from __future__ import annotations

import importlib
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.expression import Apply, Column, Window, literal
from e2e_ml.festaf.model import Constraint, FeatureView, Key, Source
from e2e_ml.festaf.rows import pipeline
from e2e_ml.festaf.rows.datasets import source_dataset, view_dataset
from e2e_ml.festaf.rows.interval import Interval
from e2e_ml.openlineage import telling as telling_module
from e2e_ml.openlineage.events import RunEvent, parse
from e2e_ml.openlineage.telling import Run, telling
from tests.unit.festaf.worlds import feature, hour, project, weather


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The events that would be sent, as a receiver reads them."""
    events: list[dict[str, Any]] = []
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    for name in ("OPENLINEAGE_NAMESPACE", "AIRFLOW__OPENLINEAGE__NAMESPACE", "OPENLINEAGE_DISABLED"):
        monkeypatch.delenv(name, raising=False)

    def keep(event: dict[str, Any]) -> bool:
        events.append(json.loads(json.dumps(event)))
        return True

    monkeypatch.setattr(telling_module, "emit", keep)
    return events


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["eventType"] for event in events]


# --- runs -----------------------------------------------------------------------------------------------------------


def run() -> Run:
    return Run("0190a1b2-0000-7000-8000-000000000001", "n", "j")


def test_a_run_begins_and_ends(told: list[dict[str, Any]]) -> None:
    with telling(run) as telling_of:
        telling_of.note(lambda run: run.outputs.append({"namespace": "n", "name": "t"}))
    assert types(told) == ["START", "COMPLETE"]
    assert told[1]["outputs"] == [{"namespace": "n", "name": "t"}]
    assert len({event["run"]["runId"] for event in told}) == 1


def test_a_run_within_a_run_is_a_part_of_it(told: list[dict[str, Any]]) -> None:
    with telling(run), telling(lambda: Run("x", "n", "inner")) as inner:
        inner.note(lambda run: run.outputs.append({"namespace": "n", "name": "t"}))
    assert [(event["job"]["name"], event["eventType"]) for event in told] == [("j", "START"), ("j", "COMPLETE")]
    assert told[1]["outputs"]


def end_by(error: BaseException, **more: Any) -> None:
    with telling(run, **more) as telling_of:
        telling_of.note(lambda run: run.outputs.append({"namespace": "n", "name": "t"}))
        raise error


@pytest.mark.parametrize(
    ("error", "type_", "message"),
    [
        (FeatureStoreError("The source is empty."), "FAIL", "The source is empty."),
        (ValueError("postgresql://me:secret@db"), "FAIL", "ValueError"),  # a sentence of ours it is not
        (KeyboardInterrupt(), "ABORT", "KeyboardInterrupt"),
    ],
)
def test_how_a_run_fails(told: list[dict[str, Any]], error: BaseException, type_: str, message: str) -> None:
    with pytest.raises(type(error)):
        end_by(error, sentences=(FeatureStoreError,))
    assert types(told) == ["START", type_]
    assert told[1]["run"]["facets"]["errorMessage"]["message"] == message
    assert "secret" not in json.dumps(told)


def test_a_run_that_finds_nothing_to_do_has_written_nothing(told: list[dict[str, Any]]) -> None:
    with pytest.raises(LookupError):
        end_by(LookupError(), uneventful=(LookupError,))
    assert types(told) == ["START", "COMPLETE"]
    assert told[1]["outputs"] == []


def test_nothing_is_made_where_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENLINEAGE_URL", raising=False)
    with telling(lambda: pytest.fail("it was described")) as telling_of:
        telling_of.note(lambda run: pytest.fail("it was noted"))


def test_what_cannot_be_told_is_no_trouble(told: list[dict[str, Any]], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL), telling(lambda: [][0]):
        pass
    assert told == []
    with caplog.at_level(logging.CRITICAL), telling(run) as telling_of:
        telling_of.note(lambda run: 1 / 0)
    assert types(told) == ["START", "COMPLETE"]


# --- loads ----------------------------------------------------------------------------------------------------------


def bounded(*constraints: Constraint, **changes: Any) -> FeatureView:
    """The view `weather` with rules for `temp` of its own, and without those of others."""
    others = [each.model_copy(update={"constraints": ()}) for each in weather().features[1:]]
    return weather(features=(feature("temp", constraints=constraints), *others), **changes)


AT_MOST_40 = Constraint(rule="upper_bound", value=40)


def load(folder: Path, view: FeatureView) -> None:
    project(folder, view).load(view.name, hour(0), hour(24))


def test_a_load_tells_what_it_read_and_wrote(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    folder = tmp_path / "flights"
    load(folder, weather())
    assert types(told) == ["START", "COMPLETE"]
    event = parse(told[1])
    assert isinstance(event, RunEvent)
    assert (event.job.namespace, event.job.name) == ("default", "festaf load flights.weather")
    assert event.run.facets.nominal_time is not None
    assert event.run.facets.nominal_time.nominal_start_time == hour(0)
    assert event.job.facets.ownership is not None
    assert event.job.facets.ownership.words == "weather-team"
    (read,), (wrote,) = event.inputs, event.outputs
    assert read.key == ("file", str(folder / "weather.parquet"))
    assert read.facets.table_schema is not None
    assert [(f.name, f.type) for f in read.facets.table_schema.fields_] == [
        ("origin", "string"), ("observed_at", "timestamp"), ("temp", "float64"), ("wind", "float64"),
    ]  # fmt: skip
    assert wrote.key == ("festaf://flights", "weather")
    assert wrote.facets.table_schema is not None
    assert [f.name for f in wrote.facets.table_schema.fields_] == [
        "origin", "observed_at", "temp", "wind", "freezing", "wind_mean_2h",
    ]  # fmt: skip
    assert wrote.facets.symlinks is not None
    (other,) = wrote.facets.symlinks.identifiers
    assert (other.namespace, other.name) == ("file", str(folder / "store" / "offline" / "weather"))
    assert wrote.output_facets.output_statistics is not None
    assert wrote.output_facets.output_statistics.row_count == 36


def test_a_load_tells_what_it_found_of_the_rows(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    load(tmp_path / "flights", bounded(AT_MOST_40, Constraint(rule="required")))
    event = parse(told[1])
    assert isinstance(event, RunEvent)
    metrics, assertions = event.outputs[0].metrics, event.outputs[0].assertions
    assert metrics is not None
    assert metrics.row_count == 36
    temp = metrics.column_metrics["temp"]
    assert (temp.null_count, temp.count, temp.min, temp.max) == (0, 36, 20.0, 43.0)
    assert assertions is not None
    assert [(a.assertion, a.column, a.success, a.severity, a.expected) for a in assertions.assertions] == [
        ("upper_bound", "temp", False, "warn", "40"),
        ("not_null", "temp", True, "error", None),
    ]
    assert assertions.assertions[0].actual == "broken by 4 rows"


def test_rows_that_are_refused_are_told_by_the_rules_they_break(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    with pytest.raises(pipeline.RefusedError):
        load(tmp_path / "flights", bounded(AT_MOST_40, on_broken="fail"))
    assert types(told) == ["START", "FAIL"]
    event = parse(told[1])
    assert isinstance(event, RunEvent)
    assert event.run.facets.error_message is not None
    assert "rules are broken" in event.run.facets.error_message.message
    assert event.outputs[0].assertions is not None
    assert [(a.column, a.success) for a in event.outputs[0].assertions.assertions] == [("temp", False)]
    assert event.outputs[0].output_facets.output_statistics is None


def test_an_interval_without_rows_is_complete_and_wrote_nothing(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    store = project(tmp_path / "flights", weather())
    with pytest.raises(pipeline.NoRowsError):
        store.load("weather", hour(1000), hour(1024))
    assert types(told) == ["START", "COMPLETE"]
    assert told[1]["outputs"] == []
    assert told[1]["inputs"]


def test_a_reopened_interval_and_a_snapshot_are_told(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    store = project(tmp_path / "flights", weather())
    store.load("weather", hour(0), hour(24))
    store.reopen("weather", hour(0), hour(24))
    store.load("plane")
    assert types(told) == ["START", "COMPLETE"] * 3
    assert [e["outputs"][0]["name"] for e in told if e["outputs"]] == ["weather", "weather", "plane"]
    assert "nominalTime" not in told[5]["run"]["facets"]


def test_a_load_does_not_notice_that_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    load(tmp_path / "flights", weather())


# --- datasets -------------------------------------------------------------------------------------------------------


def interval(folder: Path, **changes: Any) -> Interval:
    folder.mkdir(exist_ok=True)
    return Interval(folder, weather(**changes), hour(0), hour(24))


LINEAGE = [
    (feature("a"), {"a": "IDENTITY"}),
    (feature("b", "bool", Apply("gt", (Column("a"), Column("c")))), {"a": "TRANSFORMATION", "c": "TRANSFORMATION"}),
    (feature("m", "float64", Window(Column("c"), "mean", timedelta(hours=2))), {"c": "AGGREGATION"}),
    # Of features, hidden ones too: what they are made of in the end, and the strongest way of it.
    (feature("n", "bool", Apply("gt", (Column("h"), Column("a")))), {"c": "AGGREGATION", "a": "TRANSFORMATION"}),
    (feature("k", "bool", Apply("gt", (Column("m"), Column("c")))), {"c": "AGGREGATION"}),
    (feature("two", "int32", literal(2)), None),
]


def test_column_lineage(tmp_path: Path) -> None:
    hidden = feature("h", "float64", Window(Column("c"), "max", timedelta(hours=2)), hidden=True)
    view = interval(tmp_path, features=(hidden, *(f for f, _ in LINEAGE)), source_columns={"c": "C of the source"})
    fields = view_dataset(view)["facets"]["columnLineage"]["fields"]
    assert set(fields) == {"origin", "observed_at", "a", "b", "m", "n", "k"}
    for made, expected in LINEAGE:
        if expected is None:
            continue
        read = fields[made.name]["inputFields"]
        named = {"C of the source" if column == "c" else column: how for column, how in expected.items()}
        assert {f["field"]: f["transformations"][0]["subtype"] for f in read} == named
        assert {(f["namespace"], f["name"]) for f in read} == {("file", str(tmp_path / "weather.parquet"))}


POSTGRES = "version: 1\nconnections:\n  db: {url: 'postgresql://reader@db.example.com:6543/air', credential: env:P}\n"
SOURCES = [
    ("parquet", "weather.parquet", None, ("file", "{folder}/weather.parquet"), []),
    ("parquet", "s3://lake/weather/*.parquet", None, ("s3://lake", "weather/*.parquet"), []),
    ("delta", "gs://lake/weather", None, ("gs://lake", "weather"), []),
    ("http", "https://me:secret@example.com/w.json?key=secret", None, ("https://example.com", "w.json"), []),
    ("sql", "rain", "db", ("postgres://db.example.com:6543", "air.public.rain"), [("sql://db", "rain")]),
    ("sql", 'sky."rain"', "db", ("postgres://db.example.com:6543", "air.sky.rain"), [("sql://db", "sky.%22rain%22")]),
    ("sql", "SELECT 1", "db", ("sql://db", "SELECT%201"), []),
    ("sql", "rain", "lite", ("file", "{folder}/rain.db"), [("sql://lite", "rain")]),
]


@pytest.mark.parametrize(("form", "uri", "connection", "name", "others"), SOURCES)
def test_a_source_by_the_standards_naming(
    tmp_path: Path, form: Any, uri: str, connection: str | None, name: tuple[str, str], others: list[tuple[str, str]]
) -> None:
    (tmp_path / "festaf.yaml").write_text(f"{POSTGRES}  lite: {{url: 'sqlite:///rain.db'}}\n")
    source = Source(name="weather", format=form, uri=uri, connection=connection)
    dataset = source_dataset(interval(tmp_path, source=source))
    assert dataset is not None
    assert (dataset["namespace"], dataset["name"]) == (name[0], name[1].format(folder=tmp_path))
    links = dataset["facets"].get("symlinks", {"identifiers": []})["identifiers"]
    assert [(link["namespace"], link["name"]) for link in links] == others
    assert "secret" not in json.dumps(dataset)


def test_a_view_whose_rows_are_pushed_reads_nothing(tmp_path: Path) -> None:
    pushed = interval(
        tmp_path, source=Source(name="rides", format="push", uri=""), entities=(Key(name="x", dtype="int64"),)
    )
    assert source_dataset(pushed) is None
    assert "columnLineage" not in view_dataset(pushed)["facets"]


FACETS = {
    "schema": ("schema_dataset", "SchemaDatasetFacet"),
    "columnLineage": ("column_lineage_dataset", "ColumnLineageDatasetFacet"),
    "dataSource": ("datasource_dataset", "DatasourceDatasetFacet"),
    "symlinks": ("symlinks_dataset", "SymlinksDatasetFacet"),
    "ownership": ("ownership_dataset", "OwnershipDatasetFacet"),
    "documentation": ("documentation_dataset", "DocumentationDatasetFacet"),
    "dataQualityMetrics": ("data_quality_metrics_dataset", "DataQualityMetricsDatasetFacet"),
    "dataQualityAssertions": ("data_quality_assertions_dataset", "DataQualityAssertionsDatasetFacet"),
    "outputStatistics": ("output_statistics_output_dataset", "OutputStatisticsOutputDatasetFacet"),
    "nominalTime": ("nominal_time_run", "NominalTimeRunFacet"),
    "errorMessage": ("error_message_run", "ErrorMessageRunFacet"),
    "jobType": ("job_type_job", "JobTypeJobFacet"),
}


def test_our_facets_are_the_standards(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    load(tmp_path / "flights", weather())
    with pytest.raises(pipeline.RefusedError):
        load(tmp_path / "other", bounded(AT_MOST_40, on_broken="fail"))
    seen = set[str]()
    for event in told:
        parts = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        given = [(n, f) for part in parts for key in ("facets", "outputFacets") for n, f in part.get(key, {}).items()]
        for name, facet in given:
            if name == "ownership" and "OwnershipJobFacet" in facet["_schemaURL"]:
                continue
            if name == "documentation" and "DocumentationJobFacet" in facet["_schemaURL"]:
                continue
            seen.add(name)
            module, kind = FACETS[name]
            theirs = getattr(importlib.import_module(f"openlineage.client.generated.{module}"), kind)
            assert facet["_schemaURL"] == theirs._get_schema()
            theirs(**{key: value for key, value in facet.items() if not key.startswith("_")})  # knows each field
    assert seen == set(FACETS)
