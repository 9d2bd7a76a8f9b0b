"""Rollouts from a real server process of a tiny model, over HTTP: what it says, and what can go wrong with it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from contracts import configs
from contracts.records import Message, RolloutSetRecord
from rewardmodel import chat
from tests.training.algorithms.conftest import ROOT, facts, finish, make_run
from training.algorithms import policy, sampling, server_engine

pytestmark = pytest.mark.torch
SAMPLE = {"rollouts_per_prompt": 2, "max_prompts": 3, "max_new_tokens": 8, "temperature": 0.9, "concurrency": 3}


@pytest.fixture(scope="module")
def server(tiny_policy):
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("openai_server.py")), str(tiny_policy)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(server_engine, "FIRST_WAIT", 0.01)


def sampled(folder, prompts, server, model, **changes):
    config = {**SAMPLE, "server": server, "server_model": model, **changes}
    run = make_run(folder, "sample", config, {"prompts": prompts})
    return run, finish(run)


def rollouts_of(run):
    lines = (run.output / "rollouts.jsonl").read_text().splitlines()
    return [RolloutSetRecord.from_json(json.loads(line)) for line in lines]


def test_a_run_draws_from_the_server_what_its_model_draws(tmp_path, prompts, tiny_policy, server):
    run, status = sampled(tmp_path / "run", prompts, server, "plain")
    assert status == 0, run.error()
    model, tokenizer = policy.load_policy(str(tiny_policy))
    records = rollouts_of(run)
    assert len(records) == 3
    questions = {f"p{i}": question for i, (question, _) in enumerate(facts())}
    for record in records:
        assert len(record.rollouts) == 2
        for rollout in record.rollouts:
            prompt = chat.encode_prompt(tokenizer, [Message(role="user", content=questions[record.prompt_id])])
            ((own,),) = sampling.sample(
                model, [prompt], k=1, max_new_tokens=8, stop_id=chat.stop_token_id(tokenizer),
                pad_id=tokenizer.pad_token_id, seed=rollout.seed % (1 << 31), temperature=0.9,
            )  # fmt: skip
            assert rollout.text == chat.decode_reply(tokenizer, own.ids)
            assert rollout.token_ids == () and rollout.token_logprobs == pytest.approx(own.logprobs, abs=1e-5)
            assert rollout.finish_reason == own.finish_reason
    report = run.report()
    assert report["rollouts"] == 6 and report["tokens"] == sum(
        len(r.token_logprobs) for one in records for r in one.rollouts
    )


def test_a_busy_server_is_asked_again_and_never_beyond_the_limit(tmp_path, prompts, server):
    plain, _ = sampled(tmp_path / "plain", prompts, server, "plain")
    busy, status = sampled(tmp_path / "busy", prompts, server, "busy")
    assert status == 0, busy.error()
    assert [one.rollouts for one in rollouts_of(busy)] == [one.rollouts for one in rollouts_of(plain)]
    run, status = sampled(tmp_path / "slow", prompts, server, "slow", max_prompts=6)
    assert status == 0, run.error()
    assert 2 <= httpx.get(server).json()["most_under_way"] <= SAMPLE["concurrency"]


def test_a_server_that_refuses_optional_fields_is_asked_without_them(tmp_path, prompts, server):
    run, status = sampled(tmp_path / "run", prompts, server, "strict")
    assert status == 0, run.error()
    assert all(rollout.token_logprobs == () for one in rollouts_of(run) for rollout in one.rollouts)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("locked", "refuses the key"),
        ("unknown", "has no model 'unknown'"),
        ("broken", "did not answer in JSON"),
        ("away", "did not answer in 2 attempts"),
    ],
)
def test_what_a_server_does_wrong_is_one_sentence(tmp_path, prompts, server, model, said):
    run, status = sampled(tmp_path / "run", prompts, server, model, retries=1)
    assert status == 1
    assert run.error()["code"] == "bad_input" and said in run.error()["sentence"]


def test_a_server_that_is_not_there_is_named(tmp_path, prompts):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run, status = sampled(tmp_path / "run", prompts, f"http://127.0.0.1:{port}/v1", "plain", retries=1)
    assert status == 1 and "see that the server runs" in run.error()["sentence"]


def test_a_key_goes_to_its_own_server_alone_and_into_no_file(tmp_path, prompts, server, monkeypatch):
    monkeypatch.setenv(server_engine.KEYS, f"http://elsewhere/v1=other {server}=open-sesame")
    assert server_engine.key_for("http://elsewhere.example/v1") == ""
    assert server_engine.key_for(server + "/") == "open-sesame"
    run, status = sampled(tmp_path / "run", prompts, server, "locked")
    assert status == 0, run.error()
    written = b"".join(path.read_bytes() for path in run.path.rglob("*") if path.is_file())
    assert b"sesame" not in written


def test_a_cancelled_run_stops_within_a_request_and_resumes(tmp_path, prompts, server):
    config = {**SAMPLE, "server": server, "server_model": "slow", "max_prompts": 12, "concurrency": 1, "batch_size": 1}
    run = make_run(tmp_path / "run", "sample", config, {"prompts": prompts})
    timer = threading.Timer(1.5, run.ask_to_cancel)
    timer.start()
    started = time.monotonic()
    assert finish(run) == 3
    assert time.monotonic() - started < 6
    run.withdraw_cancel()
    kept = len((run.state / "rollouts.jsonl").read_text().splitlines())
    assert 0 <= kept < 12
    assert finish(run) == 0, run.error()
    assert len(rollouts_of(run)) == 12


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"server": "ftp://host/v1", "server_model": "m"}, "server"),
        ({"server": "http://user:secret@host/v1", "server_model": "m"}, "server"),
        ({"server": "http://host/v1?key=secret", "server_model": "m"}, "server"),
        ({"server": "http://host/v1"}, "server_model"),
        ({"server_model": "m"}, "server"),
    ],
)
def test_a_bad_address_is_refused_in_the_config(config, field):
    with pytest.raises(configs.ConfigError) as refused:
        configs.parse("sample", config)
    assert list(refused.value.fields) == [field]


def test_only_a_run_without_a_server_needs_a_policy():
    assert configs.parse("sample", {}).needs("policy")
    assert not configs.parse("sample", {"server": "http://host/v1", "server_model": "m"}).needs("policy")
