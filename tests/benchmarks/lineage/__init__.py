"""Benchmarks of the lineage: a synthetic lifecycle of a large company's size, and questions to it."""
