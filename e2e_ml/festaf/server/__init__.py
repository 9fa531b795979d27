"""The feature store over HTTP: a REST API and the catalog that people read. Needs the extra `server`."""
