"""Rollout sets scored by a run's reward model, each rollout once for all runs: known scores come with the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from contracts import snapshots
from contracts.records import RolloutSetRecord
from contracts.run_dir import RunDir
from contracts.scores import KNOWN, ScoreRecord, rollout_hash
from rewardmodel import ensemble
from rewardmodel.model import RewardModel
from training.algorithms import policy


class Scorer:
    """Scores rollout sets with the run's reward model. `made` are the scores that nobody had before."""

    def __init__(self, run_dir: RunDir, tokenizer: Any) -> None:
        known = run_dir.path / KNOWN
        rows: Iterable[ScoreRecord] = snapshots.read(known, ScoreRecord) if known.exists() else ()
        self._known = {row.rollout: row for row in rows}
        self.made: dict[str, ScoreRecord] = {}
        self.model = RewardModel.load(run_dir.input("reward_model"), device=policy.default_device())
        self.model.check_same_tokenizer(tokenizer)

    def score(self, prompts: Sequence[Sequence[int]], sets: Sequence[RolloutSetRecord]) -> list[RolloutSetRecord]:
        """The sets with their scores; `prompts` are the token ids of each set's prompt, in the same order."""
        names = [
            [rollout_hash(ids, rollout.token_ids) for rollout in record.rollouts]
            for ids, record in zip(prompts, sets, strict=True)
        ]
        # 1. What nobody scored yet, each once, by prompt: the responses of a prompt share its pass.
        missing: dict[tuple[int, ...], dict[str, tuple[int, ...]]] = {}
        for ids, record, row in zip(prompts, sets, names, strict=True):
            for rollout, name in zip(record.rollouts, row, strict=True):
                if name not in self._known:
                    missing.setdefault(tuple(ids), {})[name] = rollout.token_ids
        # 2. Their scores.
        found = self.model.member_scores_of(list(missing), [list(group.values()) for group in missing.values()])
        for group, members in zip(missing.values(), found, strict=True):
            scores = ensemble.combine(members, self.model.combine, self.model.penalty).tolist()
            spread = ensemble.spread(members).tolist() if len(members) > 1 else [None] * len(scores)
            for name, score, doubt in zip(group, scores, spread, strict=True):
                self._known[name] = self.made[name] = ScoreRecord(rollout=name, score=score, uncertainty=doubt)
        # 3. Each set with its own.
        return [
            replace(record, scores=tuple(self._known[name].score for name in row))
            for record, row in zip(sets, names, strict=True)
        ]
