"""`e2e-ml festaf serve`: the server on a port of this machine."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import click

from e2e_ml.festaf.errors import FeatureStoreError


@click.command()
@click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="The project's folder; this one by default.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="Another name that browsers may call it by.")
@click.option("--airflow", metavar="URL", help="The Airflow that runs the views' DAGs; pages then link to its runs.")
def serve(project: Path, port: int, host: str, allow_host: tuple[str, ...], airflow: str | None) -> None:
    """Serve the catalog and the API of a project.

    Writes need the token in the environment variable FESTAF_TOKEN; without it the server only reads.
    """
    if airflow is not None and not airflow.startswith(("http://", "https://")):
        raise click.ClickException(f"{airflow} is no address of Airflow. Give it whole, as http://127.0.0.1:8080.")
    try:
        import uvicorn

        from e2e_ml.festaf.server.app import create_app
        from e2e_ml.festaf.settings import TOKEN_VARIABLE
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The server needs {error.name}: install e2e-ml[server].") from error
    # Taken out of the environment, so that nothing that is started from here inherits it.
    token = os.environ.pop(TOKEN_VARIABLE, None)
    try:
        app = create_app(project, host=host, allow_hosts=allow_host, token=token, airflow=airflow)
    except FeatureStoreError as error:
        raise click.ClickException(str(error)) from error
    # What is loaded by now stays; a registry of thousands of records would be searched for garbage again and again.
    gc.freeze()
    try:
        uvicorn.run(app, host=host, port=port, log_level="info", access_log=False, server_header=False)
    except SystemExit as stop:
        # uvicorn has logged the reason: most often an occupied port.
        raise click.ClickException(
            f"The server cannot listen on {host}:{port}. Is the port taken? Choose another with --port."
        ) from stop
