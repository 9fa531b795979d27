"""The rules that tie services to one another, strongest evidence first.

Pure functions of a node and of what it looks at. A rule that is missing here is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ml.lineage.rules import columns, constants, declared, intervals, observed, xcoms
from e2e_ml.lineage.rules.look import Rule
from e2e_ml.refs import Kind

# Kind of the thing that a rule is asked about -> its rules.
RULES: Mapping[Kind, tuple[Rule, ...]] = {
    Kind.FEATURE_VIEW: (declared.dag_of_view,),
    Kind.ASSET: (
        declared.view_of_asset,
        observed.writer_of_asset,
        observed.source_of_asset,
        observed.model_of_asset,
        observed.run_of_asset,
        declared.monitor_of_asset,
    ),
    Kind.SOURCE: (observed.dataset_of_source,),
    Kind.DAG: (
        constants.models_of_dag,
        constants.experiments_of_dag,
        constants.data_of_dag,
        constants.features_of_dag,
    ),
    Kind.RUN: (
        declared.services_of_run,
        declared.features_of_run,
        declared.names_of_run,
        declared.data_of_run,
        declared.task_of_run,
        xcoms.task_of_run,
        observed.dag_of_script,
        columns.features_of_run,
        intervals.task_around_run,
    ),
    Kind.REGISTERED_MODEL: (declared.names_of_model,),
    Kind.LOGGED_MODEL: (declared.names_of_model, columns.features_of_model),
    Kind.MODEL_VERSION: (
        declared.names_of_model,
        declared.endpoint_of_version,
        xcoms.task_of_version,
        columns.features_of_model,
    ),
    Kind.ALIAS: (declared.version_of_alias,),
}
