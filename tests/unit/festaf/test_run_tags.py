"""What runs say of their features, as Feast, festaf and aligned write it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml.festaf import run_tags
from e2e_ml.festaf.run_tags import (
    Retrieval,
    full_name,
    pinned_version,
    predicts,
    read_feast_features,
    read_feature_refs,
    read_features_file,
    read_retrievals,
    without_aliases,
)


@pytest.mark.parametrize(
    ("reference", "name", "version"),
    [
        ("stats:trips", "stats.trips", None),
        ("stats.trips", "stats.trips", None),
        ("stats@v2:trips", "stats.trips", 2),
        ("stats@V12:trips", "stats.trips", 12),
        ("stats@v0:trips", "stats.trips", 0),
        ("stats@latest:trips", "stats.trips", None),
        ("stats@:trips", "stats.trips", None),
        ("stats@home:trips", "stats@home.trips", None),  # to Feast that is the view's name
        ("feature_view:stats:trips", "stats.trips", None),
        ("feature_view:trips", "feature_view.trips", None),  # a view that is called so
    ],
)
def test_a_reference_names_a_view_a_feature_and_perhaps_a_version(
    reference: str, name: str, version: int | None
) -> None:
    assert (full_name(reference), pinned_version(reference)) == (name, version)


@pytest.mark.parametrize(
    ("tag", "names", "cut"),
    [
        ("", (), False),
        ("s:a,s:b", ("s.a", "s.b"), False),
        ("s@v1:a,s@v2:b", ("s.a", "s.b"), False),
        ("s:a,s:b,...", ("s.a", "s.b"), True),  # festaf cuts between names
        ("s:a,s:b,s:lo...", ("s.a", "s.b"), True),  # Feast anywhere
        ("s:a,s:b...", ("s.a",), True),  # and a whole name in the end cannot be told from a broken one
        ('["feature_view:s:a", "model:m:score", "combined_view:c:x", "feature_view:s:b"]', ("s.a", "s.b"), False),
        ('["feature_view:s:a", "feature_view:s:lo', ("s.a",), True),
        ("[1, null]", (), False),
        ("s", (), False),
    ],
)
def test_lists_of_references(tag: str, names: tuple[str, ...], cut: bool) -> None:
    assert read_feature_refs(tag) == (names, cut)


@given(st.lists(st.from_regex(r"[a-z_]{1,9}(@v[0-9]{1,2})?:[a-z_]{1,12}", fullmatch=True), min_size=1, max_size=600))
def test_a_list_that_feast_cut_gives_whole_names_alone(references: list[str]) -> None:
    """Cut as feast.mlflow_integration.logger does it."""
    tag = ",".join(references)
    tag = tag[:4987] + "..." if len(tag) > 4990 else tag
    names, cut = read_feature_refs(tag)
    whole = [full_name(reference) for reference in references]
    assert cut == tag.endswith("...")
    assert set(names) <= set(whole)
    if not cut:
        assert list(names) == whole
    # The file that Feast's log_model writes is made of the tag.
    assert read_feast_features([part for part in tag.split(",") if part]) == (names, cut)


def test_a_services_aliases_lead_back_to_their_views() -> None:
    aliases = {"from_weather": "weather", "to_weather": "weather"}
    names = ("from_weather.temp", "to_weather.temp", "to_weather.wind", "sales.sum")
    assert without_aliases(names, aliases) == ("weather.temp", "weather.wind", "sales.sum")


FEAST_RUN = {
    "feast.project": "drivers",
    "feast.retrieval_type": "historical",
    "feast.feature_service": "driver_activity_v1",
    "feast.feature_views": "driver_hourly_stats,transformed_conv_rate",
    "feast.feature_refs": "driver_hourly_stats:conv_rate,transformed_conv_rate:conv_rate_plus_val1",
    "feast.feature_count": "2",
}


def test_a_run_of_feast_names_its_features_and_its_service() -> None:
    names = ("driver_hourly_stats.conv_rate", "transformed_conv_rate.conv_rate_plus_val1")
    assert read_retrievals(FEAST_RUN) == (
        (Retrieval("drivers", None, names), Retrieval("drivers", "driver_activity_v1")), False,
    )  # fmt: skip
    assert not predicts(FEAST_RUN)


def test_several_services_of_a_run_are_several_retrievals() -> None:
    tags = {"feast.project": "a,b", "feast.feature_service": "one, two", "feast.feature_refs": "v:x,..."}
    assert read_retrievals(tags) == (
        (Retrieval("a", None, ("v.x",)), Retrieval("a", "one"), Retrieval("a", "two")), True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"feast.feature_refs": "v:x"},  # of which project?
        {"feast.project": "drivers"},  # a run that Feast began and that retrieved nothing
        {"feast.project": "drivers", "feast.operation": "apply", "feast.feature_services_changed": "a"},
    ],
)
def test_runs_that_were_given_nothing(tags: dict[str, str]) -> None:
    assert read_retrievals(tags)[0] == ()


@pytest.mark.parametrize(
    "tags", [{**FEAST_RUN, "feast.retrieval_type": "online"}, {**FEAST_RUN, "feast.training_run_id": "abc"}]
)
def test_a_run_that_predicts_is_known(tags: dict[str, str]) -> None:
    assert predicts(tags)


def test_festafs_file_adds_up() -> None:
    content = {
        "schema_version": run_tags.FEATURES_SCHEMA_VERSION,
        "retrievals": [
            {"project": "flights", "feature_service": "delay", "registry_version": 3, "features": ["w.temp", "w.wind"]},
            {"project": "flights", "feature_service": None, "features": ["w:visib"]},
        ],
    }
    assert read_features_file(json.loads(json.dumps(content))) == (
        Retrieval("flights", "delay", ("w.temp", "w.wind")), Retrieval("flights", None, ("w.visib",)),
    )  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
)


@given(JSON)
def test_files_of_another_form_say_nothing_and_never_fail(content: Any) -> None:
    for each in (content, {"retrievals": content}, {"retrievals": [content]}):
        assert isinstance(read_features_file(each), tuple)
    names, _ = read_feast_features(content)
    assert all("." in name for name in names)


@given(st.text())
def test_no_tag_fails(tag: str) -> None:
    read_retrievals({"feast.project": "p", "feast.feature_refs": tag, "feast.feature_service": tag})
