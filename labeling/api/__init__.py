"""The REST API: views parse, authorize, call one service or selector, and render."""
