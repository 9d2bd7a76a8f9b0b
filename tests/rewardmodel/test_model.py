"""The scalar head, where a score is read, and the checkpoint."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from rewardmodel import chat, prefix
from rewardmodel.model import ModelError, RewardModel
from tests.rewardmodel.conftest import make_tokenizer, save_base

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13]]
RESPONSES = [[[20, 21], [22, 23, 24, 25]], [[26], [27, 28, 29], [30, 31]]]


@pytest.fixture
def model(base):
    return RewardModel.from_base(base, 3)


def both(model):
    return prefix.batch(PROMPTS, RESPONSES, pad_id=model.pad_id)


def one(model, prompt, response):
    return model.raw_score(prefix.batch([prompt], [[response]], pad_id=model.pad_id)).item()


def refit_manifest(folder):
    """A manifest that matches the folder as it is now: what a careless person might write."""
    from contracts.run_dir import write_manifest

    write_manifest(folder, {"kind": "reward_model"})


def test_head_starts_with_the_published_spread_and_no_bias(tmp_path):
    model = RewardModel.from_base(save_base(tmp_path, hidden=128), 3)
    assert model.head.bias.item() == 0
    assert model.head.weight.std().item() == pytest.approx(129**-0.5, rel=0.15)
    assert model.head.weight.dtype == torch.float32


def test_initial_rewards_of_random_rows_have_a_variance_near_1(tmp_path):
    model = RewardModel.from_base(save_base(tmp_path, hidden=128), 3)
    source = torch.Generator().manual_seed(0)
    rows = [torch.randint(3, 250, (12,), generator=source).tolist() for _ in range(200)]
    with torch.no_grad():
        scores = model.raw_score(prefix.batch([[1, 2]], [rows], pad_id=model.pad_id))
    assert 0.3 <= scores.var().item() <= 3


def test_the_same_seed_gives_the_same_head_and_leaves_the_global_generator_alone(base):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again, other = (RewardModel.from_base(base, seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_the_score_is_the_head_at_the_last_real_token(model):
    with torch.no_grad():
        scores = model.raw_score(both(model))
        row = torch.tensor([PROMPTS[1] + RESPONSES[1][1]])
        expected = model.head(model.trunk(row).last_hidden_state[0, -1])
    torch.testing.assert_close(scores[3], expected[0], atol=1e-5, rtol=1e-5)


def test_a_row_scored_alone_equals_the_same_row_in_any_batch(model):
    with torch.no_grad():
        scores = model.raw_score(both(model)).tolist()
        n = 0
        for prompt, responses in zip(PROMPTS, RESPONSES, strict=True):
            for response in responses:
                assert scores[n] == pytest.approx(one(model, prompt, response), abs=1e-5)
                n += 1


def test_appending_pads_changes_nothing(model):
    with torch.no_grad():
        made = both(model)
        wider = prefix.PrefixBatch(
            torch.nn.functional.pad(made.prompt_ids, (4, 0), value=model.pad_id),
            torch.nn.functional.pad(made.prompt_mask, (4, 0)),
            torch.nn.functional.pad(made.response_ids, (0, 5), value=model.pad_id),
            torch.nn.functional.pad(made.response_mask, (0, 5)),
            made.owner,
        )
        torch.testing.assert_close(model.raw_score(wider), model.raw_score(made), atol=1e-5, rtol=0)


def test_the_stop_token_changes_the_score(model):
    stop = chat.stop_token_id(model.tokenizer)
    with torch.no_grad():
        assert abs(one(model, PROMPTS[0], [20, 21]) - one(model, PROMPTS[0], [20, 21, stop])) > 1e-3


def test_a_score_in_training_equals_the_score_of_the_saved_model(model, tmp_path):
    model.mean, model.std = 0.25, 2.0
    model.save(tmp_path / "rm")
    again = RewardModel.load(tmp_path / "rm")
    with torch.no_grad():
        expected = (model.raw_score(both(model)) - 0.25) / 2
        torch.testing.assert_close(again.score(both(again)), expected, atol=1e-6, rtol=0)
    listed = again.score_responses(PROMPTS, RESPONSES, micro_batch_tokens=12)
    assert [s for group in listed for s in group] == pytest.approx(expected.tolist(), abs=1e-5)


def test_dropout_is_off_in_training_mode_too(tmp_path):
    tokenizer = make_tokenizer("sun moon " * 20)
    config = GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=len(tokenizer), resid_pdrop=0.5, attn_pdrop=0.5)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = RewardModel.from_base(tmp_path, 0)
    model.train()
    with torch.no_grad():
        assert torch.equal(model.raw_score(both(model)), model.raw_score(both(model)))


def test_a_bf16_trunk_keeps_head_and_score_in_fp32(model):
    with torch.no_grad():
        exact = model.raw_score(both(model))
        model.bf16 = True
        rounded = model.raw_score(both(model))
    assert rounded.dtype == torch.float32
    assert 1e-6 < (rounded - exact).abs().max() < 0.1


def test_a_base_without_template_and_pad_gets_both(tmp_path):
    save_base(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.chat_template = None
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    model = RewardModel.from_base(tmp_path, 0)
    assert model.pad_id != chat.stop_token_id(model.tokenizer)
    assert model.trunk.get_input_embeddings().num_embeddings >= len(model.tokenizer)


def test_members_are_normalized_before_they_are_combined(base, tmp_path):
    first, second = RewardModel.from_base(base, 1), RewardModel.from_base(base, 2)
    first.mean, first.std, second.mean, second.std = 1.0, 2.0, -3.0, 0.5
    first.members.append(second)
    first.save(tmp_path / "rm")
    with torch.no_grad():
        raw = torch.stack([first.raw_score(both(first)), second.raw_score(both(second))])
        own = torch.stack([(raw[0] - 1) / 2, (raw[1] + 3) / 0.5])
        expected = {
            "mean": own.sum(0) / 2,
            "min": torch.minimum(own[0], own[1]),
            "uncertainty": own.sum(0) / 2 - ((own[0] - own[1]) / 2) ** 2,
        }
        for how, scores in expected.items():
            loaded = RewardModel.load(tmp_path / "rm", combine=how)
            torch.testing.assert_close(loaded.score(both(loaded)), scores, atol=1e-5, rtol=1e-5)
    with pytest.raises(ModelError, match="expected one of mean, min, uncertainty"):
        RewardModel.load(tmp_path / "rm", combine="median")


def test_the_checkpoint_holds_safetensors_and_text_only(model, tmp_path):
    model.save(tmp_path / "rm")
    assert {path.suffix for path in (tmp_path / "rm").rglob("*") if path.is_file()} <= {
        ".safetensors",
        ".json",
        ".jinja",
    }


def test_loading_never_unpickles(model, tmp_path, monkeypatch):
    import pickle

    model.save(tmp_path / "rm")

    def refuse(*arguments, **options):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    RewardModel.load(tmp_path / "rm")


def test_a_truncated_weights_file_is_refused(model, tmp_path):
    folder = tmp_path / "rm"
    model.save(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"not a complete reward model: .*model.safetensors hashes to"):
        RewardModel.load(folder)
    refit_manifest(folder)
    with pytest.raises(ModelError, match=r"found files that do not load .* restore the folder or fit again"):
        RewardModel.load(folder)


def test_a_checkpoint_of_another_tokenizer_is_refused(model, tmp_path):
    folder = tmp_path / "rm"
    model.save(folder)
    make_tokenizer("wholly other words " * 30, vocabulary=300).save_pretrained(folder)
    refit_manifest(folder)
    with pytest.raises(ModelError, match=r"found tokenizer .* with which the model was fitted; restore"):
        RewardModel.load(folder)


def test_a_policy_of_another_tokenizer_is_refused(model):
    model.check_same_tokenizer(model.tokenizer)
    with pytest.raises(ModelError, match="found a policy of tokenizer"):
        model.check_same_tokenizer(make_tokenizer("wholly other words " * 30, vocabulary=300))


def test_the_tokenizers_identity_survives_saving(model, tmp_path):
    model.tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    again("pads and cuts leave traces in some tokenizers", padding="max_length", max_length=30, truncation=True)
    assert chat.tokenizer_identity(again) == chat.tokenizer_identity(model.tokenizer)


def test_a_missing_file_is_named(model, tmp_path):
    model.save(tmp_path / "rm")
    (tmp_path / "rm" / "head.safetensors").unlink()
    with pytest.raises(ModelError, match=r"head.safetensors is missing"):
        RewardModel.load(tmp_path / "rm")


SAVE_WITH_LITTLE_ROOM = """
import resource, sys
from contracts.run_dir import DiskFull
from rewardmodel.model import RewardModel
there, new = sys.argv[1:]
model = RewardModel.load(there)
for room in (40_000, 1_000):  # the weights do not fit; not even the config does
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    for target in (new, there):
        try:
            model.save(target)
        except DiskFull as error:
            print(error)
"""


def test_a_disk_that_fills_while_saving_leaves_the_old_checkpoint_and_nothing_else(model, tmp_path):
    """A real process whose files may not grow: the kernel refuses the write, whichever library makes it."""
    there, new = tmp_path / "there" / "rm", tmp_path / "new" / "rm"
    model.save(there)
    new.parent.mkdir()
    before = {path: path.read_bytes() for path in there.iterdir()}
    command = [sys.executable, "-c", SAVE_WITH_LITTLE_ROOM, there, new]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    named = re.findall(r"/rm: found .* free and .*, expected room for it all; free some space", done.stdout)
    assert len(named) == 4, done.stdout
    assert list(new.parent.iterdir()) == []
    with pytest.raises(ModelError, match="not a complete reward model"):
        RewardModel.load(new)
    assert {path: path.read_bytes() for path in there.iterdir()} == before
    assert [path.name for path in there.parent.iterdir()] == ["rm"]
    RewardModel.load(there)


def test_weights_that_are_not_numbers_are_refused_when_loaded_and_as_a_base(model, tmp_path):
    with torch.no_grad():
        model.trunk.layers[1].mlp.up_proj.weight[0, 0] = float("nan")
    model.save(tmp_path / "rm")
    said = r"found numbers in .*up_proj.weight that are not finite, expected finite weights; use an earlier checkpoint"
    with pytest.raises(ModelError, match=said):
        RewardModel.load(tmp_path / "rm")
    with pytest.raises(ModelError, match="base .*" + said):
        RewardModel.from_base(tmp_path / "rm", 0)


@pytest.mark.parametrize("normalizer", ['{"mean": NaN, "std": 1.0}', '{"mean": 0.0, "std": 0.0}', '{"mean": 0.0}'])
def test_a_normalizer_that_would_spoil_every_score_is_refused(normalizer, model, tmp_path):
    model.save(tmp_path / "rm")
    (tmp_path / "rm" / "normalizer.json").write_text(normalizer)
    refit_manifest(tmp_path / "rm")
    with pytest.raises(ModelError, match=r"normalizer.json: found .*, expected a finite mean and a std above 0; fit"):
        RewardModel.load(tmp_path / "rm")


def test_a_policy_folder_is_no_reward_model(base, tmp_path):
    shutil.copytree(base, tmp_path / "policy")
    refit_manifest(tmp_path / "policy")
    with pytest.raises(ModelError, match=r"found no reward_model.json .* name the output folder of a reward_model run"):
        RewardModel.load(tmp_path / "policy")


def test_a_base_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"found nothing that loads as a causal language model .* name another"):
        RewardModel.from_base(tmp_path / "nowhere", 0)


def test_an_unknown_format_is_refused(model, tmp_path):
    model.save(tmp_path / "rm")
    facts = tmp_path / "rm" / "reward_model.json"
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "format": 99}))
    refit_manifest(tmp_path / "rm")
    with pytest.raises(ModelError, match="format 1"):
        RewardModel.load(tmp_path / "rm")
