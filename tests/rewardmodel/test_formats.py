"""Outside formats at the command line: each becomes rankings that fit and evaluate take."""

import gzip
import json

import pytest

from contracts import snapshots
from contracts.records import RankingRecord
from rewardmodel import evaluate, fit, formats, groups
from rewardmodel.formats import FormatError
from rewardmodel.model import RewardModel
from tests import public_data
from tests.rewardmodel.conftest import toy_rankings

pytestmark = pytest.mark.torch

HH = [
    {
        "chosen": f"\n\nHuman: sun {i}\n\nAssistant: please {i}",
        "rejected": f"\n\nHuman: sun {i}\n\nAssistant: sorry {i}",
    }
    for i in range(12)
]
TREE = {
    "message_tree_id": "t",
    "prompt": {
        "message_id": "t", "role": "prompter", "text": "which star?",
        "replies": [
            {"message_id": "a", "role": "assistant", "text": "the second", "rank": 1, "replies": []},
            {"message_id": "b", "role": "assistant", "text": "the best", "rank": 0, "replies": []},
            {"message_id": "c", "role": "assistant", "text": "no order", "rank": None, "replies": []},
        ],
    },
}  # fmt: skip
LIST = {
    "prompt": "which moon?",
    "responses": [{"id": "x", "text": "red", "model": "m1"}, {"id": "y", "text": "blue"}, {"id": "z", "text": "green"}],
    "ranking_groups": [["z"], ["x", "y"]],
    "judge": "somebody",
}
PAIR = {"prompt": "sun?", "chosen": "please", "rejected": "sorry"}


def written(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def converted(path, folder, format=""):
    folder.mkdir(exist_ok=True)
    made, said = formats.convert(path, format, folder)
    return list(snapshots.read(made, RankingRecord)), said


@pytest.mark.parametrize(
    ("name", "rows", "texts", "ranks"),
    [
        ("hh", HH[:1], ["please 0", "sorry 0"], [1, 2]),
        ("oasst", [TREE], ["the second", "the best", "no order"], [2, 1, None]),
        ("ranked", [LIST], ["red", "blue", "green"], [2, 2, 1]),
        ("pairs", [PAIR], ["please", "sorry"], [1, 2]),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_each_format_becomes_rankings(named, name, rows, texts, ranks, tmp_path):
    path = written(tmp_path / "file.jsonl", rows)
    (record,), said = converted(path, tmp_path / "inputs", name if named else "")
    assert [response.text for response in record.responses] == texts
    assert [response.rank for response in record.responses] == ranks
    assert record.prompt[-1].role == "user"
    assert f"1 rankings read as {name}, 0 records refused" in said


def test_converting_again_gives_the_same_rows_and_another_file_is_refused(tmp_path):
    path = written(tmp_path / "hh.jsonl.gz", HH)
    rows, _ = converted(path, tmp_path / "inputs")
    assert converted(path, tmp_path / "inputs")[0] == rows
    assert len({row.group for row in rows}) == 12
    other = written(tmp_path / "other.jsonl", HH[:3])
    with pytest.raises(FormatError, match=r"found rankings of another file or format.* name another --output"):
        converted(other, tmp_path / "inputs")
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == ["rankings"]


def test_records_that_rank_nothing_are_counted_by_reason(tmp_path):
    same = {**PAIR, "rejected": "please"}
    rows, said = converted(written(tmp_path / "file.jsonl", [PAIR, same, {**same, "prompt": "moon?"}]), tmp_path / "in")
    assert len(rows) == 1
    assert "2 records refused" in said
    assert "2: chosen and rejected are the same" in said


@pytest.mark.parametrize(
    ("content", "format", "said"),
    [
        ("", "", "is empty"),
        ('{"neither": 1}\n', "", "is of no format that is known"),
        (json.dumps(PAIR), "trees", "trees is not a format"),
        ('{"messages": [{"role": "user", "content": "hi"}]}\n', "", "expected at least one ranking"),
    ],
)
def test_a_file_without_rankings_is_refused_with_the_formats_there_are(content, format, said, tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_text(content)
    with pytest.raises(FormatError, match=said):
        converted(path, tmp_path / "inputs", format)


def test_our_own_rows_are_taken_as_they_are(tmp_path):
    """Converting would lose sampled ids, weights and flags."""
    rows = written(tmp_path / "rows.jsonl", [row.to_json() for row in toy_rankings(2)])
    assert formats.is_ours(rows, "")
    assert not formats.is_ours(written(tmp_path / "hh.jsonl", HH), "")


def test_fit_and_evaluate_take_hh_pairs_from_a_compressed_file(base, tmp_path, capsys):
    path = written(tmp_path / "hh.jsonl.gz", HH)
    words = ["--rankings", str(path), "--base", str(base), "--output", str(tmp_path / "run")]
    for _ in range(2):  # again: the same rows, so the run is found finished
        assert fit.main([*words, "--set", "curve_points=0", "--set", "learning_rate=0.003"]) == 0
    assert "held-out accuracy" in capsys.readouterr().out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["rankings"] == 12
    manifest = json.loads((tmp_path / "run" / "output" / "manifest.json").read_text())
    assert manifest["inputs"]["rankings"]["sha256"]

    words = ["--rankings", str(path), "--format", "hh", "--model", str(tmp_path / "run" / "output")]
    assert evaluate.main(words) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 12


@public_data.needed
@pytest.mark.parametrize(
    ("file", "name", "least"),
    [
        ("hh/harmless-base-test.part1.jsonl.gz", "hh", 500),
        ("oasst/en_100_tree.jsonl", "oasst", 50),
        ("pandalm/testset-v1.json", "pandalm", 500),
        ("alpaca_eval/rankings.jsonl", "ranked", 50),
    ],
)
def test_public_data_is_read_and_becomes_groups(file, name, least, base, tmp_path):
    rows, said = converted(public_data.FOLDER / file, tmp_path / "inputs")
    assert f"read as {name}" in said
    assert len(rows) >= least
    tokenizer = RewardModel.from_base(base, 0).tokenizer
    made, counts = groups.make(rows[:40], tokenizer, max_length=256)
    assert len(made) + sum(counts.refused.values()) == 40
