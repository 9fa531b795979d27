"""What the store answers for historical features: rows that know what they are made of, wherever they are taken.

Their contract goes with them into a file, into an MLflow run and into a model.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast, overload

import polars as pl
from pydantic import ValidationError

from e2e_ml.festaf.contract import Contract
from e2e_ml.festaf.errors import FeatureStoreError
from e2e_ml.festaf.rows import split
from e2e_ml.festaf.rows.engines.on_polars import ENGINE as POLARS
from e2e_ml.festaf.rows.engines.protocol import Engine

SplitBy = Literal["time", "key"] | Sequence[str]

_METADATA = "festaf.contract"  # the contract's place in a Parquet file's own metadata


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a training set. `input` holds the features' columns alone, `target` what is to be predicted."""

    frame: pl.DataFrame
    input: pl.DataFrame
    target: pl.Series | None


class HistoricalFeatures:
    """The asked rows, in their order and with their columns, and behind them a column for each feature.

    contract: what they are made of. features: the full names, `view.feature`, in order. columns: their names here.
    target: the target's column, None where the service has none. registry_version: the definitions that it was computed
    by.
    """

    def __init__(self, frame: Any, contract: Contract, engine: Engine = POLARS) -> None:
        self._frame = frame
        self._engine = engine
        self.contract = contract
        self.features = tuple(feature.name for feature in contract.features)
        self.columns = tuple(feature.column for feature in contract.features)
        self.target = contract.target
        self.registry_version = contract.registry_version
        self.service = contract.service

    def __repr__(self) -> str:
        of = self.service or self.contract.project
        return f"<HistoricalFeatures: {len(self.features)} features of {of}, not computed until .to_polars() or alike>"

    def native(self) -> Any:
        """The engine's own frame, to go on with there: a polars.LazyFrame, a pandas.DataFrame, a DuckDB relation, a
        Dask or a Spark DataFrame. But for pandas nothing has been computed."""
        return self._frame

    def lazy(self) -> pl.LazyFrame:
        """The rows, to go on with in Polars; on that engine before anything is read."""
        return self._frame if isinstance(self._frame, pl.LazyFrame) else self.to_polars().lazy()

    def to_polars(self) -> pl.DataFrame:
        """Compute it. Raises FeatureStoreError for keys that are not of their type."""
        return self._engine.to_polars(self._frame)

    def to_pandas(self) -> Any:
        """As a pandas.DataFrame. Needs pandas and pyarrow."""
        return cast(Any, self.to_polars()).to_pandas()

    def to_arrow(self) -> Any:
        """As a pyarrow.Table. Needs pyarrow."""
        return cast(Any, self.to_polars()).to_arrow()

    # --- rows to learn from -----------------------------------------------------------------------------------------

    @overload
    def split(self, test: float = 0.2, *, by: SplitBy = "time") -> tuple[Part, Part]: ...
    @overload
    def split(self, test: float = 0.2, *, validation: float, by: SplitBy = "time") -> tuple[Part, Part, Part]: ...
    def split(
        self, test: float = 0.2, *, validation: float | None = None, by: SplitBy = "time"
    ) -> tuple[Part, Part] | tuple[Part, Part, Part]:
        """Train and test; with `validation`, which chooses between models, train, validation and test.

        test, validation: about these shares of the rows. by: "time": the latest rows are the test, those before them
        the validation, and no moment is in two parts. "key": whole entities, chosen by a hash of their keys, so that
        each stays in its part whatever the order of the rows; or the names of the columns that are to stay together.

        Rows whose target is missing teach and tell nothing; they are in no part. Raises FeatureStoreError.

        >>> store = fs.FeatureStore.open(folder)
        >>> class Order(fs.FeatureView):
        ...     source = fs.push()
        ...     order = fs.Entity(fs.Int64())
        ...     pizzas = fs.Int32()
        >>> _ = store.apply(store.plan([Order]))
        >>> _ = store.push(Order, [{"order": n, "pizzas": n % 3} for n in range(100)])
        >>> data = store.historical(Order, pl.DataFrame({"order": range(100)}))
        >>> [len(part.frame) for part in data.split(validation=0.1, test=0.2, by="key")]
        [64, 10, 26]
        """
        shares = split.check_shares(validation=validation, test=test)
        frame = self.to_polars()
        if self.target is not None:
            frame = frame.drop_nulls(self.target)
        if by == "time":
            if self.contract.at is None:
                raise FeatureStoreError(
                    'There is no time to split by: ask with a column of times, named with at=, or split by="key".'
                )
            parts = split.by_time(frame, self.contract.at, shares)
        else:
            parts = split.by_keys(frame, self._columns_to_split_by(frame, by), shares)
        first, second, *more = map(self.part, parts)
        return (first, second, more[0]) if more else (first, second)

    def _columns_to_split_by(self, frame: pl.DataFrame, by: str | Sequence[str]) -> Sequence[str]:
        wanted = self.contract.keys if by == "key" else [by] if isinstance(by, str) else by
        if not wanted or any(name not in frame.columns for name in wanted):
            raise FeatureStoreError(
                f'by={by!r} is no way to split: "time", "key" for the entities\' keys, or names of columns. '
                f"There are {', '.join(frame.columns)}."
            )
        return wanted

    def part(self, rows: pl.DataFrame) -> Part:
        """Some of the rows, chosen by yourself, as `split` gives them."""
        target = rows[self.target] if self.target is not None else None
        return Part(rows, rows.select(self.columns), target)

    # --- going somewhere else ---------------------------------------------------------------------------------------

    def write_parquet(self, path: str | Path) -> Path:
        """Compute it into a file that knows what it is made of, for another process: `read_parquet` reads it back.

        A reader finds the old file or the new one. Gives the path.
        """
        content, place = self.parquet(), Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(fresh).chmod(0o644)
            Path(fresh).replace(place)
        finally:
            Path(fresh).unlink(missing_ok=True)
        return place

    def parquet(self) -> bytes:
        """Compute it into what `write_parquet` writes."""
        file = io.BytesIO()
        self.to_polars().write_parquet(file, metadata={_METADATA: self.contract.model_dump_json()})
        return file.getvalue()

    @classmethod
    def read_parquet(cls, path: str | Path | bytes) -> Self:
        """What `write_parquet` wrote, lazily, or `parquet` gave. Raises FeatureStoreError for what is not of it."""
        try:
            contract = Contract.model_validate_json(pl.read_parquet_metadata(path)[_METADATA])
        except (KeyError, ValidationError, OSError, pl.exceptions.PolarsError) as error:
            name = "What was given" if isinstance(path, bytes) else path
            raise FeatureStoreError(
                f"{name} is no training set that write_parquet wrote. Ask the store for it anew: store.historical(...)."
            ) from error
        return cls(pl.scan_parquet(path), contract)

    def log(
        self,
        rows: Any = None,
        *,
        name: str | None = None,
        run_id: str | None = None,
        context: str = "training",
    ) -> bool:
        """Tell an MLflow run, the active one unless `run_id` says, that it stands on this: the dataset with its source
        and digest, the features, and the version of the registry.

        rows: a part or a frame of it, where not all is trained on. name: the dataset's; the service's unless said.
        context: MLflow's word for what the rows are for. What goes wrong is logged and never raised: returns whether
        all was written. Raises FeatureStoreError where MLflow is not installed.
        """
        from e2e_ml.festaf import mlflow

        frame = rows.frame if isinstance(rows, Part) else self.to_polars() if rows is None else rows
        return mlflow.log_training_set(
            _alone(frame, [*self.columns, *([self.target] if self.target else [])]),
            project=self.contract.project,
            features=self.features,
            service=self.service,
            registry_version=self.registry_version,
            name=name,
            target=self.target,
            run_id=run_id,
            context=context,
        )

    def log_model(
        self,
        model: Any,
        *,
        name: str,
        registered_model_name: str | None = None,
        fitted_on: Any = None,
        flavor: str | None = None,
        **options: Any,
    ) -> Any:
        """Log a model to MLflow together with its features: `store.predict` then asks it by entity keys alone.

        fitted_on: rows as they were handed to `model.fit`, where they were not the features as they stand here.
        flavor, options: MLflow's. Gives MLflow's ModelInfo. Raises FeatureStoreError.
        """
        from e2e_ml.festaf import mlflow

        given = self.to_polars().select(self.columns) if fitted_on is None else fitted_on
        return mlflow.log_model(
            self.contract,
            model,
            given,
            name=name,
            registered_model_name=registered_model_name,
            flavor=flavor,
            **options,
        )


def _alone(frame: Any, columns: list[str]) -> Any:
    """The frame without the keys and times, where it is one of Polars; another is taken as it was made."""
    return frame.select(columns) if isinstance(frame, pl.DataFrame) else frame
