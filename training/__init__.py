"""Runs, checkpoints and rounds. Only `training/algorithms` loads torch, and it never loads Django."""
