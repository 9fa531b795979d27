"""The words that people use in the names of columns, of tags and params, and of DAGs: tables, and how to read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from e2e_ml.festaf.run_tags import read_feature_refs

# --- columns ---------------------------------------------------------------------------------------------------------

_LABELS = frozenset({
    "label", "labels", "target", "targets", "y", "y_true", "y_train", "outcome", "ground_truth", "is_target",
    "response", "class_label",
})  # fmt: skip
_LABEL_PARTS = ("label", "target")
_TIMES = frozenset({
    "timestamp", "ts", "event_timestamp", "event_time", "created", "created_timestamp", "created_at", "updated_at",
    "observed_at", "datetime", "date", "ds", "event_date", "as_of", "ingested_at", "valid_from", "valid_to", "dt",
    "logical_date", "execution_date", "date_hour", "snapshot_date", "load_date",
})  # fmt: skip
_TIME_ENDS = ("_timestamp", "_ts", "_at", "_datetime")
_KEYS = frozenset({"id", "ids", "uuid", "guid", "key", "index", "level_0", "row_id", "rownum", "row_number"})
_KEY_ENDS = ("_id", "_uuid", "_guid", "_key", "_pk", "_sk")
_PLAIN = frozenset({
    "age", "amount", "category", "city", "class", "code", "count", "country", "description", "feature", "gender",
    "group", "hour", "income", "lat", "latitude", "lon", "longitude", "mean", "month", "name", "number", "price",
    "quantity", "rating", "region", "score", "sex", "size", "state", "status", "sum", "title", "total", "type", "value",
    "weekday", "weight", "x", "year", "zip",
})  # fmt: skip


@lru_cache(8192)
def is_label(column: str) -> bool:
    name = column.casefold()
    parts = name.split("_")
    return name in _LABELS or (len(parts) > 1 and (parts[0] in _LABEL_PARTS or parts[-1] in _LABEL_PARTS))


@lru_cache(8192)
def is_time(column: str) -> bool:
    name = column.casefold()
    return name in _TIMES or name.endswith(_TIME_ENDS)


@lru_cache(8192)
def is_key(column: str) -> bool:
    """Whether it tells rows apart, by its name, or is a frame's own index."""
    name = column.casefold()
    return (
        name in _KEYS
        or name.endswith(_KEY_ENDS)
        or name.startswith(("unnamed:", "__index", "__"))
        or (column.endswith("ID") and not column.isupper())
    )


@lru_cache(8192)
def is_plain(column: str) -> bool:
    """Whether tables that have nothing to do with one another have a column of that name."""
    return column.casefold() in _PLAIN


# How a column is called once it was scaled, filled in or merged.
_AFTER = re.compile(
    r"_(?:scaled|std|standardized|norm|normalized|log|log1p|sqrt|clipped|imputed|filled|enc|encoded|binned|bucketized"
    r"|z|zscore|x|y|raw|clean|float|int)$",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"^(?:log1p|log|sqrt|scaled|std|norm|normalized|num|cat|imputed|is_missing|missing)_", re.IGNORECASE
)


@lru_cache(8192)
def undone(column: str) -> tuple[str, ...]:
    """The names that a column may have had before it was scaled, filled in or merged."""
    names = [_AFTER.sub("", column), _BEFORE.sub("", column)]
    return tuple(name for name in dict.fromkeys(names) if name and name != column)


# --- tags and params -------------------------------------------------------------------------------------------------

_SERVICE_NAMES = ("feature_service", "feature_service_name", "feast_feature_service", "feast.feature_service",
                  "feature_services")  # fmt: skip
_VIEW_NAMES = ("feature_view", "feature_views", "feature_view_name", "feast_feature_view", "feast_feature_views",
               "feature_table", "feature_group")  # fmt: skip
_LIST_NAMES = ("feature_refs", "feast_feature_refs", "feast_features", "feature_list", "features", "feature_names")
_PROJECT_NAMES = ("feast.project", "feast_project", "feature_store_project", "feature_project", "feature_store")
_APART = re.compile(r"[,;\s]+")


@dataclass(frozen=True, slots=True)
class FeatureNames:
    """What tags or params name of a feature store, each with the tag that named it."""

    project: str
    services: Mapping[str, str]
    views: Mapping[str, str]
    features: Mapping[str, str]  # full names

    def __bool__(self) -> bool:
        return bool(self.services or self.views or self.features)


_NAMES = frozenset({*_SERVICE_NAMES, *_VIEW_NAMES, *_LIST_NAMES, *_PROJECT_NAMES})
_NOTHING = FeatureNames("", {}, {}, {})


def feature_names(tags: Mapping[str, str]) -> FeatureNames:
    """Services, views and features in tags or params whose names say that they are ones."""
    if _NAMES.isdisjoint(tags):
        return _NOTHING
    project = next((tags[name] for name in _PROJECT_NAMES if tags.get(name)), "").partition(",")[0].strip()
    services = {word: name for name in _SERVICE_NAMES for word in _words(tags.get(name, ""))}
    views = {word.partition("@")[0]: name for name in _VIEW_NAMES for word in _words(tags.get(name, ""))}
    lists = {name: read_feature_refs(tags[name])[0] for name in _LIST_NAMES if tags.get(name)}
    features = {full: name for name, listed in lists.items() for full in listed}
    return FeatureNames(project, services, views, features)


def _words(value: str) -> list[str]:
    """Of `a`, `a, b` or `["a", "b"]`."""
    return [word for part in _APART.split(value) if (word := part.strip("[]()'\" "))]


# --- DAGs ------------------------------------------------------------------------------------------------------------

_WORK = {
    "train": ("train", "training", "retrain", "retraining", "fit", "tune", "tuning", "hpo", "sweep", "hyperopt",
              "finetune"),
    "batch": ("score", "scoring", "predict", "prediction", "predictions", "inference", "infer", "serve", "batch"),
    "deploy": ("deploy", "deployment", "promote", "promotion", "release", "rollout"),
    "monitor": ("monitor", "monitoring", "drift", "quality", "alert", "alerts", "watch", "validate", "report"),
    "feature": ("feature", "features", "ingest", "ingestion", "etl", "elt", "load", "extract", "materialize",
                "transform", "dbt", "sync", "export", "import", "backup", "cleanup"),
}  # fmt: skip
_WORK_OF = {word: work for work, several in _WORK.items() for word in several}


def work_of(dag_id: str, tags: Iterable[str]) -> str:
    """What a DAG is for, by its tag `ml:...`, else by its name: train, batch, deploy, monitor, feature, or nothing."""
    for tag in tags:
        kind, _, work = tag.partition(":")
        if kind == "ml" and work in _WORK:
            return work
    found = [_WORK_OF[word] for word in re.split(r"[^a-z0-9]+", dag_id.lower()) if word in _WORK_OF]
    return "train" if "train" in found else next(iter(found), "")
