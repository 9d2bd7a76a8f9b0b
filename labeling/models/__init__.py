"""Rows of the labeling side, one module per noun; `labeling.apps` tells Django of each."""
