"""festaf, the feature store on Airflow. Importing it loads no Qt, no Airflow and no MLflow."""
