"""Places: spellings that are one, spellings that are two, folders above part files, links of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2e_ml.lineage.rules import uris
from e2e_ml.lineage.rules.uris import folder_of_file, is_pattern, normal_uri, real_uri, tables_above


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("s3a://lake/weather/", "s3://lake/weather"),
        ("S3N://lake//weather/./day", "s3://lake/weather/day"),
        ("https://lake.s3.eu-west-1.amazonaws.com/a/b", "s3://lake/a/b"),
        ("https://s3.amazonaws.com/lake/a?X-Amz-Signature=1", "s3://lake/a"),
        ("https://s3-us-west-2.amazonaws.com/lake/a", "s3://lake/a"),
        ("https://storage.googleapis.com/lake/a", "gs://lake/a"),
        ("gcs://lake/a", "gs://lake/a"),
        ("abfss://raw@lake.dfs.core.windows.net/a/", "abfs://raw@lake/a"),
        ("wasbs://raw@lake.blob.core.windows.net/a", "abfs://raw@lake/a"),
        ("https://lake.blob.core.windows.net/raw/a?sig=x", "abfs://raw@lake/a"),
        ("dbfs:/mnt/a", "dbfs:///mnt/a"),
        ("/dbfs/mnt/a/", "dbfs:///mnt/a"),
        ("file:/dbfs/mnt/a", "dbfs:///mnt/a"),
        ("/data/a b.csv", "file:///data/a%20b.csv"),
        ("file:/data/a%20b.csv", "file:///data/a%20b.csv"),
        ("file://localhost/data/a", "file:///data/a"),
        ("/data/50%.csv", "file:///data/50%25.csv"),
        ("/data/x?.csv", "file:///data/x%3F.csv"),
        ("C:\\data\\a.csv", "file:///c:/data/a.csv"),
        ("c:/data/a.csv", "file:///c:/data/a.csv"),
        ("file:///C:/data/a.csv", "file:///c:/data/a.csv"),
        ("\\\\srv\\share\\a", "file://srv/share/a"),
        ("HTTPS://Data.Example.ORG:443/A", "https://data.example.org/A"),
        ("https://user:secret@example.org/a", "https://example.org/a"),
        ("postgres://db:5432/shop.public.orders", "postgresql://db/shop.public.orders"),
        ("Analytics.Public.ORDERS", "table://analytics.public.orders"),
        ("orders.parquet", "./orders.parquet"),
        ("./data/orders.parquet", "./data/orders.parquet"),
        ("data/../orders", "./orders"),
        ("s3://lake/a%2Fb", "s3://lake/a%2Fb"),
        ("s3://lake/caf%C3%A9", "s3://lake/caf%C3%A9"),
        ("s3://lake/café", "s3://lake/caf%C3%A9"),
        ("/", "file://"),
    ],
)
def test_one_spelling_for_each_place(text: str, normal: str) -> None:
    assert normal_uri(text) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("data/orders.csv", "/data/orders.csv"),  # whose folder the first is in, it does not say
        ("s3://lake/a%2Fb", "s3://lake/a/b"),
        ("abfs://raw@lake/a", "abfs://silver@lake/a"),
        ("hdfs://one/a", "hdfs://two/a"),
        ("/Data/a", "/data/a"),
        ("dbfs:/mnt/a", "/mnt/a"),
        ("https://example.org/a?v=1", "https://example.org/a?v=2"),
    ],
)
def test_two_places(one: str, other: str) -> None:
    assert normal_uri(one) != normal_uri(other)


SIGNS = st.text("abC./%2EF:\\?#[]@* \t\0é", max_size=20)
STARTS = st.sampled_from(
    ("", "file:", "file://", "s3://", "https://", "dbfs:", "abfss://c@", "table:", "./", "c:", "\\\\", "x" * 2 + "://")
)


@given(st.one_of(st.text(max_size=40), st.builds(str.__add__, STARTS, SIGNS)))
@example("A0:?/")
@example("s3://b/x?a/")
def test_a_normal_uri_stays_and_nothing_fails(text: str) -> None:
    once = normal_uri(text)
    assert normal_uri(once) == once
    assert all(once.startswith(folder) for folder in tables_above(once))
    folder_of_file(once)
    is_pattern(once)
    real_uri(once)


@pytest.mark.parametrize(
    ("uri", "folders"),
    [
        ("s3://lake/rain/part-00000.snappy.parquet", ["s3://lake/rain"]),
        ("s3://lake/rain/day=1/hour=2/part-0.parquet", [f"s3://lake/rain{p}" for p in ("/day=1/hour=2", "/day=1", "")]),
        ("s3://lake/rain/*.parquet", ["s3://lake/rain"]),
        ("s3://lake/rain/_delta_log/00000000000000000001.json", ["s3://lake/rain/_delta_log", "s3://lake/rain"]),
        ("file:///srv/rain/2026-11-21.parquet", ["file:///srv/rain"]),
        ("s3://lake/rain/labels.csv", []),
        ("s3://lake/rain", []),
        ("s3://lake/part-0.parquet", []),  # a bucket is no table
        ("file:///part-0.parquet", []),
        ("./rain/part-0.parquet", []),
    ],
)
def test_the_folders_that_a_part_lies_in(uri: str, folders: list[str]) -> None:
    assert list(tables_above(uri)) == folders


def test_a_data_file_of_any_name_has_a_folder_right_above() -> None:
    assert folder_of_file("s3://lake/rain/labels.csv") == "s3://lake/rain"
    assert folder_of_file("s3://lake/labels.csv") is None
    assert folder_of_file("s3://lake/rain/part-0.parquet") is None


# --- links -----------------------------------------------------------------------------------------------------------


def of(path: Path) -> str:
    return normal_uri(str(path))


def test_links_are_followed_over_several_steps(tmp_path: Path) -> None:
    (tmp_path / "real folder").mkdir()
    (tmp_path / "real folder" / "a.csv").touch()
    (tmp_path / "latest").symlink_to("real folder")
    (tmp_path / "link.csv").symlink_to(tmp_path / "latest" / ".." / "latest" / "a.csv")
    assert real_uri(of(tmp_path / "link.csv")) == of(tmp_path.resolve() / "real folder" / "a.csv")


def test_there_is_nothing_to_say_of_plain_files_missing_ones_and_circles(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    places = [of(tmp_path.resolve() / name) for name in ("a.csv", "b.csv", "one")]
    assert [real_uri(place) for place in (*places, "s3://lake/a", "file://server/a")] == [None] * 5


def test_no_file_system_of_the_network_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "a").symlink_to("b")
    (tmp_path / "link").symlink_to(tmp_path / "share" / "a")
    here = str(tmp_path.resolve() / "share")

    def mounts(moment: int) -> tuple[str, ...]:
        return (here,)

    monkeypatch.setattr(uris, "_network_mounts", mounts)
    assert real_uri(of(tmp_path / "link")) is None
