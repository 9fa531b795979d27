"""The catalog's addresses: every `Ref` of the feature store to its page, and every page back to its `Ref`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_ml import refs
from e2e_ml.refs import Ref
from e2e_ml.routes import festaf_path, festaf_ref

P = "flights"

PAGES = [
    (refs.project(P), "/"),
    (refs.feature_view(P, "hourly_weather"), "/views/hourly_weather"),
    (refs.feature(P, "hourly_weather", "temp"), "/views/hourly_weather/features/temp"),
    (refs.feature_service(P, "flight_delay"), "/services/flight_delay"),
    (refs.entity(P, "origin"), "/entities/origin"),
    (refs.source(P, "data/weather.csv"), "/sources/data%2Fweather.csv"),
    (refs.wish(P, 3), "/wishes/3"),
    (refs.feature(P, "a view", "ü?#"), "/views/a%20view/features/%C3%BC%3F%23"),
]


@pytest.mark.parametrize(("ref", "path"), PAGES)
def test_ref_and_page_are_a_pair(ref: Ref, path: str) -> None:
    assert festaf_path(ref) == path
    assert festaf_ref(path, P) == ref


@pytest.mark.parametrize(
    "ref",
    [
        refs.dag("local", "festaf.flights.plane"),
        refs.run("local", "abc"),
        refs.model_version("local", "m", 3),
        refs.feature_view("flights", "plane", refs.FEAST),
        refs.column("flights", "a.csv", "temp"),
    ],
)
def test_another_services_things_have_no_page(ref: Ref) -> None:
    assert festaf_path(ref) is None


@pytest.mark.parametrize(
    ("path", "ref"),
    [
        ("", refs.project(P)),
        ("/views/hourly_weather/", refs.feature_view(P, "hourly_weather")),
        ("/views/hourly_weather?tab=runs#written", refs.feature_view(P, "hourly_weather")),
        ("http://127.0.0.1:8793/services/flight_delay", refs.feature_service(P, "flight_delay")),
        ("http://127.0.0.1:8793", refs.project(P)),
        ("/search?q=wind", None),
        ("/api", None),
        ("/api/v1/views", None),
        ("/views", None),
        ("/wishes", None),
        ("/wishes?name=gusts#new", None),
        ("/wishes/3#answer", refs.wish(P, 3)),
        ("/views/hourly_weather/features", None),
        ("/views/hourly_weather/features/temp/history", None),
        ("/views//features/temp", None),
        ("/static/catalog.css", None),
        ("/wishes/new", None),
        ("/wishes/3/votes", refs.wish(P, 3)),
        ("/on-demand", None),
        ("/sources/data/weather.csv", refs.source(P, "data/weather.csv")),
    ],
)
def test_addresses_as_the_address_bar_has_them(path: str, ref: Ref | None) -> None:
    assert festaf_ref(path, P) == ref


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_travels_both_ways(view: str, feature: str) -> None:
    try:
        ref = refs.feature(P, view.encode("utf-8").decode("utf-8"), feature.encode("utf-8").decode("utf-8"))
    except UnicodeEncodeError:  # half a surrogate pair is no text
        return
    path = festaf_path(ref)
    assert (path is None) == bool({".", ".."} & {view, feature})  # a browser takes these for a way, not for a name
    assert path is None or festaf_ref(path, P) == ref
