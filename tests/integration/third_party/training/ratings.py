"""A model of drivers' ratings, on columns named as a join of a feature store names them. `python ratings.py`"""

# As people write it, whatever MLflow's types say.
# pyright: reportPrivateImportUsage=false

import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

columns = ["driver_hourly_stats__conv_rate", "driver_hourly_stats__acc_rate"]
rows = pd.DataFrame([[i / 40, (i * 7 % 40) / 40] for i in range(40)], columns=columns)
mlflow.set_experiment("ratings")
mlflow.sklearn.autolog(log_models=False)
with mlflow.start_run(run_name="ratings by a script"):
    LinearRegression().fit(rows, rows.sum(axis=1).rename("rating"))
