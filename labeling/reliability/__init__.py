"""The labeler reliability model: NumPy and SciPy, no Django. Only the measuring process and benchmarks import it."""
