"""Best-of-n with rejection-sampling fine-tuning, against rewards that a program can check.

One iteration: n attempts at each training problem; of the correct ones the shortest is kept; the policy learns to
write what was kept, from where the run started (STaR, arXiv 2203.14465) or from where it is by now; then it is
measured on held-out problems, with the same seeds every time. A problem's kept attempt stays until one that is
no longer replaces it. What judges is in `verifiers.py`.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contracts import snapshots
from contracts.configs import BestOfNConfig
from contracts.records import PromptRecord
from contracts.run_dir import Cancelled, RunDir, RunSpec
from rewardmodel import chat, prefix
from rewardmodel.batches import by_tokens
from training.algorithms import policy, sampling, states, verifiers
from training.algorithms.decoding import SampledResponse
from training.algorithms.ppo_state import generator, seed_of

SAMPLES_SHOWN = 4
Attempts = list[list[SampledResponse]]
log = logging.getLogger(__name__)


class BestOfNError(ValueError):
    """There is nothing to verify, no attempt was right, or training broke down."""


@dataclass(frozen=True)
class Problem:
    """A prompt, its ids, and by its meta what a right reply is."""

    record: PromptRecord
    ids: list[int]

    @property
    def text(self) -> str:
        return self.record.messages[-1].content


@dataclass
class Place:
    """How far a run is: `iteration` finished ones, `step` optimizer steps of the next, for which `found` holds the
    numbers of its attempts. `kept` are the ids of the shortest correct attempt by training problem."""

    iteration: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    found: dict[str, float] = field(default_factory=dict)
    kept: dict[int, list[int]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


class Learner:
    """The policy, its problems, and the place of the run."""

    def __init__(self, run_dir: RunDir, config: BestOfNConfig, seed: int) -> None:
        self.run_dir, self.config, self.seed = run_dir, config, seed
        self.model, self.tokenizer = policy.load_policy(run_dir.input("policy"))
        self.start = {name: weight.clone() for name, weight in self.model.state_dict().items()}
        self.train, self.heldout, self.left_out = read_problems(run_dir, self.model, self.tokenizer, config, seed)
        self.place = Place()
        self.begin()

    def begin(self) -> None:
        """An optimizer without a past; with `restart`, also the starting policy's weights."""
        if self.config.restart:
            self.model.load_state_dict(self.start)
        rate = self.config.learning_rate
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=rate, weight_decay=0.0, fused=True)

    def check(self, *_: int) -> None:
        if self.run_dir.cancel_requested():
            raise Cancelled

    def save(self) -> None:
        place = {**vars(self.place), "kept": [list(pair) for pair in self.place.kept.items()]}
        learned = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        states.save(self.run_dir, {**learned, "place": place})

    def restore(self) -> None:
        state = states.load(self.run_dir)
        if state is None:
            self.run_dir.drop_after(-1)
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        kept = {int(number): ids for number, ids in state["place"].pop("kept")}
        self.place = Place(**state["place"], kept=kept)
        self.run_dir.drop_after(self.place.iteration)
        log.info("resumed after %d iterations and %d steps", self.place.iteration, self.place.step)


def run(run_dir: RunDir, config: BestOfNConfig, spec: RunSpec) -> None:
    """Improve `policy` on the training problems of `prompts`, or go on from the newest state."""
    started = time.monotonic()
    run_dir.set_progress("load", 0, config.iterations)
    learner = Learner(run_dir, config, spec.seed)
    learner.restore()
    place = learner.place
    try:
        # 1. Where the policy stands before it learns.
        if not place.history:
            publish(learner, {})
        while place.iteration < config.iterations:
            # 2. n attempts at each training problem; of the correct ones the shortest is kept.
            if not place.found:
                place.found = attempt(learner)
                learner.begin()
            # 3. The policy learns to write what was kept.
            learn(learner)
            # 4. How good it has become, on problems that it never learns from.
            numbers = {**place.found, "loss": float(np.mean(place.losses))}
            place.iteration, place.step, place.losses, place.found = place.iteration + 1, 0, [], {}
            publish(learner, numbers)
            learner.save()
    except Cancelled:
        learner.save()
        raise
    # 5. The policy, as a plain model directory.
    with run_dir.saving_output(**states.provenance(spec, "policy")) as folder:
        policy.save_policy(learner.model, learner.tokenizer, folder)
    run_dir.write_report(report(learner, time.monotonic() - started))


def read_problems(
    run_dir: RunDir, model: Any, tokenizer: Any, config: BestOfNConfig, seed: int
) -> tuple[list[Problem], list[Problem], dict[str, int]]:
    """Training and held-out problems, and how many prompts were left out and why.

    Where the snapshot holds out none, a share of the problems is held out here, by the run's seed.
    """
    room = sampling.context_length(model) - config.max_new_tokens
    problems: dict[str, list[Problem]] = {"train": [], "heldout": []}
    left_out = {"too_long": 0, "unverifiable": 0}
    why = ""
    for record in snapshots.read(Path(run_dir.input("prompts")), PromptRecord):
        ids = chat.encode_prompt(tokenizer, record.messages)
        if found := verifiers.problem(config.verifier, record.meta):
            left_out["unverifiable"] += 1
            why = why or found
        elif len(ids) > room:
            left_out["too_long"] += 1
        else:
            problems[record.split].append(Problem(record, ids))
    train, heldout = problems["train"], problems["heldout"]
    if not heldout and len(train) > 1:
        order = np.random.default_rng(seed).permutation(len(train)).tolist()
        count = max(1, round(len(train) * config.heldout_share))
        train, heldout = [train[i] for i in sorted(order[count:])], [train[i] for i in sorted(order[:count])]
    if not train or not heldout:
        raise BestOfNError(
            f"there are {len(train)} problems to train on and {len(heldout)} held out; left out: {left_out}"
            f"{f' ({why})' if why else ''}; give prompts that the verifier {config.verifier} can judge, "
            f"of at most {room} tokens"
        )
    return train, heldout, left_out


def attempt(learner: Learner) -> dict[str, float]:
    """Keep the shortest correct attempt at each training problem; the numbers of all attempts."""
    place, config = learner.place, learner.config
    clock = time.monotonic()
    seed = seed_of(learner.seed, "attempts", place.iteration)
    drawn = draw(learner, learner.train, config.attempts, seed, "attempts")
    seconds = time.monotonic() - clock
    right = judge(learner, learner.train, drawn)
    for number, (replies, verdicts) in enumerate(zip(drawn, right, strict=True)):
        chosen = shortest_right(replies, verdicts)
        keep(place.kept, number, chosen)
    if not place.kept:
        raise BestOfNError(
            f"none of {config.attempts} attempts at any of {len(learner.train)} problems was right; "
            "start from a policy that sometimes is, or raise attempts"
        )
    numbers = {f"train_{name}": value for name, value in numbers_of(learner, drawn, right).items()}
    return {**numbers, "tokens_per_s": sum(len(one.ids) for group in drawn for one in group) / max(seconds, 1e-9)}


def shortest_right(replies: Sequence[SampledResponse], verdicts: Sequence[bool]) -> list[int] | None:
    """The ids of the shortest finished reply that is right, the first of equals; None where none is."""
    right = [one.ids for one, good in zip(replies, verdicts, strict=True) if good and one.finish_reason == "stop"]
    return min(right, key=len) if right else None


def keep(kept: dict[int, list[int]], number: int, found: list[int] | None) -> None:
    """Keep what was found for a problem unless it is longer than what is kept. Of equals the newer one stays: a better
    policy is right by luck less often."""
    if found is not None and (number not in kept or len(found) <= len(kept[number])):
        kept[number] = found


def learn(learner: Learner) -> None:
    """Epochs over what is kept, each in an order of its own; the learning rate falls to 0."""
    place, config = learner.place, learner.config
    numbers = sorted(place.kept)
    steps = [(epoch, start) for epoch in range(config.epochs) for start in range(0, len(numbers), config.batch_size)]
    orders = [
        torch.randperm(len(numbers), generator=generator(learner.seed, "epoch", place.iteration, epoch)).tolist()
        for epoch in range(config.epochs)
    ]
    for done, (epoch, start) in enumerate(steps):
        if done < place.step:
            continue  # taken before a cancelled attempt of the run ended
        learner.check()
        chosen = [numbers[i] for i in orders[epoch][start : start + config.batch_size]]
        for group in learner.optimizer.param_groups:
            group["lr"] = config.learning_rate * (1 - done / len(steps))
        place.losses.append(step(learner, [learner.train[i].ids for i in chosen], [place.kept[i] for i in chosen]))
        place.step = done + 1
        text = f"iteration {place.iteration + 1}, loss {place.losses[-1]:.3f}"
        learner.run_dir.set_progress("learn", place.iteration, config.iterations, text)


def step(learner: Learner, prompts: list[list[int]], replies: list[list[int]]) -> float:
    """One optimizer step on the mean loss of all reply tokens, nats, however they are cut into micro-batches."""
    tokens = sum(map(len, replies))
    total = torch.zeros((), device=learner.model.device)
    shapes = [(len(prompt), len(reply), 1) for prompt, reply in zip(prompts, replies, strict=True)]
    for chosen in by_tokens(shapes, learner.config.micro_batch_tokens):
        batch = prefix.batch(
            [prompts[i] for i in chosen],
            [[replies[i]] for i in chosen],
            pad_id=learner.tokenizer.pad_token_id,
            device=learner.model.device,
        )
        logprobs, _ = policy.response_logprobs(learner.model, batch)
        loss = -logprobs.sum() / tokens
        loss.backward()
        total += loss.detach()
    norm = torch.nn.utils.clip_grad_norm_(learner.model.parameters(), learner.config.gradient_clip)
    loss_value, norm_value = torch.stack([total, norm]).tolist()
    if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
        place = learner.place
        raise BestOfNError(
            f"in iteration {place.iteration + 1} after {place.step} steps the loss is {loss_value} and the gradient's "
            f"norm {norm_value}; the state saved before is kept; lower learning_rate"
        )
    learner.optimizer.step()
    learner.optimizer.zero_grad(set_to_none=True)
    return float(loss_value)


def draw(learner: Learner, problems: Sequence[Problem], k: int, seed: int, stage: str) -> Attempts:
    config, place = learner.config, learner.place

    def progress(done: int, total: int) -> None:
        learner.check()
        text = f"iteration {place.iteration + 1}, {done} of {total}"
        learner.run_dir.set_progress(stage, place.iteration, config.iterations, text)

    return sampling.sample(
        learner.model,
        [problem.ids for problem in problems],
        k=k,
        max_new_tokens=config.max_new_tokens,
        stop_id=chat.stop_token_id(learner.tokenizer),
        pad_id=learner.tokenizer.pad_token_id,
        seed=seed,
        temperature=config.temperature,
        batch_size=config.sampling_batch_size,
        on_progress=progress,
    )


def judge(learner: Learner, problems: Sequence[Problem], drawn: Attempts) -> list[list[bool]]:
    rows = [
        (problem.text, chat.decode_reply(learner.tokenizer, one.ids), problem.record.meta)
        for problem, replies in zip(problems, drawn, strict=True)
        for one in replies
    ]
    scores = iter(verifiers.judge(learner.config.verifier, rows))
    return [[next(scores) >= 1.0 for _ in replies] for replies in drawn]


def numbers_of(learner: Learner, drawn: Attempts, right: list[list[bool]]) -> dict[str, float]:
    """Accuracy of one attempt, share of problems solved by any, mean length in tokens, corrections a reply."""
    replies = [one for group in drawn for one in group]
    pattern = re.compile(learner.config.correction_pattern)
    texts = [chat.decode_reply(learner.tokenizer, one.ids) for one in replies]
    return {
        "accuracy": float(np.mean([np.mean(group) for group in right])),
        "solved": float(np.mean([any(group) for group in right])),
        "length": float(np.mean([len(one.ids) for one in replies])),
        "corrections": float(np.mean([len(pattern.findall(text)) for text in texts])),
        "eos_rate": float(np.mean([one.finish_reason == "stop" for one in replies])),
    }


def publish(learner: Learner, numbers: dict[str, float]) -> None:
    """Measure the policy on the held-out problems, and tell what the iteration came to."""
    place, run_dir = learner.place, learner.run_dir
    drawn = draw(learner, learner.heldout, learner.config.heldout_attempts, seed_of(learner.seed, "heldout"), "measure")
    right = judge(learner, learner.heldout, drawn)
    measured = {**numbers_of(learner, drawn, right), "kept": float(len(place.kept)), **numbers}
    place.history.append(measured)
    run_dir.add_metrics(place.iteration, **measured)
    shown = list(zip(learner.heldout, drawn, right, strict=True))[:SAMPLES_SHOWN]
    for problem, replies, verdicts in shown:
        text = chat.decode_reply(learner.tokenizer, replies[0].ids)
        run_dir.add_sample(place.iteration, prompt=problem.text, text=text, right=float(verdicts[0]))
    text = f"held-out accuracy {measured['accuracy']:.3f}"
    run_dir.set_progress("best of n", place.iteration, learner.config.iterations, text)


def report(learner: Learner, seconds: float) -> dict[str, Any]:
    """What a person should know. Accuracies are of one attempt at a held-out problem, by iteration; 0 is the start."""
    history, config = learner.place.history, learner.config
    names = ("accuracy", "solved", "length", "corrections", "eos_rate", "kept", "train_accuracy", "loss")
    return {
        "problems": len(learner.train),
        "heldout_problems": len(learner.heldout),
        "left_out": learner.left_out,
        "attempts": config.attempts,
        "iterations": config.iterations,
        "accuracy_start": history[0]["accuracy"],
        "accuracy_end": history[-1]["accuracy"],
        "by_iteration": {name: [numbers.get(name) for numbers in history] for name in names},
        "seconds": seconds,
    }
