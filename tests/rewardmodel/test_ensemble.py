"""Members combined: by their scores, by their weights, and what their spread says."""

import pytest
import torch

from contracts import configs
from contracts.configs import ConfigError
from rewardmodel import ensemble, groups
from rewardmodel.evaluate import score_groups
from rewardmodel.model import ModelError, RewardModel
from tests.rewardmodel.conftest import toy_rankings
from tests.rewardmodel.test_fit import play, start, write_rankings
from tests.rewardmodel.test_model import PROMPTS, RESPONSES

pytestmark = pytest.mark.torch

SCORES = torch.tensor([[1.0, 0.0, -2.0], [3.0, 0.0, 2.0]])  # two members, three responses


def test_mean_min_and_uncertainty_of_a_hand_computed_table():
    assert ensemble.combine(SCORES, "mean", 1.0).tolist() == [2.0, 0.0, 0.0]
    assert ensemble.combine(SCORES, "min", 1.0).tolist() == [1.0, 0.0, -2.0]
    assert ensemble.combine(SCORES, "uncertainty", 0.5).tolist() == [1.5, 0.0, -2.0]  # variances 1, 0, 4
    assert ensemble.combine(SCORES, "uncertainty", 0.0).tolist() == [2.0, 0.0, 0.0]


def test_the_spread_is_0_where_members_agree_and_for_one_member():
    assert ensemble.spread(SCORES).tolist() == [1.0, 0.0, 2.0]
    assert ensemble.spread(SCORES[:1]).tolist() == [0.0, 0.0, 0.0]
    assert ensemble.combine(SCORES[:1], "uncertainty", 9.0).tolist() == [1.0, 0.0, -2.0]


def two(base, *, seeds=(1, 2)):
    models = [RewardModel.from_base(base, seed) for seed in seeds]
    models[0].mean, models[0].std, models[1].mean, models[1].std = 0.5, 2.0, -1.0, 0.25
    with torch.no_grad():
        for weight in models[1].trunk.parameters():
            weight.mul_(1.1)
    return models


def test_averaged_weights_are_the_mean_with_normalizers_folded_in(base):
    first, second = two(base)
    kept = first.head.weight.clone()
    mean = ensemble.averaged([first, second])
    torch.testing.assert_close(mean.head.weight, (first.head.weight / 2 + second.head.weight / 0.25) / 2)
    torch.testing.assert_close(mean.head.bias, torch.tensor([(-0.5 / 2 + 1.0 / 0.25) / 2]))
    for (name, a), b in zip(first.trunk.named_parameters(), mean.trunk.parameters(), strict=True):
        torch.testing.assert_close(b, a * 1.05, msg=name)
    assert torch.equal(first.head.weight, kept)
    assert (mean.mean, mean.std) == (0.0, 1.0)


def test_the_average_of_equal_members_scores_as_they_do(base):
    model = RewardModel.from_base(base, 1)
    model.mean, model.std = 0.3, 1.7
    mean = ensemble.averaged([model, RewardModel.from_base(base, 1), RewardModel.from_base(base, 1)])
    other = ensemble.averaged([model, model])
    for found in (other, mean):
        assert found.mean == 0.0
    expected = model.score_responses(PROMPTS, RESPONSES)
    assert other.score_responses(PROMPTS, RESPONSES)[1] == pytest.approx(expected[1], abs=1e-5)


def test_how_members_are_combined_is_stored_and_can_be_chosen_at_loading(base, tmp_path):
    first, second = two(base)
    alone = [model.member_scores_of(PROMPTS, RESPONSES)[1][0] for model in (first, second)]
    first.members.append(second)
    first.combine, first.penalty = "uncertainty", 0.5
    first.save(tmp_path / "rm")

    def scores(**options):
        return torch.tensor(RewardModel.load(tmp_path / "rm", **options).score_responses(PROMPTS, RESPONSES)[1])

    both = torch.stack(alone)
    torch.testing.assert_close(scores(), both.mean(0) - 0.5 * both.var(0, unbiased=False), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(
        scores(penalty=2.0), both.mean(0) - 2 * both.var(0, unbiased=False), atol=1e-4, rtol=1e-5
    )
    torch.testing.assert_close(scores(combine="min"), both.amin(0), atol=1e-4, rtol=1e-5)
    merged = RewardModel.load(tmp_path / "rm", combine="weights")
    assert len(merged.members) == 0
    torch.testing.assert_close(merged.head.weight, (first.head.weight / 2 + second.head.weight / 0.25) / 2)
    with pytest.raises(ModelError, match=r"combine: found 'median', expected one of mean, min, uncertainty, weights"):
        scores(combine="median")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, base):
    folder = tmp_path_factory.mktemp("ensembles")
    rows = write_rankings(folder / "rows.jsonl", toy_rankings(60))
    runs = {}
    for combine in ("weights", "uncertainty"):
        runs[combine], spec = start(folder / combine, base, rows, members=3, epochs=1, combine=combine, penalty=0.5)
        play(runs[combine], spec)
    return runs, rows


def test_a_run_that_averages_weights_saves_one_normalized_model(fitted):
    runs, rows = fitted
    model = RewardModel.load(runs["weights"].output)
    assert len(model.members) == 0
    train, _ = groups.split(groups.read(rows, model.tokenizer, max_length=128)[0], share=0.2, seed=1)
    distinct = list({(g.prompt, g.responses): g for g in train}.values())
    scores = torch.tensor([s for group in score_groups(model, distinct) for s in group])
    assert abs(scores.mean().item()) < 1e-3
    assert scores.std(unbiased=False).item() == pytest.approx(1, abs=1e-3)
    report = runs["weights"].report()
    assert report["accuracy"] == report["ensemble"]["combinations"]["weights"]["accuracy"]
    assert report["accuracy"] > 0.65  # one basin: the mean weights still tell better from worse


def test_members_whose_weights_are_averaged_start_from_one_head(tmp_path, base):
    """Without learning, the mean is that head; two heads of their own would give something between them."""
    rows = write_rankings(tmp_path / "rows.jsonl", toy_rankings(12))
    still = {"members": 2, "epochs": 1, "combine": "weights", "learning_rate": 1e-12}
    run_dir, spec = start(tmp_path / "run", base, rows, **still)
    play(run_dir, spec)
    found = RewardModel.load(run_dir.output).head.weight
    first = RewardModel.from_base(base, 1_000).head.weight
    assert torch.cosine_similarity(found, first).item() > 0.9999


def test_the_report_says_what_members_are_worth_together_and_alone(fitted):
    runs, _ = fitted
    report = runs["uncertainty"].report()
    found = report["ensemble"]
    assert set(found["combinations"]) == {"mean", "min", "uncertainty", "weights"}
    assert len(found["members"]) == 3
    assert report["accuracy"] == found["combinations"]["uncertainty"]["accuracy"]
    assert (found["combine"], found["penalty"]) == ("uncertainty", 0.5)
    assert found["uncertainty"] > 0
    assert sum(part["pairs"] for part in found["by_uncertainty"]) == report["pairs"]
    model = RewardModel.load(runs["uncertainty"].output)
    assert (model.combine, model.penalty, len(model.members)) == ("uncertainty", 0.5, 2)


def test_the_mean_weights_of_a_saved_ensemble_are_normalized_too(fitted):
    runs, rows = fitted
    model = RewardModel.load(runs["uncertainty"].output, combine="weights")
    train, _ = groups.split(groups.read(rows, model.tokenizer, max_length=128)[0], share=0.2, seed=1)
    distinct = list({(g.prompt, g.responses): g for g in train}.values())
    scores = torch.tensor([s for group in score_groups(model, distinct) for s in group])
    assert abs(scores.mean().item()) < 1e-3
    assert scores.std(unbiased=False).item() == pytest.approx(1, abs=1e-3)


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="combine: weights needs two or more members"):
        configs.parse("reward_model", {"combine": "weights"})
    with pytest.raises(ConfigError, match="margin: is for the loss pairs"):
        configs.parse("reward_model", {"margin": 0.5, "loss": "plackett_luce"})
