"""The small world: a corpus, prompts, a known preference and simulated labelers that use the public API."""
