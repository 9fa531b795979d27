"""Events: what is read of them, and what is said of those that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.openlineage.events import DatasetEvent, EventError, EventType, JobEvent, RunEvent, parse
from tests.unit.openlineage.samples import RUN, recorded, recorded_of, run_event


def parsed(**changes: Any) -> RunEvent:
    event = parse(run_event(**changes))
    assert isinstance(event, RunEvent)
    return event


def test_a_run_event() -> None:
    event = parsed()
    assert (event.event_type, event.event_time) == (EventType.COMPLETE, datetime(2026, 1, 2, tzinfo=UTC))
    assert (str(event.run.run_id), event.job.namespace, event.job.name) == (RUN, "spark", "clean")
    assert [d.key for d in event.inputs] == [("file", "/data/raw.csv")]
    assert [d.key for d in event.outputs] == [("s3://lake", "clean")]


def test_what_an_event_may_leave_out() -> None:
    event = parse({"eventTime": "2026-01-02T00:00:00Z", "run": {"runId": RUN}, "job": {"namespace": "n", "name": "j"}})
    assert isinstance(event, RunEvent)
    assert (event.event_type, event.inputs, event.outputs) == (EventType.OTHER, (), ())
    nulls = parsed(inputs=None, eventType=None, run={"runId": RUN, "facets": {"parent": None}})
    assert (nulls.inputs, nulls.event_type, nulls.run.facets.parent) == ((), EventType.OTHER, None)


def test_job_and_dataset_events() -> None:
    common = {"eventTime": "2026-01-02T00:00:00Z", "producer": "p"}
    job = parse({**common, "job": {"namespace": "n", "name": "j"}, "inputs": [{"namespace": "file", "name": "/a"}]})
    assert isinstance(job, JobEvent)
    assert job.inputs[0].key == ("file", "/a")
    dataset = parse({**common, "dataset": {"namespace": "file", "name": "/a", "facets": {}}})
    assert isinstance(dataset, DatasetEvent)
    assert dataset.dataset.key == ("file", "/a")


def test_every_recorded_event_is_read() -> None:
    events = [parse(event) for event in recorded()]
    assert len(events) == 5
    assert {e.job.name for e in events if isinstance(e, RunEvent)} == {
        "weather.hourly", "weather.hourly.copy", "weather.hourly.part", "weather.hourly.breaks",
    }  # fmt: skip


def test_the_facets_of_airflow() -> None:
    event = parse(recorded_of("weather.hourly.part", "COMPLETE"))
    assert isinstance(event, RunEvent)
    airflow, parent = event.run.facets.airflow, event.run.facets.parent
    assert airflow is not None
    assert parent is not None
    assert (airflow.dag.dag_id, airflow.task.task_id) == ("weather.hourly", "part")
    assert airflow.dag_run.run_id.startswith("manual__")
    assert airflow.task_instance.map_index >= 0
    assert airflow.task_instance.try_number == 1
    assert parent.job.name == "weather.hourly"
    assert parent.root is not None
    copy = parse(recorded_of("weather.hourly.copy", "COMPLETE"))
    assert isinstance(copy, RunEvent)
    assert copy.run.facets.airflow is not None
    assert copy.run.facets.airflow.task_instance.map_index == -1
    whole = parse(recorded_of("weather.hourly", "FAIL"))
    assert isinstance(whole, RunEvent)
    assert whole.run.facets.airflow_dag_run is not None
    assert whole.run.facets.error_message is not None


def test_the_facets_of_datasets() -> None:
    facets = {
        "schema": {"fields": [{"name": "temp", "type": "double", "description": "in F"}, {"name": "s", "fields": []}]},
        "columnLineage": {
            "fields": {
                "cold": {
                    "inputFields": [
                        {
                            "namespace": "file", "name": "/a", "field": "temp",
                            "transformations": [
                                {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "temp < 0"}
                            ],
                        }
                    ]
                }
            }
        },
        "dataSource": {"name": "lake", "uri": "s3://lake"},
        "ownership": {"owners": [{"name": "team:weather", "type": "MAINTAINER"}, {"name": "ann"}]},
        "documentation": {"description": "Weather."},
        "symlinks": {"identifiers": [{"namespace": "hive://h", "name": "db.t", "type": "TABLE"}]},
        "lifecycleStateChange": {"lifecycleStateChange": "DROP"},
        "dataQualityMetrics": {"rowCount": 3, "columnMetrics": {"temp": {"nullCount": 1, "min": -3, "max": "high"}}},
        "spark_statistics": {"anything": ["at", "all"]},
    }  # fmt: skip
    assertions = {"assertions": [{"assertion": "not_null", "success": False, "column": "temp"}]}
    inputs = [{"namespace": "file", "name": "/a", "inputFacets": {"dataQualityAssertions": assertions}}]
    event = parsed(
        inputs=inputs,
        outputs=[
            {"namespace": "n", "name": "t", "facets": facets, "outputFacets": {"outputStatistics": {"rowCount": 3}}}
        ],
    )
    output = event.outputs[0]
    assert output.facets.table_schema is not None
    assert [(f.name, f.type) for f in output.facets.table_schema.fields_] == [("temp", "double"), ("s", None)]
    assert output.facets.column_lineage is not None
    (read,) = output.facets.column_lineage.fields_["cold"].input_fields
    assert (read.field, read.transformations[0].words) == ("temp", "direct transformation: temp < 0")
    assert output.facets.ownership is not None
    assert output.facets.ownership.words == "team:weather, ann"
    assert output.metrics is not None
    assert (output.metrics.row_count, output.metrics.column_metrics["temp"].null_count) == (3, 1)
    assert output.output_facets.output_statistics is not None
    assert event.inputs[0].assertions is not None
    assert not event.inputs[0].assertions.assertions[0].success


def test_a_facet_that_was_deleted_is_not_there() -> None:
    gone = {"ownership": {"_producer": "p", "_schemaURL": "s", "_deleted": True}}
    assert parsed(outputs=[{"namespace": "n", "name": "t", "facets": gone}]).outputs[0].facets.ownership is None


def _with_facet(name: str, facet: Any) -> dict[str, Any]:
    return run_event(outputs=[{"namespace": "n", "name": "t", "facets": {name: facet}}])


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (None, "not null"),
        ([], "/api/v1/lineage/batch"),
        ("START", "not text"),
        (3, "not a number"),
        ({}, "no run, no job and no dataset"),
        ({"run": {"runId": RUN}}, "eventTime: Field required"),
        (run_event(eventTime="yesterday"), "eventTime: "),
        (run_event(eventTime="2026-01-02T00:00:00"), "eventTime: Input should have timezone info"),
        (run_event(eventTime=1767312000), "eventTime: a time is text"),
        (run_event(eventType="DONE"), "eventType: Input should be 'START'"),
        (run_event(run={"runId": "1"}), "run.runId: Input should be a valid UUID"),
        (run_event(run={}), "run.runId: Field required"),
        (run_event(run="x"), "run: "),
        (run_event(job={"namespace": "n"}), "job.name: Field required"),
        (run_event(job={"namespace": "", "name": "j"}), "job.namespace: "),
        (run_event(inputs={"namespace": "n"}), "inputs: "),
        (run_event(inputs=[{"namespace": "n"}]), "inputs.0.name: Field required"),
        (run_event(outputs=[{"namespace": "n", "name": "t"}, 3]), "outputs.1: "),
        (_with_facet("schema", {"fields": [{"type": "int"}]}), "outputs.0.facets.schema.fields.0.name: "),
        (_with_facet("columnLineage", {"fields": []}), "outputs.0.facets.columnLineage.fields: "),
        (run_event(run={"runId": RUN, "facets": {"parent": {"run": {}}}}), "run.facets.parent.run.runId: "),
    ],
)
def test_a_wrong_event_is_told_by_its_field(event: Any, said: str) -> None:
    with pytest.raises(EventError) as told:
        parse(event)
    assert said in str(told.value)
    assert str(told.value).endswith(".")
    assert "pydantic" not in str(told.value)


def test_of_many_problems_some_are_told() -> None:
    with pytest.raises(EventError, match="and 2 more"):
        parse(run_event(inputs=[{}, {}, {"namespace": "n"}]))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(run_event())), JSON)
def test_whatever_stands_in_a_field_is_read_or_refused(field: str, value: Any) -> None:
    try:
        parse(run_event(**{field: value}))
    except EventError:
        return
