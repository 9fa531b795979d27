"""A service's own pages inside the window: a web view per service, made of facets; its policies are pure functions."""
