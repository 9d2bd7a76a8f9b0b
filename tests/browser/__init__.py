"""A real Chromium against a real server: one path per role."""
