"""Runs in Feast's own environment: what Feast answers, written as Parquet, for a test to compare with.

python feast_answers.py REPOSITORY ENTITIES.parquet ANSWER.parquet NAME...

A name is a feature service or a feature, `view:feature`. The repository is applied first.
"""

# Feast is not installed where this is checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd
from feast import FeatureStore
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

repository, entities, answer = (Path(argument).resolve() for argument in sys.argv[1:4])
names = sys.argv[4:]
os.chdir(repository)
sys.path.insert(0, str(repository))
apply_total(load_repo_config(repository, repository / "feature_store.yaml"), repository, skip_source_validation=True)
store = FeatureStore(repo_path=str(repository))
asked = names if ":" in names[0] else store.get_feature_service(names[0])
found = store.get_historical_features(entity_df=pd.read_parquet(entities), features=asked, full_feature_names=True)
found.to_df().to_parquet(answer)
