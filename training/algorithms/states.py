"""Resumable states of our own training loops, and what a manifest says of where an artifact came from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from contracts.run_dir import RunDir, RunSpec, recover_folder

STATE = "state.pt"


def seed_everything(seed: int) -> None:
    """Seed the global generators, for libraries that take none; our own code draws from its own."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


def save(run_dir: RunDir, state: dict[str, Any]) -> None:
    """Replace `state/` by one that holds these tensors, numbers and nested dicts of them."""
    with run_dir.saving_state() as folder:
        torch.save(state, folder / STATE)


def load(run_dir: RunDir) -> dict[str, Any] | None:
    """The newest complete state on the CPU, or None for a run that starts; never unpickles objects."""
    recover_folder(run_dir.state)
    path = run_dir.state / STATE
    if not path.exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)


def provenance(spec: RunSpec, kind: str) -> dict[str, Any]:
    """Details of a manifest: the artifact's kind, its run, and the hashes of what the run worked on."""
    inputs = {
        name: {"id": ref.id, "sha256": ref.sha256, **({"hub": ref.hub} if ref.hub else {})}
        for name, ref in sorted(spec.inputs.items())
    }
    return {"kind": kind, "run_id": spec.run_id, "run_kind": spec.kind, "seed": spec.seed, "inputs": inputs}
