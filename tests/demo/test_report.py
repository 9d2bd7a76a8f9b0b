"""The report's numbers, by hand."""

import io

import pytest
from rich.console import Console

from contracts.records import Message
from demo import report
from demo.world import World


def test_win_rate_counts_every_pair_of_a_prompt_and_ties_half():
    mine = {"a": [2.0, 1.0], "b": [0.0]}
    others = {"a": [1.0, 0.0], "b": [0.0]}
    # a: 2>1, 2>0, 1=1, 1>0; b: one tie
    assert report.win_rates(mine, others) == [pytest.approx(3.5 / 4), 0.5]


def test_interval_holds_the_mean_and_narrows_with_more_prompts():
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 200
    for values in (few, many):
        low, high = report.bootstrap(values, seed=1)
        assert low < 0.5 < high
    width = [high - low for low, high in (report.bootstrap(few, seed=1), report.bootstrap(many, seed=1))]
    assert 3 < width[0] / width[1] < 6
    assert report.bootstrap([0.7] * 5, seed=1) == pytest.approx([0.7, 0.7])


def test_gold_scores_are_kept_by_policy_and_prompt():
    prompt = [Message(role="user", content="What is 3 plus 4?").to_json()]
    rows = [
        {"policy": "policy", "prompt_id": "p", "prompt": prompt, "rollouts": [{"text": "Sure! It is 7."}]},
        {"policy": "reference", "prompt_id": "p", "prompt": prompt, "rollouts": [{"text": "It is 8."}, {"text": ""}]},
    ]
    assert report.gold_scores(World(1), iter(rows)) == {"policy": {"p": [2.5]}, "reference": {"p": [0.5, -2.0]}}


@pytest.mark.parametrize("ceiling", [None, {"agreement": 0.71, "ci": [0.6, 0.8], "pairs": 90}])
def test_the_printed_report_names_what_matters(ceiling):
    made = {
        "seed": 1, "project": "demo", "seconds": 200.0, "stages": {"pretrain": 70.0},
        "counts": {"prompts": 10, "rollouts": 50, "rankings": 20, "demonstrations": 8},
        "reward_model": {"accuracy": 0.81, "accuracy_ci": [0.78, 0.84], "ceiling": ceiling},
        "policy": {"gold_sft": 0.9, "gold_ppo": 1.9, "win_rate": 0.79, "win_rate_ci": [0.74, 0.84], "kl": 3.2},
        "checkpoints": {"base": "b", "sft": "s", "reward_model": "r", "ppo": "p"},
        "queue": {"ranking_tasks": 480},
    }  # fmt: skip
    out = io.StringIO()
    report.show(made, Console(file=out, width=200))
    for text in ("79% (74% to 84%)", "+0.90", "+1.90", "81% right", "480 rollout sets"):
        assert text in out.getvalue()
    assert ("71%" in out.getvalue()) == (ceiling is not None)
