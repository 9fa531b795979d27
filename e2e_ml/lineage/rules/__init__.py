"""The rules that tie services to one another, strongest evidence first.

Pure functions of a node and of what it looks at. A rule that is missing here is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ml.lineage.rules import declared, observed
from e2e_ml.lineage.rules.look import Rule
from e2e_ml.refs import Kind

# Kind of the thing that a rule is asked about -> its rules.
RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.FEATURE_VIEW: (declared.dag_of_view,),
    Kind.ASSET: (
        declared.view_of_asset,
        observed.source_of_asset,
        observed.model_of_asset,
        observed.run_of_asset,
        declared.monitor_of_asset,
    ),
    Kind.SOURCE: (observed.dataset_of_source,),
    Kind.RUN: (
        declared.services_of_run,
        declared.features_of_run,
        declared.names_of_run,
        declared.data_of_run,
        declared.task_of_run,
        observed.dag_of_script,
    ),
    Kind.REGISTERED_MODEL: (declared.names_of_model,),
    Kind.LOGGED_MODEL: (declared.names_of_model,),
    Kind.MODEL_VERSION: (declared.names_of_model, declared.endpoint_of_version),
    Kind.ALIAS: (declared.version_of_alias,),
}
