"""Commands of the training side."""
