"""Scores that are kept, so that no reward model ever scores the same rollout twice.

A score belongs to a reward model, known by the hash of its manifest, and to a rollout, known by `rollout_hash`.
The supervisor lays those that are known into the run directory; a run leaves those that it made in its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.records import JsonRecord
from contracts.snapshots import content_hash

KNOWN = Path("inputs") / "scores.jsonl"  # in a run directory
MADE = "scores.jsonl"  # in a run's output


@dataclass(frozen=True, kw_only=True)
class ScoreRecord(JsonRecord):
    """What the run's reward model gave one rollout: normalized, and the spread of an ensemble's members."""

    rollout: str
    score: float
    uncertainty: float | None = None  # null: the reward model has one member


def rollout_hash(prompt_ids: Sequence[int], token_ids: Sequence[int]) -> str:
    """sha256 of the token ids, which is what a reward model reads."""
    return content_hash([list(prompt_ids), list(token_ids)])
