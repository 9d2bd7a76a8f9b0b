"""People and their work: projects, prompts, hand-out, answers. Never torch, never training."""
