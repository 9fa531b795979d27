"""Benchmarks: `make bench`. Nothing else in the suite measures time."""
