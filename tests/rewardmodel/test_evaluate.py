"""The report's measures by hand and against independent oracles."""

import dataclasses
import itertools
import json
import math
import types
import typing

import numpy as np
import pytest
import scipy.stats

from contracts import reports
from rewardmodel import evaluate, statistics
from rewardmodel.groups import Group
from rewardmodel.model import RewardModel
from tests.rewardmodel.conftest import toy_rankings

pytestmark = pytest.mark.torch


def group(name, pairs, lengths, *, prompt=None, labeler="", rollouts=None, sources=None, flags=None):
    K = len(lengths)
    return Group(
        id=name,
        group=rollouts or name,
        prompt_id=name,
        conversation=prompt or name,
        labeler=labeler,
        weight=1.0,
        split="heldout",
        prompt=(1,),
        responses=tuple(tuple(range(10, 10 + n)) for n in lengths),
        response_ids=tuple(f"r{k}" for k in range(K)),
        sources=sources or ("",) * K,
        flags=flags or ((),) * K,
        pairs=tuple(pairs),
    )


def order(K):
    return list(itertools.combinations(range(K), 2))


THREE = [
    group("a", order(3), [3, 2, 1], labeler="alice", sources=("old", "old", "new"), flags=(("unsafe",), (), ())),
    group("b", [(0, 1)], [1, 4], labeler="bob", prompt="p"),
    group("c", [(0, 1)], [2, 2], labeler="bob", prompt="p"),
]
SCORES = [[2.0, 3.0, 1.0], [0.5, -0.5], [1.0, 1.0]]  # 2 of 3 right, right, a tie


@pytest.fixture(scope="module")
def report():
    return evaluate.report(THREE, SCORES)


def test_pair_accuracy_of_a_hand_computed_table(report):
    assert report["pairs"] == 5
    assert report["accuracy"] == pytest.approx((0 + 1 + 1 + 1 + 0.5) / 5)


def test_adjacent_pairs_leave_out_the_first_against_the_last(report):
    assert report["adjacent_accuracy"] == pytest.approx((0 + 1 + 1 + 0.5) / 4)


def test_top_1_counts_groups_and_shares_a_tie(report):
    assert report["top1"] == pytest.approx((0 + 1 + 0.5) / 3)


def test_log_loss_of_a_hand_computed_table(report):
    deltas = [-1, 1, 2, 1, 0]
    assert report["log_loss"] == pytest.approx(sum(math.log1p(math.exp(-d)) for d in deltas) / 5)


def test_accuracy_where_the_longer_response_won_and_lost(report):
    assert report["accuracy_longer_won"] == pytest.approx(2 / 3)  # group a: its better responses are longer
    assert report["accuracy_longer_lost"] == pytest.approx(1.0)  # group b


def test_the_length_only_baseline_takes_the_side_that_training_favours(report):
    assert report["length_prefers"] == "longer"
    assert report["length_baseline"] == pytest.approx((3 + 0 + 0.5) / 5)
    shorter = evaluate.report(THREE, SCORES, train=[THREE[1]])
    assert shorter["length_prefers"] == "shorter"
    assert shorter["length_baseline"] == pytest.approx((0 + 1 + 0.5) / 5)


def test_accuracy_is_split_by_labeler_source_and_flag(report):
    def table(name):
        return {key: (part["accuracy"], part["pairs"], part["rankings"]) for key, part in report[name].items()}

    assert table("per_labeler") == {"alice": (pytest.approx(2 / 3), 3, 1), "bob": (pytest.approx(0.75), 2, 2)}
    # A pair counts for the source of either side.
    assert table("per_source") == {"old": (pytest.approx(2 / 3), 3, 1), "new": (pytest.approx(1.0), 2, 1)}
    assert table("per_flag") == {"unsafe": (pytest.approx(0.5), 2, 1)}
    low, high = report["per_labeler"]["bob"]["ci"]
    assert low <= 0.75 <= high


def test_the_most_disagreed_rankings_come_first(report):
    assert [row["id"] for row in report["most_disagreed"]] == ["c", "a", "b"]
    assert report["most_disagreed"][0]["log_loss"] == pytest.approx(math.log(2))


def test_the_scale_of_the_normalizer_is_undone_for_log_loss_only():
    plain, scaled = evaluate.report(THREE, SCORES), evaluate.report(THREE, SCORES, scale=2.0)
    assert scaled["accuracy"] == plain["accuracy"]
    assert scaled["log_loss"] == pytest.approx(sum(math.log1p(math.exp(-2 * d)) for d in [-1, 1, 2, 1, 0]) / 5)


def test_the_report_is_json_without_nan(report):
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_ceiling_counts_pairs_that_two_labelers_both_decided():
    alice = group("1", [(0, 1), (0, 2), (1, 2)], [1, 1, 1], labeler="alice", rollouts="s")
    bob = group("2", [(1, 0), (0, 2)], [1, 1, 1], labeler="bob", rollouts="s")  # 1 and 2 tied
    again = group("3", [(0, 2)], [1, 1, 1], labeler="bob", rollouts="s")
    ceiling = evaluate.human_ceiling([alice, bob, again])
    assert ceiling["pairs"] == 3  # bob against himself does not count
    assert ceiling["agreement"] == pytest.approx(2 / 3)
    assert evaluate.human_ceiling([bob, again]) is None


def test_kendall_tau_b_equals_scipys_on_full_and_tied_orders():
    source = np.random.default_rng(0)
    for _ in range(50):
        K = int(source.integers(2, 7))
        ranks, scores = source.integers(1, 5, K), source.integers(0, 5, K).astype(float)
        pairs = [(i, j) for i in range(K) for j in range(K) if ranks[i] < ranks[j]]
        expected = scipy.stats.kendalltau(-ranks, scores).statistic
        found = statistics.kendall_tau_b(scores, pairs, K)
        assert (found is None) == bool(np.isnan(expected))
        if found is not None:
            assert found == pytest.approx(expected, abs=1e-12)


def test_spearman_equals_scipys():
    source = np.random.default_rng(1)
    for _ in range(50):
        a, b = source.integers(0, 6, 8).astype(float), source.normal(size=8)
        assert statistics.spearman(a, b) == pytest.approx(scipy.stats.spearmanr(a, b).statistic, abs=1e-12)
    assert statistics.spearman([1, 1, 1], [1, 2, 3]) is None


def test_the_fitted_temperature_is_the_one_that_made_the_labels():
    source = np.random.default_rng(2)
    logits = source.normal(0, 3, 40_000)
    better = np.where(source.random(40_000) < 1 / (1 + np.exp(-logits / 2.5)), logits, -logits)
    assert statistics.fitted_temperature(better) == pytest.approx(2.5, rel=0.05)
    losses = {t: statistics.log_loss_of(better, t).mean() for t in (2.0, 2.5, 3.0)}
    assert min(losses, key=losses.get) == 2.5


def test_calibration_error_is_small_when_chances_are_true_and_large_when_overconfident():
    source = np.random.default_rng(3)
    logits = source.normal(0, 1, 40_000)
    better = np.where(source.random(40_000) < 1 / (1 + np.exp(-logits)), logits, -logits)
    assert statistics.calibration(better, np.ones_like(better))[0] < 0.01
    assert statistics.calibration(better, np.full_like(better, 0.1))[0] > 0.15


def test_calibration_of_a_hand_computed_bin():
    delta = np.array([math.log(4), math.log(4), math.log(4), -math.log(4)])  # said 0.8, right 3 times of 4
    error, bins = statistics.calibration(delta, np.ones(4))
    assert error == pytest.approx(0.05)
    (found,) = bins
    assert (found["predicted"], found["observed"], found["pairs"]) == (pytest.approx(0.8), 0.75, 4)
    assert found["low"] <= found["predicted"] < found["high"]


def test_each_half_is_judged_by_the_temperature_of_the_other():
    delta = np.array([5.0, -1.0, 4.0, 1.0, -3.0, 2.0])
    cluster = np.array([0, 0, 0, 1, 1, 1])
    found = statistics.cross_fitted_temperatures(delta, cluster)
    assert found[0] == pytest.approx(statistics.fitted_temperature(delta[3:]))
    assert found[5] == pytest.approx(statistics.fitted_temperature(delta[:3]))


def test_bootstrap_over_prompts_is_wider_than_over_pairs_when_pairs_agree_within_prompts():
    """100 prompts of 10 equal pairs: the standard error is that of 100 draws, 0.05, not of 1000."""
    values = np.repeat((np.arange(100) % 2).astype(float), 10)
    cluster = np.repeat(np.arange(100), 10)
    low, high = statistics.Bootstrap(100).interval(values, cluster)
    assert high - low == pytest.approx(2 * 1.96 * 0.05, rel=0.1)
    low, high = statistics.Bootstrap(1000).interval(values, np.arange(1000))
    assert high - low == pytest.approx(2 * 1.96 * 0.0158, rel=0.1)


def test_rankings_of_the_same_responses_are_scored_once():
    class Counting:
        calls = 0

        def score_responses(self, prompts, responses, **_):
            self.calls += len(prompts)
            return [[float(len(r)) for r in group] for group in responses]

    model = Counting()
    groups = [group("1", [(0, 1)], [2, 3], labeler="alice"), group("2", [(1, 0)], [2, 3], labeler="bob")]
    assert evaluate.score_groups(model, groups) == [[2.0, 3.0], [2.0, 3.0]]
    assert model.calls == 1


def test_the_command_prints_the_report(base, tmp_path, capsys):
    RewardModel.from_base(base, 1).save(tmp_path / "rm")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row.to_json()) + "\n" for row in toy_rankings(12)))
    assert evaluate.main(["--model", str(tmp_path / "rm"), "--rankings", str(rows)]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["rankings"] == 12
    assert 0 <= made["accuracy"] <= 1


def test_the_command_names_a_split_without_rows(base, tmp_path, capsys):
    RewardModel.from_base(base, 1).save(tmp_path / "rm")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row.to_json()) + "\n" for row in toy_rankings(4)))
    with pytest.raises(SystemExit):
        evaluate.main(["--model", str(tmp_path / "rm"), "--rankings", str(rows), "--split", "heldout"])
    assert "found no ranking of split heldout" in capsys.readouterr().err


def misfits(value, hint, path="report"):
    """Where a JSON value is not of a type of contracts/reports.py; an oracle of typing's own words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType or origin is typing.Union:
        return [] if any(not misfits(value, one, path) for one in arguments) else [f"{path}: {value!r} is no {hint}"]
    if typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint)
        if not isinstance(value, dict):
            return [f"{path}: {value!r} is no {hint.__name__}"]
        found = [f"{path}.{name}: not in {hint.__name__}" for name in value.keys() - hints.keys()]
        found += [f"{path}.{name}: missing" for name in hint.__required_keys__ - value.keys()]
        return found + [
            m for name in value.keys() & hints.keys() for m in misfits(value[name], hints[name], f"{path}.{name}")
        ]
    if origin is list:
        inner = [m for i, one in enumerate(value) for m in misfits(one, arguments[0], f"{path}.{i}")]
        return inner if isinstance(value, list) else [f"{path}: {value!r} is no list"]
    if origin is dict:
        return [m for name, one in value.items() for m in misfits(one, arguments[1], f"{path}.{name}")]
    good = (
        isinstance(value, (int, float))
        if hint is float
        else isinstance(value, hint) and (hint is bool or type(value) is not bool)
    )
    return [] if good else [f"{path}: {value!r} is no {hint}"]


def test_the_report_has_the_documented_shape(report):
    assert misfits(report, reports.RewardModelReport) == []
    assert misfits({**report, "accuracy": "high"}, reports.RewardModelReport) == [
        "report.accuracy: 'high' is no float | None"
    ]


def test_the_best_of_n_is_worth_what_people_say_of_it():
    groups = [group(f"g{i}", [(0, 1), (0, 2), (1, 2)], [3, 3, 3], prompt=f"p{i}") for i in range(2)]
    one, two, three = evaluate.report(groups, [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])["best_of_n"]  # right, and all wrong
    assert (one["n"], one["kl"], one["model"], one["labeler"]) == (1, 0.0, 0.5, 0.5)
    # Of two, the right model's pick is the best twice in three and the middle once; the wrong one's mirrors it.
    assert two["model"] == pytest.approx(((2 * 1 + 0.5) / 3 + (2 * 0 + 0.5) / 3) / 2)
    assert two["labeler"] == pytest.approx((2 * 1 + 0.5) / 3)
    assert (three["model"], three["labeler"], three["rankings"]) == (0.5, 1.0, 2)


def test_length_bins_say_how_often_people_and_the_model_prefer_each_length():
    groups = [group(f"g{i}", [(0, 1)], [2, 9], prompt=f"p{i}") for i in range(4)]  # people prefer the short one
    scores = [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]  # the model mostly the long one
    short, long = evaluate.report(groups, scores)["length_bias"]
    assert (short["low"], short["high"], short["responses"]) == (2, 2, 4)
    assert (short["human"], short["model"]) == (1.0, 0.25)
    assert (long["human"], long["model"]) == (0.0, 0.75)
    assert long["score"] == pytest.approx(0.75)
    assert long["model_ci"][0] <= 0.75 <= long["model_ci"][1]


def test_the_most_disagreed_ranking_shows_ranks_beside_scores():
    one = dataclasses.replace(group("a", [(0, 1)], [3, 2]), ranks=(1, 2))
    (found,) = evaluate.report([one], [[-1.0, 2.0]])["most_disagreed"]
    assert (found["wrong"], found["pairs"]) == (1, 1)
    assert found["responses"] == [
        {"id": "r0", "rank": 1, "score": -1.0, "tokens": 3},
        {"id": "r1", "rank": 2, "score": 2.0, "tokens": 2},
    ]


def test_the_interval_of_the_calibration_error_holds_it_and_narrows_with_prompts():
    source = np.random.default_rng(4)

    def interval(count):
        logits = source.normal(0, 2, count)
        better = np.where(source.random(count) < 1 / (1 + np.exp(-logits / 2)), logits, -logits)  # overconfident
        ones, cluster = np.ones(count), np.arange(count)
        low, high = statistics.Bootstrap(count).calibration_interval(better, ones, cluster)
        point = statistics.calibration(better, ones)[0]
        assert low <= point <= high
        return high - low

    assert interval(2_000) < 0.6 * interval(200)
