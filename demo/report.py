"""What a round came to: numbers from the API, the gold reward over held-out rollouts, and a printed table."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from contracts.records import Message
from demo.client import Client
from demo.gold import gold
from demo.world import World

RESAMPLES = 2_000

Report = dict[str, Any]


def rollout_sets(client: Client, run_id: str) -> Iterator[dict[str, Any]]:
    """All rollout sets of a run, page by page."""
    cursor: int | None = 0
    while cursor is not None:
        page = client.get(f"runs/{run_id}/rollouts", cursor=cursor)
        yield from page["results"]
        cursor = page["next"]


def gold_scores(world: World, sets: Iterator[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Gold reward of each rollout: policy -> prompt id -> scores."""
    scores: dict[str, dict[str, list[float]]] = {}
    for row in sets:
        prompt = tuple(Message.from_json(message) for message in row["prompt"])
        of_prompt = [gold(world, prompt, rollout["text"]) for rollout in row["rollouts"]]
        scores.setdefault(row["policy"], {})[row["prompt_id"]] = of_prompt
    return scores


def win_rates(mine: dict[str, list[float]], others: dict[str, list[float]]) -> list[float]:
    """Per prompt: the share of all pairs (one of mine, one of the others) that mine wins; a tie is half a win."""
    return [
        _mean([1.0 if one > other else 0.5 if one == other else 0.0 for one in mine[key] for other in others[key]])
        for key in sorted(mine)
    ]


def bootstrap(values: Sequence[float], *, seed: int) -> list[float]:
    """The 95 % interval of the mean, by resampling `values` (one per prompt)."""
    rng = random.Random(seed)
    means = sorted(_mean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return [means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]]


def build(
    client: Client, world: World, *, project: str, runs: dict[str, dict[str, Any]], stages: dict[str, float]
) -> Report:
    """The report of a finished round. `runs` are its runs by stage; `stages` are seconds by stage."""
    fitted = client.get(f"runs/{runs['reward_model']['id']}/report")
    evaluated = client.get(f"runs/{runs['evaluate']['id']}/report")
    sampled = [client.get(f"runs/{runs[name]['id']}/report") for name in ("sample", "queue")]
    scores = gold_scores(world, rollout_sets(client, runs["evaluate"]["id"]))
    wins = win_rates(scores["policy"], scores["reference"])
    progress = client.get(f"projects/{project}/progress")
    checkpoints = {"base": "pretrain", "sft": "sft", "reward_model": "reward_model", "ppo": "ppo"}
    return {
        "seed": world.seed,
        "project": project,
        "seconds": round(sum(stages.values()), 1),
        "stages": {name: round(seconds, 1) for name, seconds in stages.items()},
        "counts": {
            "prompts": sum(1 for _ in client.all(f"projects/{project}/prompts")),
            "rollouts": sum(report["rollouts"] for report in sampled),
            "rankings": progress["answers"]["rankings"],
            "demonstrations": progress["answers"]["demonstrations"],
        },
        "reward_model": {name: fitted.get(name) for name in ("accuracy", "accuracy_ci", "ceiling")},
        "policy": {
            "gold_sft": _mean([_mean(values) for values in scores["reference"].values()]),
            "gold_ppo": _mean([_mean(values) for values in scores["policy"].values()]),
            "win_rate": _mean(wins),
            "win_rate_ci": bootstrap(wins, seed=world.seed),
            "kl": evaluated["kl"],
        },
        "checkpoints": {name: runs[stage]["checkpoint"] for name, stage in checkpoints.items()},
        "queue": {"ranking_tasks": progress["tasks"]["ranking"]["open"]},
    }


def show(report: Report, console: Console) -> None:
    """Print the report as a table."""
    table = Table(title=f"One round of the small world, seed {report['seed']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in _rows(report):
        table.add_row(name, value)
    console.print(table)


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    model, policy, counts = report["reward_model"], report["policy"], report["counts"]
    low, high = policy["win_rate_ci"]
    yield "PPO beats SFT on held-out prompts", f"{policy['win_rate']:.0%} ({low:.0%} to {high:.0%}), by the gold reward"
    yield "gold reward", f"SFT {policy['gold_sft']:+.2f}, PPO {policy['gold_ppo']:+.2f} (best possible +2.50)"
    yield "KL from SFT", f"{policy['kl']:.2f} nats a response"
    low, high = model["accuracy_ci"]
    yield "reward model, held-out pairs", f"{model['accuracy']:.0%} right ({low:.0%} to {high:.0%})"
    if model["ceiling"]:
        yield "two labelers agree on", f"{model['ceiling']['agreement']:.0%} of the pairs that both decided"
    yield (
        "work",
        f"{counts['prompts']} prompts, {counts['demonstrations']} demonstrations, "
        f"{counts['rollouts']} rollouts, {counts['rankings']} rankings",
    )
    yield "waiting to be ranked", f"{report['queue']['ranking_tasks']} rollout sets of the PPO policy"
    for name, checkpoint in report["checkpoints"].items():
        yield f"checkpoint {name}", str(checkpoint)
    yield "seconds", ", ".join(f"{name} {seconds:.0f}" for name, seconds in report["stages"].items())
    yield "in all", f"{report['seconds']:.0f} s"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
