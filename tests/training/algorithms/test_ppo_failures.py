"""What a PPO run does when numbers, memory or the disk give out: a named error, and the last state intact."""

import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from contracts.run_dir import FAILED, Cancelled, RunDir
from rewardmodel import prefix
from rewardmodel.model import RewardModel
from tests.training.algorithms.ppo_case import Case
from tests.training.algorithms.test_ppo import gathered, never, timeless
from training.algorithms import __main__ as entry
from training.algorithms import decoding, ppo, states
from training.algorithms.ppo_memory import within_memory
from training.algorithms.ppo_state import Diverged, Learner

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("failures"))


def short_of_memory(monkeypatch, *, calls: set[int], error: Exception) -> list[int]:
    """Let the n-th pass through a trunk fail as an allocator does; the rows of each pass are returned."""
    original, rows = prefix.encode, []

    def encode(trunk, batch, **options):
        rows.append(len(batch.owner))
        if len(rows) in calls:
            raise error
        return original(trunk, batch, **options)

    monkeypatch.setattr(prefix, "encode", encode)
    return rows


ON_A_GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
ON_A_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory")


@pytest.mark.parametrize("error", [ON_A_GPU, ON_A_CPU, MemoryError()])
def test_micro_batches_are_halved_once_and_the_step_is_the_same(case, monkeypatch, error):
    name = type(error).__name__

    def gradients(started):
        learner = Learner(*started[:2])
        experience = gathered(learner)
        with monkeypatch.context() as patch:
            # The policy's first micro-batch goes well, its critic's fails: a gradient lies there already.
            rows = short_of_memory(patch, calls={2} if started[0].path.name.endswith("short") else set(), error=error)
            totals = within_memory(learner, lambda: ppo.accumulate(learner, experience, range(8), never))
        found = {n: w.grad for weights in learner.learning.values() for n, w in weights.items()}
        return learner, rows, totals, found

    whole, short = (case.start(f"{name}-{end}", micro_batch_tokens=512) for end in ("whole", "short"))
    learner, rows, totals, found = gradients(short)
    _, all_rows, expected_totals, expected = gradients(whole)
    assert learner.micro_batch_tokens == 256
    assert max(rows[2:]) < max(all_rows)
    torch.testing.assert_close(totals, expected_totals, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-3)


def test_memory_that_runs_out_twice_ends_the_run_with_its_own_code_and_keeps_the_state(case, monkeypatch):
    run_dir, config, spec = case.start("twice", updates=4, save_every=1)
    short_of_memory(monkeypatch, calls={60, 61, 62, 63}, error=ON_A_CPU)
    with pytest.raises(MemoryError, match="micro-batches of 4096 tokens") as raised:
        ppo.run(run_dir, config, spec)
    assert entry.describe(raised.value)[0] == "out_of_memory"
    state = states.load(run_dir)
    assert 1 <= state["update"] < 4
    monkeypatch.undo()
    ppo.run(run_dir, config, spec)
    assert run_dir.report()["updates"] == 4


def test_other_errors_are_not_taken_for_a_lack_of_memory(case, monkeypatch):
    run_dir, config, spec = case.start("other")
    # The first three measure which layouts are exact for the policy, where a failure is an answer.
    short_of_memory(monkeypatch, calls={4}, error=RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        ppo.run(run_dir, config, spec)


def test_a_run_that_diverges_says_so_and_its_last_good_state_resumes(case, monkeypatch):
    run_dir, config, spec = case.start("diverges", updates=4, save_every=1)
    original, calls = RewardModel.score, []

    def score(self, batch):
        calls.append(1)
        return original(self, batch) * (math.nan if len(calls) > 6 else 1)

    with monkeypatch.context() as patch:
        patch.setattr(RewardModel, "score", score)
        with pytest.raises(Diverged, match="scores are no longer finite") as raised:
            ppo.run(run_dir, config, spec)
    assert entry.describe(raised.value)[0] == "diverged"
    whole = case.start("converges", updates=4, save_every=1)
    ppo.run(run_dir, config, spec)
    ppo.run(*whole)
    assert timeless(run_dir) == timeless(whole[0])


def test_a_full_disk_is_named_and_the_last_state_stays_whole(case):
    """The kernel refuses files beyond a size that the state outgrows: a real write that fails half-way."""
    run_dir, _, _ = case.start("full", updates=4, save_every=2)
    first = case.start("fits", updates=2, save_every=2)
    ppo.run(*first)
    size = (first[0].state / states.STATE).stat().st_size

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    command = [sys.executable, "-m", "training.algorithms", str(run_dir.path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    (run_dir.state).mkdir()
    for path in first[0].state.iterdir():
        (run_dir.state / path.name).write_bytes(path.read_bytes())
    kept = states.load(run_dir)
    done = subprocess.run(command, cwd=ROOT, env=environment, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode == FAILED, done.stderr
    assert json.loads(run_dir.error_file.read_text())["code"] == "disk_full"
    assert states.load(run_dir)["update"] == kept["update"] == 2
    assert not run_dir.output.exists()


@pytest.mark.parametrize(
    ("owner", "name", "most"),
    # While learning, while measuring, and while decoding, where a check comes whenever some response ends.
    [(ppo.ppo_math, "policy_loss", 0), (Learner, "forward", 0), (decoding, "draw", 5)],
)
def test_a_cancelled_run_stops_within_a_micro_batch(case, owner, name, most):
    run_dir, config, spec = case.start(f"cancel-{name}", updates=3, micro_batch_tokens=64)

    class Asked(RunDir):
        asked = False
        passes_after = 0

        def cancel_requested(self):
            return self.asked

    asked = Asked(run_dir.path)
    original = getattr(owner, name)

    def count(*arguments, **options):
        asked.passes_after += asked.asked
        asked.asked = True
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, count)
        with pytest.raises(Cancelled):
            ppo.run(asked, config, spec)
    assert asked.passes_after <= most
    assert (states.load(run_dir)["experience"] is not None) == (name == "policy_loss")


def test_bfloat16_gives_finite_numbers_near_those_of_fp32(case):
    plain, short = (Learner(*case.start(f"bf16-{on}", bf16=on)[:2]) for on in (False, True))
    batch = prefix.batch([[1, 4, 6, 2, 1, 5]], [[[7, 8, 9, 2], [9, 2]]], pad_id=3)
    for expected, found in zip(
        (*plain.forward(batch), *plain.judge(batch)), (*short.forward(batch), *short.judge(batch)), strict=True
    ):
        assert found.dtype == torch.float32
        assert found.shape == expected.shape
        assert torch.isfinite(found).all()
        real = batch.response_mask if found.shape == batch.response_mask.shape else torch.ones_like(found)
        torch.testing.assert_close(found * real, expected * real, atol=0.1, rtol=0.1)
    assert (short.forward(batch)[0] - plain.forward(batch)[0]).abs().max() > 0
    experience = gathered(short)
    short.experience = experience
    ppo.improve(short, 0, never)
    assert all(math.isfinite(number) for row in short.steps for number in row)
