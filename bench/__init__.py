"""Benchmarks: `python3 run.py bench NAME [options]`, one module each.

A module has `describe(parser)`, which adds its options, and `run(options, surroundings)`, which returns its
figures by name: milliseconds as p50, p95, p99, rates per second, CPU milliseconds per unit, RSS in MB; and
for what must never happen a count beside that of its negative control. "data" tells the data set's size.
"""
