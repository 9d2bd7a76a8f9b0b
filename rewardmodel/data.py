"""What a fit works on: a run's rankings in tokens, split by prompt, and the parts that it fits on further."""

from __future__ import annotations

import logging
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from transformers import AutoConfig, AutoTokenizer

from contracts.configs import RewardModelConfig
from contracts.run_dir import RunDir
from rewardmodel import chat, groups, refits
from rewardmodel.groups import Counts, Group
from rewardmodel.refits import Refit

log = logging.getLogger("rewardmodel.fit")


@dataclass(frozen=True)
class Data:
    """Tokenized rankings of a run: `everyone` is both sides, in the snapshot's order."""

    everyone: list[Group]
    train: list[Group]
    heldout: list[Group]
    weights: list[float]  # of the training groups, mean 1
    counts: Counts
    refits: list[Refit]


def read(run_dir: RunDir, config: RewardModelConfig, seed: int, base: str) -> Data:
    run_dir.set_progress("rankings", 0, 1, "reading")
    tokenizer = AutoTokenizer.from_pretrained(base)
    chat.complete_tokenizer(tokenizer)
    context = getattr(AutoConfig.from_pretrained(base).get_text_config(), "max_position_embeddings", None)
    length = min(config.max_length, context or config.max_length)
    everyone, counts = groups.read(run_dir.input("rankings"), tokenizer, max_length=length)
    train, heldout = groups.split(everyone, share=config.heldout_share, seed=seed)
    text = f"{len(train)} rankings to train on, {len(heldout)} held out, {sum(counts.refused.values())} refused"
    run_dir.set_progress("rankings", 1, 1, text)
    log.info("%s; %d responses cut to %d tokens", text, counts.truncated, length)
    return Data(everyone, train, heldout, groups.normalized_weights(train), counts, refits.plan(config, train, seed))


def some(chosen_from: Sequence[Group], responses: int, seed: str) -> list[Group]:
    """Groups in a seeded order until they hold so many responses."""
    shuffled = random.Random(seed).sample(chosen_from, len(chosen_from))
    held = list(accumulate(len(group.responses) for group in shuffled))
    return shuffled[: bisect_left(held, responses) + 1]
