"""The algorithms that a run's process executes: torch, never Django."""
