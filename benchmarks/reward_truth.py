"""Reward models against a known truth: the small world's gold preference, ranked by labelers who err.

For each seed a world of its own (corpus, base, policy, rollouts), and for each noise one labeler who orders that
share of the pairs against gold, ensembles of 5 fitted on their rankings, and every way to combine the members.
One JSON line for each seed, noise and combination, then one for each noise and combination with the mean over
seeds and its 95 % interval (Student's t). Worlds are kept in var/benchmarks, fitted models with KEEP=1 too.
SEEDS="1 2 3 4 5", NOISES="0 10 25" (percent), MEMBERS=5, AVERAGE=0 (no weight average, which takes half of the time)
and JOBS=2 (processes of one thread) change the runs.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _worlds
from benchmarks._worlds import Made
from contracts import snapshots
from contracts.records import RankedResponse, RankingRecord, RolloutSetRecord
from demo import labelers
from demo.gold import gold
from demo.scale import FULL
from rewardmodel import best_of_n, statistics
from rewardmodel.statistics import Floats, Integers

MEMBERS = int(os.environ.get("MEMBERS", "5"))
BEST_OF = (2, 4, 8, 16)
MOST_NOISE = 16.0  # standard deviation of a judgment, in units of gold
MEASURES = ("accuracy", "label_accuracy", "log_loss", "ece", "ece_floor", *(f"best_of_{n}" for n in BEST_OF))
# (M, N) normalized scores of M members to the scores of their ensemble.
Combine = Callable[[Floats], Floats]
COMBINATIONS: dict[str, Combine] = {
    "mean": lambda scores: scores.mean(0),
    "min": lambda scores: scores.min(0),
    "mean - variance": lambda scores: scores.mean(0) - scores.var(0),
}
AVERAGE = "weight average"


def main() -> None:
    seeds = [int(seed) for seed in os.environ.get("SEEDS", "1 2 3 4 5").split()]
    noises = [int(noise) for noise in os.environ.get("NOISES", "0 10 25").split()]
    rows = []
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        worlds = [pool.submit(_child, "world", seed) for seed in seeds]
        for world in worlds:
            world.result()
        studies = [pool.submit(_child, "study", seed, noise) for seed in seeds for noise in noises]
        for study in studies:
            for line in study.result().splitlines():
                rows.append(json.loads(line))
                print(line, flush=True)
    for row in summary(rows):
        print(json.dumps(row), flush=True)


def _child(*words: object) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.reward_truth", *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{' '.join(command[2:])} failed")
    return done.stdout


def study(seed: int, noise: int) -> list[dict[str, Any]]:
    """Fit one ensemble on one labeler's rankings; a row for each way to use its members."""
    made = _worlds.make(seed)
    judge = labeler(made, noise / 100)
    records = [*rankings(made, made.train, judge), *rankings(made, made.heldout, judge)]
    with _folder(seed, noise) as folder:
        path = folder / "rankings"
        if not path.exists():
            snapshots.write(path, kind="rankings", records=records, details={})
        config = {**FULL.configs["reward_model"], "members": MEMBERS, "curve_points": 0}
        inputs = {"base": made.policy, "rankings": path}
        fitted = _worlds.run(folder / "fit", "reward_model", config, seed, inputs)
        ensembles = list(combined(member_scores(fitted.output, made)))
        if os.environ.get("AVERAGE", "1") == "1":  # whose members start from one head: fitted on their own
            fitted = _worlds.run(folder / "average", "reward_model", {**config, "combine": "weights"}, seed, inputs)
            ensembles.append((AVERAGE, MEMBERS, list(member_scores(fitted.output, made))))
    labels, cluster = _pairs(records, made)
    known = np.array([gold(made.world, _worlds.prompt_of(made, one).messages, r.text) for one, r in _pool(made)])
    facts = {
        "seed": seed,
        "noise": noise,
        "found_noise": error_share(made, judge),
        "deviation": judge.noise,
        "rankings": len(made.train),
        "heldout_rankings": len(made.heldout),
    }
    rows = []
    for name, count, found in ensembles:
        measured = [measure(one, known, labels, cluster, made) for one in found]
        means = {key: float(np.mean([one[key] for one in measured])) for key in MEASURES}
        rows.append({**facts, "combine": name, "members": count, **means})
    for name, order in (("a random pick", np.zeros_like(known)), ("gold itself", known)):
        picked = {f"best_of_{n}": _best(order, known, made, n) for n in BEST_OF}
        rows.append({**facts, "combine": name, "members": 0, **picked})
    return rows


def labeler(made: Made, share: float) -> labelers.Labeler:
    """Who orders `share` of the pairs that gold decides the other way round: judgments with normal errors.

    Errors are a property of labeler and text, as people's are: whoever misjudges a text does so in every pair.
    """
    low, high = 0.0, MOST_NOISE
    for _ in range(30 if share else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if error_share(made, _judge(middle)) < share else (low, middle)
    return _judge(low)


def _judge(noise: float) -> labelers.Labeler:
    return labelers.Labeler("judge", share=1.0, style=labelers.CAREFUL, noise=noise)


def error_share(made: Made, judge: labelers.Labeler) -> float:
    """Of the pairs of the training sets that both gold and the labeler decide, those that they decide unlike."""
    wrong = decided = 0
    for one in made.train:
        ranks = _ranks(made, one, judge)
        prompt = _worlds.prompt_of(made, one).messages
        true = [gold(made.world, prompt, rollout.text) for rollout in one.rollouts]
        for i, j in combinations(range(len(true)), 2):
            if true[i] != true[j] and ranks[i] != ranks[j]:
                decided += 1
                wrong += (true[i] > true[j]) == (ranks[i] > ranks[j])
    return wrong / decided


def rankings(made: Made, sets: Sequence[RolloutSetRecord], judge: labelers.Labeler) -> Iterator[RankingRecord]:
    for one in sets:
        prompt = _worlds.prompt_of(made, one)
        responses = tuple(
            RankedResponse(
                id=f"{one.prompt_id}/{rollout.index}",
                text=rollout.text,
                rank=rank,
                token_ids=rollout.token_ids,
                finish_reason=rollout.finish_reason,
            )
            for rollout, rank in zip(one.rollouts, _ranks(made, one, judge), strict=True)
        )
        yield RankingRecord(
            id=one.prompt_id,
            prompt_id=prompt.id,
            group=one.prompt_id,
            prompt=prompt.messages,
            responses=responses,
            split=prompt.split,
            labeler=judge.username,
        )


def _ranks(made: Made, one: RolloutSetRecord, judge: labelers.Labeler) -> list[int]:
    shown = [(str(rollout.index), rollout.text) for rollout in one.rollouts]
    ranks = labelers.judge(judge, made.world, _worlds.prompt_of(made, one).messages, shown)
    return [ranks[identity] for identity, _ in shown]


def member_scores(output: Path, made: Made) -> Floats:
    """(M, N) each member's own normalized scores of every held-out rollout, in the order of `_pool`."""
    from rewardmodel import chat
    from rewardmodel.model import RewardModel

    model = RewardModel.load(output)
    members = [model, *model.members]
    model.members = type(model.members)()
    prompts = [chat.encode_prompt(model.tokenizer, _worlds.prompt_of(made, one).messages) for one in made.heldout]
    responses = [[rollout.token_ids for rollout in one.rollouts] for one in made.heldout]
    return np.array([[s for found in m.score_responses(prompts, responses) for s in found] for m in members])


def combined(scores: Floats) -> Iterator[tuple[str, int, list[Floats]]]:
    """Name, members, and the scores of every ensemble of that kind that these members make, or five of them."""
    M = len(scores)
    yield "one", 1, list(scores)
    for size in sorted({min(4, M), M} - {1}):
        chosen = list(combinations(range(M), size))
        for name, combine in COMBINATIONS.items():
            yield name, size, [combine(scores[list(some)]) for some in chosen]


def measure(scores: Floats, known: Floats, labels: Integers, cluster: Integers, made: Made) -> dict[str, float]:
    """Accuracy against gold; accuracy, loss and calibration against the labels; gold of the best of n."""
    delta = scores[labels[:, 0]] - scores[labels[:, 1]]
    temperatures = statistics.cross_fitted_temperatures(delta, cluster)
    right = []
    for pool in _by_prompt(made).values():
        i, j = np.array(list(combinations(pool, 2))).T
        decided = known[i] != known[j]
        i, j = i[decided], j[decided]
        right.append(statistics.accuracy_of((scores[i] - scores[j]) * np.sign(known[i] - known[j])))
    return {
        "accuracy": float(np.concatenate(right).mean()),
        "label_accuracy": float(statistics.accuracy_of(delta).mean()),
        "log_loss": float(statistics.log_loss_of(delta / temperatures).mean()),
        "ece": statistics.calibration(delta, temperatures)[0],
        "ece_floor": ece_floor(delta / temperatures),
        **{f"best_of_{n}": _best(scores, known, made, n) for n in BEST_OF},
    }


def ece_floor(delta: Floats) -> float:
    """The calibration error that so many pairs would show if their chances were exactly right: chance alone."""
    source = np.random.default_rng(0)
    chance = 1 / (1 + np.exp(-np.abs(delta)))
    errors = []
    for _ in range(20):
        sign = np.where(source.random(len(delta)) < chance, 1.0, -1.0)
        errors.append(statistics.calibration(np.abs(delta) * sign, np.ones_like(delta))[0])
    return float(np.mean(errors))


def _best(scores: Floats, known: Floats, made: Made, n: int) -> float:
    pools = _by_prompt(made).values()
    return float(np.mean([best_of_n.expected_gold(scores[pool], known[pool], n) for pool in pools]))  # type: ignore[arg-type]


def _pool(made: Made) -> Iterator[tuple[RolloutSetRecord, Any]]:
    return ((one, rollout) for one in made.heldout for rollout in one.rollouts)


def _by_prompt(made: Made) -> dict[str, list[int]]:
    pools: dict[str, list[int]] = {}
    for number, (one, _) in enumerate(_pool(made)):
        pools.setdefault(_worlds.prompt_of(made, one).id, []).append(number)
    return pools


def _pairs(records: Sequence[RankingRecord], made: Made) -> tuple[Integers, Integers]:
    """(pairs, 2) positions in the pool, better first, of what the labeler decided; and each pair's prompt."""
    at = {f"{one.prompt_id}/{rollout.index}": number for number, (one, rollout) in enumerate(_pool(made))}
    prompts = {name: number for number, name in enumerate(_by_prompt(made))}
    pairs, cluster = [], []
    for record in records:
        for a in record.responses if record.split == "heldout" else ():
            for b in record.responses:
                if a.rank is not None and b.rank is not None and a.rank < b.rank:
                    pairs.append((at[a.id], at[b.id]))
                    cluster.append(prompts[record.prompt_id])
    return np.array(pairs), np.array(cluster)


def summary(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Means over seeds with 95 % intervals, and what each ensemble gains over one of its members, seed by seed."""
    kinds = dict.fromkeys((row["noise"], row["combine"], row["members"]) for row in rows)
    single = {(row["noise"], row["seed"]): row for row in rows if row["combine"] == "one"}
    for noise, name, members in kinds:
        chosen = [r for r in rows if (r["noise"], r["combine"], r["members"]) == (noise, name, members)]
        made = {"summary": True, "noise": noise, "combine": name, "members": members, "seeds": len(chosen)}
        for key in (key for key in MEASURES if key in chosen[0]):
            made[key], made[f"{key}_ci"] = mean_interval([row[key] for row in chosen])
        if members > 1:
            for key in ("accuracy", f"best_of_{BEST_OF[-1]}"):
                gains = [row[key] - single[noise, row["seed"]][key] for row in chosen]
                made[f"{key}_gain"], made[f"{key}_gain_ci"] = mean_interval(gains)
        yield made


def mean_interval(values: Sequence[float]) -> tuple[float, list[float] | None]:
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return round(mean, 4), None
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return round(mean, 4), [round(mean - half, 4), round(mean + half, 4)]


@contextmanager
def _folder(seed: int, noise: int) -> Iterator[Path]:
    if os.environ.get("KEEP"):
        yield _worlds.KEPT / "truth" / f"{seed}-{noise}-{MEMBERS}"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "world":
        _worlds.make(int(sys.argv[2]))
    else:
        for made_row in study(int(sys.argv[2]), int(sys.argv[3])):
            print(json.dumps(made_row))
