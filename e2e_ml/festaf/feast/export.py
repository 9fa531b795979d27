"""Tells what is in a Feast repository, as JSON. It runs in Feast's own environment, and so imports Feast and no more.

    python export.py REPOSITORY ANSWER.json

The answer is {"error": a sentence}, or holds the project, its views, on-demand views and services with their entities,
sources and types spelled out. Credentials of feature_store.yaml are left out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

NO_FEAST = 3  # the exit code of a Python without Feast
_STORE_KEYS = ("type", "host", "port", "database", "db_schema", "user", "path", "account", "warehouse", "region")
_DUMMY = "__dummy"


def main(repository: str, answer: str) -> int:
    place = Path(answer).resolve()
    try:
        version = _module("feast").__version__
    except ModuleNotFoundError:
        return NO_FEAST
    try:
        told = export(Path(repository).resolve(), version)
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    place.write_text(json.dumps(told), encoding="utf-8")
    return 0


def export(repository: Path, version: str) -> dict[str, Any]:
    config = _module("feast.repo_config").load_repo_config(repository, repository / "feature_store.yaml")
    os.chdir(repository)  # Feast names modules by their path from here
    sys.path.insert(0, str(repository))
    sys.dont_write_bytecode = True
    found = _module("feast.repo_operations").parse_repo(repository)
    entities = {entity.name: entity for entity in found.entities}
    inferred = _infer(found, config)
    views = sorted(
        [*found.feature_views, *found.stream_feature_views, *found.label_views], key=lambda view: str(view.name)
    )
    project = found.projects[0] if found.projects else None
    return {
        "feast": version,
        "project": config.project,
        "description": getattr(project, "description", "") or "",
        "offline_store": _store(config.offline_store),
        "online_store": _store(config.online_store),
        "views": [_view(view, entities, inferred.get(view.name), config) for view in views],
        "on_demand": [_on_demand(view, inferred.get(view.name)) for view in found.on_demand_feature_views],
        "services": [_service(service) for service in found.feature_services],
        "others": [f"permission {permission.name}" for permission in found.permissions],
    }


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _infer(found: Any, config: Any) -> dict[str, str]:
    """Let Feast find the types that are not written down, view by view; what it says where it cannot."""
    inference = _module("feast.inference")
    provider = _module("feast").FeatureStore(config=config)._get_provider()
    failed: dict[str, str] = {}
    for view in (*found.feature_views, *found.stream_feature_views, *found.label_views):
        source = getattr(view, "batch_source", None)
        try:
            if source is not None:
                inference.update_data_sources_with_inferred_event_timestamp_col([source], config)
            infer = inference.update_feature_views_with_inferred_features_and_entities
            infer(provider, [view], found.entities, config)
        except Exception as error:
            failed[view.name] = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return failed


def _store(config: Any) -> dict[str, Any]:
    told = {key: getattr(config, key, None) for key in _STORE_KEYS}
    address = getattr(config, "connection_string", None)  # of Redis: "host:port,password=..."
    told["address"] = str(address).partition(",")[0] if address and "@" not in str(address) else None
    return {key: str(value) for key, value in told.items() if value not in (None, "")}


def _view(view: Any, entities: dict[str, Any], failed: str | None, config: Any) -> dict[str, Any]:
    given = getattr(view, "stream_source", None)
    source = getattr(view, "batch_source", None)
    if source is None and type(getattr(view, "source", None)).__name__ == "PushSource":
        given, source = view.source, view.source.batch_source
    columns = {field.name: field for field in view.entity_columns}
    names = [name for name in view.entities if not name.startswith(_DUMMY)]
    code = getattr(view, "udf_string", None) or getattr(getattr(view, "feature_transformation", None), "udf_string", "")
    return {
        "kind": type(view).__name__,
        "name": view.name,
        "description": view.description,
        "owner": view.owner,
        "tags": dict(view.tags),
        "keys": [_key(entities[name], columns) for name in names],
        "features": [_field(field) for field in view.features],
        "ttl_seconds": view.ttl.total_seconds() if view.ttl else None,
        "source": None if source is None else _source(source),
        "stream": None if given is None or given is source else {"type": type(given).__name__, "name": given.name},
        "online": getattr(view, "online", True),
        "enabled": getattr(view, "enabled", True),
        "version": getattr(view, "version", "latest"),
        "derived_from": [parent.name for parent in getattr(view, "source_views", None) or ()],
        "code": code or "",
        "aggregations": [_aggregation(each) for each in getattr(view, "aggregations", None) or ()],
        "columns": _columns(source, config) if code or getattr(view, "aggregations", None) else {},
        "conflict_policy": str(getattr(getattr(view, "conflict_policy", None), "name", "") or ""),
        "inference": failed,
    }


def _columns(source: Any, config: Any) -> dict[str, Any]:
    """The types of a source's columns, under the names that Feast has for them; none where it cannot be looked into."""
    types, told = _module("feast.types"), dict[str, Any]()
    try:
        convert = source.source_datatype_to_feast_value_type()
        for name, raw in source.get_table_column_names_and_types(config):
            told[source.field_mapping.get(name, name)] = _type(types.from_value_type(convert(raw)))
    except Exception:
        return {}
    return told


def _key(entity: Any, columns: dict[str, Any]) -> dict[str, Any]:
    column = columns.get(entity.join_key)
    return {
        "name": entity.join_key,
        "entity": entity.name,
        "type": _type(column.dtype) if column is not None else _value_type(entity),
        "description": entity.description,
    }


def _value_type(entity: Any) -> dict[str, Any] | None:
    if entity.value_type.name == "UNKNOWN":
        return None
    return _type(_module("feast.types").from_value_type(entity.value_type))


def _field(field: Any) -> dict[str, Any]:
    return {
        "name": field.name,
        "type": _type(field.dtype),
        "description": getattr(field, "description", "") or "",
        "tags": dict(getattr(field, "tags", None) or {}),
        "vector_length": field.vector_length if getattr(field, "vector_index", False) else 0,
    }


def _type(dtype: Any) -> dict[str, Any]:
    """{"type": "Int64"}, {"type": "Array", "of": ...} or {"type": "Struct", "fields": {...}}."""
    name = type(dtype).__name__
    if name == "PrimitiveFeastType":
        return {"type": str(dtype)}
    if name == "Struct":
        return {"type": name, "fields": {key: _type(value) for key, value in dtype.fields.items()}}
    return {"type": name, "of": _type(dtype.base_type)}


def _source(source: Any) -> dict[str, Any]:
    kind = type(source).__name__
    told: dict[str, Any] = {
        "type": kind,
        "name": source.name,
        "timestamp_field": source.timestamp_field,
        "created_timestamp_column": source.created_timestamp_column,
        "field_mapping": dict(source.field_mapping),
        "description": source.description,
        "owner": source.owner,
        "table": "",
        "query": "",
        "path": "",
        "format": "",
        "structs": {},
    }
    if kind == "FileSource":
        told["path"] = str(source.path)
        told["format"] = type(source.file_format).__name__.removesuffix("Format").lower() if source.file_format else ""
        told["structs"] = _structs(str(source.path))
    else:
        told.update({key: _option(source, key) for key in ("table", "query")})
    return told


def _option(source: Any, key: str) -> str:
    """A table or query, which each kind of source keeps in its own options, behind an underscore or not."""
    own = cast("dict[str, Any]", source.__dict__)
    places: list[Any] = [source, *(value for name, value in own.items() if name.endswith("options"))]
    values: list[Any] = [getattr(place, name, None) for place in places for name in (key, f"_{key}")]
    return next((value for value in values if isinstance(value, str) and value), "")


def _structs(path: str) -> dict[str, list[str]]:
    """The fields of columns that are structs in a Parquet file: Feast's maps are stored so."""
    try:
        pa = _module("pyarrow")
        schema = _module("pyarrow.dataset").dataset(path).schema
        text = {f.name: f.type for f in schema if pa.types.is_struct(f.type)}
        plain = {name: t for name, t in text.items() if all(pa.types.is_string(child.type) for child in t)}
        return {name: [child.name for child in dtype] for name, dtype in plain.items()}
    except Exception:  # a file that is elsewhere: its maps are then told as such
        return {}


def _aggregation(aggregation: Any) -> dict[str, Any]:
    window = aggregation.time_window
    return {
        "column": aggregation.column,
        "function": aggregation.function,
        "seconds": window.total_seconds() if window else None,
        "name": getattr(aggregation, "name", "") or "",
    }


def _on_demand(view: Any, failed: str | None) -> dict[str, Any]:
    requests = [field for source in view.source_request_sources.values() for field in source.schema]
    return {
        "name": view.name,
        "description": view.description,
        "owner": view.owner,
        "tags": dict(view.tags),
        "reads": [_projection(each) for each in view.source_feature_view_projections.values()],
        "request": [_field(field) for field in requests],
        "features": [_field(field) for field in view.features],
        "mode": view.mode,
        "code": view.udf_string or getattr(view.feature_transformation, "udf_string", "") or "",
        "stored": bool(getattr(view, "write_to_online_store", False)),
        "inference": failed,
    }


def _projection(projection: Any) -> dict[str, Any]:
    names = [field.name for field in projection.features] or list(projection.desired_features)
    return {
        "view": projection.name,
        "alias": projection.name_alias or "",
        "join_key_map": dict(projection.join_key_map),
        "features": names,
    }


def _service(service: Any) -> dict[str, Any]:
    pending = [_reference(text) for text in getattr(service, "_pending_feature_refs", ())]
    return {
        "name": service.name,
        "description": service.description,
        "owner": service.owner,
        "tags": dict(service.tags),
        "reads": [*(_projection(each) for each in service.feature_view_projections), *pending],
        "logged": service.logging_config is not None,
    }


def _reference(text: str) -> dict[str, Any]:
    view, _, feature = text.partition(":")
    return {"view": view.partition("@")[0], "alias": "", "join_key_map": {}, "features": [feature] if feature else []}


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
