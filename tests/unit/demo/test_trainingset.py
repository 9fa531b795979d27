"""Which flights are learned from and which are tested on, and what is said while the store lacks some."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from e2e_ml.demo import models, project, trainingset
from e2e_ml.festaf import FeatureStore


@pytest.fixture(scope="module")
def data(store: FeatureStore) -> trainingset.TrainingSet:
    return trainingset.read(trainingset.build(store.path, "manual__2026-01-01T00:00:00+00:00_x/y"))


def test_nothing_that_is_learned_from_is_later_than_what_is_tested_on(data: trainingset.TrainingSet) -> None:
    assert (data.train[trainingset.AT] < trainingset.TEST_FROM).all()
    assert (data.test[trainingset.AT] >= trainingset.TEST_FROM).all()
    assert (data.train.height, data.test.height) == (58_628, 19_181)


def test_the_file_tells_what_it_was_made_of(data: trainingset.TrainingSet, store: FeatureStore) -> None:
    service = next(s for s in store.registry.services if s.name == trainingset.SERVICE)
    assert data.of.features == service.features
    assert data.of.columns == tuple(name.replace(".", "__") for name in service.features)
    contract = data.of.contract
    assert (contract.project, contract.service, contract.registry_version) == ("flights", "flight_delay", 1)
    assert data.target not in data.of.columns
    assert not [column for column in data.of.columns if "arr_delay" in column]  # what is predicted is no input


def test_a_complete_store_has_no_gaps_and_each_missing_month_and_view_is_named(
    store: FeatureStore, flights_data: Path, tmp_path: Path
) -> None:
    assert trainingset.gaps(store) == []
    other = FeatureStore.open(project.prepare(tmp_path / "other"))
    shutil.copytree(flights_data, other.path / "data")
    for view in other.registry.views:
        other.load(view, datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 2, 1, tzinfo=UTC))
    other.load("route_delay", datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC))
    sentences = trainingset.gaps(other)
    # March alone does not close the gap of February, and views without times are there.
    assert [s.partition(" ")[0] for s in sentences] == ["flights", "hourly_weather", "carrier_delay", "route_delay"]
    assert all("not written from 01 February 2013 on. Backfill festaf.flights." in s for s in sentences)


def test_an_empty_project_is_told_to_apply_its_definitions(tmp_path: Path) -> None:
    assert trainingset.gaps(FeatureStore.open(tmp_path)) == [
        "The service flight_delay is not in the registry. Apply features.py: e2e-ml festaf apply."
    ]


@pytest.mark.parametrize("kind", models.KINDS.values(), ids=models.KINDS)
def test_a_model_tells_late_flights_from_others_and_is_stored_without_code(
    kind: models.Kind, data: trainingset.TrainingSet, tmp_path: Path
) -> None:
    import skops.io

    train, test = data.train.sample(8_000, seed=1), data.test.sample(3_000, seed=1)
    some = trainingset.TrainingSet(train, test, data.of, data.target)
    fitted = models.fit(kind, some)
    assert fitted.metrics["test_auc"] > 0.65
    assert fitted.metrics["test_brier"] < fitted.metrics["test_late_share"] * (1 - fitted.metrics["test_late_share"])
    file = tmp_path / "model.skops"
    skops.io.dump(fitted.model, file)
    assert set(skops.io.get_untrusted_types(file=file)) <= set(models.TRUSTED_TYPES)
    again = skops.io.load(file, trusted=models.TRUSTED_TYPES)
    sample = models.inputs(some.test.head(50), some)
    assert (again.predict_proba(sample) == fitted.model.predict_proba(sample)).all()


def test_measures_against_numbers_worked_out_by_hand() -> None:
    import numpy as np

    late = np.array([True, False, True, False])
    found = models.measures(late, np.array([0.9, 0.6, 0.5, 0.1]))
    # Of four pairs of a late and a punctual flight, three are in order.
    assert found["auc"] == pytest.approx(0.75)
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.25 + 0.01) / 4)


def test_inputs_are_text_and_floats_with_missing_values_as_nan(data: trainingset.TrainingSet) -> None:
    frame = models.inputs(data.test, data)
    assert tuple(frame.columns) == data.of.columns
    assert {str(frame[name].dtype) for name in data.numeric} == {"float64"}
    unknown = data.test.with_row_index().filter(pl.col("plane__age").is_null())["index"][0]
    assert frame["plane__age"].isna().iloc[unknown]
