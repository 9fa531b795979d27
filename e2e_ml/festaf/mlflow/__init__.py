"""What MLflow is told of features, and asked of models: the only room of festaf that imports MLflow, and late.

    with mlflow.start_run():
        data.log()                                        # the dataset, its features, the registry's version: `runs`
        data.log_model(model, name="delay", registered_model_name="flight-delay")                        # `models`
    store.predict("models:/flight-delay@champion", keys)  # `festaf.scoring`, which loads them from there

Telling a run what it stands on never makes it fail: what goes wrong is logged, and the run goes on. A model without its
contract cannot be asked, so that `log_model` and `load` raise.
"""

from __future__ import annotations

from e2e_ml.festaf.mlflow.models import Model, load, log_model
from e2e_ml.festaf.mlflow.runs import log_training_set

__all__ = ["Model", "load", "log_model", "log_training_set"]
