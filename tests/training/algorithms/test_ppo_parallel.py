"""Several processes on one iteration: their update is that of one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rewardmodel.errors import RewardModelError
from tests.training.algorithms.ppo_case import Case
from tests.training.algorithms.test_ppo import timeless
from training.algorithms import policy, ppo
from training.services.process import command

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[3]
# Seven prompts: the processes' shares are unequal, and one minibatch has an odd number too.
OPTIONS = {"updates": 2, "prompts_per_update": 7, "micro_batch_tokens": 128, "kl_target": 1.0, "save_every": 2}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("parallel"))


def launched(run_dir, *, processes: int) -> None:
    argv = command(run_dir.path, base=[sys.executable, "-m", "training.algorithms"], processes=processes)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_give_the_update_of_one(case):
    one, two = case.start("one", **OPTIONS), case.start("two", **OPTIONS)
    ppo.run(*one)
    launched(two[0], processes=2)
    for expected, found in zip(timeless(one[0]), timeless(two[0]), strict=True):
        assert found["step"] == expected["step"]
        assert found.get("text") == expected.get("text")
        assert found["values"] == pytest.approx(expected["values"], abs=2e-4, rel=1e-3)
    weights, same = (policy.load_policy(str(run_dir.output))[0].state_dict() for run_dir in (one[0], two[0]))
    start = policy.load_policy(str(case.root / "policy"))[0].state_dict()
    for key, weight in weights.items():
        torch.testing.assert_close(same[key], weight, atol=2e-4, rtol=1e-3)
    assert max((weights[key] - start[key]).abs().max() for key in weights) > 5e-3


@pytest.mark.parametrize("name", ["FSDP", "DEEPSPEED"])
def test_a_launch_that_would_shard_models_is_refused_by_name(case, monkeypatch, name):
    monkeypatch.setenv(f"ACCELERATE_USE_{name}", "true")
    with pytest.raises(RewardModelError, match=f"(?i)launch with {name}"):
        ppo.run(*case.start(f"sharded-{name}"))
