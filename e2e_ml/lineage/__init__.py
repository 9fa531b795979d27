"""The lifecycle as a graph: collect it from the services, keep it in an index, walk it. Knows no Qt."""
