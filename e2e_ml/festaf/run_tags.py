"""How an MLflow run says what features it was made of: Feast's own tags, and a list where a tag is too short.

Here are their names and their form, for those who write them (`festaf.mlflow`) and those who read them (`lineage`).
Nothing here knows MLflow.
"""

from __future__ import annotations

from collections.abc import Iterable

PROJECT = "feast.project"
FEATURE_SERVICE = "feast.feature_service"
FEATURE_REFS = "feast.feature_refs"
FEATURE_COUNT = "feast.feature_count"
REGISTRY_VERSION = "festaf.registry_version"
FEATURES_FILE = "features.json"
FEATURES_SCHEMA_VERSION = 1

TAG_LIMIT = 8_000  # characters; MLflow cuts the rest silently
TRUNCATED = "..."  # the last entry of a list that was cut, as Feast writes it


def full_name(feature: str) -> str:
    """`view.feature` from that, from Feast's `view:feature` or from aligned's `feature_view:view:feature`."""
    parts = feature.replace(":", ".").split(".")
    if len(parts) == 3 and parts[0] == "feature_view":
        parts = parts[1:]
    return ".".join(parts)


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
    """The full names in a tag `feast.feature_refs`, and whether the list was cut.

    A name that Feast or MLflow cut in the middle is left out.
    """
    cut = tag.endswith(TRUNCATED) or len(tag) >= TAG_LIMIT
    names = [part.strip() for part in tag.removesuffix(TRUNCATED).split(",")]
    if cut and names and not tag.removesuffix(TRUNCATED).endswith(","):
        names = names[:-1]
    return tuple(full_name(n) for n in names if ":" in n or "." in n), cut
