"""A service's own pages inside the window: one web view per service, made of facets, with its policies as pure functions."""
