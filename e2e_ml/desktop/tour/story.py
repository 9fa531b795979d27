"""The steps of the guided tour, as values: what each says, where the window looks, and what must be seen then.

A step names things by role ("the champion"); `tell` finds them in the graph, so the tour holds for the models that
this machine has really trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ml import refs
from e2e_ml.lineage.graph import Graph, Node
from e2e_ml.refs import Kind, Ref


@dataclass(frozen=True, slots=True)
class PageSays:
    """The page that a web view shows has each of `texts` in its DOM."""

    service: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InspectorSays:
    """The inspector shows each of `texts`."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplorerShows:
    """The explorer's current row is `ref`."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class LineageDraws:
    """The lineage drawing holds each of `refs`."""

    refs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class PaletteOffers:
    """The command palette is open and offers `ref`."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class FocusIs:
    """The window's focus has come to `ref`."""

    ref: Ref


Expectation = PageSays | InspectorSays | ExplorerShows | LineageDraws | PaletteOffers | FocusIs


@dataclass(frozen=True, slots=True)
class Follow:
    """A click inside an embedded page: on its first link whose address ends with `ends_with`."""

    service: str
    ends_with: str


@dataclass(frozen=True, slots=True)
class Search:
    """Open the command palette and type `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Enlarge:
    """Show the lineage large, in the middle of the window."""


@dataclass(frozen=True, slots=True)
class Step:
    name: str  # of its picture: letters, digits and dashes
    title: str
    text: str
    beside: str  # what it talks about: "explorer", "inspector", "lineage", "palette", or a service, whose view leads
    stage: str
    expects: tuple[Expectation, ...]
    focus: Ref | None = None
    act: Follow | Search | Enlarge | None = None


class NotReadyError(Exception):
    """The lifecycle lacks something that the story speaks of; the sentence says what."""


FEATURE = ("hourly_weather", "gusty")
SERVICE = "flight_delay"
MODEL = "flight-delay"


def tell(graph: Graph) -> list[Step]:
    """The tour of the flights demo, about what `graph` holds. Raises NotReadyError where the demo has not run."""
    cast = _Cast.find(graph)
    view, feature, delay = cast.view, cast.feature, refs.feature(cast.project, "carrier_delay", "delay_mean_7d")
    version = f"Version {cast.champion.ref.keys[1]}"
    return [
        Step(
            "raw-flights",
            "It begins with raw files",
            "Every flight out of New York in 2013, and the weather at its airports. An Airflow DAG turns the raw "
            "files into tables; on the left stand the sources that the feature store reads.",
            "explorer",
            "Data",
            (PageSays("airflow", ("flights.ingest",)), ExplorerShows(cast.source)),
            focus=cast.source,
        ),
        Step(
            "feature-view",
            "A feature view is a definition",
            "A few typed lines of Python say what the columns are, who owns them and why they exist. The catalog "
            "shows them to everyone; nothing has to be written twice.",
            "festaf",
            "Features",
            (PageSays("festaf", ("hourly_weather", "gusty", "is_freezing")), ExplorerShows(view)),
            focus=view,
        ),
        Step(
            "five-answers",
            "One click, five answers",
            "Who engineers it, what it is made of, when it first appeared and will next update, how it is "
            "computed, and why it exists. Choosing a feature turns all three tools to it.",
            "inspector",
            "Features",
            (
                InspectorSays(("Who", "What", "When", "How", "Why", "wind_speed")),
                ExplorerShows(feature),
                PageSays("festaf", ("gusty",)),
                PageSays("airflow", (cast.dag.keys[0],)),
            ),
            focus=feature,
        ),
        Step(
            "pipeline",
            "The pipeline that makes it",
            "festaf compiled the definition to this DAG: extract, transform, validate, write offline, materialize "
            "online. It is tied to the feature from the start, so the question which pipeline makes this does not "
            "arise.",
            "airflow",
            "Pipelines",
            (PageSays("airflow", (cast.dag.keys[0],)), InspectorSays((cast.dag.keys[0],)), ExplorerShows(cast.dag)),
            focus=cast.dag,
        ),
        Step(
            "no-leakage",
            "Nothing from the future",
            "A carrier's recent delay counts only flights that have landed by then. Windows end at the row's own "
            "time, and a point-in-time join never looks past it.",
            "festaf",
            "Features",
            (PageSays("festaf", ("delay_mean_7d", "mean")), InspectorSays(("arr_delay",)), ExplorerShows(delay)),
            focus=delay,
        ),
        Step(
            "contract",
            "What one model needs",
            "A feature service is the contract between features and a model: what goes in, and what it learns "
            "to predict.",
            "festaf",
            "Features",
            (PageSays("festaf", (SERVICE, "arr_delay > 15")), ExplorerShows(cast.service)),
            focus=cast.service,
        ),
        *([_on_demand(gate)] if (gate := refs.feature_view(cast.project, _ON_DEMAND[0])) in graph else []),
        Step(
            "training-run",
            "A run that knows its features",
            "The training DAG ran because its features were updated. The run carries its features and its task as "
            "tags, so MLflow's page, the DAG and the features belong together.",
            "mlflow",
            "Experiments",
            (
                PageSays("mlflow", (cast.run.title,)),
                InspectorSays((cast.run.title,)),
                ExplorerShows(cast.run.ref),
            ),
            focus=cast.run.ref,
        ),
        Step(
            "champion",
            "The champion",
            "Two models were trained on the same point-in-time data; the better one on held-out flights carries "
            "the alias champion. Its features, its DAG and its run are one click away.",
            "mlflow",
            "Models",
            (PageSays("mlflow", (MODEL, version)), InspectorSays(("champion",)), ExplorerShows(cast.champion.ref)),
            focus=cast.champion.ref,
        ),
        Step(
            "lineage",
            "Which models break if it changes",
            "The lineage runs from the source and its DAG to the model versions. Every link says why we believe it; "
            "each name can be clicked.",
            "lineage",
            "Features",
            (LineageDraws((cast.source, cast.dag, feature, cast.service, cast.champion.ref)), ExplorerShows(feature)),
            focus=feature,
            act=Enlarge(),
        ),
        Step(
            "both-ways",
            "Focus goes both ways",
            "A click inside an embedded page moves the window too: the catalog's link to another feature has just "
            "turned the tree, the inspector and the other views to it.",
            "festaf",
            "Features",
            (
                FocusIs(refs.feature(cast.project, *_OTHER)),
                InspectorSays((_OTHER[1],)),
                PageSays("festaf", (_OTHER[1],)),
            ),
            focus=view,
            act=Follow("festaf", f"/views/{_OTHER[0]}/features/{_OTHER[1]}"),
        ),
        Step(
            "palette",
            "Anything, by name",
            "Ctrl+K finds features, DAGs, runs, models and actions. Now point it at your own Airflow and MLflow: "
            "a URL each in workbench.yaml.",
            "palette",
            "Features",
            (PaletteOffers(delay),),
            focus=feature,
            act=Search("delay mean 7d"),
        ),
    ]


_OTHER = ("hourly_weather", "is_freezing")
_ON_DEMAND = ("at_the_gate", "cold_start")


def _on_demand(gate: Ref) -> Step:
    return Step(
        "on-demand",
        "Computed when it is asked for",
        "The hour of departure comes with the question, the frost from the store. No pipeline makes this view, and "
        "nothing stores it; training and serving compute the same expression.",
        "festaf",
        "Features",
        (
            PageSays("festaf", (*_ON_DEMAND, "scheduled_departure")),
            InspectorSays(("computed when it is asked for", "hourly_weather")),
            ExplorerShows(gate),
        ),
        focus=gate,
    )


@dataclass(frozen=True, slots=True)
class _Cast:
    """The things that the story is about, found in the graph."""

    project: str
    view: Ref
    feature: Ref
    source: Ref
    dag: Ref
    service: Ref
    run: Node
    champion: Node

    @classmethod
    def find(cls, graph: Graph) -> _Cast:
        feature = next((n.ref for n in graph.nodes(Kind.FEATURE) if n.ref.keys == FEATURE), None)
        if feature is None:
            raise NotReadyError(
                f"The feature store has no feature {'.'.join(FEATURE)} yet: run the demo first (e2e-ml demo)."
            )
        view = refs.feature_view(feature.instance, feature.keys[0])
        upstream = graph.walk(view, down=False, depth=2)
        source = next((ref for ref in upstream if ref.kind is Kind.SOURCE), None)
        dag = next((ref for ref in upstream if ref.kind is Kind.DAG and "hourly_weather" in ref.keys[0]), None)
        if source is None or dag is None:
            raise NotReadyError("Airflow has not shown the DAG of hourly_weather yet: wait for the demo to run.")
        champion = next(
            (
                node
                for node in graph.nodes(Kind.MODEL_VERSION)
                if node.ref.keys[0] == MODEL and "champion" in node.facts.get("aliases", ())
            ),
            None,
        )
        run = graph.get(refs.run(champion.ref.instance, str(champion.facts.get("run_id")))) if champion else None
        if champion is None or run is None:
            raise NotReadyError(f"MLflow has no champion of {MODEL} yet: wait for the training DAG to finish.")
        service = refs.feature_service(feature.instance, SERVICE)
        return cls(feature.instance, view, feature, source, dag, service, run, champion)
