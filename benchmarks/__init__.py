"""Benchmarks: `make bench NAME=…` prints JSON lines on standard output and nothing else there."""
