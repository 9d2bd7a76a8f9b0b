"""Each kind of run through its real process: finished, killed and resumed, cancelled, refused."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts import snapshots
from contracts.records import DemonstrationRecord, Message, RolloutSetRecord
from contracts.run_dir import CANCELLED, FAILED, SUCCEEDED, SUPERVISOR_PID, verify_manifest, write_manifest

from . import conftest as world

pytestmark = pytest.mark.torch
PRETRAIN = {
    "vocab_size": 320, "hidden_size": 32, "layers": 2, "context": 96, "sequence_length": 32,
    "batch_size": 8, "steps": 60, "warmup_steps": 5, "save_every": 10,
}  # fmt: skip
SAMPLE = {"rollouts_per_prompt": 3, "max_new_tokens": 20, "batch_size": 2}
SFT = {"epochs": 8.0, "batch_size": 8, "learning_rate": 3e-3, "save_every": 5, "max_length": 60}


@pytest.fixture
def made(request, tmp_path):
    """Make a run directory of a kind in a folder of its own."""
    get = request.getfixturevalue

    def make(kind, name="run", *, inputs=None, **changes):
        corpus = tmp_path / "corpus.txt"
        corpus.write_text(get("corpus_text"))
        config, known = {
            "pretrain": (PRETRAIN, {"corpus": corpus}),
            "sample": (SAMPLE, {"policy": get("tiny_policy"), "prompts": get("prompts")}),
            "sft": (SFT, {"base": get("tiny_policy"), "demonstrations": get("demonstrations")}),
            "evaluate": (
                {"max_new_tokens": 12, "max_prompts": 10},
                {"policy": get("tiny_policy"), "reference": get("tiny_policy"), "prompts": get("prompts")},
            ),
        }[kind]
        return world.make_run(tmp_path / name, kind, {**config, **changes}, {**known, **(inputs or {})})

    return make


def in_the_middle(run_dir):
    """A state to resume from exists, and the run goes on."""
    if run_dir.spec().kind == "sft":
        return any(run_dir.state.glob("checkpoint-*/complete"))
    return any(path.stat().st_size for path in run_dir.state.glob("*"))


@pytest.fixture(autouse=True)
def _logged(caplog):
    caplog.set_level(logging.INFO)


@pytest.mark.parametrize("kind", ["pretrain", "sample", "sft"])
def test_a_run_killed_in_the_middle_ends_in_the_same_state(made, caplog, kind):
    whole, cut = made(kind, "whole"), made(kind, "cut")
    world.kill_when(cut, lambda: in_the_middle(cut))
    assert not cut.is_finished()
    assert world.finish(whole) == SUCCEEDED
    assert "resumed" not in caplog.text
    assert world.finish(cut) == SUCCEEDED
    assert "resumed" in caplog.text
    assert world.hashes(whole.output) == world.hashes(cut.output) != {}
    assert verify_manifest(cut.output)["run_kind"] == kind
    assert losses(whole) == losses(cut)
    reports = [{**run_dir.report(), "seconds": 0} for run_dir in (whole, cut)]
    assert reports[0] == reports[1]


def losses(run_dir):
    """Step and values of every metric that does not measure time."""
    rows = run_dir.tail("metrics.jsonl", limit=-1)[0]
    return [(row["step"], {k: v for k, v in row["values"].items() if k != "tokens_per_s"}) for row in rows]


def test_sigterm_stops_a_run_cleanly_and_it_resumes(made, caplog):
    run_dir = made("pretrain")
    process = world.start(run_dir)
    world.wait_for(lambda: (run_dir.progress() or {}).get("done") or process.poll() is not None, pause=0.002)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == CANCELLED, run_dir.log.read_text()
    assert run_dir.error() is None and not run_dir.is_finished()
    assert any(run_dir.state.iterdir())
    assert world.finish(run_dir) == SUCCEEDED
    assert "resumed" in caplog.text


@pytest.mark.parametrize(("kind", "changes"), [("sft", {}), ("sft", {"lora_rank": 4}), ("sample", {})])
def test_a_cancelled_run_stops_cleanly_and_resumes(made, caplog, kind, changes):
    run_dir = made(kind, **changes)

    def ask():
        world.wait_for(lambda: (run_dir.progress() or {}).get("done"), pause=0.001)
        run_dir.ask_to_cancel()

    asking = threading.Thread(target=ask)
    asking.start()
    assert world.finish(run_dir) == CANCELLED
    asking.join()
    assert run_dir.error() is None and not run_dir.is_finished()
    assert any(run_dir.state.iterdir())
    run_dir.withdraw_cancel()
    assert world.finish(run_dir) == SUCCEEDED
    assert "resumed" in caplog.text


def test_a_run_that_is_asked_to_stop_before_it_starts_does_nothing(made):
    for kind in ("sample", "evaluate"):
        run_dir = made(kind, kind)
        run_dir.ask_to_cancel()
        assert world.finish(run_dir) == CANCELLED
        assert not run_dir.output.exists()


def test_sampled_rollouts_have_their_prompts_seeds_and_text(made, prompts, tokenizer):
    from rewardmodel import chat

    run_dir = made("sample", max_prompts=7)
    assert world.finish(run_dir) == SUCCEEDED
    sets = list(snapshots.read(run_dir.output / "rollouts.jsonl", RolloutSetRecord))
    ids = [record.prompt_id for record in sets]
    assert len(set(ids)) == 7 and ids == sorted(ids, key=lambda name: int(name[1:]))
    seeds = [rollout.seed for record in sets for rollout in record.rollouts]
    assert len(set(seeds)) == 21
    for rollout in sets[0].rollouts:
        assert rollout.text == chat.decode_reply(tokenizer, list(rollout.token_ids))
    assert run_dir.report()["rollouts"] == 21
    assert run_dir.progress()["done"] == run_dir.progress()["total"] == 7


def test_sft_learns_the_demonstrations_and_counts_what_it_refuses(made, demonstrations, tmp_path):
    records = list(snapshots.read(demonstrations, DemonstrationRecord))
    long = Message(role="assistant", content="word " * 80)
    changed = [
        DemonstrationRecord(**{**vars(records[0]), "id": "long", "reply": (long,)}),
        DemonstrationRecord(**{**vars(records[1]), "id": "weightless", "weight": 0.0}),
        DemonstrationRecord(**{**vars(records[2]), "id": "heldout", "split": "heldout"}),
        *records[3:],
    ]
    snapshots.write(tmp_path / "changed", kind="demonstrations", records=changed, details={})
    run_dir = made("sft", inputs={"demonstrations": tmp_path / "changed"}, save_every=1000)
    assert world.finish(run_dir) == SUCCEEDED
    report = run_dir.report()
    assert (report["demonstrations"], report["heldout_demonstrations"]) == (21, 1)
    assert (report["refused_too_long"], report["refused_weightless"]) == (1, 1)
    assert report["heldout_loss"] < report["heldout_loss_before"] / 2
    rows = losses(run_dir)
    assert rows[-1][1]["loss"] < rows[0][1]["loss"] / 2


def test_sft_puts_the_loss_on_assistant_tokens_only(tokenizer, demonstrations):
    from training.algorithms import sft

    record = next(iter(snapshots.read(demonstrations, DemonstrationRecord)))
    (row,) = sft.encode(tokenizer, [record], 96).train
    learned = [label for label in row["labels"] if label != sft.IGNORED]
    assert tokenizer.decode(learned) == record.reply[0].content + "<|im_end|>"
    assert tokenizer.decode(row["input_ids"]).startswith("<|im_start|>user\n" + record.prompt[0].content)


def test_a_policy_compared_with_itself_has_no_divergence(made):
    run_dir = made("evaluate")
    assert world.finish(run_dir) == SUCCEEDED
    report = run_dir.report()
    assert abs(report["kl"]) < 1e-4
    assert report["policy"] == report["reference"]
    sets = list(snapshots.read(run_dir.output / "rollouts.jsonl", RolloutSetRecord))
    assert [record.policy for record in sets[:2]] == ["policy", "reference"]
    assert len(sets) == 20
    assert sets[0].rollouts == sets[1].rollouts, "the same seeds for both"


def test_kl_and_proxy_win_rate_are_those_of_a_naive_computation(made, tokenizer, tmp_path):
    import torch

    from rewardmodel import chat
    from rewardmodel.model import RewardModel
    from training.algorithms import policy

    from .test_policy import naive_logprobs

    other = world.make_model("llama", tokenizer, seed=5)
    policy.save_policy(other, tokenizer, tmp_path / "other")
    write_manifest(tmp_path / "other", {"kind": "policy"})
    judge = RewardModel.from_base(tmp_path / "other", seed=3)
    judge.save(tmp_path / "judge")
    run_dir = made(
        "evaluate",
        inputs={"reference": tmp_path / "other", "reward_model": tmp_path / "judge"},
        rollouts_per_prompt=2,
        temperature=0.7,
    )
    assert world.finish(run_dir) == SUCCEEDED
    report = run_dir.report()
    sets = list(snapshots.read(run_dir.output / "rollouts.jsonl", RolloutSetRecord))
    ours, theirs = sets[::2], sets[1::2]
    questions = dict((f"p{i}", question) for i, (question, _) in enumerate(world.facts()))
    sums, wins = [], []
    for a, b in zip(ours, theirs, strict=True):
        prompt = chat.encode_prompt(tokenizer, [Message(role="user", content=questions[a.prompt_id])])
        for rollout in a.rollouts:
            q, _ = naive_logprobs(other, prompt, list(rollout.token_ids), 0.7)
            sums.append(sum(rollout.token_logprobs) - float(q.sum()))
        for record in (a, b):
            expected = judge.score_responses([prompt], [[list(r.token_ids) for r in record.rollouts]])[0]
            assert torch.allclose(torch.tensor(record.scores), torch.tensor(expected), atol=1e-4)
        wins += [x > y for x, y in zip(a.scores, b.scores, strict=True)]
    assert report["kl"] == pytest.approx(sum(sums) / len(sums), abs=1e-3)
    assert report["reward_win_rate"] == pytest.approx(sum(wins) / len(wins))
    low, high = report["reward_win_rate_ci"]
    assert low <= report["reward_win_rate"] <= high


def test_a_full_disk_has_a_code_of_its_own():
    from contracts.run_dir import DiskFull
    from training.algorithms.__main__ import describe

    assert describe(DiskFull("output: found 0 MB free")) == ("disk_full", "output: found 0 MB free")


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"),
    [
        ("config", "bad_config", "learning_rate: must be above 0"),
        ("input", "bad_input", "is not the file that the run was started with"),
        ("missing", "bad_input", "needs the inputs corpus"),
        ("short", "bad_input", "lower sequence_length"),
        ("base", "bad_input", "does not load as a causal language model"),
    ],
)
def test_a_run_that_cannot_work_says_why_in_one_sentence(made, caplog, spoil, code, sentence, tmp_path):
    run_dir = made("sample" if spoil == "base" else "pretrain")
    path = run_dir.path / "run.json"
    plain = json.loads(path.read_text())
    if spoil == "config":
        plain["config"]["learning_rate"] = -1.0
    elif spoil == "missing":
        plain["inputs"] = {}
    elif spoil == "base":
        plain["inputs"]["policy"] = {"path": str(tmp_path), "sha256": "", "hub": "", "id": ""}
    elif spoil == "input":
        (tmp_path / "corpus.txt").write_text("changed")
    else:
        (tmp_path / "corpus.txt").write_text("tiny")
        plain["inputs"]["corpus"]["sha256"] = ""
    path.write_text(json.dumps(plain))
    assert world.finish(run_dir) == FAILED
    error = run_dir.error()
    assert error["code"] == code and sentence in error["sentence"]
    assert "\n" not in error["sentence"]
    assert "Traceback" in caplog.text


def test_a_finished_run_is_not_run_again(made, caplog):
    run_dir = made("sample", max_prompts=2)
    assert world.finish(run_dir) == SUCCEEDED
    before = run_dir.report()
    assert world.finish(run_dir) == SUCCEEDED
    assert run_dir.report() == before
    assert "already finished" in caplog.text


def test_an_orphaned_run_ends_by_itself(made):
    """A parent that names itself the supervisor starts the run and dies."""
    run_dir = made("pretrain", steps=100_000, save_every=10)
    command = (
        "import os, subprocess, sys;"
        f"os.environ[{SUPERVISOR_PID!r}] = str(os.getpid());"
        f"p = subprocess.Popen([sys.executable, '-m', 'training.algorithms', {str(run_dir.path)!r}]);"
        "print(p.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", command],
        cwd=world.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    child = int(parent.stdout.readline())
    world.wait_for(lambda: in_the_middle(run_dir))
    parent.kill()
    parent.wait()
    with run_dir.exclusive(wait=20):
        assert not run_dir.is_finished()
    world.wait_for(lambda: ended(child))


def ended(process):
    """Gone, or a zombie that nobody waits for."""
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().split()[2] == "Z"


def test_only_the_kind_that_needs_trl_loads_it(made):
    run_dir = made("sample", max_prompts=1)
    code = (
        "import sys; from training.algorithms.__main__ import main;"
        f"status = main([{str(run_dir.path)!r}]);"
        "print(status, sorted({'trl', 'peft', 'datasets', 'django'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=world.ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[-2] == "0 []"
