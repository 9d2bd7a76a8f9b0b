"""The exported classifier gives strangers, with transformers alone, the scores that we give."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from contracts.configs import ConfigError, parse
from contracts.records import Message
from contracts.run_dir import SUCCEEDED, InputRef, RunDir, RunSpec
from rewardmodel import chat, export
from rewardmodel.model import RewardModel
from tests.rewardmodel.conftest import make_tokenizer
from tests.rewardmodel.test_model import PROMPTS, RESPONSES
from training.algorithms.__main__ import main

pytestmark = pytest.mark.torch


def saved(model, folder, *, mean=0.7, std=2.5, report=None):
    model.mean, model.std = mean, std
    model.save(folder, run_id="r1", seed=3, config={"epochs": 1}, inputs={"base": {"hub": "some/base", "sha256": ""}})
    if report is not None:
        (folder / "report.json").write_text(json.dumps(report))
    return folder


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    return saved(RewardModel.from_base(base, 3), tmp_path_factory.mktemp("rm") / "rm")


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    target = tmp_path_factory.mktemp("exported") / "classifier"
    assert export.main(["--model", str(folder), "--output", str(target)]) == 0
    return target


def padded(rows, pad):
    width = max(map(len, rows))
    return torch.tensor([row + [pad] * (width - len(row)) for row in rows])


def test_two_lines_of_plain_transformers_give_the_same_scores(folder, exported):
    model = AutoModelForSequenceClassification.from_pretrained(exported)
    tokenizer = AutoTokenizer.from_pretrained(exported)
    rows = [prompt + response for prompt, group in zip(PROMPTS, RESPONSES, strict=True) for response in group]
    with torch.no_grad():
        found = model(padded(rows, tokenizer.pad_token_id)).logits[:, 0] + model.config.score_offset
    scores = RewardModel.load(folder).score_responses(PROMPTS, RESPONSES)
    torch.testing.assert_close(found, torch.tensor([s for group in scores for s in group]), atol=1e-5, rtol=0)


def test_the_cards_own_code_runs_without_this_project(folder, exported, tmp_path):
    """The code block of README.md, in a process that cannot import us."""
    (code,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), flags=re.S)
    code = code.replace('"FOLDER"', repr(str(exported)))
    asked, reply = [{"role": "user", "content": "sun or moon"}], "please, the moon"
    program = f"{code}\nimport sys\nassert 'rewardmodel' not in sys.modules\nprint(score({asked!r}, {reply!r}))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    model = RewardModel.load(folder)
    prompt = chat.encode_prompt(model.tokenizer, [Message(role="user", content="sun or moon")])
    ((expected,),) = model.score_responses([prompt], [[chat.encode_reply(model.tokenizer, reply)]])
    assert float(done.stdout.split()[-1]) == pytest.approx(expected, abs=1e-5)


def test_gpt2_can_be_exported_too(tmp_path):
    tokenizer = make_tokenizer("sun moon " * 20)
    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=len(tokenizer), n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    folder = saved(RewardModel.from_base(tmp_path / "base", 3), tmp_path / "rm")
    made = export.classifier(RewardModel.load(folder))
    with torch.no_grad():
        found = made(torch.tensor([PROMPTS[0] + RESPONSES[0][1]])).logits[0, 0] + made.config.score_offset
    assert found.item() == pytest.approx(RewardModel.load(folder).score_responses(PROMPTS, RESPONSES)[0][1], abs=1e-5)


def test_an_ensemble_is_exported_as_one_member_or_as_the_mean_of_weights(base, tmp_path, capsys):
    model = RewardModel.from_base(base, 1)
    model.members.append(RewardModel.from_base(base, 2))
    folder = saved(model, tmp_path / "rm")
    with pytest.raises(SystemExit):
        export.main(["--model", str(folder), "--output", str(tmp_path / "all")])
    assert "found an ensemble of 2, expected one model" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()

    assert export.main(["--model", str(folder), "--output", str(tmp_path / "second"), "--member", "1"]) == 0
    second = AutoModelForSequenceClassification.from_pretrained(tmp_path / "second")
    torch.testing.assert_close(second.score.weight, model.members[0].head.weight)

    assert export.main(["--model", str(folder), "--output", str(tmp_path / "mean"), "--average"]) == 0
    mean = AutoModelForSequenceClassification.from_pretrained(tmp_path / "mean")
    torch.testing.assert_close(mean.score.weight, (model.head.weight / 2.5 + model.members[0].head.weight) / 2)


def test_the_card_tells_lineage_worth_and_limits_and_names_no_labeler(base, tmp_path):
    report = {
        "accuracy": 0.81, "accuracy_ci": [0.75, 0.86], "pairs": 90, "prompts": 30, "rankings": 100, "refused": 2,
        "per_labeler": {"alice": {}, "bob": {}}, "train_groups": 70, "members": [{}],
        "accuracy_longer_won": 0.9, "accuracy_longer_lost": 0.6, "truncated": 3,
    }  # fmt: skip
    folder = saved(RewardModel.from_base(base, 3), tmp_path / "rm", report=report)
    export.write(RewardModel.from_base(base, 3), tmp_path, source=folder)
    text = (tmp_path / "README.md").read_text()
    for said in ("0.810 [0.750, 0.860]", "some/base", "| 70 |", "leans to length", "3 responses were cut", "epochs"):
        assert said in text
    assert "alice" not in text
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_an_existing_folder_is_never_overwritten(folder, tmp_path, capsys):
    (tmp_path / "precious").mkdir()
    with pytest.raises(SystemExit):
        export.main(["--model", str(folder), "--output", str(tmp_path / "precious")])
    assert "expected a new folder; name another" in capsys.readouterr().err
    assert list((tmp_path / "precious").iterdir()) == []


def test_the_run_kind_writes_the_classifier_with_a_manifest(folder, tmp_path):
    spec = RunSpec(
        run_id="e", kind="export", config=parse("export", {}).to_json(), seed=0,
        inputs={"reward_model": InputRef(path=str(folder))},
    )  # fmt: skip
    run_dir = RunDir(tmp_path / "run")
    run_dir.create(spec)
    assert main([str(run_dir.path)]) == SUCCEEDED
    assert run_dir.is_finished()
    assert (run_dir.output / "README.md").exists()
    assert run_dir.report()["bytes"] > 1000
    AutoModelForSequenceClassification.from_pretrained(run_dir.output)
    shutil.rmtree(run_dir.output)


def test_a_member_and_the_average_together_are_refused():
    with pytest.raises(ConfigError, match="member: cannot be named together with average"):
        parse("export", {"member": 1, "average": True})


def test_every_file_of_an_export_is_data_not_code(exported):
    assert {Path(path).suffix for path in exported.iterdir()} <= {".safetensors", ".json", ".jinja", ".md"}
