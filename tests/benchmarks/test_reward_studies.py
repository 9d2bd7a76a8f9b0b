"""What the studies of the reward model compute from their measurements, by hand."""

import random
from itertools import combinations

import numpy as np
import pytest

from benchmarks import _worlds, reward_equal_quality, reward_truth
from contracts.records import Rollout, RolloutSetRecord
from demo.gold import gold
from demo.labelers import CAREFUL
from demo.texts import answer
from demo.world import World


@pytest.fixture(scope="module")
def made():
    """A world whose rollouts are written by hand, so to speak: no model is trained."""
    world = World(1)
    prompts = world.prompts(train=20, heldout=20)
    rng = random.Random(0)

    def rollouts(prompt, number):
        texts = [answer(world.question(prompt.messages), CAREFUL, rng) for _ in range(5)]
        rows = [
            Rollout(index=i, text=t, token_ids=(1,), token_logprobs=(0.0,), finish_reason="stop", seed=i)
            for i, t in enumerate(texts)
        ]
        return RolloutSetRecord(prompt_id=f"{prompt.id} #{number}", rollouts=tuple(rows))

    sets = {
        split: [rollouts(p, n) for p in prompts if p.split == split for n in range(4)] for split in ("train", "heldout")
    }
    return _worlds.Made(world, None, {p.id: p for p in prompts}, sets["train"], sets["heldout"])


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_a_labeler_of_some_noise_orders_that_share_of_the_pairs_wrongly(made, share):
    assert reward_truth.error_share(made, reward_truth.labeler(made, share)) == pytest.approx(share, abs=0.01)


def test_a_labeler_without_noise_ranks_as_gold_does(made):
    judge = reward_truth.labeler(made, 0.0)
    for record in reward_truth.rankings(made, made.heldout, judge):
        true = [gold(made.world, record.prompt, response.text) for response in record.responses]
        for i, j in combinations(range(5), 2):
            assert np.sign(true[i] - true[j]) == np.sign(record.responses[j].rank - record.responses[i].rank)


def test_gold_itself_is_never_wrong_and_a_coin_is_half_wrong(made):
    judge = reward_truth.labeler(made, 0.1)
    records = list(reward_truth.rankings(made, made.heldout, judge))
    labels, cluster = reward_truth._pairs(records, made)
    known = np.array(
        [gold(made.world, _worlds.prompt_of(made, one).messages, r.text) for one, r in reward_truth._pool(made)]
    )
    assert reward_truth.measure(known, known, labels, cluster, made)["accuracy"] == 1
    coin = np.random.default_rng(0).normal(size=len(known))
    assert reward_truth.measure(coin, known, labels, cluster, made)["accuracy"] == pytest.approx(0.5, abs=0.06)


def test_the_floor_of_the_calibration_error_falls_with_the_number_of_pairs():
    delta = np.random.default_rng(0).normal(size=20_000)
    few, many = reward_truth.ece_floor(delta[:200]), reward_truth.ece_floor(delta)
    assert many < 0.02 < few


def test_members_combine_in_every_way_and_number():
    scores = np.array([[1.0, 4.0], [3.0, 0.0], [2.0, 2.0]])
    found = {(name, count): rows for name, count, rows in reward_truth.combined(scores)}
    assert [row.tolist() for row in found["one", 1]] == scores.tolist()
    assert found["mean", 3][0].tolist() == [2.0, 2.0]
    assert found["min", 3][0].tolist() == [1.0, 0.0]
    assert found["mean - variance", 3][0].tolist() == pytest.approx([2 - 2 / 3, 2 - 8 / 3])


def test_an_interval_over_seeds_is_students():
    mean, (low, high) = reward_truth.mean_interval([0.8, 0.9])
    assert mean == pytest.approx(0.85)
    assert high - mean == pytest.approx(12.706 * 0.0707107 / 2**0.5, abs=1e-3) == mean - low


def test_mean_accuracy_holds_each_measurement_until_the_next_and_the_last_to_the_end():
    curve = [{"cpu_s": 0.0, "accuracy": 0.5}, {"cpu_s": 2.0, "accuracy": 0.6}, {"cpu_s": 4.0, "accuracy": 0.8}]
    assert reward_equal_quality.mean_accuracy(curve, 8.0) == pytest.approx((2 * 0.5 + 2 * 0.6 + 4 * 0.8) / 8)
    assert reward_equal_quality.mean_accuracy(curve, 3.0) == pytest.approx((2 * 0.5 + 1 * 0.6) / 3)
