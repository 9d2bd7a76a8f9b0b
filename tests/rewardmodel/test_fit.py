"""Fitting from a run directory: what it learns, what it reports, and that killing it changes nothing."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from contracts import configs
from contracts.run_dir import Cancelled, InputRef, RunDir, RunSpec
from rewardmodel import fit, groups, losses
from rewardmodel.evaluate import score_groups
from rewardmodel.member import FitError, Member
from rewardmodel.model import RewardModel
from tests.rewardmodel.conftest import ranking, toy_rankings

pytestmark = pytest.mark.torch

QUICK = {"learning_rate": 3e-3, "evaluate_every": 4, "save_every": 3, "epochs": 2, "curve_points": 0}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rankings(tmp_path_factory):
    return write_rankings(tmp_path_factory.mktemp("rankings") / "rows.jsonl", toy_rankings(80))


def write_rankings(path, records):
    path.write_text("".join(json.dumps(record.to_json()) + "\n" for record in records))
    return path


def start(folder, base, rankings, *, seed=1, kind=RunDir, **config):
    spec = RunSpec(
        run_id="r",
        kind="reward_model",
        config=configs.parse("reward_model", {**QUICK, **config}).to_json(),
        seed=seed,
        inputs={"base": InputRef(path=str(base)), "rankings": InputRef(path=str(rankings))},
    )
    run_dir = kind(folder)
    run_dir.create(spec)
    return run_dir, spec


def play(run_dir, spec):
    fit.run(run_dir, configs.parse("reward_model", spec.config), spec)


def outcome(run_dir):
    """Everything a run leaves that must not depend on interruptions."""
    files = {p.relative_to(run_dir.output).as_posix(): p.read_bytes() for p in run_dir.output.rglob("*") if p.is_file()}
    metrics = [
        (row["step"], {k: v for k, v in row["values"].items() if k != "tokens_per_second"})
        for row in run_dir.tail("metrics.jsonl")[0]
    ]
    return files, run_dir.report(), metrics


@pytest.fixture(scope="module")
def finished(tmp_path_factory, base, rankings):
    run_dir, spec = start(tmp_path_factory.mktemp("finished") / "run", base, rankings)
    play(run_dir, spec)
    return run_dir


def test_a_known_preference_is_learned(finished):
    report = finished.report()
    assert report["accuracy"] > 0.85
    assert report["accuracy_ci"][0] > report["length_baseline"]
    assert report["accuracy_ci"][0] <= report["accuracy"] <= report["accuracy_ci"][1]
    assert report["log_loss"] < 0.5


def test_the_report_counts_what_went_in(finished, base, rankings):
    report = finished.report()
    assert report["rankings"] == 80
    assert report["groups"] + report["train_groups"] + report["refused"] == 80
    assert report["refused"] == sum(report["refused_reasons"].values())
    assert report["truncated"] == 0
    assert report["ceiling"] is None


def test_the_output_is_a_reward_model_with_its_lineage(finished):
    manifest = json.loads((finished.output / "manifest.json").read_text())
    assert manifest["kind"] == "reward_model"
    assert set(manifest["inputs"]) == {"base", "rankings"}
    assert finished.is_finished()
    RewardModel.load(finished.output)


def test_after_loading_the_training_responses_have_mean_0_and_spread_1(finished, rankings):
    model = RewardModel.load(finished.output)
    everyone, _ = groups.read(rankings, model.tokenizer, max_length=128)
    train, _ = groups.split(everyone, share=0.2, seed=1)
    distinct = list({(g.prompt, g.responses): g for g in train}.values())
    scores = torch.tensor([s for group in score_groups(model, distinct) for s in group])
    assert abs(scores.mean().item()) < 1e-3
    assert scores.std(unbiased=False).item() == pytest.approx(1, abs=1e-3)


def test_metrics_have_one_row_a_step_and_the_learning_rate_decays_to_0(finished):
    rows = finished.tail("metrics.jsonl")[0]
    total = 2 * -(-finished.report()["train_groups"] // 8)
    assert [row["step"] for row in rows] == list(range(1, total + 1))
    rates = [row["values"]["learning_rate"] for row in rows]
    assert max(rates) == pytest.approx(3e-3)
    assert rates[-1] < 0.1 * max(rates)
    assert all("heldout_loss" in row["values"] for row in rows if row["step"] % 4 == 0)


class CancelledAt(RunDir):
    """Asks for a stop once so many steps are done."""

    after = 0

    def cancel_requested(self):
        rows, _ = self.tail("metrics.jsonl")
        return bool(rows) and rows[-1]["step"] >= self.after


@pytest.mark.parametrize("after", [1, 7, 11])
def test_a_cancelled_run_goes_on_to_the_same_end(after, tmp_path, base, rankings, finished):
    run_dir, spec = start(tmp_path / "run", base, rankings, kind=CancelledAt)
    run_dir.after = after
    with pytest.raises(Cancelled):
        play(run_dir, spec)
    assert not run_dir.output.exists()
    play(RunDir(run_dir.path), spec)
    assert outcome(run_dir) == outcome(finished)


def test_a_run_killed_in_the_middle_and_run_again_ends_bit_for_bit_the_same(tmp_path, base, rankings, finished):
    command = [sys.executable, "-m", "rewardmodel.fit", "--base", base, "--rankings", rankings]
    settings = [word for name, value in QUICK.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    threads = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command += ["--output", tmp_path / "killed", "--seed", "1", *settings]

    child = subprocess.Popen(command, cwd=ROOT, env=threads, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed = RunDir(tmp_path / "killed")
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline and len(killed.tail("metrics.jsonl")[0]) < 5:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not killed.is_finished()
    assert len(killed.tail("metrics.jsonl")[0]) >= 5

    done = subprocess.run(command, cwd=ROOT, env=threads, capture_output=True, text=True, check=True)
    assert "held-out accuracy" in done.stdout
    files, report, metrics = outcome(killed)
    expected_files, expected_report, expected_metrics = outcome(finished)
    del files["manifest.json"], expected_files["manifest.json"]  # names other inputs' hashes
    assert files == expected_files
    assert report == expected_report
    assert metrics == expected_metrics


def test_ensembles_resume_between_and_within_members(tmp_path, base, rankings):
    whole, spec = start(tmp_path / "whole", base, rankings, members=2, epochs=1)
    play(whole, spec)
    steps = whole.report()["members"][0]["steps"]
    for after in (steps, steps + 2):
        run_dir, spec = start(tmp_path / f"cut{after}", base, rankings, members=2, epochs=1, kind=CancelledAt)
        run_dir.after = after
        with pytest.raises(Cancelled):
            play(run_dir, spec)
        play(RunDir(run_dir.path), spec)
        assert outcome(run_dir)[:2] == outcome(whole)[:2]
    model = RewardModel.load(whole.output)
    assert len(model.members) == 1
    assert not torch.equal(model.head.weight, model.members[0].head.weight)


def test_early_stopping_keeps_the_best_weights_not_the_last(tmp_path, base):
    """Labels that are noise: held-out loss rises after the first steps, training loss falls on."""
    source = toy_rankings(24, seed=5)
    noise = [
        ranking(f"n{i}", [r.text for r in row.responses], [1, 2, 3, 4], prompt=f"{i % 12}")
        for i, row in enumerate(source)
    ]
    rows = write_rankings(tmp_path / "noise.jsonl", noise)
    run_dir, spec = start(tmp_path / "run", base, rows, epochs=30, evaluate_every=2, patience=3)
    play(run_dir, spec)
    (member,) = run_dir.report()["members"]
    losses = {
        row["step"]: row["values"]["heldout_loss"]
        for row in run_dir.tail("metrics.jsonl")[0]
        if "heldout_loss" in row["values"]
    }
    assert member["stopped_early"]
    assert member["steps"] < 30 * -(-run_dir.report()["train_groups"] // 8)
    assert member["best_step"] == min(losses, key=losses.get) < member["steps"]
    # Every group here has the same six pairs, so the report's loss is that of the stopping rows.
    assert run_dir.report()["log_loss"] == pytest.approx(losses[member["best_step"]], abs=1e-5)

    for after in (member["best_step"] + 1, member["steps"] - 1):
        cut, spec = start(
            tmp_path / f"cut{after}", base, rows, epochs=30, evaluate_every=2, patience=3, kind=CancelledAt
        )
        cut.after = after
        with pytest.raises(Cancelled):
            play(cut, spec)
        play(RunDir(cut.path), spec)
        assert outcome(cut) == outcome(run_dir)


def test_labeler_weights_decide_between_labelers_who_disagree(tmp_path, base):
    def two_labelers(trusted, other):
        rows = []
        for number, row in enumerate(toy_rankings(60, seed=7)):
            rows.append(type(row)(**{**vars(row), "labeler": "alice", "weight": trusted}))
            turned = [type(r)(**{**vars(r), "rank": 9 - r.rank}) for r in row.responses]
            changes = {"id": f"b{number}", "labeler": "bob", "weight": other, "responses": tuple(turned)}
            rows.append(type(row)(**{**vars(row), **changes}))
        return rows

    accuracy = {}
    for name, weights in {"alice": (1.0, 0.05), "bob": (0.05, 1.0)}.items():
        rows = write_rankings(tmp_path / f"{name}.jsonl", two_labelers(*weights))
        run_dir, spec = start(tmp_path / name, base, rows, patience=0)
        play(run_dir, spec)
        report = run_dir.report()
        accuracy[name] = {who: part["accuracy"] for who, part in report["per_labeler"].items()}
        assert report["ceiling"]["agreement"] == 0
    assert accuracy["alice"]["alice"] > 0.7 > 0.3 > accuracy["alice"]["bob"]
    assert accuracy["bob"]["bob"] > 0.7 > 0.3 > accuracy["bob"]["alice"]


def members_of(base, **config):
    parsed = configs.parse("reward_model", {**QUICK, **config})
    return Member(str(base), parsed, seed=1, device="cpu")


def some_groups(member, count=8):
    return groups.make(toy_rankings(count + 4, seed=3), member.model.tokenizer, max_length=128)[0][:count]


def gradients(member, chosen):
    rates = [1.0] * len(chosen)
    member.optimizer.step = lambda: None
    member.config = type(member.config)(**{**vars(member.config), "gradient_clip": 1e9})
    loss = member.train_step(chosen, rates, 100)["loss"]
    return loss, {name: weight.grad.clone() for name, weight in member.weights.items()}


def test_the_gradient_of_one_pass_equals_that_of_many_micro_batches(base):
    member = members_of(base)
    chosen = some_groups(member)
    loss, whole = gradients(member, chosen)
    member.config = type(member.config)(**{**vars(member.config), "micro_batch_tokens": 64})
    same_loss, parts = gradients(member, chosen)
    assert same_loss == pytest.approx(loss, abs=1e-6)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-5, rtol=1e-4)


def test_the_gradient_does_not_depend_on_the_order_of_groups(base):
    member = members_of(base)
    chosen = some_groups(member)
    _, expected = gradients(member, chosen)
    _, found = gradients(member, chosen[::-1])
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


def by_two_labelers(member):
    """Six rollout sets ranked by alice; bob ranks the first four too, the other way round and with less weight."""
    alice = some_groups(member, 6)
    bob = [replace(one, id=f"{one.id} again", pairs=tuple((j, i) for i, j in one.pairs)) for one in alice[:4]]
    return [*alice, *bob], [1.0] * 6 + [0.25] * 4


def test_rankings_of_the_same_responses_share_a_pass_and_cost_what_they_cost_apart(base):
    member = members_of(base, centering=0.0)
    chosen, weights = by_two_labelers(member)
    scores, at = member.scored(chosen, weights)
    assert len(scores) == sum(len(group.responses) for group in chosen[:6])
    apart = 0.0
    for group, weight in zip(chosen, weights, strict=True):
        alone, _ = member.scored([group], [weight])
        terms = [torch.nn.functional.softplus(alone[j] - alone[i]) for i, j in group.pairs]
        apart += weight * (sum(terms) / len(terms)).item()
    assert losses.total(scores, at, kind="pairs", centering=0.0).item() == pytest.approx(apart, abs=1e-5)
    mean, accuracy = member.heldout(chosen)
    assert mean > 0 and accuracy == pytest.approx(
        sum(member.heldout([group])[1] * len(group.pairs) for group in chosen) / sum(len(g.pairs) for g in chosen)
    )


def test_rankings_of_the_same_responses_are_in_the_same_step(base):
    member = members_of(base, batch_groups=4, epochs=3)
    chosen, _ = by_two_labelers(member)
    plan = fit.plan_steps(chosen, member.config, 0, 0)
    assert all(len(batch) in (2, 3, 4) for batch in plan)
    assert sorted(i for batch in plan for i in batch) == sorted(3 * list(range(10)))
    assert all((i + 6 in batch) for batch in plan for i in batch if i < 4)


def test_gradient_checkpointing_changes_no_gradient(base):
    chosen = some_groups(members_of(base))
    _, expected = gradients(members_of(base), chosen)
    _, found = gradients(members_of(base, gradient_checkpointing=True), chosen)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


def test_gradient_checkpointing_changes_no_adapters_gradient(base):
    chosen = some_groups(members_of(base))
    plain, saving = members_of(base, lora_rank=4), members_of(base, lora_rank=4, gradient_checkpointing=True)
    for member in (plain, saving):  # adapters start at 0, and so would half of their gradients
        with torch.no_grad():
            for number, weight in enumerate(member.weights.values()):
                weight.add_(0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
    _, expected = gradients(plain, chosen)
    _, found = gradients(saving, chosen)
    assert any("lora_A" in name and gradient.abs().max() > 1e-4 for name, gradient in expected.items())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-4)


def test_bf16_stops_before_the_head_and_learns_as_well(tmp_path, base, rankings):
    half, full = members_of(base, bf16=True), members_of(base)
    chosen = some_groups(full)
    for member in (half, full):
        member.found = member.scored(chosen, [1.0] * len(chosen))[0]
    assert half.found.dtype == half.model.head.weight.dtype == torch.float32
    assert all(weight.dtype == torch.float32 for weight in half.weights.values())
    gap = (half.found - full.found).abs().max().item()
    assert 1e-6 < gap < 0.2  # it really was another precision, and not another score
    run_dir, spec = start(tmp_path / "run", base, rankings, bf16=True)
    play(run_dir, spec)
    assert run_dir.report()["accuracy"] > 0.8


def test_the_defaults_are_the_published_ones(base):
    """One epoch; AdamW with eps 1e-5; the rate decays to 0 (arXiv 2203.02155, 2009.01325)."""
    config = configs.parse("reward_model", {})
    member = Member(str(base), config, seed=1, device="cpu")
    assert (config.epochs, config.centering, config.patience) == (1, 0.01, 3)
    (setting,) = member.optimizer.param_groups
    assert isinstance(member.optimizer, torch.optim.AdamW)
    assert setting["eps"] == 1e-5
    member.step = 100
    assert member.learning_rate(100) == 0


def test_responses_longer_than_the_models_context_are_cut_and_counted(tmp_path, base):
    """max_length says 1024, the base's positions end at 128."""
    rows = [ranking(f"r{i}", ["sun " * 200, "moon"], [1, 2], prompt=f"{i}") for i in range(12)]
    run_dir, spec = start(tmp_path / "run", base, write_rankings(tmp_path / "rows.jsonl", rows), epochs=1)
    play(run_dir, spec)
    assert run_dir.report()["truncated"] == 12
    assert run_dir.report()["refused"] == 0


def test_a_clear_margin_widens_the_gap_between_two_responses(tmp_path, base):
    def gap(margin):
        member = members_of(base, margin=margin, margin_by="confidence")
        sure = [dataclasses.replace(group, confidence=5) for group in some_groups(member)]
        for _ in range(6):
            member.train_step(sure, [1.0] * len(sure), 100)
        scores, at = member.scored(sure, [1.0] * len(sure))
        return (scores[at.better] - scores[at.worse]).mean().item()

    assert gap(1.0) > gap(0.0) + 0.1


def test_lora_trains_adapters_and_the_head_only_and_saves_a_plain_trunk(tmp_path, base, rankings):
    member = members_of(base, lora_rank=4)
    assert all("lora_" in name or name.startswith("head.") for name in member.weights)
    run_dir, spec = start(tmp_path / "run", base, rankings, lora_rank=4, learning_rate=1e-2)
    play(run_dir, spec)
    assert run_dir.report()["accuracy"] > 0.7
    assert not any("lora" in name for name in load_file(run_dir.output / "model.safetensors"))
    RewardModel.load(run_dir.output)


def test_a_cancelled_lora_run_goes_on_to_the_same_end(tmp_path, base, rankings):
    config = {"lora_rank": 4, "epochs": 1}
    whole, spec = start(tmp_path / "whole", base, rankings, **config)
    play(whole, spec)
    run_dir, spec = start(tmp_path / "cut", base, rankings, kind=CancelledAt, **config)
    run_dir.after = 4
    with pytest.raises(Cancelled):
        play(run_dir, spec)
    play(RunDir(run_dir.path), spec)
    assert outcome(run_dir) == outcome(whole)


def test_plackett_luce_learns_too(tmp_path, base, rankings):
    run_dir, spec = start(tmp_path / "run", base, rankings, loss="plackett_luce")
    play(run_dir, spec)
    assert run_dir.report()["accuracy"] > 0.8


def test_a_loss_that_is_not_finite_stops_the_run_with_a_remedy(base):
    member = members_of(base)
    with torch.no_grad():
        member.model.head.weight.fill_(float("nan"))
    with pytest.raises(FitError, match=r"found loss nan .* lower learning_rate"):
        member.train_step(some_groups(member), [1.0] * 8, 10)


@pytest.mark.parametrize(
    "config", [{}, {"lora_rank": 4, "gradient_checkpointing": True}], ids=["whole model", "lora and checkpointing"]
)
def test_two_processes_take_the_same_steps_as_one(config, tmp_path, base, rankings, finished):
    alone = finished
    if config:
        alone, spec = start(tmp_path / "one", base, rankings, **config)
        play(alone, spec)
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0", "-m", "rewardmodel.fit"]
    settings = [
        word for name, value in {**QUICK, **config}.items() for word in ("--set", f"{name}={json.dumps(value)}")
    ]
    command = [*launch, "--base", base, "--rankings", rankings, "--output", tmp_path / "two", "--seed", "1", *settings]
    command += ["--set", "curve_points=1"]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    two, one = RunDir(tmp_path / "two").tail("metrics.jsonl")[0], alone.tail("metrics.jsonl")[0]
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for a, b in zip(two, one, strict=True):
        assert a["values"]["loss"] == pytest.approx(b["values"]["loss"], abs=1e-4)
    part, whole = RunDir(tmp_path / "two").report()["learning_curve"]
    assert part["rankings"] < whole["rankings"] == alone.report()["train_groups"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "learning_rate=-1"], "learning_rate: must be above 0, found -1"),
        (["--set", "speed=9"], "speed: unknown key"),
        (["--set", "epochs"], "epochs: expected key=value"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(words, said, tmp_path, base, rankings, capsys):
    arguments = ["--base", str(base), "--rankings", str(rankings), "--output", str(tmp_path / "run"), *words]
    with pytest.raises(SystemExit) as ended:
        fit.main(arguments)
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit):
        fit.main(["--help"])
    text = capsys.readouterr().out
    for row in configs.schema("reward_model"):
        assert row["name"] in text
