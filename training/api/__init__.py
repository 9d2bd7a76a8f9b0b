"""REST views of runs, checkpoints and rounds, by noun."""
