"""Benchmarks: each module measures and prints one JSON line and a table. None asserts a time."""
