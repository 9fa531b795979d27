"""How an MLflow run says what features it was made of: in the tags of Feast, of festaf and of aligned.

Here are their names and their form, for those who write them (`festaf.mlflow`) and those who read them (`lineage`).
Nothing here knows MLflow.

Feast's own integration (feast.mlflow_integration, 0.67) writes at each retrieval within a run, over what was there:

    feast.project            the project; also where a run was begun by Feast and nothing retrieved
    feast.retrieval_type     historical or online
    feast.feature_service    the service; for a list of features the smallest service that holds them all, if any
    feast.feature_views      views or their aliases in the service, `view,view@v2`
    feast.feature_refs       `view:feature,alias:feature,view@v2:feature`, cut at 4,987 characters with `...` behind it
    feast.feature_count, feast.entity_count, feast.entity_df_*

Its `log_model` writes `feast_features.json`, the tag's list as JSON, and so as cut as the tag. Its `register_model`
puts `feast.feature_service` on the model version. Its `load_model` puts `feast.training_run_id`, `feast.model_name`
and `feast.model_version` on the run that predicts. Runs of `feast apply` and `feast materialize` have
`feast.operation`.

festaf adds up: several projects or services of a run stand in a tag with commas between, and the whole lists in
`features.json`. aligned (0.0.138) has a JSON list, `["feature_view:view:feature"]`, in the tag `feature_refs` of a
model version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

PROJECT = "feast.project"
FEATURE_SERVICE = "feast.feature_service"
FEATURE_REFS = "feast.feature_refs"
FEATURE_COUNT = "feast.feature_count"
RETRIEVAL_TYPE = "feast.retrieval_type"
TRAINING_RUN = "feast.training_run_id"
OPERATION = "feast.operation"
REGISTRY_VERSION = "festaf.registry_version"
ALIGNED_REFS = "feature_refs"
FEATURES_FILE = "features.json"
FEATURES_SCHEMA_VERSION = 1
FEAST_FEATURES_FILE = "feast_features.json"

TAG_LIMIT = 8_000  # characters; MLflow cuts the rest silently
TRUNCATED = "..."  # the last entry of a list that was cut, as Feast writes it

_VERSION = re.compile(r"@(?:latest|v(\d+))?$", re.IGNORECASE)  # behind a view; Feast takes other words for its name
_NO_VIEW = ("model", "combined_view")  # what aligned's references begin with where they name no view
_JSON_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a run was given: features by their full names, and the service that they were asked by."""

    project: str
    service: str | None = None
    features: tuple[str, ...] = ()


# --- names -----------------------------------------------------------------------------------------------------------


def full_name(feature: str) -> str:
    """`view.feature` from that, from Feast's `view:feature` or `view@v2:feature`, or from aligned's
    `feature_view:view:feature`."""
    parts = feature.replace(":", ".").split(".")
    if len(parts) == 3 and parts[0] == "feature_view":
        parts = parts[1:]
    return ".".join([_VERSION.sub("", parts[0]), *parts[1:]])


def pinned_version(feature: str) -> int | None:
    """The version of its view that a reference holds to, 2 for `view@v2:feature`; None where it takes the latest."""
    found = _VERSION.search(feature.removeprefix("feature_view:").replace(":", ".").partition(".")[0])
    return int(found[1]) if found and found[1] else None


def without_aliases(features: Iterable[str], aliases: Mapping[str, str]) -> tuple[str, ...]:
    """Full names with views in the place of their aliases: Feast's references name a view as its service does.

    aliases: alias -> view, as the service has them.
    """
    split = (name.partition(".") for name in features)
    return tuple(dict.fromkeys(f"{aliases.get(view, view)}{dot}{feature}" for view, dot, feature in split))


# --- lists in tags ---------------------------------------------------------------------------------------------------


def feature_refs_tag(features: Iterable[str], limit: int = TAG_LIMIT) -> str:
    """Feast's list, `view:feature,view:feature`, of at most `limit` characters; a cut list ends with `...`."""
    names = [full_name(f).replace(".", ":", 1) for f in features]
    whole = ",".join(names)
    if len(whole) <= limit:
        return whole
    kept, length = list[str](), len(TRUNCATED)
    for feature in names:
        length += len(feature) + 1
        if length > limit:
            break
        kept.append(feature)
    return ",".join([*kept, TRUNCATED])


def read_feature_refs(tag: str) -> tuple[tuple[str, ...], bool]:
    """The full names in a list of Feast or festaf, or in a JSON list of aligned, and whether the list was cut.

    A name that was cut in the middle is left out, and so are aligned's references to what is no view.
    """
    if tag.lstrip().startswith("["):
        return _read_json(tag)
    cut = tag.endswith(TRUNCATED) or len(tag) >= TAG_LIMIT
    names = [part.strip() for part in tag.removesuffix(TRUNCATED).split(",")]
    if cut and names and not tag.removesuffix(TRUNCATED).endswith(","):
        names = names[:-1]
    return _names(names), cut


def _read_json(tag: str) -> tuple[tuple[str, ...], bool]:
    try:
        told: Any = json.loads(tag)
    except ValueError:  # cut: the texts that are whole are whole names
        return _names(_JSON_TEXT.findall(tag)), True
    return _names(cast(list[Any], told)), False


def _names(references: Iterable[Any]) -> tuple[str, ...]:
    texts = (reference.strip() for reference in references if isinstance(reference, str))
    named = (text for text in texts if (":" in text or "." in text) and text.partition(":")[0] not in _NO_VIEW)
    return tuple(full_name(text) for text in named)


# --- what a run was given --------------------------------------------------------------------------------------------


def read_retrievals(tags: Mapping[str, str]) -> tuple[tuple[Retrieval, ...], bool]:
    """What the tags of a run say of its features, and whether its list was cut.

    The whole list comes first, then each of the services. Nothing where no project is named, or where the run tells of
    `feast apply` or `feast materialize`.
    """
    project = tags.get(PROJECT, "").partition(",")[0].strip()
    if not project or OPERATION in tags:
        return (), False
    names, cut = read_feature_refs(tags.get(FEATURE_REFS, ""))
    services = [service.strip() for service in tags.get(FEATURE_SERVICE, "").split(",")]
    listed = (Retrieval(project, None, names),) if names else ()
    return (*listed, *(Retrieval(project, service) for service in services if service)), cut


def read_features_file(content: Any) -> tuple[Retrieval, ...]:
    """The retrievals in festaf's `features.json`; nothing for what has another form."""
    found = list[Retrieval]()
    for each in _list(_mapping(content).get("retrievals")):
        told = _mapping(each)
        project, service = told.get("project"), told.get("feature_service")
        if isinstance(project, str) and project:
            names = _names(_list(told.get("features")))
            found.append(Retrieval(project, service if isinstance(service, str) and service else None, names))
    return tuple(found)


def read_feast_features(content: Any) -> tuple[tuple[str, ...], bool]:
    """The full names in Feast's `feast_features.json`, and whether its list was cut, for it is made of the tag."""
    entries = [each for each in _list(content) if isinstance(each, str)]
    cut = bool(entries) and entries[-1].endswith(TRUNCATED)
    return _names(entries[:-1] if cut else entries), cut


def _mapping(content: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], content) if isinstance(content, dict) else dict[str, Any]()


def _list(content: Any) -> list[Any]:
    return cast(list[Any], content) if isinstance(content, list) else list[Any]()


def predicts(tags: Mapping[str, str]) -> bool:
    """Whether a run uses a model on its features, rather than being made of them: by Feast's own account."""
    return TRAINING_RUN in tags or tags.get(RETRIEVAL_TYPE) == "online"
