"""`e2e-ml festaf validate | profile | historical | learn | materialize | reopen | online | predict`: the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from e2e_ml.festaf.commands import json_option, project_option
from e2e_ml.festaf.errors import FeatureStoreError

if TYPE_CHECKING:
    import polars as pl
    from pydantic import BaseModel

    from e2e_ml.festaf.rows.profile import FeatureProfile
    from e2e_ml.festaf.store import FeatureStore

_file: Any = click.Path(exists=True, dir_okay=False, path_type=Path)
_output: Any = click.Path(dir_okay=False, path_type=Path)
_READERS = {".csv": "read_csv", ".parquet": "read_parquet", ".json": "read_json", ".ndjson": "read_ndjson"}


@click.command()
@click.argument("view")
@project_option
@click.option("--trend", is_flag=True, help="Show what broke in each interval when it was written. Reads no rows.")
@json_option
def validate(view: str, project: Path, trend: bool, as_json: bool) -> None:
    """Check the stored rows of VIEW against its constraints. Exits with 1 when one is broken."""
    from e2e_ml.festaf.rows.validation import table, trend_table

    store = _open(project)
    if trend:
        points = store.trend(view)
        _print(points) if as_json else click.echo(trend_table(points) if points else f"{view} was never written.")
        return
    found = store.check(view)
    if as_json:
        _print(found.broken)
    else:
        click.echo(table(found.broken) if found.broken else found.sentence(view))
    if found.broken:
        raise SystemExit(1)


@click.command()
@click.argument("view")
@project_option
@click.option("--correlation", is_flag=True, help="Show instead how numeric features go together, pair by pair.")
@json_option
def profile(view: str, project: Path, correlation: bool, as_json: bool) -> None:
    """Describe the stored values of VIEW: counts, missing, ends, mean and median, the most frequent."""
    from e2e_ml.festaf.rows.validation import columns

    if correlation:
        pairs = _open(project).correlation(view)
        rows = [[f"{c:.2f}" if c is not None else "" for c in row] for row in pairs.matrix]
        shown = [("", *pairs.features), *((name, *row) for name, row in zip(pairs.features, rows, strict=True))]
        click.echo(pairs.model_dump_json(indent=2) if as_json else columns(shown, right=range(1, len(shown))))
        return
    found = _open(project).profile(view)
    if as_json:
        _print(found)
        return
    header = ("feature", "type", "rows", "missing", "distinct", "min", "median", "mean", "max")
    click.echo(columns([header, *(_profile_line(p) for p in _with_fields(found))], right=range(2, len(header))))
    if sampled := next((p.sampled for p in found if p.sampled), None):
        click.echo(f"median and distinct are estimates, from {sampled:,} rows taken evenly.")


@click.command()
@click.argument("features", nargs=-1, required=True)
@click.option("--entities", type=_file, required=True, help="A CSV, Parquet or JSON file with keys and times.")
@click.option("--at", default="event_timestamp", show_default=True, help="The column with each row's time.")
@click.option("--names", type=click.Choice(["full", "short"]), default="full", show_default=True)
@click.option("--output", type=_output, help="A CSV or Parquet file to write; printed as CSV unless said.")
@project_option
def historical(
    features: tuple[str, ...], entities: Path, at: str, names: Any, output: Path | None, project: Path
) -> None:
    """Join FEATURES, a service, views or features, to entity rows as they were known at the rows' times."""
    asked: Any = features[0] if len(features) == 1 else list(features)
    answer = _open(project).historical(asked, _read(entities, at), at=at, names=names).to_polars()
    if output is None:
        click.echo(answer.write_csv(), nl=False)
        return
    _write(answer, output)


@click.command()
@click.argument("features", nargs=-1, required=True)
@click.option("--entities", type=_file, required=True, help="The training set's rows: a CSV, Parquet or JSON file.")
@click.option("--at", default="event_timestamp", show_default=True, help="The column with each row's time.")
@project_option
def learn(features: tuple[str, ...], entities: Path, at: str, project: Path) -> None:
    """Learn what the scaled features among FEATURES need on a training set, and write it into the registry."""
    from e2e_ml.festaf.registry.learning import words

    asked: Any = features[0] if len(features) == 1 else list(features)
    store = _open(project)
    found = store.learn(asked, _read(entities, at), at=at)
    width = max(map(len, found))
    for name, learned in found.items():
        click.echo(f"{name:{width}}  {words(learned)}")
    click.echo(f"They are in version {store.registry.version} of the registry.")


@click.command()
@click.argument("view")
@click.option("--start", help="The interval's start, ISO 8601, in UTC unless it says its zone.")
@click.option("--end", help="The interval's end, itself not in it.")
@click.option("--load", is_flag=True, help="Read the source first, as the view's DAG does.")
@project_option
def materialize(view: str, start: str | None, end: str | None, load: bool, project: Path) -> None:
    """Bring the online store up to date with the offline rows of VIEW; with --load, both with its source."""
    store = _open(project)
    first, last = _time(start), _time(end)
    if load:
        written = store.load(view, first, last)
        click.echo(f"{written.rows} rows of {view} are written offline, and online.")
        for broken in written.broken:
            click.echo(f"  {broken.words}: broken by {broken.count} rows", err=True)
        return
    click.echo(f"{store.materialize(view, first, last)} entities of {view} are served from these rows.")


@click.command()
@click.argument("view")
@click.option("--start", required=True, help="Where to begin, ISO 8601, in UTC unless it says its zone.")
@click.option("--end", required=True, help="Where to end, itself not in it.")
@project_option
def reopen(view: str, start: str, end: str, project: Path) -> None:
    """Load anew the written intervals of VIEW between --start and --end, after its source was corrected.

    Later intervals whose windows see those rows follow. A view with a `lateness` does so by itself within that time.
    """
    written = _open(project).reopen(view, _moment(start), _moment(end))
    for entry in written:
        click.echo(f"{entry.rows:>12,} rows of {entry.start:%Y-%m-%d %H:%M} to {entry.end:%Y-%m-%d %H:%M} UTC")
        for broken in entry.broken:
            click.echo(f"  {broken.words}: broken by {broken.count} rows", err=True)
    click.echo(
        f"{view} is written again there, offline and online."
        if written
        else f"No interval of {view} was written there: load it with `e2e-ml festaf materialize {view} --load`."
    )


@click.command()
@click.argument("features", nargs=-1, required=True)
@click.option("--row", "rows", multiple=True, help='A row that asks, as JSON: {"origin": "JFK"}. May be repeated.')
@click.option("--rows", "file", type=_file, help="A file of rows that ask: CSV, Parquet or JSON.")
@click.option("--at", help="The moment a time to live counts from, ISO 8601; now unless said.")
@project_option
def online(features: tuple[str, ...], rows: tuple[str, ...], file: Path | None, at: str | None, project: Path) -> None:
    """Look up the newest FEATURES of each row. Prints a JSON object a row; `missing` says why a value is null."""
    asked: Any = features[0] if len(features) == 1 else list(features)
    found = _open(project).online(asked, _asking(rows, file), at=_time(at))
    for row, missing in zip(found.rows, found.missing, strict=True):
        click.echo(json.dumps({**row, **({"missing": missing} if missing else {})}, default=str, ensure_ascii=False))


@click.command()
@click.argument("model")
@click.option("--row", "rows", multiple=True, help='Keys as JSON: {"origin": "JFK"}. May be repeated.')
@click.option("--rows", "file", type=_file, help="A file of keys: CSV, Parquet or JSON.")
@click.option("--at", default="event_timestamp", show_default=True, help="The column with each row's time, if any.")
@click.option("--missing", type=click.Choice(["refuse", "pass"]), default="refuse", show_default=True)
@click.option("--features", is_flag=True, help="Show what the model was given, too.")
@click.option("--output", type=_output, help="A CSV or Parquet file to write; JSON lines are printed unless said.")
@project_option
def predict(
    model: str,
    rows: tuple[str, ...],
    file: Path | None,
    at: str,
    missing: Any,
    features: bool,
    output: Path | None,
    project: Path,
) -> None:
    """Ask MODEL, such as models:/flight-delay@champion, by entity keys alone, of the MLflow in MLFLOW_TRACKING_URI.

    Rows with a time are asked as of then, from the offline store; others as of now, from the online store.
    """
    asked = [{**row, at: _time(row[at])} if isinstance(row.get(at), str) else row for row in _asking(rows, file)]
    answer = _open(project).predict(model, asked, at=at, missing=missing).to_polars(features)
    if output is not None:
        _write(answer, output)
        return
    for row in answer.to_dicts():
        click.echo(json.dumps(row, default=str, ensure_ascii=False))


def _open(project: Path) -> FeatureStore:
    from e2e_ml.festaf.store import FeatureStore

    return FeatureStore.open(project)


def _asking(rows: tuple[str, ...], file: Path | None) -> list[dict[str, Any]]:
    try:
        given: list[Any] = [json.loads(row) for row in rows]
    except json.JSONDecodeError as error:
        raise click.UsageError(f'--row is no JSON ({error}). Write it like --row \'{{"origin": "JFK"}}\'.') from None
    if not all(isinstance(row, dict) for row in given):
        raise click.UsageError('--row is a JSON object: --row \'{"origin": "JFK"}\'.')
    if file is not None:
        given += _read(file).to_dicts()
    if not given:
        raise click.UsageError("Nothing was asked: give --row or --rows.")
    return given


def _read(path: Path, at: str | None = None) -> pl.DataFrame:
    import polars as pl

    reader = _READERS.get(path.suffix)
    if reader is None:
        raise click.UsageError(f"{path} says no format: name it {', '.join(_READERS)}.")
    try:
        frame: pl.DataFrame = getattr(pl, reader)(path)
        if at is not None and at in frame.columns and frame.schema[at] == pl.String:
            frame = frame.with_columns(pl.col(at).str.to_datetime(time_unit="us", time_zone="UTC"))
    except pl.exceptions.PolarsError as error:
        raise FeatureStoreError(f"{path} could not be read: {str(error).splitlines()[0]}.") from error
    return frame


def _write(answer: pl.DataFrame, output: Path) -> None:
    if output.suffix not in (".csv", ".parquet"):
        raise click.UsageError(f"{output} says no format: name it .csv or .parquet.")
    answer.write_parquet(output) if output.suffix == ".parquet" else answer.write_csv(output)
    click.echo(f"{len(answer)} rows written to {output}.")


def _time(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time. Write it like 2013-01-31 or 2013-01-31T06:00:00+00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _print(records: Sequence[BaseModel]) -> None:
    click.echo(json.dumps([record.model_dump(mode="json") for record in records], indent=2))


def _with_fields(profiles: Sequence[FeatureProfile], above: str = "") -> Iterator[FeatureProfile]:
    for each in profiles:
        name = f"{above}{each.feature}"
        yield each.model_copy(update={"feature": name})
        yield from _with_fields(each.fields, f"{name}.")


def _profile_line(profile: FeatureProfile) -> tuple[str, ...]:
    numbers = (profile.min, profile.median, profile.mean, profile.max)
    shown = tuple("" if n is None else n if isinstance(n, str) else f"{n:.4g}" for n in numbers)
    counts = (str(profile.count), str(profile.missing), str(profile.distinct))
    return (profile.feature, profile.dtype, *counts, *shown)
