"""The real algorithms under a real worker that is killed: the same bytes as without the kill."""

import json
import sys

import pytest
from django.utils import timezone

from tests.training.conftest import make_corpus, make_project, until
from training.services import runs

pytestmark = [pytest.mark.torch, pytest.mark.loop]

CONFIG = {
    "vocab_size": 300, "hidden_size": 32, "layers": 1, "heads": 2, "context": 64, "sequence_length": 32,
    "batch_size": 8, "steps": 300, "save_every": 13,  # rarely where a mean is reported
}  # fmt: skip


@pytest.fixture
def project(on_disk, settings):
    project = make_project()
    lines = [f"the {thing} is {colour} .\n" for thing in ("cat", "dog", "sea") for colour in ("red", "blue", "green")]
    make_corpus(project, settings.ARTIFACTS, text="\n".join(lines * 40))
    return project


def pretrain(project):
    return runs.start(
        project=project, kind="pretrain", config=CONFIG, given={}, by=None, now=timezone.now(), seed=3
    )  # fmt: skip


def artifact(run, settings):
    return json.loads((settings.RUNS / run.checkpoint.path / "manifest.json").read_text())["files"]


def learned(run):
    """Metrics without the speed, which the clock decides."""
    return [
        (row.step, {name: value for name, value in row.body.items() if name != "tokens_per_s"})
        for row in run.metrics.all()
    ]


def test_a_worker_killed_while_a_model_trains_changes_nothing_about_the_model(project, start_worker, settings):
    real = {"RANKLOOP_RUN_COMMAND": f"{sys.executable},-m,training.algorithms", "OMP_NUM_THREADS": "1"}
    worker = start_worker(**real)
    undisturbed = until(pretrain(project), lambda run: run.is_final, seconds=120)
    assert undisturbed.status == "succeeded", undisturbed.error_sentence
    disturbed = pretrain(project)
    until(
        disturbed,
        lambda run: run.progress.get("total") == CONFIG["steps"] and 30 <= run.progress["done"] < CONFIG["steps"],
        seconds=60,
    )
    worker.kill()
    start_worker(**real)
    disturbed = until(disturbed, lambda run: run.is_final, seconds=120)
    assert (disturbed.status, disturbed.attempt) == ("succeeded", 2)
    assert artifact(disturbed, settings) == artifact(undisturbed, settings)
    assert learned(disturbed) == learned(undisturbed)
