"""Best-of-n on a tiny policy: what is kept, what is learned, and a run that goes on where it was cut."""

from __future__ import annotations

import pytest

from contracts import configs, snapshots
from contracts.records import Message, PromptRecord
from tests.training.algorithms.conftest import facts, finish, hashes, kill_when, make_run
from training.algorithms import best_of_n
from training.algorithms.decoding import SampledResponse

pytestmark = pytest.mark.torch
SMALL = {
    "verifier": "regex", "iterations": 2, "attempts": 16, "max_new_tokens": 40, "epochs": 2, "batch_size": 4,
    "learning_rate": 3e-3, "heldout_attempts": 2,
}  # fmt: skip


@pytest.fixture(scope="session")
def problems(tmp_path_factory):
    """Right is a reply with a z in it: rare enough to be learned, common enough to be found."""
    folder = tmp_path_factory.mktemp("problems") / "snapshot"
    records = [
        PromptRecord(
            id=f"p{i}",
            messages=(Message(role="user", content=question),),
            split="heldout" if i % 4 == 0 else "train",
            meta={"pattern": "z"} if i != 1 else {},
        )
        for i, (question, _) in enumerate(facts())
    ]
    snapshots.write(folder, kind="prompts", records=records, details={})
    return folder


def reply(ids, reason="stop"):
    return SampledResponse(ids, [0.0] * len(ids), reason, 0)


def test_the_shortest_right_reply_that_ended_is_kept():
    replies = [reply([1, 2, 3]), reply([4, 5]), reply([6, 7]), reply([8]), reply([9], "length")]
    assert best_of_n.shortest_right(replies, [True, True, True, False, True]) == [4, 5]
    assert best_of_n.shortest_right(replies, [False] * 5) is None
    assert best_of_n.shortest_right(replies[-1:], [True]) is None


def test_of_equally_short_replies_the_newer_one_stays():
    kept = {0: [1, 2]}
    best_of_n.keep(kept, 0, [3, 4])
    best_of_n.keep(kept, 0, [5, 6, 7])
    best_of_n.keep(kept, 0, None)
    best_of_n.keep(kept, 1, [8])
    assert kept == {0: [3, 4], 1: [8]}


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_policy, problems):
    run = make_run(
        tmp_path_factory.mktemp("runs") / "whole", "best_of_n", SMALL, {"policy": tiny_policy, "prompts": problems}
    )
    assert finish(run) == 0, run.error()
    return run


def test_accuracy_rises_and_every_iteration_is_reported(finished):
    report = finished.report()
    rows, _ = finished.tail("metrics.jsonl")
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert report["left_out"] == {"too_long": 0, "unverifiable": 1}
    assert (report["problems"], report["heldout_problems"]) == (17, 6)
    by = report["by_iteration"]
    assert by["accuracy"] == [row["values"]["accuracy"] for row in rows]
    assert by["train_accuracy"][2] > by["train_accuracy"][1], "the attempts of the second iteration are better"
    assert all(len(values) == 3 for values in by.values())
    assert by["kept"][1] <= by["kept"][2] <= 17


def test_a_killed_run_ends_with_the_same_weights(tmp_path, tiny_policy, problems, finished):
    run = make_run(tmp_path / "killed", "best_of_n", SMALL, {"policy": tiny_policy, "prompts": problems})
    kill_when(run, lambda: (run.state / "state.pt").exists())
    assert finish(run) == 0, run.error()
    assert hashes(run.output) == hashes(finished.output)
    assert run.report()["by_iteration"] == finished.report()["by_iteration"]


def test_a_run_cancelled_while_it_learns_goes_on_between_two_steps(
    tmp_path, tiny_policy, problems, finished, monkeypatch
):
    run = make_run(tmp_path / "cancelled", "best_of_n", SMALL, {"policy": tiny_policy, "prompts": problems})
    plain, taken = best_of_n.step, []

    def step(*arguments):
        taken.append(plain(*arguments))
        if len(taken) == 3:
            run.ask_to_cancel()
        return taken[-1]

    monkeypatch.setattr(best_of_n, "step", step)
    assert finish(run) == 3
    assert len(taken) == 3
    run.withdraw_cancel()
    assert finish(run) == 0, run.error()
    assert hashes(run.output) == hashes(finished.output)


def test_what_cannot_be_verified_or_is_never_right_is_said(tmp_path, tiny_policy, problems):
    inputs = {"policy": tiny_policy, "prompts": problems}
    run = make_run(tmp_path / "numeric", "best_of_n", {**SMALL, "verifier": "numeric"}, inputs)
    assert finish(run) == 1
    assert "its meta has no 'answer'" in run.error()["sentence"] and run.error()["code"] == "bad_input"
    never = tmp_path / "never"
    records = [
        PromptRecord(id=f"p{i}", messages=(Message(role="user", content=q),), meta={"pattern": "^never this$"})
        for i, (q, _) in enumerate(facts()[:6])
    ]
    snapshots.write(never, kind="prompts", records=records, details={})
    run = make_run(tmp_path / "hopeless", "best_of_n", SMALL, {"policy": tiny_policy, "prompts": never})
    assert finish(run) == 1
    assert "none of 16 attempts at any of" in run.error()["sentence"]


def test_a_pattern_that_is_none_is_refused_in_the_config():
    with pytest.raises(configs.ConfigError) as refused:
        configs.parse("best_of_n", {"correction_pattern": "("})
    assert list(refused.value.fields) == ["correction_pattern"]
