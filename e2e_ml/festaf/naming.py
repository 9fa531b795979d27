"""How things of the feature store are called: views, features, their columns in an answer, their DAGs, their rules."""

from __future__ import annotations

import re

from e2e_ml.festaf import model


def snake_case(name: str) -> str:
    """A class name as the name of a view or service.

    >>> snake_case("HourlyWeather"), snake_case("HTTPLog2")
    ('hourly_weather', 'http_log2')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def answer_column(view: str, feature: str) -> str:
    """A feature's column in an answer: `hourly_weather__temp`. No view's or feature's name holds a `__`."""
    return f"{view}__{feature}"


def inner_column(full: str) -> str:
    """The column of a feature that an answer is computed from and does not show."""
    return f"__festaf_{full.replace('.', '__')}"


def target_name(service: str) -> str:
    """The hidden feature that holds a target that was written in its service."""
    return f"{service}__target"


def dag_id(project: str, view: model.FeatureView) -> str | None:
    """The DAG that makes the view: festaf's own where it has a schedule, the one it names, or None."""
    if view.produced_by is not None:
        return view.produced_by.dag_id
    return made_dag_id(project, view.name) if view.schedule is not None else None


def made_dag_id(project: str, view: str) -> str:
    """The DAG that festaf itself makes for a view."""
    return f"festaf.{project}.{view}"


def project_name(folder_name: str) -> str:
    """A project's name from its folder's: letters, digits, `-` and `_`, so that it can stand in DAG ids and URIs."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", folder_name).strip("-") or "project"


def rule(constraint: model.Constraint) -> str:
    """A constraint in words: "at least -40"."""
    match constraint.rule:
        case "required":
            return "required"
        case "lower_bound":
            return f"at least {constraint.value}"
        case "upper_bound":
            return f"at most {constraint.value}"
        case "above":
            return f"above {constraint.value}"
        case "below":
            return f"below {constraint.value}"
        case "accepted_values":
            return f"one of {', '.join(map(str, constraint.value))}"
        case "min_length":
            return f"at least {constraint.value} long"
        case "max_length":
            return f"at most {constraint.value} long"
        case "matches":
            return f"matches {constraint.value}"
        case "unique":
            return "unique"
