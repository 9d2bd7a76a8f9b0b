import pytest

from contracts.records import Rollout, RolloutSetRecord
from training.algorithms import evaluate

pytestmark = pytest.mark.torch


def rollout(*ids, reason="stop"):
    return Rollout(index=0, text="", token_ids=ids, token_logprobs=(0.0,) * len(ids), finish_reason=reason, seed=0)


def scored(name, *groups):
    return [
        RolloutSetRecord(prompt_id=str(i), rollouts=(rollout(1),) * len(scores), policy=name, scores=scores)
        for i, scores in enumerate(groups)
    ]


def test_win_rate_compares_rollouts_of_the_same_seed_and_ties_count_half():
    sides = {
        "policy": scored("policy", (1.0, 2.0), (3.0, 0.0)),
        "reference": scored("reference", (0.0, 2.0), (4.0, 1.0)),
    }
    report = evaluate.preference(sides)
    assert report["reward_win_rate"] == (1 + 0.5 + 0 + 0) / 4
    assert (report["score_policy"], report["score_reference"]) == (1.5, 1.75)
    assert report["reward_win_rate_ci"] == [0.0, 0.75], "whole prompts are drawn again, never single rollouts"


def test_without_a_reward_model_nothing_is_said_of_scores():
    assert evaluate.preference({"policy": scored("policy", ()), "reference": scored("reference", ())}) == {}


def test_repeated_4grams_are_those_that_occurred_before_in_the_response():
    assert evaluate.repeated([1, 2, 3, 4, 1, 2, 3, 4], 4) == 1 / 5
    assert evaluate.repeated([7] * 8, 4) == 4 / 5
    assert evaluate.repeated([1, 2, 3], 4) == 0.0


def test_distinct_n_pools_the_responses():
    rollouts = [rollout(1, 2, 1, 2), rollout(1, 2, 3)]
    assert evaluate.distinct(rollouts, 1) == 3 / 7
    assert evaluate.distinct(rollouts, 2) == 3 / 5
    assert evaluate.distinct([rollout(1)], 2) is None


def test_form_gives_lengths_and_the_share_that_ended_by_itself():
    sets = [
        RolloutSetRecord(prompt_id="a", rollouts=(rollout(1, 2, 3), rollout(1, reason="length"))),
        RolloutSetRecord(prompt_id="b", rollouts=(rollout(1, 2), rollout(1, 2))),
    ]
    form = evaluate.form(sets)
    assert (form["mean_length"], form["eos_rate"], form["rollouts"], form["tokens"]) == (2.0, 0.75, 4, 8)
