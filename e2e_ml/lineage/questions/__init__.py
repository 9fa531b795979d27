"""What people ask of the lifecycle. Pure functions of a snapshot; the words for people are their callers'."""

from e2e_ml.lineage.questions.counterparts import CHAMPION, counterparts, lookup
from e2e_ml.lineage.questions.difference import Change, Difference, difference
from e2e_ml.lineage.questions.fresh import Standing, Trouble, freshness_of, standing
from e2e_ml.lineage.questions.impact import Impact, Live, Told, impact
from e2e_ml.lineage.questions.making import dag_of, is_on_demand, pipeline, views_read
from e2e_ml.lineage.questions.orphans import Orphans, Unmade, orphans
from e2e_ml.lineage.questions.ownership import Person, owned, owner
from e2e_ml.lineage.questions.paths import Step, Tree, path, tree
from e2e_ml.lineage.questions.using import Use, Uses, uses, uses_in_all

__all__ = [
    "CHAMPION",
    "Change",
    "Difference",
    "Impact",
    "Live",
    "Orphans",
    "Person",
    "Standing",
    "Step",
    "Told",
    "Tree",
    "Trouble",
    "Unmade",
    "Use",
    "Uses",
    "counterparts",
    "dag_of",
    "difference",
    "freshness_of",
    "impact",
    "is_on_demand",
    "lookup",
    "orphans",
    "owned",
    "owner",
    "path",
    "pipeline",
    "standing",
    "tree",
    "uses",
    "uses_in_all",
    "views_read",
]
