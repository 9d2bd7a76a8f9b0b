"""Resumable states of our own training loops, and what a manifest says of where an artifact came from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from contracts.run_dir import RunDir, RunSpec, recover_folder
from rewardmodel import parallel

STATE = "state.pt"


def seed_everything(seed: int) -> None:
    """Seed the global generators, for libraries that take none; our own code draws from its own."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


class Follower(RunDir):
    """The run directory as launched processes other than the first have it: they read, and write nothing."""

    def set_progress(self, *_: Any, **__: Any) -> None: ...
    def add_metrics(self, *_: Any, **__: Any) -> None: ...
    def add_sample(self, *_: Any, **__: Any) -> None: ...
    def drop_after(self, *_: Any, **__: Any) -> None: ...
    def write_report(self, *_: Any, **__: Any) -> None: ...


def save(run_dir: RunDir, state: dict[str, Any]) -> None:
    """Replace `state/` by one that holds these tensors, numbers and nested dicts of them.

    Of several processes the first writes. Raises OSError where the disk takes no more; the old state stays.
    """
    if parallel.rank() == 0:
        # Through a file of Python's, so that a full disk is an OSError and not the writer's own RuntimeError.
        with run_dir.saving_state() as folder, (folder / STATE).open("wb") as stream:
            torch.save(state, stream)
    parallel.wait()


def load(run_dir: RunDir) -> dict[str, Any] | None:
    """The newest complete state on the CPU, or None for a run that starts; never unpickles objects."""
    if parallel.rank() == 0:
        recover_folder(run_dir.state)
    parallel.wait()
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
