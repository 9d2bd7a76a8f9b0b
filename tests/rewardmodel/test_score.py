"""Scoring from the command line: rows in, the same rows with scores out."""

import json

import pytest

from contracts.records import Message
from rewardmodel import chat, prefix, score
from rewardmodel.model import RewardModel

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(base):
    return RewardModel.from_base(base, 1).requires_grad_(requires_grad=False)


def scored(model, *rows, max_length=128):
    lines = [json.dumps(row) for row in rows]
    return list(score.score_rows(model, lines, micro_batch_tokens=500, max_length=max_length))


def expected(model, prompt, reply):
    ids = chat.encode_prompt(model.tokenizer, [Message(role="user", content=prompt)])
    made = prefix.batch([ids], [[chat.encode_reply(model.tokenizer, reply)]], pad_id=model.pad_id)
    return pytest.approx(model.score(made).item(), abs=1e-5)


def test_rows_keep_their_fields_and_order_and_get_a_score(model):
    rows = scored(
        model,
        {"prompt": "sun", "response": "please", "id": 7},
        {"prompt": [{"role": "user", "content": "moon moon"}], "responses": ["sorry", {"text": "red", "rank": 1}]},
    )
    assert rows[0] == {"prompt": "sun", "response": "please", "id": 7, "score": expected(model, "sun", "please")}
    assert rows[1]["scores"] == [expected(model, "moon moon", "sorry"), expected(model, "moon moon", "red")]


def test_a_row_that_is_cut_says_so(model):
    long, short = scored(
        model, {"prompt": "a", "response": "sun " * 90}, {"prompt": "a", "response": "b"}, max_length=30
    )
    assert long["truncated"] is True
    assert "truncated" not in short


def test_rows_stream_so_memory_does_not_grow_with_the_file(model):
    """The first score leaves before more than two chunks were read, of a file without an end."""
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield json.dumps({"prompt": "sun", "response": "moon"})

    rows = score.score_rows(model, endless(), micro_batch_tokens=5_000, max_length=64)
    next(rows)
    assert taken <= 2 * score.ROWS_AT_A_TIME


@pytest.mark.parametrize(
    "line",
    ["{", "[1]", '{"prompt": "a"}', '{"prompt": "a", "responses": []}', '{"prompt": [{"role": "x"}], "response": "a"}'],
)
def test_a_bad_row_names_its_line(model, line):
    good = json.dumps({"prompt": "a", "response": "b"})
    with pytest.raises(score.ScoreError, match=r"line 3: found .*expected .*mend the row"):
        list(score.score_rows(model, [good, "", line], micro_batch_tokens=500, max_length=64))


def test_the_command_reads_and_writes_files(model, tmp_path):
    model.save(tmp_path / "rm")
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"prompt": "sun", "response": "née ☀"}\n', encoding="utf-8")
    arguments = ["--model", tmp_path / "rm", "--input", source, "--output", target]
    assert score.main(list(map(str, arguments))) == 0
    (row,) = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert row["response"] == "née ☀"
    assert row["score"] == expected(model, "sun", "née ☀")
