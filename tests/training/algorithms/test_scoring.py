"""A reward model scores a rollout once: within a run, and never again in a later one."""

import pytest

from contracts import configs, snapshots
from contracts.records import RankedResponse, RankingRecord, Rollout, RolloutSetRecord
from contracts.run_dir import SUCCEEDED, InputRef, RunDir, RunSpec, write_manifest
from contracts.scores import KNOWN, MADE, ScoreRecord, rollout_hash
from rewardmodel import chat, groups, prefix
from rewardmodel.member import Member
from rewardmodel.model import RewardModel
from training.algorithms import policy, sampling
from training.algorithms.ppo_state import Learner
from training.algorithms.scoring import Scorer

from . import conftest as world
from .ppo_case import Case, prompt
from .test_runs import made  # noqa: F401 - a fixture

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def judge(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("judges")
    policy.save_policy(world.make_model("llama", tokenizer, seed=5), tokenizer, folder / "base")
    write_manifest(folder / "base", {"kind": "policy"})
    RewardModel.from_base(folder / "base", seed=3).save(folder / "one")
    both = RewardModel.from_base(folder / "base", seed=3)
    both.members.append(RewardModel.from_base(folder / "base", seed=4))
    both.save(folder / "two")
    return folder


def scorer(judge, tmp_path, tokenizer, *, known=(), name="one"):
    run_dir = RunDir(tmp_path / "run")
    ref = {"reward_model": InputRef(path=str(judge / name))}
    run_dir.create(RunSpec(run_id="r", kind="sample", config={}, seed=0, inputs=ref))
    if known:
        lines = "".join(snapshots.canonical_json(row.to_json()) + "\n" for row in known)
        (run_dir.path / KNOWN).write_text(lines)
    return Scorer(run_dir, tokenizer)


def a_set(*responses, prompt="p"):
    rollouts = tuple(
        Rollout(index=i, text="", token_ids=ids, token_logprobs=(0.0,) * len(ids), finish_reason="length", seed=i)
        for i, ids in enumerate(responses)
    )
    return RolloutSetRecord(prompt_id=prompt, rollouts=rollouts)


PROMPTS = [[5, 6, 7], [8, 9]]
SETS = [a_set((20, 21), (22,), (20, 21)), a_set((20, 21))]  # one response twice, and again after another prompt


def test_scores_are_the_models_own_and_equal_rollouts_are_scored_once(judge, tmp_path, tokenizer, monkeypatch):
    asked = scorer(judge, tmp_path, tokenizer)
    passes = []
    original = RewardModel.member_scores_of
    monkeypatch.setattr(
        RewardModel, "member_scores_of", lambda self, p, r, **k: passes.append((p, r)) or original(self, p, r, **k)
    )
    found = asked.score(PROMPTS, SETS)
    (prompts, responses), *_ = passes
    assert list(map(len, responses)) == [2, 1]
    assert list(map(list, prompts)) == PROMPTS
    expected = asked.model.score_responses(PROMPTS, [[(20, 21), (22,), (20, 21)], [(20, 21)]])
    assert found[0].scores == pytest.approx(expected[0], abs=1e-6)
    assert found[1].scores == pytest.approx(expected[1], abs=1e-6)
    assert set(asked.made) == {
        rollout_hash(p, r) for p, r in [(PROMPTS[0], (20, 21)), (PROMPTS[0], (22,)), (PROMPTS[1], (20, 21))]
    }
    assert asked.score(PROMPTS, SETS) == found
    assert passes[-1] == ([], [])


def test_known_scores_are_taken_and_not_made_again(judge, tmp_path, tokenizer):
    known = ScoreRecord(rollout=rollout_hash(PROMPTS[0], (22,)), score=41.5)
    asked = scorer(judge, tmp_path, tokenizer, known=[known])
    assert asked.score(PROMPTS, SETS)[0].scores[1] == 41.5
    assert known.rollout not in asked.made
    assert len(asked.made) == 2


def test_an_ensembles_doubt_is_kept_with_its_score(judge, tmp_path, tokenizer):
    asked = scorer(judge, tmp_path, tokenizer, name="two")
    asked.score(PROMPTS[:1], SETS[:1])
    members = asked.model.member_scores_of([PROMPTS[0]], [[(22,)]])[0][:, 0]
    row = asked.made[rollout_hash(PROMPTS[0], (22,))]
    assert row.score == pytest.approx(members.mean().item(), abs=1e-5)
    assert row.uncertainty == pytest.approx(abs(members[0] - members[1]).item() / 2, abs=1e-5)


def test_a_second_run_finds_the_first_ones_scores_and_scores_nothing(made, judge):  # noqa: F811
    """Both kinds that score, through their real processes; the same seed draws the same rollouts."""
    first = made("sample", "first", inputs={"reward_model": judge / "one"}, max_prompts=6)
    assert world.finish(first) == SUCCEEDED
    scored = list(snapshots.read(first.output / "rollouts.jsonl", RolloutSetRecord))
    assert all(len(record.scores) == 3 for record in scored)
    rows = list(snapshots.read(first.output / MADE, ScoreRecord))
    assert first.report()["score"] == pytest.approx(sum(s for r in scored for s in r.scores) / 18)

    second = made("sample", "second", inputs={"reward_model": judge / "one"}, max_prompts=6)
    (second.path / KNOWN).write_text((first.output / MADE).read_text())
    assert world.finish(second) == SUCCEEDED
    assert not (second.output / MADE).exists()
    assert (second.output / "rollouts.jsonl").read_bytes() == (first.output / "rollouts.jsonl").read_bytes()
    assert len(rows) == len({row.rollout for row in rows})


def test_a_rows_reward_at_training_time_equals_its_reward_in_ppo(tmp_path):
    """One serialization: stored rankings of sampled ids, and the same ids straight from the policy."""
    case = Case(tmp_path)
    run_dir, config, _ = case.start("run")
    learner = Learner(run_dir, config)
    asked = prompt(1)
    ids = chat.encode_prompt(learner.tokenizer, asked.messages)
    stop = chat.stop_token_id(learner.tokenizer)
    sampled = [[7, 9, stop], [8, stop], [6, 6, 10, 7]]  # the last one was cut off
    texts = [chat.decode_reply(learner.tokenizer, response) for response in sampled]
    responses = tuple(
        RankedResponse(
            id=str(i), text=text, rank=i + 1, token_ids=tuple(r), finish_reason="stop" if r[-1] == stop else "length"
        )
        for i, (text, r) in enumerate(zip(texts, sampled, strict=True))
    )
    record = RankingRecord(id="r", prompt_id="1", group="g", prompt=asked.messages, responses=responses)
    (group,), counts = groups.make([record], learner.tokenizer, max_length=64)
    assert counts.retokenized == 0

    member = Member(
        str(case.root / "policy"), configs.parse("reward_model", {}), seed=1, device="cpu"
    )  # as it was fitted
    raw, _ = member.scored([group], [1.0])
    fitted = RewardModel.load(case.root / "reward_model")
    at_training = (raw - fitted.mean) / fitted.std
    (in_ppo,) = learner.judge(prefix.batch([ids], [sampled], pad_id=learner.tokenizer.pad_token_id))[1]
    assert in_ppo.tolist() == pytest.approx(at_training.tolist(), abs=1e-5)


def test_a_server_and_a_reward_model_together_are_refused(tmp_path):
    """A server's rollouts have no token ids that a reward model of ours could read."""
    with pytest.raises(sampling.SamplingError, match="found a server and a reward model, expected a policy of ours"):
        sampling._scorer(RunDir(tmp_path), object())
