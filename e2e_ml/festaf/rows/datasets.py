"""A view, and the source that it is made of, as datasets of OpenLineage: their names, schemas, columns and quality.

Pure functions of records; nothing is read here but the address of a connection, and nothing of it that is secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from e2e_ml import refs
from e2e_ml.festaf import settings
from e2e_ml.festaf.expression import Expression, Window, from_json, walk
from e2e_ml.festaf.expression.steps import source_columns
from e2e_ml.festaf.model import Constraint, Feature, FeatureView, RuleCount
from e2e_ml.festaf.naming import rule
from e2e_ml.festaf.rows import sources
from e2e_ml.festaf.rows.interval import Interval
from e2e_ml.festaf.rows.offline import WrittenInterval
from e2e_ml.festaf.rows.validation import Violation
from e2e_ml.openlineage.naming import of_uri
from e2e_ml.openlineage.sending import facet

_PORTS = {"postgresql": 5432}
_ASSERTIONS = {"required": "not_null"}  # what tools that test data call a rule, where it is not ours

Dataset = dict[str, Any]
Name = tuple[str, str]


def source_dataset(interval: Interval) -> Dataset | None:
    """What a view's rows are read from, with the columns that it reads; None where rows are pushed alone."""
    view = interval.view
    if view.source.format == "push":
        return None
    place = _place(interval)
    name, others = _named(interval, place)
    fields = [
        {"name": view.source_columns.get(column.name, column.name), "type": column.dtype}
        for column in source_columns(view)
    ]
    facets = {
        "schema": facet("SchemaDatasetFacet", "1-2-0", fields=fields),
        "dataSource": facet("DatasourceDatasetFacet", "1-0-1", name=view.source.name, uri=place),
        **_symlinks(others),
    }
    return {"namespace": name[0], "name": name[1], "facets": facets}


def view_dataset(interval: Interval) -> Dataset:
    """A view's offline table, by the view's own name, with the source's columns that each feature is made of."""
    view = interval.view
    place = of_uri(interval.offline.path(view.table).absolute().as_uri())
    ref = refs.feature_view(settings.project_of(interval.project), view.name)
    namespace, name = of_uri(str(ref))
    shown = [feature for feature in view.features if not feature.hidden]
    fields = [{"name": key.name, "type": key.dtype, **_described(key.description)} for key in view.entities]
    if view.event_time is not None:
        fields.append({"name": view.event_time, "type": "timestamp", **_described(view.event_time_description)})
    fields += [{"name": f.name, "type": f.dtype, **_described(f.description)} for f in shown]
    facets = {
        "schema": facet("SchemaDatasetFacet", "1-2-0", fields=fields),
        "dataSource": facet("DatasourceDatasetFacet", "1-0-1", name=ref.instance, uri=str(refs.project(ref.instance))),
        **_symlinks([(place, "LOCATION")]),
        **_lineage(interval, shown),
    }
    if view.owner is not None:
        facets["ownership"] = facet("OwnershipDatasetFacet", "1-0-1", owners=[{"name": view.owner.name}])
    if view.description:
        facets["documentation"] = facet("DocumentationDatasetFacet", "1-1-0", description=view.description)
    return {"namespace": namespace, "name": name, "facets": facets}


def written_dataset(interval: Interval, written: WrittenInterval, rows: int) -> Dataset:
    """A view's table after a run has written it: what was found of the run's own interval, and the rows in all."""
    dataset = view_dataset(interval)
    metrics = {
        stats.feature: _known(nullCount=stats.missing, count=written.rows - stats.missing, min=stats.min, max=stats.max)
        for stats in written.features
    }
    dataset["facets"]["dataQualityMetrics"] = facet(
        "DataQualityMetricsDatasetFacet", "1-0-1", rowCount=written.rows, columnMetrics=metrics
    )
    if written.checks:
        dataset["facets"]["dataQualityAssertions"] = _assertions(interval.view, written.checks)
    statistics = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", rowCount=rows)
    return {**dataset, "outputFacets": {"outputStatistics": statistics}}


def refused_dataset(interval: Interval, broken: Iterable[Violation]) -> Dataset:
    """A view's table that rows were kept out of: the rules that they break."""
    dataset = view_dataset(interval)
    checks = [RuleCount(feature=v.feature, rule=v.rule, value=v.value, checked=v.count, broken=v.count) for v in broken]
    dataset["facets"]["dataQualityAssertions"] = _assertions(interval.view, checks)
    return dataset


# --- names --------------------------------------------------------------------------------------------------------


def _place(interval: Interval) -> str:
    """Where the source lies, as the catalog and the registry's readers have it, without what may be secret in it."""
    place = sources.location(interval.view, interval.project)
    if "://" not in place:
        return Path(place).absolute().as_uri()
    parts = urlsplit(place)
    if parts.scheme in ("http", "https"):
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return place


def _named(interval: Interval, place: str) -> tuple[Name, list[tuple[Name, str]]]:
    """The source's name, and its other ones with their kinds. A table's is its server's; `place` names its connection,
    as the feature store does."""
    if interval.view.source.format != "sql":
        return of_uri(place), []
    connection = settings.read(interval.project).connection(interval.view.source.connection, "postgresql", "sqlite")
    ours, table, parts = of_uri(place), interval.view.source.uri.strip(), urlsplit(connection.url)
    if any(sign.isspace() for sign in table):
        return ours, []  # a query: what it reads is not told, for it would have to be understood
    if parts.scheme == "sqlite":
        return ("file", str((interval.project / unquote(parts.path).removeprefix("/")).absolute())), [(ours, "TABLE")]
    schema = "" if "." in table else "public."
    database = unquote(parts.path).strip("/") or unquote(parts.username or "") or "postgres"
    server = f"postgres://{parts.hostname or 'localhost'}:{parts.port or _PORTS['postgresql']}"
    plain = table.replace('"', "")
    return (server, f"{database}.{schema}{plain}"), [(ours, "TABLE")]


def _symlinks(names: list[tuple[Name, str]]) -> dict[str, Any]:
    if not names:
        return {}
    identifiers = [{"namespace": name[0], "name": name[1], "type": kind} for name, kind in names]
    return {"symlinks": facet("SymlinksDatasetFacet", "1-0-1", identifiers=identifiers)}


# --- columns ------------------------------------------------------------------------------------------------------


def _lineage(interval: Interval, shown: list[Feature]) -> dict[str, Any]:
    view = interval.view
    if (source := source_dataset(interval)) is None:
        return {}
    of_source = {"namespace": source["namespace"], "name": source["name"]}

    def field(column: str, subtype: str, code: str | None = None) -> dict[str, Any]:
        how = {"type": "DIRECT", "subtype": subtype, "description": code or "", "masking": False}
        return {**of_source, "field": view.source_columns.get(column, column), "transformations": [how]}

    times = [view.event_time] if view.event_time else []
    fields = {name: {"inputFields": [field(name, "IDENTITY")]} for name in (*(k.name for k in view.entities), *times)}
    for feature in shown:
        if read := dict(_made_of(view, feature)):
            fields[feature.name] = {"inputFields": [field(column, how, feature.code) for column, how in read.items()]}
    return {"columnLineage": facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)}


def _made_of(view: FeatureView, feature: Feature) -> Iterator[tuple[str, str]]:
    """The source's columns that a feature is made of in the end, each once, and how: as it is, by a row's values, or
    over rows."""
    found: dict[str, str] = {}
    waiting = [(feature, "IDENTITY")]
    seen = {(feature.name, "IDENTITY")}
    while waiting:
        each, how = waiting.pop(0)
        if each.expression is None:
            found[each.name] = max(how, found.get(each.name, ""), key=_WEIGHT.__getitem__)
            continue
        how = max(how, _subtype(from_json(each.expression)), key=_WEIGHT.__getitem__)
        for name in each.inputs:
            if not view.has(name):
                found[name] = max(how, found.get(name, ""), key=_WEIGHT.__getitem__)
            elif (name, how) not in seen:
                seen.add((name, how))
                waiting.append((view.feature(name), how))
    yield from found.items()


_WEIGHT = {"": 0, "IDENTITY": 1, "TRANSFORMATION": 2, "AGGREGATION": 3}


def _subtype(expression: Expression) -> str:
    return "AGGREGATION" if any(isinstance(node, Window) for node in walk(expression)) else "TRANSFORMATION"


# --- quality ------------------------------------------------------------------------------------------------------


def _assertions(view: FeatureView, checks: Iterable[RuleCount]) -> dict[str, Any]:
    told = [
        _known(
            assertion=_ASSERTIONS.get(check.rule, check.rule),
            column=check.feature,
            success=check.broken == 0,
            severity="error" if check.rule == "required" or view.on_broken == "fail" else "warn",
            name=f"{check.feature}: {rule(Constraint.model_validate({'rule': check.rule, 'value': check.value}))}",
            expected=None if check.value is None else str(check.value),
            actual=f"broken by {check.broken} rows" if check.broken else None,
        )
        for check in checks
    ]
    return facet("DataQualityAssertionsDatasetFacet", "1-1-0", assertions=told)


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
