"""DPO on rankings of a tiny policy's replies: it learns the order, resumes, and is cancelled like the other kinds."""

from __future__ import annotations

import math

import pytest

from contracts import snapshots
from contracts.configs import DpoConfig
from contracts.records import Message, RankedResponse, RankingRecord
from rewardmodel import groups
from tests.training.algorithms.conftest import COLORS, facts, finish, hashes, kill_when, make_run
from tests.training.algorithms.test_policy import naive_logprobs
from training.algorithms import dpo, policy

pytestmark = pytest.mark.torch
SMALL = {"epochs": 8.0, "batch_size": 12, "learning_rate": 5e-3, "save_every": 4}


@pytest.fixture(scope="session")
def ranked(tmp_path_factory):
    """The right answer before two wrong ones, of which the second was not ranked."""
    folder = tmp_path_factory.mktemp("rankings") / "snapshot"
    records = []
    for i, (question, answer) in enumerate(facts()):
        color = answer.split()[-1].rstrip(".")
        wrong = [answer.replace(color, other) for other in COLORS if other != color][:2]
        responses = tuple(
            RankedResponse(id=f"{i}-{place}", text=text, rank=rank)
            for place, (text, rank) in enumerate(zip([wrong[0], answer, wrong[1]], [2, 1, 3], strict=True))
        )
        records.append(
            RankingRecord(
                id=f"r{i}", prompt_id=f"p{i}", group=f"g{i}", prompt=(Message(role="user", content=question),),
                responses=responses, split="heldout" if i % 6 == 0 else "train",
            )
        )  # fmt: skip
    snapshots.write(folder, kind="rankings", records=records, details={})
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_policy, ranked):
    run = make_run(tmp_path_factory.mktemp("runs") / "whole", "dpo", SMALL, {"policy": tiny_policy, "rankings": ranked})
    assert finish(run) == 0, run.error()
    return run


def test_the_policy_learns_the_order(finished):
    report = finished.report()
    assert (report["rankings"], report["pairs"], report["heldout_rankings"]) == (20, 60, 4)
    assert report["train_pair_accuracy"] > 0.8 and report["train_margin"] > 0.1
    rows, _ = finished.tail("metrics.jsonl")
    assert rows[0]["values"]["loss"] == pytest.approx(math.log(2), abs=1e-3), "the policy starts as its reference"
    assert rows[0]["values"]["pair_accuracy"] < rows[-1]["values"]["pair_accuracy"]
    assert len(rows) == report["steps"] == 40


def test_measured_margins_are_those_of_a_naive_computation(finished, tiny_policy, ranked):
    start, tokenizer = policy.load_policy(str(tiny_policy))
    trained, _ = policy.load_policy(str(finished.output))
    everyone, _ = groups.read(ranked, tokenizer, max_length=96)
    part = [group for group in everyone if group.split == "heldout"]
    found = dpo.measure(trained, start, tokenizer, part, DpoConfig(beta=0.3))
    margins, right = [], []
    for group in part:
        rewards = []
        for response in group.responses:
            sums = [
                float(naive_logprobs(model, list(group.prompt), list(response), 1.0)[0].sum())
                for model in (trained, start)
            ]
            rewards.append(0.3 * (sums[0] - sums[1]))
        gaps = [rewards[a] - rewards[b] for a, b in group.pairs]
        margins.append(sum(gaps) / len(gaps))
        right.append(sum(gap > 0 for gap in gaps) / len(gaps))
    assert found["margin"] == pytest.approx(sum(margins) / len(margins), abs=1e-4)
    assert found["pair_accuracy"] == pytest.approx(sum(right) / len(right))


def test_pairs_are_all_decided_ones_or_the_furthest_apart(tiny_policy, ranked):
    _, tokenizer = policy.load_policy(str(tiny_policy))
    everyone, _ = groups.read(ranked, tokenizer, max_length=96)
    group = everyone[0]
    assert len(dpo.rows(group, "all")) == 3
    (row,) = dpo.rows(group, "furthest")
    assert row["chosen_ids"] == list(group.responses[1]) and row["rejected_ids"] == list(group.responses[2])
    assert row["prompt_ids"] == list(group.prompt)


def test_a_killed_run_ends_with_the_same_weights(tmp_path, tiny_policy, ranked, finished):
    run = make_run(tmp_path / "killed", "dpo", SMALL, {"policy": tiny_policy, "rankings": ranked})
    kill_when(run, lambda: list(run.state.glob("checkpoint-*/complete")))
    assert finish(run) == 0, run.error()
    assert hashes(run.output) == hashes(finished.output)
    assert run.report()["steps"] == 40


def test_a_cancelled_run_keeps_its_state(tmp_path, tiny_policy, ranked, finished, monkeypatch):
    run = make_run(tmp_path / "cancelled", "dpo", SMALL, {"policy": tiny_policy, "rankings": ranked})
    plain = type(run).add_metrics

    def add_metrics(self, step, **values):
        if step == 5:
            run.ask_to_cancel()
        plain(self, step, **values)

    monkeypatch.setattr(type(run), "add_metrics", add_metrics)
    assert finish(run) == 3
    monkeypatch.undo()
    run.withdraw_cancel()
    assert finish(run) == 0, run.error()
    assert hashes(run.output) == hashes(finished.output)


def test_lora_trains_adapters_and_leaves_a_plain_model(tmp_path, tiny_policy, ranked):
    config = {**SMALL, "epochs": 1.0, "lora_rank": 4, "pairs": "furthest"}
    run = make_run(tmp_path / "lora", "dpo", config, {"policy": tiny_policy, "rankings": ranked})
    assert finish(run) == 0, run.error()
    rows, _ = run.tail("metrics.jsonl")
    assert rows[0]["values"]["loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert run.report()["pairs"] == 20
    assert policy.load_policy(str(run.output))
