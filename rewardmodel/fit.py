"""Fit a reward model on rankings: `run` for a run directory, or `python -m rewardmodel.fit` from files.

All responses to a prompt are scored in one pass and all decided pairs of a ranking count at once.
Where to read next: `member.py` for a step, `losses.py` for the objective, `evaluate.py` for the report.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from contracts import configs
from contracts.configs import RewardModelConfig
from contracts.run_dir import Cancelled, InputRef, RunDir, RunSpec, read_json, write_json
from contracts.snapshots import file_hash
from rewardmodel import batches, ensemble, evaluate, groups, parallel, refits, statistics
from rewardmodel.commands import (
    ShownRunDir,
    add_rankings,
    named_errors,
    parse_settings,
    quiet_transformers,
    rankings,
)
from rewardmodel.data import Data, read, some
from rewardmodel.groups import Group
from rewardmodel.member import Member
from rewardmodel.model import KIND, REPORT, RewardModel, default_device
from rewardmodel.refits import Refit
from rewardmodel.tables import pair_table

# Held-out responses behind the losses that stop training, and training responses behind the normalizer.
STOPPING_RESPONSES = 384
REFERENCE_RESPONSES = 1_280


def run(run_dir: RunDir, config: RewardModelConfig, spec: RunSpec) -> None:
    """Fit every member, normalize, evaluate, and write output and report. Resumes from `state/`.

    Interrupted at any point and run again, the checkpoint is the same one: bit for bit on a CPU.
    """
    quiet_transformers()
    with parallel.group():
        base = run_dir.input("base")
        data = read(run_dir, config, spec.seed, base)
        saved = read_json(run_dir.state / "run.json") if run_dir.state.exists() else None
        state = {"finished": [], "refits": []} | (saved or {})
        # 1. Parts of the rankings, for the report: each leaves its scores of the held-out rankings.
        for refit in data.refits[len(state["refits"]) :]:
            member = Member(base, config, seed=spec.seed * 1_000, device=default_device())
            _fit_part(run_dir, member, refit, data, state, spec.seed)
        # 2. The members, on all of them.
        models = []
        for number in range(config.members):
            seed = spec.seed * 1_000 + (0 if config.combine == ensemble.WEIGHTS else number)  # one head, one basin
            member = Member(base, config, seed=seed, device=default_device())
            if number < len(state["finished"]):
                member.load_weights(run_dir.state / f"finished-{number}.safetensors")
            else:
                _fit_member(run_dir, member, number, data, state, spec.seed)
            models.append(member.finished())
        # 3. Normalizer, report, checkpoint.
        _complete(run_dir, config, spec, models, data, state)


def _fit_part(run_dir: RunDir, member: Member, refit: Refit, data: Data, state: dict[str, Any], seed: int) -> None:
    """Fit on a part of the rankings and add its raw scores of the held-out rankings to the state.

    The rankings of a labeler who is left out do not decide when to stop either.
    """
    stopping = [group for group in data.heldout if not refit.without or group.labeler != refit.without]
    weights = groups.normalized_weights(refit.train)
    part = replace(data, train=refit.train, weights=weights, heldout=stopping or data.heldout)
    _train(run_dir, member, part, state, seed, order=0, stage=refit.stage, first=None)
    found: list[list[float]] = []
    if parallel.rank() == 0:
        tokens = 2 * member.config.micro_batch_tokens
        found = evaluate.score_groups(member.finished(), data.heldout, micro_batch_tokens=tokens)
    state["refits"].append(found)
    _save_state(run_dir, state, None)


def _fit_member(run_dir: RunDir, member: Member, number: int, data: Data, state: dict[str, Any], seed: int) -> None:
    """Train one member to its end and add its best weights to the state."""
    config = member.config
    stage = "reward model" if config.members == 1 else f"member {number + 1} of {config.members}"
    first = sum(len(plan_steps(data.train, config, seed, earlier)) for earlier in range(number))
    _train(run_dir, member, data, state, seed, order=number, stage=stage, first=first)
    state["finished"].append({"steps": member.step, "best_step": member.best_step, "stopped_early": member.stopped})
    _save_state(run_dir, state, None, finished=member)


def _train(
    run_dir: RunDir,
    member: Member,
    data: Data,
    state: dict[str, Any],
    seed: int,
    *,
    order: int,
    stage: str,
    first: int | None,
) -> None:
    """Steps to the end, or to where held-out loss no longer falls; the member is left with its best weights.

    `order` chooses the data order. Metrics are numbered from `first`; a fit with None leaves none.
    """
    config = member.config
    if (run_dir.state / "member.json").exists():
        member.restore(run_dir.state)
    plan = plan_steps(data.train, config, seed, order)
    total = len(plan)
    per_epoch = -(-total // config.epochs)
    stopping = some(data.heldout, STOPPING_RESPONSES, f"stopping {seed}")
    if parallel.rank() == 0:
        run_dir.drop_after(0 if first is None else first + member.step)

    while member.step < total and not member.stopped:
        # 1. One optimizer step on one batch of groups.
        began = time.monotonic()
        batch = plan[member.step]
        values = member.train_step([data.train[i] for i in batch], [data.weights[i] for i in batch], total)
        values["learning_rate"] = member.optimizer.param_groups[0]["lr"]
        values["tokens_per_second"] = sum(data.train[i].tokens for i in batch) / (time.monotonic() - began)
        # 2. Held-out loss: keeps the best weights, stops when it no longer falls.
        if member.step % config.evaluate_every == 0 or member.step == total:
            loss, accuracy = member.heldout(stopping)
            values |= {"heldout_loss": loss, "heldout_accuracy": accuracy}
            member.judge(loss, patient_until=per_epoch)
        # 3. Report, save, stop if asked.
        if parallel.rank() == 0:
            if first is not None:
                run_dir.add_metrics(first + member.step, **values)
            best = f", held-out {member.best_loss:.3f}" if member.best else ""
            run_dir.set_progress(stage, member.step, total, f"loss {values['loss']:.3f}{best}")
        cancelled = parallel.first_decides(run_dir.cancel_requested(), member.model.device)
        if cancelled or (member.step % config.save_every == 0 and member.step < total):
            _save_state(run_dir, state, member)
        if cancelled:
            raise Cancelled
    member.finish_weights()


def plan_steps(train: Sequence[Group], config: RewardModelConfig, seed: int, number: int) -> list[list[int]]:
    """Every step's batch of rankings: members and epochs each have an order of their own.

    Rankings of the same responses are in one batch, where they share a pass. A step has as many rankings as without
    that, so the number of steps and what a learning rate means do not depend on how many people rank a set.
    """
    sets = groups.together(train)
    shapes, counts = [train[same[0]].shape for same in sets], list(map(len, sets))
    plan: list[list[int]] = []
    for epoch in range(config.epochs):
        order = f"order {seed} {number} {epoch}"
        drawn = batches.epoch(shapes, size=config.batch_groups, seed=order, counts=counts)
        plan += [[i for k in batch for i in sets[k]] for batch in drawn]
    return plan


def _save_state(run_dir: RunDir, state: dict[str, Any], member: Member | None, finished: Member | None = None) -> None:
    """Replace `state/`: finished members' weights, and those of the one in training."""
    if parallel.rank() == 0:
        with run_dir.saving_state() as folder:
            write_json(folder / "run.json", state)
            for path in run_dir.state.glob("finished-*.safetensors"):
                shutil.copyfile(path, folder / path.name)
            if finished:
                finished.save_weights(folder / f"finished-{len(state['finished']) - 1}.safetensors")
            if member:
                member.save(folder)
    parallel.wait()


def _complete(
    run_dir: RunDir,
    config: RewardModelConfig,
    spec: RunSpec,
    models: list[RewardModel],
    data: Data,
    state: dict[str, Any],
) -> None:
    """Normalize over training responses, combine the members, evaluate on held-out rankings, write."""
    if parallel.rank() == 0:
        run_dir.set_progress("evaluation", 0, 2, "normalizing")
        tokens = 2 * config.micro_batch_tokens
        reference = some(data.train, REFERENCE_RESPONSES, f"reference {spec.seed}")
        alone = evaluate.score_groups(models[0], data.heldout, micro_batch_tokens=tokens) if len(models) > 1 else None
        right = [normalize(model, reference, micro_batch_tokens=tokens) for model in models]
        model, mean = models[0], None
        if len(models) > 1:
            mean = ensemble.averaged(models)
            right_of_mean = normalize(mean, reference, micro_batch_tokens=tokens)
            model.members.extend(models[1:])
            model.averaged_normalizer = mean.mean, mean.std
        model.combine, model.penalty = config.combine, config.penalty
        run_dir.set_progress("evaluation", 1, 2, "scoring held-out rankings")
        scores, worth = evaluate.judge(model, data.heldout, averaged=mean, micro_batch_tokens=tokens)
        first = alone or [[model.std * score for score in found] for found in scores]  # raw, as the refits' are
        if mean is not None and config.combine == ensemble.WEIGHTS:
            model, right = mean, [right_of_mean]
        report = evaluate.report(
            data.heldout, scores, train=data.train, everyone=data.everyone, scale=model.std, ensemble=worth
        )
        report |= {
            "train_groups": len(data.train),
            "train_accuracy": sum(right) / len(right),
            "members": state["finished"],
            "normalizer": {"mean": model.mean, "std": model.std},
            "learning_curve": refits.curve(
                data.refits, state["refits"], heldout=data.heldout, train=data.train, full=first
            ),
            "leave_out": refits.left_out(
                data.refits, state["refits"], heldout=data.heldout, train=data.train, full=first
            ),
        }
        details = {
            "kind": KIND,
            "run_id": spec.run_id,
            "config": spec.config,
            "seed": spec.seed,
            "inputs": {name: vars(ref) for name, ref in spec.inputs.items()},
        }
        report = evaluate.with_counts(report, data.counts)
        with run_dir.saving_output(**details) as folder:
            model.write(folder)
            write_json(folder / REPORT, report)  # so that a checkpoint that travels says what it is worth
        run_dir.write_report(report)
        run_dir.set_progress("evaluation", 2, 2, f"held-out accuracy {report['accuracy']:.3f}")
    parallel.wait()


def normalize(model: RewardModel, reference: Sequence[Group], *, micro_batch_tokens: int = 16_384) -> float:
    """Shift and scale so that the reference responses score mean 0 and standard deviation 1.

    Returns the pair accuracy on them, to be compared with the held-out one.
    """
    model.mean, model.std = 0.0, 1.0
    scores = evaluate.score_groups(model, reference, micro_batch_tokens=micro_batch_tokens)
    distinct = {(group.prompt, group.responses): found for group, found in zip(reference, scores, strict=True)}
    raw = torch.tensor([score for found in distinct.values() for score in found], dtype=torch.float64)
    model.mean, model.std = float(raw.mean()), max(float(raw.std(unbiased=False)), 1e-6)
    return float(statistics.accuracy_of(pair_table(reference, scores).delta).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    options_text = "\n".join(
        f"  {row['name']}={row['default']}".ljust(32) + str(row["help"]) for row in configs.schema(KIND)
    )
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.fit",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Fit a reward model: from rankings of responses to prompts, learn to score a response.\n\n"
            "FILE holds a prompt, two or more responses and their order in each row: our own rows, HH-style pairs,\n"
            "Open Assistant trees or ranked lists (--format). Rows that decide nothing are refused and counted.\n"
            "The model is written to DIR/output, what it is worth to DIR/report.json. If interrupted, the same\n"
            "command goes on where it stopped."
        ),
        epilog=f"options for --set and --config, with their defaults:\n{options_text}",
    )
    add_rankings(parser)
    parser.add_argument("--base", required=True, help="causal language model to start from: a directory or a hub name")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="run directory, made where missing")
    parser.add_argument("--config", type=Path, metavar="JSON", help="file with options")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one option; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="decides head, data order and split (default 0)")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")

    with named_errors(parser):
        plain = json.loads(options.config.read_text(encoding="utf-8")) if options.config else {}
        config = configs.parse(KIND, plain | parse_settings(options.set))
        assert isinstance(config, RewardModelConfig)
        rows = rankings(options.rankings, options.format, options.output / "inputs")
        inputs = {"base": _reference(options.base), "rankings": _reference(str(rows))}
        spec = RunSpec(run_id="", kind=KIND, config=config.to_json(), seed=options.seed, inputs=inputs)
        run_dir = (ShownRunDir if int(os.environ.get("RANK", "0")) == 0 else RunDir)(options.output)
        run_dir.create(spec)
        with run_dir.exclusive() if int(os.environ.get("RANK", "0")) == 0 else contextlib.nullcontext():
            if not run_dir.is_finished():
                run(run_dir, config, spec)
        sys.stdout.write(summary(run_dir) + "\n")
    return 0


def summary(run_dir: RunDir) -> str:
    """What the fitted model is worth, and where it lies."""
    made = run_dir.report() or {}
    low, high = made["accuracy_ci"]
    return (
        f"held-out accuracy {made['accuracy']:.3f} [{low:.3f}, {high:.3f}] on {made['pairs']} pairs of "
        f"{made['groups']} rankings, length alone {made['length_baseline']:.3f}, log loss {made['log_loss']:.3f}\n"
        f"model: {run_dir.output}  report: {run_dir.report_file}"
    )


def _reference(name: str) -> InputRef:
    path = Path(name).absolute()
    if not path.exists():
        return InputRef(hub=name)
    hashed = path / "manifest.json" if path.is_dir() else path
    return InputRef(path=str(path), sha256=file_hash(hashed) if hashed.is_file() else "")


if __name__ == "__main__":
    sys.exit(main())
