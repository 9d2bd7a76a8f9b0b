"""Runs with their inputs and reported lines, checkpoints, rounds. `training.apps` loads the modules."""
