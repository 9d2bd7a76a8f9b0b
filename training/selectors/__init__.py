"""Reads across runs, checkpoints and what they came from."""
