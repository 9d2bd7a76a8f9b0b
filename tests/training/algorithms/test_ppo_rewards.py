"""What rollouts earn, and advantages that need no critic."""

import math

import pytest
import torch

from contracts import configs
from rewardmodel import prefix
from rewardmodel.model import RewardModel
from tests.training.algorithms.ppo_case import WORDS, Case
from training.algorithms import ppo, ppo_math
from training.algorithms.ppo_experience import Clock, collect
from training.algorithms.ppo_rewards import Rewards
from training.algorithms.ppo_state import Learner, PpoError, Question

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("rewards"))


def never(*, together: bool = False) -> None:
    """A cancel check that lets everything pass."""


def learner_of(started) -> Learner:
    run_dir, config, _ = started
    return Learner(run_dir, config)


def questions(count: int = 4) -> list[Question]:
    letters = [WORDS.index(letter) for letter in "abcd"]
    return [
        Question([1, 4, letters[i], 2, 1, 5], "abcd"[i], {"pattern": rf"\b{'abcd'[i]}\b", "answer": "abcd"[i]})
        for i in range(count)
    ]


# What the config says


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("reward_model", {"reward_model": 1.0}),
        ("reward_model + 2*numeric", {"reward_model": 1.0, "numeric": 2.0}),
        ("reward_model.mean - 0.5 * reward_model.variance", {"reward_model.mean": 1.0, "reward_model.variance": -0.5}),
        ("-regex+exact", {"regex": -1.0, "exact": 1.0}),
    ],
)
def test_a_sum_of_rewards_is_read(text, weights):
    assert configs.reward_terms(text) == weights


@pytest.mark.parametrize("text", ["", "2", "numeric +", "numeric numeric", "numeric*2", "helpful", "0*exact", "a--b"])
def test_what_is_no_sum_of_rewards_is_refused_by_field(text):
    with pytest.raises(configs.ConfigError) as refused:
        configs.parse("ppo", {"rewards": text})
    assert set(refused.value.fields) == {"rewards"}


def test_comparing_responses_needs_two_of_them():
    with pytest.raises(configs.ConfigError, match="rollouts_per_prompt"):
        configs.parse("ppo", {"advantages": "rloo", "rollouts_per_prompt": 1})


def test_a_reward_model_is_needed_where_a_term_names_it():
    assert configs.parse("ppo", {"rewards": "numeric + reward_model.min"}).needs("reward_model")
    assert not configs.parse("ppo", {"rewards": "numeric"}).needs("reward_model")
    assert configs.parse("ppo", {"rewards": "numeric"}).needs("prompts")


# The terms


def test_an_ensemble_gives_mean_min_and_mean_less_variance(case):
    model = RewardModel.load(case.root / "reward_model")
    for _ in range(2):
        other = RewardModel.load(case.root / "reward_model")
        with torch.no_grad():
            other.head.weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(model.members)))
        model.members.append(other)
    batch = prefix.batch([[1, 6, 2]], [[[7, 8, 2], [9, 2]]], pad_id=3)
    each = torch.stack([(one.raw_score(batch) - one.mean) / one.std for one in [model, *model.members]]).detach()
    expected = {
        "reward_model.mean": [sum(column) / 3 for column in each.T.tolist()],
        "reward_model.min": [min(column) for column in each.T.tolist()],
        "reward_model.mean - 0.25*reward_model.variance": [
            sum(column) / 3 - 0.25 * sum((x - sum(column) / 3) ** 2 for x in column) / 3 for column in each.T.tolist()
        ],
    }
    for text, values in expected.items():
        rewards = Rewards(text)
        assert rewards.total(rewards.from_model(model, batch)).tolist() == pytest.approx(values, abs=1e-5)


def test_a_weighted_sum_adds_a_verifiers_verdict_to_the_score(case):
    def earned(rewards):
        learner = learner_of(case.start(f"sum-{len(rewards)}", rewards=rewards, gae_lambda=1.0, score_clip=100.0))
        return collect(learner, questions(), 3, 1, never, Clock())

    plain, both = earned("reward_model"), earned("reward_model + 3*regex")
    assert both.responses == plain.responses
    for g, question in enumerate(questions()):
        for i, answer in enumerate(both.responses[g]):
            stopped, right = answer[-1] == 2, WORDS.index(question.text) in answer
            bonus = (both.returns - plain.returns)[g * 3 + i, 0].item()
            assert bonus == pytest.approx(3.0 if stopped and right else 0.0, abs=1e-4)
    assert {"reward_reward_model", "reward_regex"} <= both.measures.keys()
    assert 0 < both.measures["reward_regex"] < 1


def test_a_run_on_a_verifier_alone_needs_no_reward_model_and_leaves_out_what_cannot_be_verified(case):
    run_dir, config, spec = case.start("alone", rewards="regex", updates=2)
    spec = run_dir.spec()
    spec.inputs.pop("reward_model")
    (run_dir.path / "run.json").unlink()
    run_dir.create(spec)
    with pytest.raises(PpoError, match="meta has no 'pattern'"):
        ppo.run(run_dir, config, spec)


# Without a critic


def test_rloo_of_a_table_worked_by_hand():
    found = ppo_math.rloo(torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(found, torch.tensor([[1 - 4.0, 2 - 3.5, 6 - 1.5], [0.0, 0.0, 0.0]]))


def test_grpo_of_a_table_worked_by_hand():
    found = ppo_math.grpo(torch.tensor([[1.0, 3.0], [5.0, 5.0]]))
    expected = 1 / (math.sqrt(2) + 1e-4)
    torch.testing.assert_close(found, torch.tensor([[-expected, expected], [0.0, 0.0]]))


@pytest.mark.parametrize("formula", [ppo_math.rloo, ppo_math.grpo])
def test_a_shift_of_a_prompts_rewards_credits_nobody(formula):
    rewards = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(formula(rewards + torch.arange(6.0)[:, None]), formula(rewards), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(formula(rewards).sum(1), torch.zeros(6), atol=1e-5, rtol=0)
    assert formula(rewards[:, :1]).abs().sum() == 0


@pytest.mark.parametrize("kind", ["rloo", "grpo"])
def test_every_action_of_a_response_gets_its_responses_advantage(case, kind):
    learner = learner_of(case.start(f"actions-{kind}", advantages=kind, kl_coefficient=0.5))
    assert learner.models.critic is None
    assert set(learner.optimizers) == {"policy"}
    with torch.no_grad():
        learner.policy.lm_head.weight.mul_(1.5)  # away from the reference, so that KL takes part
    experience = collect(learner, questions(), 3, 1, never, Clock())
    rows = experience.advantages
    assert (rows[~experience.mask] == 0).all()
    first = rows[:, :1].expand_as(rows)
    torch.testing.assert_close(rows[experience.mask], first[experience.mask])
    torch.testing.assert_close(rows[:, 0].view(4, 3).sum(1), torch.zeros(4), atol=1e-5, rtol=0)
    assert "value" not in experience.measures


@pytest.mark.parametrize("kind", ["rloo", "grpo"])
def test_it_learns_to_say_a_word_that_is_rewarded_without_a_critic(case, kind, monkeypatch):
    def count(self, batch):
        return ((batch.response_ids == WORDS.index("c")) & batch.response_mask).sum(1).float().clamp(max=4) - 1

    monkeypatch.setattr(RewardModel, "score", count)
    options = {"updates": 15, "rollouts_per_prompt": 4, "learning_rate": 5e-3, "save_every": 15}
    run_dir, config, spec = case.start(f"learns-{kind}", advantages=kind, **options)
    ppo.run(run_dir, config, spec)
    report = run_dir.report()
    assert report["score_end"] > report["score_start"] + 0.7
