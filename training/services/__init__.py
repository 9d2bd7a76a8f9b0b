"""State changes of runs, checkpoints and rounds; the supervisor of run processes."""
