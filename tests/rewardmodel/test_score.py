"""Scoring from the command line: rows in, the same rows with scores out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.records import Message
from rewardmodel import chat, prefix, score
from rewardmodel.model import RewardModel

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]


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
            assert taken < 10_000, "the whole file is read before the first row leaves"
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


def test_an_ensemble_says_how_far_its_members_are_apart(base):
    both = RewardModel.from_base(base, 1)
    other = RewardModel.from_base(base, 2)
    both.members.append(other)
    both.combine, both.penalty = "uncertainty", 0.5
    both.requires_grad_(requires_grad=False)
    alone = [RewardModel.from_base(base, seed).requires_grad_(requires_grad=False) for seed in (1, 2)]
    a, b = (float(expected(one, "sun", "please").expected) for one in alone)
    (row,) = scored(both, {"prompt": "sun", "response": "please"})
    assert row["uncertainty"] == pytest.approx(abs(a - b) / 2, abs=1e-5)
    assert row["score"] == pytest.approx((a + b) / 2 - 0.5 * ((a - b) / 2) ** 2, abs=1e-5)
    (row,) = scored(both, {"prompt": "sun", "responses": ["please", "sorry"]})
    assert len(row["uncertainties"]) == len(row["scores"]) == 2


def test_responses_of_one_prompt_share_its_pass(model, monkeypatch):
    seen = []
    original = prefix.batch
    monkeypatch.setattr(
        prefix, "batch", lambda prompts, *a, **k: seen.append(len(prompts)) or original(prompts, *a, **k)
    )
    scored(model, {"prompt": "sun", "responses": ["please", "sorry", "red", "blue", "nine"]})
    assert seen == [1]  # one prompt encoded for five responses


def command(folder, source, target):
    return ["--model", str(folder), "--input", str(source), "--output", str(target)]


@pytest.fixture(scope="module")
def many(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    model.save(folder / "rm")
    source = folder / "in.jsonl"
    source.write_text(
        "".join(json.dumps({"prompt": "sun " * (i % 9 + 1), "response": f"{i}"}) + "\n" for i in range(200))
    )
    assert score.main(command(folder / "rm", source, folder / "whole.jsonl")) == 0
    return folder


@pytest.mark.parametrize("torn", [b"", b'{"prompt": "sun", "resp'])
def test_an_interrupted_file_goes_on_to_the_same_bytes(torn, many, tmp_path, monkeypatch):
    target = tmp_path / "out.jsonl"
    rows, original = 0, score.Output.write

    def interrupted(self, lines, on_row):
        def stop():
            nonlocal rows
            rows += 1
            if rows == 150:
                raise KeyboardInterrupt

        original(self, lines, stop)

    monkeypatch.setattr(score.Output, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score.main(command(many / "rm", many / "in.jsonl", target))
    assert not target.exists()
    with (tmp_path / "out.jsonl.partial").open("ab") as stream:
        stream.write(torn)

    monkeypatch.undo()
    scored_again = []
    read = score._read
    monkeypatch.setattr(
        score, "_read", lambda line, number, *rest: scored_again.append(number) or read(line, number, *rest)
    )
    assert score.main(command(many / "rm", many / "in.jsonl", target)) == 0
    assert min(scored_again) == 129  # two chunks of 64 were there
    assert target.read_bytes() == (many / "whole.jsonl").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_partial_file_of_another_model_is_not_gone_on_with(many, tmp_path):
    partial = tmp_path / "out.jsonl.partial"
    partial.write_text('{"score": 0}\n' * 128)
    (tmp_path / "out.jsonl.partial.json").write_text('{"model": "another"}')
    assert score.main(command(many / "rm", many / "in.jsonl", tmp_path / "out.jsonl")) == 0
    assert (tmp_path / "out.jsonl").read_bytes() == (many / "whole.jsonl").read_bytes()


def test_an_input_that_is_not_there_is_named(many, tmp_path, capsys):
    with pytest.raises(SystemExit):
        score.main(command(many / "rm", tmp_path / "none.jsonl", tmp_path / "out.jsonl"))
    assert "found no file" in capsys.readouterr().err


PEAK = """
import resource, sys
from rewardmodel import score
assert score.main(sys.argv[1:]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_file(many, tmp_path):
    """Peak resident memory, MB, of a file of 2 MB and one of 30: rows carry 20 kB that scoring does not read."""
    peaks = []
    for rows in (100, 1_500):
        source = tmp_path / f"{rows}.jsonl"
        with source.open("w") as stream:
            for i in range(rows):
                stream.write(json.dumps({"prompt": "sun", "response": f"{i % 50}", "note": "x" * 20_000}) + "\n")
        words = [sys.executable, "-c", PEAK, *command(many / "rm", source, tmp_path / "out.jsonl")]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
        source.unlink()
    assert peaks[1] - peaks[0] < 12, peaks


def test_help_says_what_a_row_is(capsys):
    with pytest.raises(SystemExit):
        score.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert '"prompt": TEXT' in text
    assert "goes on where it stopped" in text
