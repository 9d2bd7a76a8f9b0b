"""The loop on a case small enough to learn in seconds. Each formula has its own test in test_ppo_math.py."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from contracts import configs
from contracts.run_dir import Cancelled, RunDir, verify_manifest
from rewardmodel import chat, prefix
from rewardmodel.model import ModelError, RewardModel
from tests.training.algorithms.ppo_case import WORDS, Case, tokenizer
from training.algorithms import policy, ppo, ppo_experience, ppo_state, states
from training.algorithms.ppo_experience import Clock, collect
from training.algorithms.ppo_state import Learner, PpoError

pytestmark = pytest.mark.torch
STOP = WORDS.index(chat.IM_END)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(tmp_path_factory.mktemp("ppo"))


@pytest.fixture
def start(case, request):
    """Start a run of its own for each test."""
    made = []

    def start_run(**options):
        made.append(f"{request.node.name}-{len(made)}".replace("/", "_"))
        return case.start(made[-1], **options)

    yield start_run
    for name in made:
        shutil.rmtree(case.root / name, ignore_errors=True)


def never(*, together: bool = False) -> None:
    """A cancel check that lets everything pass."""


def learner_of(started) -> Learner:
    run_dir, config, _ = started
    return Learner(run_dir, config)


def gathered(learner: Learner, *, k: int = 3, prompts: int = 8, seed: int = 1) -> ppo_state.Experience:
    texts = [" ".join("abcdef"[(i * j) % 6] for j in range(1 + i % 4)) for i in range(prompts)]
    ids = [[1, 4, *(WORDS.index(word) for word in text.split()), 2, 1, 5] for text in texts]
    return collect(learner, [ppo_state.Question(one) for one in ids], k, seed, never, Clock())


def metrics(run_dir: RunDir) -> list[dict[str, float]]:
    return [row["values"] for row in run_dir.tail("metrics.jsonl", limit=-1)[0]]


def timeless(run_dir: RunDir) -> list[dict]:
    """Metrics and samples without what depends on the clock."""
    rows = [*run_dir.tail("metrics.jsonl", limit=-1)[0], *run_dir.tail("samples.jsonl", limit=-1)[0]]
    for row in rows:
        del row["time"]
        row["values"] = {k: v for k, v in row["values"].items() if not k.startswith(("seconds", "tokens_per_s"))}
    return rows


def assert_same_end(found: RunDir, expected: RunDir) -> None:
    assert timeless(found) == timeless(expected)
    a, b = states.load(found), states.load(expected)
    assert _differences(a, b) == []
    assert verify_manifest(found.output)["files"] == verify_manifest(expected.output)["files"]


def _differences(a, b, path: str = "") -> list[str]:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        return [text for key in a for text in _differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list):
        assert len(a) == len(b)
        return [text for i, (x, y) in enumerate(zip(a, b, strict=True)) for text in _differences(x, y, f"{path}/{i}")]
    same = torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
    return [] if same else [path]


# The four models


def test_policy_equals_reference_at_the_start(start):
    experience = gathered(learner_of(start()))
    assert abs(experience.measures["kl"]) < 1e-5
    assert experience.measures["reward"] == pytest.approx(experience.measures["score"], abs=1e-5)


def test_dropout_is_off_in_all_four_models(start):
    learner = learner_of(start())
    models = learner.policy, learner.models.critic, learner.models.reference, learner.models.reward_model
    assert not any(module.training for model in models for module in model.modules())
    batch = prefix.batch([[1, 4, 6]], [[[7, 8, 2]]], pad_id=3)
    torch.testing.assert_close(learner.forward(batch), learner.forward(batch), rtol=0, atol=0)


def test_reference_and_reward_model_are_frozen(start, case):
    run_dir, config, spec = start(updates=2)
    seen = []
    original = ppo.summarize

    def spy(learner, left):
        seen.append(learner)
        return original(learner, left)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ppo, "summarize", spy)
        ppo.run(run_dir, config, spec)
    untouched, _ = policy.load_policy(str(case.root / "policy"))
    for name, weight in seen[0].models.reference.named_parameters():
        assert torch.equal(weight, untouched.get_parameter(name))
    scorer = RewardModel.load(case.root / "reward_model")
    for name, weight in seen[0].models.reward_model.named_parameters():
        assert torch.equal(weight, scorer.get_parameter(name))
    assert not torch.equal(seen[0].policy.lm_head.weight, untouched.lm_head.weight)


def test_a_critic_from_the_reward_model_starts_with_the_normalized_scores_of_prefixes(start):
    learner = learner_of(start())
    question, answer = [1, 4, 6, 2], [7, 8, 9, 2]
    _, _, values = learner.forward(prefix.batch([question], [[answer]], pad_id=3))
    for t in range(1, 4):
        score = learner.models.reward_model.score(prefix.batch([question], [[answer[:t]]], pad_id=3))
        assert values[0, t].item() == pytest.approx(score.item(), abs=1e-5)


def test_a_shared_critic_starts_at_zero_and_has_no_trunk(start):
    learner = learner_of(start(critic="shared"))
    assert gathered(learner).values.abs().max() == 0
    assert [name for name, _ in learner.models.critic.named_parameters()] == ["head.weight", "head.bias"]


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_critic_warm_up_lowers_the_value_loss_and_leaves_the_policy_alone(start, critic):
    options = {"critic_warmup_updates": 1, "critic_learning_rate": 1e-2, "value_clip": 100.0, "epochs": 8}
    learner = learner_of(start(critic=critic, **options))
    before = [weight.clone() for weight in learner.policy.parameters()]
    learner.experience = gathered(learner)
    ppo.improve(learner, 0, never)
    losses = [numbers[ppo.STEP_NUMBERS.index("value_loss")] for numbers in learner.steps]
    assert len(losses) == 16
    assert all(map(math.isfinite, losses))
    assert sum(losses[-2:]) < 0.9 * sum(losses[:2])  # the last epoch and the first, over the same rollouts
    assert all(torch.equal(a, b) for a, b in zip(before, learner.policy.parameters(), strict=True))


def test_the_value_loss_of_a_shared_critic_is_weighted(start):
    def gradient(coefficient):
        learner = learner_of(start(critic="shared", value_coefficient=coefficient))
        ppo.accumulate(learner, gathered(learner), range(8), never)
        return learner.models.critic.head.weight.grad

    torch.testing.assert_close(gradient(0.5), 5 * gradient(0.1))
    assert gradient(0.5).abs().sum() > 0


def test_a_reward_model_of_another_tokenizer_is_refused(start, case, tmp_path):
    other = RewardModel.load(case.root / "reward_model")
    other.tokenizer.add_tokens(["g"])
    other.save(tmp_path / "other")
    run_dir, config, _ = start()
    moved = run_dir.path / "run.json"
    moved.write_text(moved.read_text().replace(str(case.root / "reward_model"), str(tmp_path / "other")))
    with pytest.raises(ModelError, match="tokenizer"):
        ppo.run(run_dir, config, run_dir.spec())


def test_more_minibatches_than_prompts_are_refused():
    with pytest.raises(configs.ConfigError, match="minibatches"):
        configs.parse("ppo", {"prompts_per_update": 2, "minibatches": 3})


# Rollouts, log-probabilities, rewards


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logits_before_a_token_predict_it_at_the_sampling_temperature(start, temperature):
    learner = learner_of(start(temperature=temperature))
    question, answer = [1, 4, 6, 2], [7, 9, 2]
    logprobs, entropy, _ = learner.forward(prefix.batch([question], [[answer]], pad_id=3))
    reference, _ = learner.judge(prefix.batch([question], [[answer]], pad_id=3))
    for t, token in enumerate(answer):
        logits = learner.policy(torch.tensor([question + answer[:t]])).logits[0, -1] / temperature
        expected = logits.log_softmax(-1)
        assert logprobs[0, t].item() == pytest.approx(expected[token].item(), abs=1e-5)
        assert reference[0, t].item() == pytest.approx(expected[token].item(), abs=1e-5)
        assert entropy[0, t].item() == pytest.approx(-(expected.exp() * expected).sum().item(), abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_sampling_and_training_agree_on_every_log_probability(start, temperature):
    assert gathered(learner_of(start(temperature=temperature))).measures["sampling_gap"] < 1e-5


def test_the_stop_token_is_the_last_action_and_nothing_after_it_is_one(start):
    experience = gathered(learner_of(start()))
    answers = [answer for group in experience.responses for answer in group]
    assert {len(answer) for answer in answers if STOP in answer} != set()
    for row, answer in enumerate(answers):
        assert STOP not in answer[:-1]
        assert experience.mask[row].tolist() == [t < len(answer) for t in range(experience.mask.shape[1])]


def test_the_score_comes_with_the_stop_token_and_a_truncated_response_gets_the_fixed_score(start, monkeypatch):
    learner = learner_of(start(truncated_score=-2.5, score_clip=1.5, gae_lambda=1.0))
    monkeypatch.setattr(learner.models.reward_model, "score", lambda batch: torch.arange(len(batch.owner)) - 2.0)
    experience = gathered(learner)
    answers = [answer for group in experience.responses for answer in group]
    stopped = torch.tensor([answer[-1] == STOP for answer in answers])
    assert 0 < stopped.sum() < len(answers)
    # lambda 1, discount 1: the return at the first action is the whole reward, and KL is 0 at the start.
    earned = experience.returns[:, 0]
    torch.testing.assert_close(earned[~stopped], torch.full_like(earned[~stopped], -2.5))
    assert earned[stopped].abs().max() == pytest.approx(1.5, abs=1e-4)
    last = experience.mask.sum(1, keepdim=True) - 1
    torch.testing.assert_close(experience.returns.gather(1, last).squeeze(1), earned, atol=1e-5, rtol=1e-5)


def test_a_row_scores_in_ppo_as_it_scores_alone(start):
    learner = learner_of(start(score_clip=100.0, gae_lambda=1.0, micro_batch_tokens=64))
    experience = gathered(learner)
    scorer = learner.models.reward_model
    for g, answers in enumerate(experience.responses):
        for i, answer in enumerate(answers):
            if answer[-1] == STOP:
                alone = scorer.score(prefix.batch([experience.prompts[g]], [[answer]], pad_id=3)).item()
                assert experience.returns[g * 3 + i, 0].item() == pytest.approx(alone, abs=1e-5)


def test_whole_return_is_score_less_beta_times_sequence_kl(start):
    learner = learner_of(start(kl_coefficient=0.5, gae_lambda=1.0))
    with torch.no_grad():
        learner.policy.lm_head.weight.mul_(1.5)
    experience = gathered(learner)
    measures = experience.measures
    assert measures["kl"] > 0.1
    assert measures["reward"] == pytest.approx(measures["score"] - 0.5 * measures["kl"], abs=1e-5)
    assert experience.returns[:, 0].mean().item() == pytest.approx(measures["reward"], abs=1e-4)


def test_prompts_of_other_splits_and_overlong_ones_are_left_out_and_counted(start):
    run_dir, config, spec = start(updates=1)
    ppo.run(run_dir, config, spec)
    assert run_dir.report()["prompts"] == 11
    assert run_dir.report()["left_out"] == {"heldout": 1, "too_long": 1}


def test_every_prompt_is_used_once_before_any_is_used_twice():
    drawn = [i for update in range(1, 6) for i in ppo.prompt_numbers(10, 4, update, seed=3)]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]


# Updates


def test_advantages_are_whitened_once_over_the_whole_batch(start):
    experience = gathered(learner_of(start()))
    chosen = experience.advantages[experience.mask]
    assert chosen.mean().abs() < 1e-5
    assert chosen.var(correction=0).item() == pytest.approx(1, abs=1e-4)
    small = gathered(learner_of(start(micro_batch_tokens=64)))
    torch.testing.assert_close(small.advantages, experience.advantages, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_the_first_minibatch_has_ratio_one_and_clips_nothing(start, critic):
    learner = learner_of(start(critic=critic))
    learner.experience = gathered(learner)
    numbers = dict(zip(ppo.STEP_NUMBERS, ppo.step(learner, learner.experience, range(8), never), strict=True))
    assert numbers["approx_kl"] < 1e-9
    assert numbers["policy_clip_fraction"] == numbers["value_clip_fraction"] == 0
    assert numbers["policy_loss"] == pytest.approx(0, abs=1e-5)  # -mean of whitened advantages
    assert numbers["policy_gradient_norm"] > 0


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_many_micro_batches_give_the_gradient_of_one(start, critic):
    def gradients(budget):
        learner = learner_of(start(critic=critic, micro_batch_tokens=budget))
        experience = gathered(learner)
        with torch.no_grad():
            for weight in learner.policy.parameters():
                weight.mul_(1.1)  # away from the old policy, where the clip is at work
        parts = len(list(ppo_experience.micro_batches(experience.prompts, experience.responses, range(1, 8), learner)))
        totals = ppo.accumulate(learner, experience, range(1, 8), never)
        found = {
            f"{name}.{key}": weight.grad
            for name, weights in learner.learning.items()
            for key, weight in weights.items()
            if weight.grad is not None
        }
        return parts, totals, found

    one, totals, expected = gradients(8_192)
    many, same_totals, found = gradients(64)
    assert (one, many >= 7) == (1, True)
    torch.testing.assert_close(same_totals, totals, atol=1e-5, rtol=1e-4)
    assert totals[3] > 0
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


def test_micro_batches_cover_each_row_once_within_the_budget(start):
    learner = learner_of(start(micro_batch_tokens=64))
    experience = gathered(learner, k=9)
    seen = []
    for batch, rows in ppo_experience.micro_batches(experience.prompts, experience.responses, [6, 2, 5], learner):
        assert batch.prompt_ids.numel() + batch.response_ids.numel() <= 64
        for row, ids, mask in zip(rows.tolist(), batch.response_ids, batch.response_mask, strict=True):
            assert ids[mask].tolist() == experience.responses[row // 9][row % 9]
        for row, owner in zip(rows.tolist(), batch.owner.tolist(), strict=True):
            ids = batch.prompt_ids[owner][batch.prompt_mask[owner]].tolist()
            assert ids == experience.prompts[row // 9]
        seen += rows.tolist()
    assert sorted(seen) == [g * 9 + i for g in (2, 5, 6) for i in range(9)]


def test_each_epoch_takes_every_prompt_once_in_a_fresh_order(start, monkeypatch):
    learner = learner_of(start(epochs=3, minibatches=4, approx_kl_limit=100.0))
    learner.experience = gathered(learner, k=2)
    taken = []
    original = ppo.step

    def spy(learner, experience, groups, check):
        taken.append(list(groups))
        return original(learner, experience, groups, check)

    monkeypatch.setattr(ppo, "step", spy)
    ppo.improve(learner, 0, never)
    assert len(taken) == len(learner.steps) == 12
    epochs = [[g for groups in taken[i : i + 4] for g in groups] for i in (0, 4, 8)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(8))] * 3
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_an_epoch_stops_before_a_step_where_the_approximate_kl_is_beyond_its_limit(start):
    learner = learner_of(start(epochs=4, minibatches=2, learning_rate=0.05, approx_kl_limit=0.01))
    learner.experience = gathered(learner)
    ppo.improve(learner, 0, never)
    approximate = [numbers[ppo.APPROX_KL] for numbers in learner.steps]
    assert 1 < len(approximate) < 8
    assert approximate[-1] > 0.01 >= max(approximate[:-1])
    weights = [weight.clone() for weight in learner.policy.parameters()]
    ppo.improve(learner, 0, never)
    assert all(torch.equal(a, b) for a, b in zip(weights, learner.policy.parameters(), strict=True))


def test_learning_rate_falls_linearly_and_the_clip_bounds_the_gradient_after_accumulation(start):
    run_dir, config, spec = start(updates=4, learning_rate=1e-3, gradient_clip=1e-12, micro_batch_tokens=64)
    ppo.run(run_dir, config, spec)
    rows = metrics(run_dir)[1:]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])
    assert all(row["policy_gradient_norm"] > 1e-3 for row in rows)
    # A gradient of norm 1e-12 is nothing beside Adam's epsilon of 1e-5: the policy stays where it was.
    assert abs(rows[-1]["kl"]) < 1e-5


def test_beta_adapts_to_the_kl_target_and_is_fixed_without_one(start):
    fixed = start(updates=3, kl_coefficient=0.1)
    ppo.run(*fixed)
    assert {row["beta"] for row in metrics(fixed[0])[1:]} == {0.1}
    adaptive = start(updates=3, kl_coefficient=0.1, kl_target=100.0, kl_horizon=48)
    ppo.run(*adaptive)
    # KL stays far below the target: the clipped error -0.2 times 24 rollouts / 48 each time.
    assert [row["beta"] for row in metrics(adaptive[0])[1:]] == pytest.approx([0.1, 0.09, 0.081])


def test_metrics_of_an_update_are_complete_and_in_range(start):
    run_dir, config, spec = start(updates=2)
    ppo.run(run_dir, config, spec)
    row = metrics(run_dir)[2]
    assert 0 <= row["entropy"] <= math.log(len(WORDS))
    assert row["approx_kl"] >= 0
    assert 0 < row["eos_rate"] < 1
    assert 1 <= row["length"] <= 12
    assert row["steps"] == config.epochs * config.minibatches
    for name in ("policy_clip_fraction", "value_clip_fraction"):
        assert 0 <= row[name] <= 1
    for phase in ("rollouts", "measure", "update"):
        assert row[f"seconds_{phase}"] > 0
        assert row[f"tokens_per_s_{phase}"] > 0
    assert {"score", "raw_score", "reward", "kl", "kl_per_token", "explained_variance", "beta"} <= row.keys()
    assert {"policy_gradient_norm", "critic_gradient_norm", "fixed_score", "fixed_kl"} <= row.keys()
    samples = run_dir.tail("samples.jsonl")[0]
    assert [sample["step"] for sample in samples] == [1] * ppo.SAMPLES_SHOWN + [2] * ppo.SAMPLES_SHOWN


def test_the_fixed_prompts_are_measured_with_the_same_seeds_each_time(start):
    learner = learner_of(start())
    prompts = [ppo_state.Question(ids) for ids in gathered(learner).prompts]
    first = ppo.measure(learner, prompts, 7, never)
    assert ppo.measure(learner, prompts, 7, never) == first
    assert ppo.measure(learner, prompts, 8, never) != first


def test_the_output_is_a_plain_policy_directory_with_its_provenance(start):
    run_dir, config, spec = start(updates=1)
    ppo.run(run_dir, config, spec)
    manifest = verify_manifest(run_dir.output)
    assert manifest["kind"] == "policy"
    assert set(manifest["inputs"]) == {"policy", "reward_model", "prompts"}
    _, found = policy.load_policy(str(run_dir.output))
    assert found.get_vocab() == tokenizer().get_vocab()
    report = run_dir.report()
    assert {"kl", "score_start", "score_end", "updates", "entropy", "eos_rate", "length"} <= report.keys()
    assert report["updates"] == 1


# Stopping and going on


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_a_run_cancelled_anywhere_goes_on_bit_for_bit(start, critic):
    options = {"updates": 3, "critic": critic, "kl_target": 1.0, "micro_batch_tokens": 128, "critic_warmup_updates": 1}
    whole = start(**options)
    ppo.run(*whole)
    cut = start(**options)
    config, spec = cut[1:]

    class Impatient(RunDir):
        checks = 0

        def cancel_requested(self):
            self.checks += 1
            return self.checks > 17

    cancelled = 0
    while not cut[0].is_finished():
        try:
            ppo.run(Impatient(cut[0].path), config, spec)
        except Cancelled:
            cancelled += 1
            assert not cut[0].output.exists()
    assert cancelled >= 4
    assert_same_end(cut[0], whole[0])


def test_a_run_killed_with_9_goes_on_bit_for_bit(start):
    options = {"updates": 8, "save_every": 3, "rollouts_per_prompt": 8, "epochs": 4, "kl_target": 1.0}
    whole, killed = start(**options), start(**options)
    ppo.run(*whole)
    command = [sys.executable, "-m", "training.algorithms", str(killed[0].path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while len(killed[0].tail("metrics.jsonl")[0]) < 6 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read()
    assert not killed[0].output.exists()
    assert states.load(killed[0])["update"] in (3, 6)
    ppo.run(*killed)
    assert_same_end(killed[0], whole[0])


def test_a_gradient_that_is_not_finite_stops_the_run_by_name_before_it_reaches_the_weights(start):
    learner = learner_of(start())
    learner.experience = gathered(learner)
    weights = [weight.clone() for weight in learner.policy.parameters()]
    broken = learner.policy.model.layers[1].mlp.up_proj.weight
    broken.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(PpoError, match=r"policy's gradient of model\.layers\.1\.mlp\.up_proj\.weight"):
        ppo.improve(learner, 0, never)
    assert all(torch.equal(a, b) for a, b in zip(weights, learner.policy.parameters(), strict=True))


def test_a_score_that_is_not_finite_stops_the_run_and_keeps_the_last_good_state(start, monkeypatch):
    run_dir, config, spec = start(updates=4, save_every=1)
    original, calls = RewardModel.score, []

    def score(self, batch):
        calls.append(1)
        return original(self, batch) * (math.nan if len(calls) > 6 else 1)

    monkeypatch.setattr(RewardModel, "score", score)
    with pytest.raises(PpoError, match=r"scores .*not finite|scores .*no longer finite"):
        ppo.run(run_dir, config, spec)
    state = states.load(run_dir)
    assert 1 <= state["update"] < 4
    assert all(torch.isfinite(weight).all() for weight in state["models"]["policy"].values())


# Learning


@pytest.mark.parametrize("critic", ["separate", "shared"])
def test_it_learns_to_say_a_word_that_is_rewarded_while_kl_stays_bounded(start, monkeypatch, critic):
    wanted = WORDS.index("c")

    def count(self, batch):
        return ((batch.response_ids == wanted) & batch.response_mask).sum(1).float().clamp(max=4) - 1

    monkeypatch.setattr(RewardModel, "score", count)
    run_dir, config, spec = start(
        updates=25,
        rollouts_per_prompt=4,
        critic=critic,
        learning_rate=5e-3,
        critic_learning_rate=5e-3,
        kl_coefficient=0.05,
        critic_warmup_updates=2,
        save_every=25,
    )
    ppo.run(run_dir, config, spec)
    rows = metrics(run_dir)[1:]
    early, late = (sum(row["score"] for row in part) / 3 for part in (rows[:3], rows[-3:]))
    assert late > early + 1.0, json.dumps([row["score"] for row in rows])
    assert rows[-1]["kl"] < 15
    assert rows[-1]["eos_rate"] > rows[0]["eos_rate"]
    report = run_dir.report()
    assert report["score_end"] > report["score_start"] + 1.0
