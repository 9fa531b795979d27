"""`e2e-ml festaf push | consume`: rows that come by themselves, from a file or a stream."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Any

import click

from e2e_ml.festaf.commands import project_option
from e2e_ml.festaf.errors import FeatureStoreError

_file: Any = click.Path(exists=True, dir_okay=False, path_type=Path)
_FORMATS = (".csv", ".parquet", ".json", ".ndjson")


@click.command()
@click.argument("view")
@click.argument("file", type=_file)
@project_option
def push(view: str, file: Path, project: Path) -> None:
    """Push the rows of FILE (CSV, Parquet, JSON or newline-delimited JSON) into both stores of VIEW.

    A row is known by its keys and times: pushed again, it takes the place of what it was.
    """
    from e2e_ml.festaf.store import FeatureStore

    pushed = FeatureStore.open(project).push(view, _rows(file))
    click.echo(f"{pushed.rows} rows of {view} are in both stores: {pushed.new} new or changed.")
    if pushed.recomputed:
        click.echo(f"{pushed.recomputed} later rows, which see them, were computed again.")
    for broken in pushed.broken:
        click.echo(f"  {broken.words}: broken by {broken.count} rows", err=True)


@click.command()
@click.argument("view")
@project_option
def consume(view: str, project: Path) -> None:
    """Push what comes through the stream of VIEW, until SIGTERM or Ctrl-C.

    Several may run at once, on several machines. Entries that are no rows of the view go to the stream's `:refused`.
    """
    from e2e_ml.festaf.store import FeatureStore

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()

    def asked_to_stop(_signal: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked_to_stop)
    consumer = FeatureStore.open(project).consumer(view)
    click.echo(f"Consuming the stream of {view}.")
    consumer.run(stop)
    done = consumer.consumed
    click.echo(f"Stopped: {done.pushed} entries were pushed, {done.refused} refused.")


def _rows(file: Path) -> Any:
    import orjson
    import polars as pl

    try:
        match file.suffix:
            case ".csv":
                return pl.read_csv(file, infer_schema=False)  # as text: the definition says the types
            case ".parquet":
                return pl.read_parquet(file)
            case ".json":
                return orjson.loads(file.read_bytes())
            case ".ndjson":
                return [orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
            case _:
                raise click.UsageError(f"{file} says no format: name it {', '.join(_FORMATS)}.")
    except (pl.exceptions.PolarsError, orjson.JSONDecodeError) as error:
        raise FeatureStoreError(f"{file} could not be read: {str(error).splitlines()[0]}.") from error
