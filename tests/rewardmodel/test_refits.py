"""Further fits of a run: the learning curve, and what one labeler's rankings change."""

import json

import pytest

from contracts import configs, reports
from contracts.run_dir import Cancelled, RunDir
from rewardmodel import refits
from rewardmodel.groups import GroupError
from tests.rewardmodel.conftest import toy_rankings
from tests.rewardmodel.test_evaluate import group, misfits
from tests.rewardmodel.test_fit import outcome, play, start, write_rankings

pytestmark = pytest.mark.torch


def config(**options):
    return configs.parse("reward_model", options)


def some(count, labelers=("alice", "bob")):
    return [
        group(f"g{i}", [(0, 1)], [1, 2], labeler=labelers[i % len(labelers)], prompt=f"p{i // 2}") for i in range(count)
    ]


def test_the_parts_of_the_curve_are_nested_and_halve_the_prompts():
    train = some(64)
    parts = [set(g.id for g in refit.train) for refit in refits.plan(config(curve_points=3), train, seed=5)]
    assert [len(part) for part in parts] == [8, 16, 32]
    assert parts[0] < parts[1] < parts[2] < {g.id for g in train}
    assert len({g.conversation for g in train if g.id in parts[2]}) == 16  # whole prompts
    assert [r.train for r in refits.plan(config(curve_points=3), train, seed=5)] != [
        r.train for r in refits.plan(config(curve_points=3), train, seed=6)
    ]


def test_parts_too_small_to_fit_on_are_left_out_of_the_curve():
    assert [len(refit.train) for refit in refits.plan(config(curve_points=4), some(16), seed=0)] == [4, 8]
    assert refits.plan(config(curve_points=0), some(16), seed=0) == []


def test_a_labeler_who_ranked_nothing_cannot_be_left_out():
    with pytest.raises(
        GroupError, match=r"leave_out: found 0 of 16 training rankings by 'carol'.*name one of alice, bob"
    ):
        refits.plan(config(leave_out="carol"), some(16), seed=0)
    with pytest.raises(GroupError, match="found 16 of 16"):
        refits.plan(config(leave_out="alice"), some(16, labelers=("alice",)), seed=0)


def test_labelers_are_named_once_each_in_order():
    assert config(leave_out=" bob, alice,,bob").left_out == ["bob", "alice"]


def test_two_fits_are_compared_on_the_same_pairs_by_hand():
    heldout = [group("a", [(0, 1)], [1, 1], labeler="alice"), group("b", [(0, 1), (0, 2)], [1, 1, 1], labeler="bob")]
    full = [[1.0, 0.0], [1.0, 2.0, 0.0]]  # right; wrong, right
    without = [[0.0, 1.0], [3.0, 2.0, 0.0]]  # wrong; right, right
    train = some(8)
    part = refits.Refit("without bob", [g for g in train if g.labeler != "bob"], "bob")
    (found,) = refits.left_out([part], [without], heldout=heldout, train=train, full=full)
    assert (found["labeler"], found["rankings"], found["kept"]) == ("bob", 4, 4)
    assert [found[side]["pairs"] for side in ("all", "others", "own")] == [3, 1, 2]
    assert found["all"]["difference"] == pytest.approx(0.0)
    assert found["others"]["difference"] == pytest.approx(-1.0)
    assert (found["own"]["full"], found["own"]["without"]) == (pytest.approx(0.5), pytest.approx(1.0))
    # Resamples draw a, b, or both, so the paired difference runs from a's -1 to b's +0.5.
    assert found["all"]["difference_ci"] == [pytest.approx(-1.0), pytest.approx(0.5)]


@pytest.fixture(scope="module")
def vandal(tmp_path_factory):
    """Alice ranks by the known preference, bob ranks as many others the other way round."""
    rows = toy_rankings(60, labeler="alice")
    for row in toy_rankings(60, seed=9, labeler="bob"):
        turned = [type(r)(**{**vars(r), "rank": 9 - r.rank}) for r in row.responses]
        rows.append(type(row)(**{**vars(row), "responses": tuple(turned)}))
    return write_rankings(tmp_path_factory.mktemp("vandal") / "rows.jsonl", rows)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, base, vandal):
    run_dir, spec = start(tmp_path_factory.mktemp("run") / "run", base, vandal, curve_points=1, leave_out="bob")
    play(run_dir, spec)
    return run_dir


def test_leaving_a_vandal_out_is_worth_accuracy_on_everyone_elses_rankings(finished):
    (found,) = finished.report()["leave_out"]
    assert found["labeler"] == "bob"
    assert found["rankings"] + found["kept"] == finished.report()["train_groups"]
    assert found["others"]["difference_ci"][0] > 0.1
    assert found["others"]["without"] > 0.75
    assert found["own"]["difference_ci"][1] < 0
    assert found["all"]["full"] == pytest.approx(finished.report()["accuracy"])


def test_the_report_of_a_run_has_the_documented_shape(finished):
    assert misfits(finished.report(), reports.RewardModelReport) == []
    assert json.loads((finished.output / "report.json").read_text()) == finished.report()


def test_the_curve_ends_with_the_run_itself(finished):
    part, whole = finished.report()["learning_curve"]
    report = finished.report()
    assert whole["rankings"] == report["train_groups"] > part["rankings"]
    assert whole["accuracy"] == pytest.approx(report["accuracy"])
    assert whole["log_loss"] == pytest.approx(report["log_loss"], abs=1e-5)
    assert part["accuracy_ci"][0] <= part["accuracy"] <= part["accuracy_ci"][1]


class CancelledWithin(RunDir):
    """Asks for a stop once `stage` has so many steps behind it."""

    stage, after = "", 0

    def cancel_requested(self):
        at = self.progress()
        return at["stage"] == self.stage and at["done"] >= self.after


@pytest.mark.parametrize(("stage", "after"), [("learning curve 1 of 1", 2), ("without bob", 4), ("reward model", 5)])
def test_a_run_stopped_within_any_of_its_fits_goes_on_to_the_same_end(stage, after, tmp_path, base, vandal, finished):
    run_dir, spec = start(tmp_path / "run", base, vandal, curve_points=1, leave_out="bob", kind=CancelledWithin)
    run_dir.stage, run_dir.after = stage, after
    with pytest.raises(Cancelled):
        play(run_dir, spec)
    play(RunDir(run_dir.path), spec)
    assert outcome(run_dir) == outcome(finished)


def test_further_fits_do_not_change_the_model(tmp_path, base, vandal, finished):
    alone, spec = start(tmp_path / "alone", base, vandal)
    play(alone, spec)
    assert (alone.output / "model.safetensors").read_bytes() == (finished.output / "model.safetensors").read_bytes()
    assert alone.report()["learning_curve"] == finished.report()["learning_curve"][-1:]
    assert alone.report()["leave_out"] == []
