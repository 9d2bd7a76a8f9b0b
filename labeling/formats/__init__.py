"""One reader or writer per data format: pure functions over files, no Django."""
