"""How well the reliability model finds simulated labelers of known strength, and whether its errors are honest.

One JSON line per design and strength, then one per design over all its labelers, and the small world's labelers.
`SEEDS` is how often each design is drawn. `off` is estimate less truth; `covered` the share within two standard errors.
"""

import json
import os
import random
import time
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from demo.gold import gold
from demo.labelers import LABELERS, judge
from demo.texts import Style, answer
from demo.world import World
from labeling.reliability import accuracy, simulated
from labeling.reliability.choices import Ranking
from labeling.reliability.fit import Fit, fit

SEEDS = int(os.environ.get("SEEDS", "40"))
STRENGTH = (3.0, 2.0, 1.5, 1.0, 1.0, 0.5, 0.0, 0.0)
BIAS = (0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 1.5)
DESIGNS: dict[str, dict[str, Any]] = {
    "150 items, 3 rankings of 5": {"items": 150, "overlap": 3, "k": 5},
    "the same with ties": {"items": 150, "overlap": 3, "k": 5, "grain": 0.7},
    "60 items, 3 rankings of 4": {"items": 60, "overlap": 3, "k": 4},
}
GUESSING = 0.65  # upper end of the pair accuracy's interval, as the product judges


def main() -> None:
    for name, design in DESIGNS.items():
        _run(name, design)
    _small_world()


def _run(name: str, design: dict[str, Any]) -> None:
    rows: dict[float, list[dict[str, float]]] = defaultdict(list)
    seconds, noise = [], []
    for seed in range(SEEDS):
        start = time.perf_counter()
        found = fit(simulated.rankings(STRENGTH, BIAS, seed=seed, **design), labelers=len(STRENGTH), seed=seed)
        seconds.append(time.perf_counter() - start)
        noise.append(found.noise)
        for index, strength in enumerate(STRENGTH):
            rows[strength].append(_judged(found, index))
    for strength, its in sorted(rows.items(), reverse=True):
        print(json.dumps({"design": name, "strength": strength, **_summary(its)}), flush=True)
    everyone = [row for its in rows.values() for row in its]
    summary = {"design": name, "strength": "all", "seeds": SEEDS, **_summary(everyone)}
    print(json.dumps({**summary, "seconds": _r(np.mean(seconds)), "noise": _r(np.mean(noise))}), flush=True)


def _judged(found: Fit, index: int) -> dict[str, float]:
    strength, bias = STRENGTH[index], BIAS[index]
    estimate, error = float(found.strength[index]), float(found.strength_error[index])
    low, high = accuracy.pair_accuracy_interval(estimate, error)
    return {
        "off": estimate - strength,
        "error": error,
        "covered": abs(estimate - strength) < 2 * error,
        "bias_off": float(found.bias[index]) - bias,
        "bias_covered": abs(float(found.bias[index]) - bias) < 2 * float(found.bias_error[index]),
        "accuracy_off": accuracy.pair_accuracy(estimate) - accuracy.pair_accuracy(strength),
        "accuracy_covered": low < accuracy.pair_accuracy(strength) < high,
        "guesses": high < GUESSING,
    }


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    column = {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}
    return {
        "mean_off": _r(column["off"].mean()),
        "rms_off": _r(np.sqrt((column["off"] ** 2).mean())),
        "rms_stated_error": _r(np.sqrt((column["error"] ** 2).mean())),
        "covered": _r(column["covered"].mean()),
        "bias_rms_off": _r(np.sqrt((column["bias_off"] ** 2).mean())),
        "bias_covered": _r(column["bias_covered"].mean()),
        "accuracy_rms_off": _r(np.sqrt((column["accuracy_off"] ** 2).mean())),
        "accuracy_covered": _r(column["accuracy_covered"].mean()),
        "called_guessing": _r(column["guesses"].mean()),
        "labelers": len(rows),
    }


def _small_world(items: int = 200, overlap: int = 3, k: int = 5) -> None:
    """The demo's labelers, not of the model: Gaussian noise, a bias for the front, rounding, one who never reads."""
    world = World(0)
    generator = random.Random(0)
    prompts = world.prompts(train=items, heldout=0)
    made = []
    agreed: Counter[int] = Counter()
    pairs: Counter[int] = Counter()
    for item, prompt in enumerate(prompts):
        question = world.question(prompt.messages)
        assert question is not None
        style = Style(right=0.6, dodge=0.2, ramble=0.4, polite=0.3, rude=0.3)
        texts = [answer(question, style, random.Random(f"{item}:{index}")) for index in range(k)]
        for number in generator.sample(range(len(LABELERS)), overlap):
            shown = generator.sample(range(k), k)
            ranks = judge(LABELERS[number], world, prompt.messages, [(str(one), texts[one]) for one in shown])
            made.append(Ranking(item, number, {int(one): rank for one, rank in ranks.items()}, shown))
            values = [gold(world, prompt.messages, text) for text in texts]
            for one in range(k):
                for other in range(k):
                    if values[one] > values[other]:
                        pairs[number] += 1
                        agreed[number] += ranks[str(one)] < ranks[str(other)]
    found = fit(made, labelers=len(LABELERS), seed=0)
    for index, labeler in enumerate(LABELERS):
        low, high = accuracy.pair_accuracy_interval(float(found.strength[index]), float(found.strength_error[index]))
        print(
            json.dumps(
                {
                    "design": f"small world, {items} items, {overlap} rankings of {k}",
                    "labeler": labeler.username,
                    "noise": labeler.noise,
                    "front": labeler.front,
                    "reads": labeler.reads,
                    "strength": _r(found.strength[index]),
                    "strength_error": _r(found.strength_error[index]),
                    "position_bias": _r(found.bias[index]),
                    "position_bias_error": _r(found.bias_error[index]),
                    "pair_accuracy_interval": [_r(low), _r(high)],
                    "decided_pairs_in_gold_order": _r(agreed[index] / pairs[index]),
                    "called_guessing": high < GUESSING,
                }
            ),
            flush=True,
        )


def _r(value: Any) -> float:
    return round(float(value), 3)


if __name__ == "__main__":
    main()
