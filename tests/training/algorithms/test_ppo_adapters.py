"""LoRA: one base in memory, an adapter for each role, the reference is the base with all of them off."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from contracts.run_dir import verify_manifest
from rewardmodel import prefix
from rewardmodel.model import RewardModel
from tests.training.algorithms.ppo_case import Case
from tests.training.algorithms.test_ppo import assert_same_end, gathered, never
from training.algorithms import policy, ppo, ppo_adapters
from training.algorithms.ppo_state import Learner

pytestmark = pytest.mark.torch
RANK = 4
BATCH = ([[1, 4, 6, 2, 1, 5], [1, 4, 7, 8, 2, 1, 5]], [[[7, 8, 9, 2], [6, 2]], [[9, 9, 2]]])


def adapted_reward_model(root) -> RewardModel:
    """A reward model on the policy that was fitted with LoRA: merged, so that it looks like any other."""
    model = RewardModel.from_base(root / "policy", seed=1)
    adapted = get_peft_model(model.trunk, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear"))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.1, generator=generator)
    model.trunk = adapted.merge_and_unload()
    model.mean, model.std = 0.3, 0.7
    return model


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    made = Case(tmp_path_factory.mktemp("adapters"))
    adapted_reward_model(made.root).save(made.root / "reward_model")
    return made


def learner_of(case, name, **options) -> Learner:
    run_dir, config, _ = case.start(name, lora_rank=RANK, **options)
    return Learner(run_dir, config)


def disturb(learner: Learner, role: str) -> None:
    with torch.no_grad():
        for name, weight in learner.models.adapters.parameters(role).items():
            if "lora_B" in name:
                weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(len(name)))


def storage(*models) -> int:
    """Bytes of distinct weights."""
    seen = {weight.data_ptr(): weight.nbytes for model in models if model is not None for weight in model.parameters()}
    return sum(seen.values())


def test_the_reference_is_the_base_whatever_the_adapters_are(case, monkeypatch):
    monkeypatch.setattr("rewardmodel.flat.MOST_PROBABILITIES", 0)  # one layout for both: adapters have no flat one
    learner = learner_of(case, "reference")
    for role in ("policy", "critic", "reward"):
        disturb(learner, role)
    batch = prefix.batch(*BATCH, pad_id=3)
    plain, _ = policy.load_policy(str(case.root / "policy"))
    expected, _ = policy.response_logprobs(plain, batch)
    reference, _ = learner.judge(batch)
    moved, _, _ = learner.forward(batch)
    torch.testing.assert_close(reference, expected, rtol=0, atol=0)
    assert (moved - expected).abs().max() > 0.01


def test_a_reward_model_fitted_with_lora_is_an_adapter_and_scores_as_before(case):
    learner = learner_of(case, "reward")
    assert learner.models.adapters.shares_reward
    batch = prefix.batch(*BATCH, pad_id=3)
    alone = RewardModel.load(case.root / "reward_model")
    disturb(learner, "policy")
    _, terms = learner.judge(batch)
    torch.testing.assert_close(terms[0], alone.score(batch), atol=1e-5, rtol=1e-5)


def test_the_critic_starts_as_the_reward_model_and_learns_apart_from_the_policy(case):
    learner = learner_of(case, "critic")
    assert learner.models.adapters.critic_is_from_reward
    question, answer = [1, 4, 6, 2], [7, 8, 9, 2]
    _, _, values = learner.forward(prefix.batch([question], [[answer]], pad_id=3))
    _, terms = learner.judge(prefix.batch([question], [[answer[:2]]], pad_id=3))
    assert values[0, 2].item() == pytest.approx(terms[0, 0].item(), abs=1e-5)
    disturb(learner, "policy")
    torch.testing.assert_close(learner.forward(prefix.batch([question], [[answer]], pad_id=3))[2], values)


def test_a_reward_model_of_full_rank_keeps_its_own_trunk(tmp_path):
    case = Case(tmp_path)
    other = RewardModel.load(case.root / "reward_model")
    with torch.no_grad():
        for weight in other.trunk.parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    other.save(case.root / "reward_model")
    learner = learner_of(case, "full")
    assert not learner.models.adapters.shares_reward
    batch = prefix.batch(*BATCH, pad_id=3)
    torch.testing.assert_close(learner.judge(batch)[1][0], other.score(batch))
    assert learner.forward(batch)[2].abs().max() == 0


def test_low_rank_differences_are_found_and_others_are_not():
    generator = torch.Generator().manual_seed(0)
    base, other = (torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.LayerNorm(30)) for _ in range(2))
    other.load_state_dict(base.state_dict())
    assert ppo_adapters.low_rank_difference(base, other, most=8) == {}
    product = torch.randn(30, 5, generator=generator) @ torch.randn(5, 40, generator=generator)
    with torch.no_grad():
        other[0].weight += 0.1 * product
    A, B = ppo_adapters.low_rank_difference(base, other, most=8)["0"]
    assert (len(A), B.shape[1]) == (5, 5)
    torch.testing.assert_close(base[0].weight + B @ A, other[0].weight, atol=1e-6, rtol=0)
    assert ppo_adapters.low_rank_difference(base, other, most=4) is None
    with torch.no_grad():
        other[1].weight += 1
    assert ppo_adapters.low_rank_difference(base, other, most=8) is None


def test_four_roles_take_the_memory_of_one_model_and_little_more(case):
    learner = learner_of(case, "memory")
    plain, _ = policy.load_policy(str(case.root / "policy"))
    base = storage(plain)
    adapters = sum(
        weight.nbytes
        for role in ("policy", "critic", "reward")
        for weight in learner.models.adapters.parameters(role).values()
    )
    heads = storage(learner.models.critic, learner.models.reward_model.head)
    assert storage(learner.policy, learner.models.critic, learner.models.reward_model) == base + adapters + heads
    assert learner.models.reference is None
    full_case = case.start("memory-full")
    full = Learner(full_case[0], full_case[1]).models
    assert storage(full.policy, full.reference, full.critic, full.reward_model) > 3.8 * base


def test_only_adapters_learn_and_the_base_stays_bit_for_bit(case):
    learner = learner_of(case, "learns", learning_rate=1e-2, critic_learning_rate=1e-2, approx_kl_limit=100.0)
    before = {name: weight.clone() for name, weight in learner.policy.named_parameters()}
    learner.experience = gathered(learner)
    ppo.improve(learner, 0, never)
    changed = {name for name, weight in learner.policy.named_parameters() if not torch.equal(weight, before[name])}
    assert changed
    assert all(".policy." in name or ".critic." in name for name in changed)
    assert any(".policy." in name for name in changed)
    assert any(".critic." in name for name in changed)


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_gradient_checkpointing_changes_no_gradient(case, critic):
    def gradients(*, checkpointing):
        name = f"recompute-{critic}-{checkpointing}"
        learner = learner_of(case, name, critic=critic, gradient_checkpointing=checkpointing)
        disturb(learner, "policy")
        experience = gathered(learner)
        totals = ppo.accumulate(learner, experience, range(8), never)
        assert not any(module.training for module in learner.policy.modules())
        found = {n: w.grad for weights in learner.learning.values() for n, w in weights.items() if w.grad is not None}
        return totals, found

    plain, recomputed = gradients(checkpointing=False), gradients(checkpointing=True)
    torch.testing.assert_close(recomputed, plain, atol=1e-5, rtol=1e-3)
    assert sum(gradient.abs().sum() for gradient in plain[1].values()) > 0


def test_a_run_ends_with_a_merged_policy_and_its_adapter_and_resumes_bit_for_bit(case):
    options = {"lora_rank": RANK, "updates": 2, "learning_rate": 1e-2, "save_every": 1, "approx_kl_limit": 100.0}
    whole, cut = case.start("whole", **options), case.start("cut", **options)
    ppo.run(*whole)
    output = whole[0].output
    assert verify_manifest(output)["kind"] == "policy"
    merged, _ = policy.load_policy(str(output))
    base = AutoModelForCausalLM.from_pretrained(case.root / "policy")
    ids = torch.tensor([[1, 4, 6, 2, 1, 5, 8, 9]])
    start = base(ids).logits
    adapted = PeftModel.from_pretrained(base, output / "adapter").eval()
    torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=1e-5, rtol=1e-5)
    assert (merged(ids).logits - start).abs().max() > 1e-3

    class Stop(Exception):
        pass

    with pytest.MonkeyPatch.context() as patch:
        original = Learner.save

        def save_and_die(self, run_dir):
            original(self, run_dir)
            if self.update == 1:
                raise Stop

        patch.setattr(Learner, "save", save_and_die)
        with pytest.raises(Stop):
            ppo.run(*cut)
    ppo.run(*cut)
    assert_same_end(cut[0], whole[0])
