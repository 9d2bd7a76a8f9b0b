"""The playground as a page meets it: ask, poll, cancel; a worker's thread answers through a process of its own."""

import json
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from contracts.run_dir import write_manifest
from labeling.models.people import Role, User
from tests.conftest import Caller
from tests.training.conftest import make_member
from training.api import playground_shapes as shapes
from training.models.checkpoints import Checkpoint
from training.models.playground import PlaygroundRequest
from training.models.runs import Run
from training.services import playground, playground_worker, supervisor

STUB = Path(__file__).with_name("stub_engine.py")
TURN = {"role": "user", "content": "one two three", "name": ""}


def body(response):
    return json.loads(response.content)


def make_checkpoint(project, folder, kind="policy"):
    folder.mkdir(parents=True)
    (folder / "weights").write_text("none")
    write_manifest(folder, {"kind": kind})
    run = Run.objects.create(project=project, kind="sft", name=kind, config={}, seed=1)
    return Checkpoint.objects.create(
        project=project, kind=kind, name=kind, run=run, path=folder.name, manifest_sha256="0" * 64
    )


@pytest.fixture
def checkpoint(stage, settings):
    settings.PLAYGROUND_COMMAND = [sys.executable, str(STUB)]
    return make_checkpoint(stage, settings.RUNS / "policy")


@pytest.fixture
def erin_calls(checkpoint):
    return Caller(User.objects.get(username="erin"))


@pytest.fixture
def serving(checkpoint):
    """The worker's thread."""
    thread = threading.Thread(target=playground_worker.serve_until_stopping)
    thread.start()
    yield
    supervisor.stopping.set()
    thread.join(timeout=10)
    supervisor.stopping.clear()
    assert not thread.is_alive()


def ask(caller, checkpoint, text="one two three", **more):
    answer = caller.post(f"checkpoints/{checkpoint.id}/replies", {"messages": [{**TURN, "content": text}], **more})
    assert answer.status_code == 201, answer.content
    return body(answer)


def poll(caller, found, until=lambda reply: reply["status"] in ("succeeded", "failed", "cancelled"), after=0):
    deadline = time.monotonic() + 20
    while True:
        found = body(caller.get(f"replies/{found['id']}?after={after}"))
        if until(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def assert_shape(shape, plain):
    assert set(plain) == set(shape().fields)
    problems = shape(data=plain)
    assert problems.is_valid(), problems.errors


def test_a_reply_is_read_token_by_token_and_the_model_stays_warm(erin_calls, checkpoint, serving):
    asked = ask(erin_calls, checkpoint, seed=7)
    assert_shape(shapes.Reply, asked)
    assert (asked["status"], asked["tokens"], asked["seed"]) == ("queued", [], 7)
    done = poll(erin_calls, asked)
    assert_shape(shapes.Reply, done)
    assert [token["text"] for token in done["tokens"]] == ["one", "two", "three"]
    assert (done["status"], done["finish_reason"], done["next"]) == ("succeeded", "stop", 3)
    assert [token["text"] for token in poll(erin_calls, asked, after=2)["tokens"]] == ["three"]
    again = poll(erin_calls, ask(erin_calls, checkpoint))
    assert again["prompt_tokens"] == done["prompt_tokens"], "the stub tells its process id there"


def test_tokens_appear_while_the_reply_is_written_and_a_cancel_keeps_them(erin_calls, checkpoint, serving):
    asked = ask(erin_calls, checkpoint, "slowly " + "word " * 60)
    part = poll(erin_calls, asked, until=lambda reply: len(reply["tokens"]) >= 2)
    assert part["status"] == "running"
    assert erin_calls.post(f"replies/{asked['id']}/cancel").status_code == 200
    ended = poll(erin_calls, asked)
    assert (ended["status"], ended["finish_reason"]) == ("cancelled", "cancelled")
    assert 2 <= len(ended["tokens"]) < 20


def test_an_inspection_is_answered_the_same_way(erin_calls, checkpoint, serving):
    answer = erin_calls.post(f"checkpoints/{checkpoint.id}/inspections", {"messages": [TURN]})
    asked = body(answer)
    assert answer.status_code == 201
    assert_shape(shapes.Inspection, asked)
    deadline = time.monotonic() + 20
    while (found := body(erin_calls.get(f"inspections/{asked['id']}")))["status"] != "succeeded":
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["next_token"] == [{"id": 1, "text": "one two three", "probability": 1.0}]
    assert erin_calls.get(f"replies/{asked['id']}").status_code == 404


def test_a_process_that_dies_fails_its_request_and_the_next_one_is_answered(erin_calls, checkpoint, serving):
    crashed = poll(erin_calls, ask(erin_calls, checkpoint, "one crash"))
    assert (crashed["status"], crashed["error"]["code"]) == ("failed", "crashed")
    refused = poll(erin_calls, ask(erin_calls, checkpoint, "refuse"))
    assert refused["error"] == {"code": "bad_input", "sentence": "Refused."}
    assert poll(erin_calls, ask(erin_calls, checkpoint))["status"] == "succeeded"


def test_a_model_that_changed_on_disk_is_not_served(erin_calls, checkpoint, serving, settings):
    (settings.RUNS / "policy" / "weights").write_text("other")
    found = poll(erin_calls, ask(erin_calls, checkpoint))
    assert found["error"]["code"] == "bad_input" and "the manifest says" in found["error"]["sentence"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role"),
        ({"messages": [TURN, {"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{**TURN, "content": "a\x00b"}]}, "messages.0.content"),
        ({"messages": [TURN], "temperature": 0}, "temperature"),
        ({"messages": [TURN], "max_new_tokens": 10**9}, "max_new_tokens"),
        ({"messages": [TURN], "seed": -1}, "seed"),
        ({"messages": [TURN], "tempreature": 1}, "tempreature"),
        ({}, "messages"),
    ],
)
def test_a_bad_request_names_its_field(erin_calls, checkpoint, sent, field):
    answer = erin_calls.post(f"checkpoints/{checkpoint.id}/replies", sent)
    assert answer.status_code == 400
    assert field in body(answer)["fields"], answer.content
    assert not PlaygroundRequest.objects.exists()


def test_a_reward_model_does_not_reply(erin_calls, stage, settings, checkpoint):
    judge = make_checkpoint(stage, settings.RUNS / "judge", kind="reward_model")
    answer = erin_calls.post(f"checkpoints/{judge.id}/replies", {"messages": [TURN]})
    assert (answer.status_code, list(body(answer)["fields"])) == (400, ["checkpoint"])


def test_only_engineers_ask_and_only_the_asker_reads(erin_calls, stage, checkpoint):
    asked = ask(erin_calls, checkpoint)
    alice = Caller(make_member(stage, "alice", Role.LABELER))
    emil = Caller(make_member(stage, "emil", Role.ENGINEER))
    assert alice.post(f"checkpoints/{checkpoint.id}/replies", {"messages": [TURN]}).status_code == 403
    for somebody in (alice, emil):
        assert somebody.get(f"replies/{asked['id']}").status_code == 404
        assert somebody.post(f"replies/{asked['id']}/cancel").status_code == 404


def test_a_person_has_a_few_requests_at_a_time_and_cancels_queued_ones_at_once(erin_calls, checkpoint):
    asked = [ask(erin_calls, checkpoint) for _ in range(playground.MOST_WAITING)]
    fifth = erin_calls.post(f"checkpoints/{checkpoint.id}/replies", {"messages": [TURN]})
    assert (fifth.status_code, body(fifth)["code"]) == (409, "playground_busy")
    assert body(erin_calls.post(f"replies/{asked[0]['id']}/cancel"))["status"] == "cancelled"
    ask(erin_calls, checkpoint)


def test_one_request_is_claimed_once_and_a_lost_worker_fails_it(erin_calls, checkpoint, settings):
    asked = ask(erin_calls, checkpoint)
    now = timezone.now()
    mine = playground.claim(now=now)
    assert str(mine.id) == asked["id"] and playground.claim(now=now) is None
    later = now + timedelta(seconds=settings.RUN_STALE_SECONDS + 1)
    assert playground.end_lost(now=later) == 1
    assert playground.write(mine, stage="replying", tokens=[1], now=later) is None
    assert not playground.finish(mine, tokens=[], result={}, now=later)
    assert body(erin_calls.get(f"replies/{asked['id']}"))["error"]["code"] == "worker_lost"


def test_old_requests_are_forgotten(erin_calls, checkpoint):
    asked = ask(erin_calls, checkpoint)
    erin_calls.post(f"replies/{asked['id']}/cancel")
    assert playground.forget_old(now=timezone.now()) == 0
    assert playground.forget_old(now=timezone.now() + playground.KEPT + timedelta(minutes=1)) == 1
    assert body(erin_calls.get(f"replies/{asked['id']}"))["code"] == "playground_request_not_found"
