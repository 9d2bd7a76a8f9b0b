"""The playground's process: what it says token by token is what sampling draws and what the model expects."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import torch

from contracts.records import Message
from rewardmodel import chat
from tests.training.algorithms.conftest import ROOT, facts, make_model
from training.algorithms import playground, policy, sampling

MESSAGES = [
    {"role": "system", "content": "Be kind.", "name": ""},
    {"role": "user", "content": facts()[0][0], "name": ""},
]
ASK = {"kind": "reply", "messages": MESSAGES, "max_new_tokens": 12, "temperature": 1.3, "seed": 5, "top": 3}


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("policy")
    policy.save_policy(make_model("llama", tokenizer), tokenizer, path)
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return policy.load_policy(str(folder))


def said_to(lines):
    said = []
    playground.serve(io.StringIO("".join(json.dumps(line) + "\n" for line in lines)), said.append)
    return said


def test_streamed_tokens_are_those_that_sampling_draws(folder, loaded):
    model, tokenizer = loaded
    said = said_to([{**ASK, "model": str(folder)}])
    assert said[:2] == [{"stage": "loading"}, {"stage": "replying"}]
    tokens = [word["token"] for word in said if "token" in word]
    prompt = chat.encode_prompt(tokenizer, [Message(**message) for message in MESSAGES])
    ((whole,),) = sampling.sample(
        model, [prompt], k=1, max_new_tokens=12, stop_id=chat.stop_token_id(tokenizer),
        pad_id=tokenizer.pad_token_id, seed=5, temperature=1.3,
    )  # fmt: skip
    assert [token["id"] for token in tokens] == whole.ids
    assert [token["logprob"] for token in tokens] == pytest.approx(whole.logprobs, abs=1e-5)
    assert "".join(token["text"] for token in tokens) == chat.decode_reply(tokenizer, whole.ids)
    assert said[-1] == {"done": {"finish_reason": whole.finish_reason, "prompt_tokens": len(prompt)}}
    for token in tokens:
        chances = {one["id"]: one["probability"] for one in token["top"]}
        assert len(chances) == 3 and list(chances.values()) == sorted(chances.values(), reverse=True)
        if token["id"] in chances:
            assert chances[token["id"]] == pytest.approx(torch.tensor(token["logprob"]).exp().item(), abs=1e-4)


def test_inspection_shows_every_token_with_its_role_and_how_the_model_expected_it(folder, loaded):
    model, tokenizer = loaded
    reply = {"role": "assistant", "content": facts()[0][1], "name": ""}
    request = {"kind": "inspect", "model": str(folder), "messages": [*MESSAGES, reply], "position": 4, "top": 5}
    (_, done) = said_to([request])
    tokens, found = done["done"]["tokens"], done["done"]
    ids, learned = chat.encode_conversation(tokenizer, [Message(**message) for message in request["messages"]])
    assert [token["id"] for token in tokens] == ids
    for message in request["messages"]:
        own = [t["text"] for t in tokens if t["part"] == "content" and t["role"] == message["role"]]
        assert "".join(own) == message["content"]
    ends = [token["role"] for token in tokens if token["id"] == chat.stop_token_id(tokenizer)]
    assert ends == ["system", "user", "assistant"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0]
    logprobs = logits.log_softmax(-1)
    assert tokens[0]["logprob"] is None
    for i in range(1, len(ids)):
        assert tokens[i]["logprob"] == pytest.approx(float(logprobs[i - 1, ids[i]]), abs=1e-4)
        assert tokens[i]["rank"] == 1 + int((logprobs[i - 1] > logprobs[i - 1, ids[i]]).sum())
    assert [one["id"] for one in found["next"]] == logprobs[4].topk(5).indices.tolist()
    assert learned[-1 - (ids[-1] != chat.stop_token_id(tokenizer))]


def test_a_conversation_that_waits_for_a_reply_ends_with_its_header(folder):
    (_, done) = said_to([{"kind": "inspect", "model": str(folder), "messages": MESSAGES, "position": -1, "top": 1}])
    tail = [token for token in done["done"]["tokens"] if token["role"] == "assistant"]
    assert {token["part"] for token in tail} == {"template"}
    assert "".join(token["text"] for token in tail).strip().endswith("assistant")
    assert done["done"]["position"] == len(done["done"]["tokens"]) - 1


def test_what_cannot_be_answered_is_named_and_the_next_request_is(folder, tmp_path):
    long = [{**MESSAGES[1], "content": "long " * 200}]
    said = said_to([
        {**ASK, "model": str(folder), "messages": long},
        {**ASK, "model": str(tmp_path / "nothing")},
        {"kind": "inspect", "model": str(folder), "messages": MESSAGES, "position": 999, "top": 1},
        {**ASK, "model": str(folder), "max_new_tokens": 1},
    ])  # fmt: skip
    errors = [word["error"] for word in said if "error" in word]
    assert [error["code"] for error in errors] == ["bad_input"] * 3
    assert "shorten it" in errors[0]["sentence"] and "position must be below" in errors[2]["sentence"]
    assert sum("token" in word for word in said) == 1
    assert sum(word == {"stage": "loading"} for word in said) == 2, "the model of the last request was still warm"


def test_a_cancel_is_of_the_request_before_it_and_of_no_other(folder):
    ask = {**ASK, "model": str(folder)}
    said = said_to([ask, {"kind": "cancel"}, ask])
    assert [word["done"]["finish_reason"] == "cancelled" for word in said if "done" in word] == [True, False]


def test_the_process_itself_answers_is_cancelled_and_ends_with_its_input(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "training.algorithms.playground"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    process.stdin.write(json.dumps({**ASK, "model": str(folder), "max_new_tokens": 4_096, "temperature": 9.0}) + "\n")
    process.stdin.flush()
    words = []
    for line in process.stdout:
        words.append(json.loads(line))
        if "token" in words[-1] and not any("token" in word for word in words[:-1]):
            process.stdin.write('{"kind": "cancel"}\n')
            process.stdin.close()
    assert process.wait(timeout=20) == 0
    assert words[-1]["done"]["finish_reason"] in ("cancelled", "length", "stop")
