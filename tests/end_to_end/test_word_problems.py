"""The word problems at a small size, over the API with real processes; then somebody talks to the policy."""

import io
import time

import pytest
from rich.console import Console

from contracts.run_dir import read_json
from demo import seeding, word_play
from demo.client import Client

pytestmark = [pytest.mark.loop, pytest.mark.torch]


@pytest.fixture(scope="module")
def played(system, chosen):
    console = Console(file=io.StringIO(), width=200)
    made = word_play.play_problems(
        chosen.address, seed=1, scale=word_play.SMALL, folder=chosen.reports, console=console
    )
    word_play.show(made, console)
    return made, console.file.getvalue()


@pytest.fixture(scope="module")
def erin(played, chosen):
    with Client.login(chosen.address, seeding.ENGINEER, seeding.PASSWORD) as client:
        yield client


def test_the_report_tells_accuracy_length_and_corrections_by_iteration(played, chosen):
    made, shown = played
    assert read_json(chosen.reports / "report.json") == made
    iterations = word_play.SMALL.configs["best_of_n"]["iterations"]
    for name in ("accuracy", "length", "corrections", "kept"):
        assert len(made["by_iteration"][name]) == iterations + 1
    assert made["demonstrations"] == word_play.SMALL.train_prompts
    assert made["problems"] == {"train": word_play.SMALL.train_prompts, "heldout": word_play.SMALL.heldout_prompts}
    assert all(made["checkpoints"].values())
    assert "held-out problems, by iteration" in shown


def test_a_person_talks_to_the_policy_and_sees_its_tokens(erin, played):
    made, _ = played
    messages = [{"role": "user", "content": "Ben has $9 and buys 2 pears. Each pear costs $3. How much money is left?"}]
    checkpoint = made["checkpoints"]["best_of_n"]
    asked = erin.post(f"checkpoints/{checkpoint}/replies", {"messages": messages, "max_new_tokens": 8, "top": 2})
    done = answered(erin, f"replies/{asked['id']}")
    assert done["finish_reason"] in ("stop", "length") and 1 <= len(done["tokens"]) <= 8
    assert all(len(token["top"]) == 2 for token in done["tokens"])
    asked = erin.post(f"checkpoints/{checkpoint}/inspections", {"messages": messages, "top": 3})
    found = answered(erin, f"inspections/{asked['id']}")
    content = [token["text"] for token in found["tokens"] if token["part"] == "content"]
    assert "".join(content) == messages[0]["content"]
    assert len(found["next_token"]) == 3


def answered(erin, path):
    deadline = time.monotonic() + 60
    while (found := erin.get(path))["status"] in ("queued", "loading", "running"):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found["status"] == "succeeded", found
    return found
