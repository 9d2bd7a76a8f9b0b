"""What changes rows: one module per noun, verbs as functions, every argument by name."""
