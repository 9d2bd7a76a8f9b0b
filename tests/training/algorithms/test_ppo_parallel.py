"""Several processes on one iteration: their update is that of one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.algorithms.ppo_case import Case
from tests.training.algorithms.test_ppo import timeless
from training.algorithms import policy, ppo
from training.algorithms.ppo_state import Learner
from training.services.process import command

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[3]
# Seven prompts: the processes' shares are unequal, and one minibatch has an odd number too.
OPTIONS = {"updates": 2, "prompts_per_update": 7, "micro_batch_tokens": 128, "kl_target": 1.0, "save_every": 1}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("parallel"))


def launched(run_dir, mode: tuple[str, ...] = ("--multi_gpu",)) -> str:
    """Two processes by the launcher's own command, in another mode where one is given; what they logged."""
    argv = command(run_dir.path, base=[sys.executable, "-m", "training.algorithms"], processes=2)
    at = argv.index("--multi_gpu")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    argv = [*argv[:at], *mode, *argv[at + 1 :]]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def assert_same_update(case, found, expected) -> None:
    for mine, theirs in zip(timeless(found), timeless(expected), strict=True):
        assert mine["step"] == theirs["step"]
        assert mine.get("text") == theirs.get("text")
        assert mine["values"] == pytest.approx(theirs["values"], abs=2e-4, rel=1e-3)
    weights, same = (policy.load_policy(str(run_dir.output))[0].state_dict() for run_dir in (expected, found))
    start = policy.load_policy(str(case.root / "policy"))[0].state_dict()
    for key, weight in weights.items():
        torch.testing.assert_close(same[key], weight, atol=2e-4, rtol=1e-3)
    assert max((weights[key] - start[key]).abs().max() for key in weights) > 5e-3


@pytest.fixture(scope="module")
def alone(case):
    started = case.start("alone", **OPTIONS)
    ppo.run(*started)
    return started[0]


def test_two_processes_give_the_update_of_one(case, alone):
    run_dir, _, _ = case.start("whole", **OPTIONS)
    launched(run_dir)
    assert_same_update(case, run_dir, alone)


def test_two_processes_with_half_of_each_layer_take_up_the_run_of_one_and_end_as_it_does(case, alone, monkeypatch):
    run_dir, config, spec = case.start("shards", **OPTIONS)
    original = Learner.save

    def save_and_die(learner, run_dir):
        original(learner, run_dir)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Learner, "save", save_and_die)
        ppo.run(run_dir, config, spec)
    log = launched(run_dir, ("--use_fsdp", "--fsdp_version", "2"))
    assert "1 of 2 iterations done" in log
    held, total = map(int, re.search(r"(\d+) of (\d+) weights are held by this process", log).groups())
    assert 0.5 * total < held < 0.6 * total  # embeddings stay whole
    assert_same_update(case, run_dir, alone)


def test_a_deepspeed_config_of_stage_2_cuts_what_learns_and_gives_the_update_of_one(case, alone, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2")
    run_dir, _, _ = case.start("zero", **OPTIONS)
    log = launched(run_dir)
    held, total = map(int, re.search(r"(\d+) of (\d+) weights are held by this process", log).groups())
    assert 0.7 * total < held < 0.85 * total  # half of two trunks of four
    assert_same_update(case, run_dir, alone)
