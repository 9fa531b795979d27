"""The keys by which rules find things, and what each thing answers to.

What is gone answers as well: a model keeps its tie to a feature that was deleted. Only DAG runs that are gone do not
count among their DAG's.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from e2e_ml import refs
from e2e_ml.lineage.graph import Node
from e2e_ml.lineage.rules.look import Key
from e2e_ml.refs import FEATURE_STORES, Kind, Ref


def exists(ref: Ref) -> str:
    """Answered by the thing itself, once it has been read."""
    return f"ref {ref}"


def named(kind: Kind, name: str) -> str:
    """Answered by the DAGs or registered models of a name, one in each instance that has it."""
    return f"named {kind} {name}"


def uri(text: str) -> str:
    """Answered by what lies at a URI: sources, datasets, assets, and views and services by their own names."""
    return f"uri {normal_uri(text)}"


def listed(ref: Ref) -> str:
    """Answered by a feature service with its features' full names."""
    return f"listed {ref}"


def measured(ref: Ref) -> str:
    """Answered by an MLflow run with its metrics."""
    return f"measured {ref}"


def aliased(ref: Ref) -> str:
    """Answered by a registered model with its aliases."""
    return f"aliased {ref}"


def runs_of(dag: Ref) -> str:
    """Answered by a DAG's runs, the newest by when they started."""
    return f"runs {dag}"


def written_by(dag: Ref) -> str:
    """Answered by a DAG's runs that succeeded, the newest by the end of their data interval."""
    return f"written {dag}"


def views_in_extra(extra: Mapping[str, Any]) -> list[Ref]:
    """The view that an asset's extra names, in each of the feature stores that may have it."""
    project, view = extra.get("project"), extra.get("view")
    return [refs.feature_view(str(project), str(view), s) for s in FEATURE_STORES] if project and view else []


def normal_uri(text: str) -> str:
    """A URI as two services would agree on it: `s3a` is `s3`, a path is `file://`, no trailing or double slash.

    Symbolic links are not followed here: the path may lie on another machine.
    """
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket that opens no IPv6 address: a name of its own
        return text
    scheme = {"s3a": "s3", "s3n": "s3", "": "file"}.get(parts.scheme, parts.scheme)
    path = posixpath.normpath(f"/{parts.path}").strip("/")
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{parts.netloc}/{path}{query}".rstrip("/")


def answers(node: Node) -> Iterator[Key]:
    """The keys that a thing answers to."""
    ref, facts = node.ref, node.facts
    match ref.kind:
        case Kind.FEATURE_VIEW | Kind.FEATURE:
            yield Key(exists(ref))
            if ref.kind is Kind.FEATURE_VIEW:
                yield Key(uri(str(ref)))
        case Kind.FEATURE_SERVICE:
            yield Key(exists(ref))
            yield Key(listed(ref), list(facts.get("features", ())))
            yield Key(uri(str(ref)))
        case Kind.SOURCE if facts.get("place"):
            yield Key(uri(facts["place"]))
        case Kind.DATASET if facts.get("uri"):
            yield Key(uri(facts["uri"]))
        case Kind.ASSET:
            yield Key(uri(ref.keys[0]), facts.get("written_by"))
            for view in views_in_extra(facts.get("extra") or {}):
                yield Key(uri(str(view)), facts.get("written_by"))
        case Kind.DAG:
            yield Key(named(ref.kind, ref.keys[0]))
        case Kind.DAG_RUN if node.gone_since is None:
            dag = refs.dag(ref.instance, ref.keys[0])
            brief = {"run_id": ref.keys[1], **{k: facts[k] for k in _RUN_FACTS if k in facts}}
            yield Key(runs_of(dag), brief, str(facts.get("start") or facts.get("run_after") or ""))
            if facts.get("state") == "success" and facts.get("interval_end"):
                yield Key(written_by(dag), None, str(facts["interval_end"]))
        case Kind.RUN:
            yield Key(exists(ref))
            yield Key(measured(ref), dict(facts.get("metrics", {})))
        case Kind.REGISTERED_MODEL:
            yield Key(named(ref.kind, ref.keys[0]))
            yield Key(aliased(ref), dict(facts.get("aliases", {})))
        case _:
            pass


_RUN_FACTS = ("state", "start", "end", "interval_start", "interval_end", "reason")
