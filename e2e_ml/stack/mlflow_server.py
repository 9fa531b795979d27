# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""MLflow's server in one process: the same application that `mlflow server --app-name basic-auth` runs.

    python -m e2e_ml.stack.mlflow_server --port PORT --store URI --artifacts URI

`mlflow server` imports all of MLflow, prepares the databases, then starts a second Python that imports all of it again,
and waits for it. Doing the same steps in one process saves that time and some 220 MiB. The names of the settings are
imported from MLflow, so that a version which renames them fails at once and not silently.
"""

from __future__ import annotations

import argparse
import os
import uuid


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--artifacts", required=True)
    arguments = parser.parse_args()
    serve(arguments.host, arguments.port, arguments.store, arguments.artifacts)


def serve(host: str, port: int, store: str, artifacts: str) -> None:
    from mlflow.environment_variables import _MLFLOW_IN_JOB_EXECUTOR, _MLFLOW_SERVER_BOOT_ID, _MLFLOW_SGI_NAME
    from mlflow.server import _UVICORN_LOG_CONFIG, constants
    from mlflow.server.handlers import initialize_backend_stores

    root = "mlflow-artifacts:/"  # clients send artifacts through the server
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.REGISTRY_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: root,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: artifacts,
        _MLFLOW_SERVER_BOOT_ID.name: uuid.uuid4().hex,
        _MLFLOW_IN_JOB_EXECUTOR.name: "false",
        _MLFLOW_SGI_NAME.name: "uvicorn",
    }
    initialize_backend_stores(store, store, root)

    import uvicorn
    from mlflow.server.auth import create_app

    uvicorn.run(create_app(), host=host, port=port, log_config=str(_UVICORN_LOG_CONFIG))


if __name__ == "__main__":
    main()
