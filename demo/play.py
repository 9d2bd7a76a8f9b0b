"""One whole round of the small world, played over the API, with a progress bar per stage.

Each stage asks the server what is there already, so a round that broke off anywhere goes on from there.
Each seed's seconds and report lie in `FOLDER/SLUG.*.json`, the newest report in `FOLDER/report.json`.
Where to read next: `seeding.py`, `labelers.py`, `report.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console

from contracts.run_dir import read_json, write_json
from demo import labelers, report, seeding
from demo.client import Client
from demo.scale import Scale
from demo.screen import Screen
from demo.world import World

POLL_SECONDS = 0.5

Run = dict[str, Any]


class StageFailed(Exception):
    """A run of the round failed. `log_tail` is the end of its log."""

    def __init__(self, title: str, run: Run) -> None:
        error = run["error"] or {"sentence": f"the run was {run['status']}", "log_tail": ""}
        super().__init__(f"{title}: {error['sentence']}")
        self.log_tail = str(error["log_tail"])


W = TypeVar("W", bound="Seeded")


class Seeded(Protocol):
    """What a round needs to know of its world."""

    seed: int


@dataclass
class Round(Generic[W]):
    """Where a round of a world stands. `seconds` are those of its finished stages, `runs` its runs by stage."""

    admin: Client
    engineer: Client
    labelers: dict[str, Client]
    world: W
    scale: Scale
    project: str
    screen: Screen
    seconds_file: Path
    check: Callable[[], None]
    runs: dict[str, Run] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def checkpoint(self, stage: str) -> str:
        return str(self.runs[stage]["checkpoint"])


def report_file(folder: Path) -> Path:
    """Where the report of the newest start lies."""
    return folder / "report.json"


def stored_report(folder: Path, project: str) -> report.Report | None:
    """The report of this project's finished round, put in the place of the newest; None where it has none."""
    found = read_json(folder / f"{project}.report.json")
    if found is not None:
        write_json(report_file(folder), found)
    return found  # type: ignore[no-any-return]


def store_report(folder: Path, project: str, made: report.Report) -> None:
    write_json(report_file(folder), made)
    write_json(folder / f"{project}.report.json", made)


def play(
    address: str, *, seed: int, scale: Scale, folder: Path, console: Console, check: Callable[[], None] = lambda: None
) -> report.Report:
    """Play what is left of the round and return its report, which is also written to `report_file`.

    `check` is called while runs are waited for, and may raise. Raises `StageFailed` where a run fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(seed)
    with ExitStack() as stack:
        screen = stack.enter_context(Screen(console))
        admin = stack.enter_context(Client.login(address, seeding.ADMIN, seeding.PASSWORD))
        seconds_file = folder / f"{seeding.slug(seed)}.seconds.json"
        seconds: dict[str, float] = read_json(seconds_file) or {}
        screen.begin("Project, people, prompts, corpus")
        started = time.monotonic()
        project = seeding.seed_project(admin, world, scale, screen.update)
        screen.end()
        seconds.setdefault("project", time.monotonic() - started)

        def login(username: str) -> Client:
            return stack.enter_context(Client.login(address, username, seeding.PASSWORD))

        playing = Round(
            admin=admin,
            engineer=login(seeding.ENGINEER),
            labelers={labeler.username: login(labeler.username) for labeler in labelers.LABELERS},
            world=world,
            scale=scale,
            project=project,
            screen=screen,
            seconds_file=seconds_file,
            check=check,
            seconds=seconds,
        )
        for name, title, stage in STAGES:
            play_stage(playing, name, title, stage)
        made = report.build(
            playing.engineer, world, project=project, runs=playing.runs, stages=_ordered(playing.seconds)
        )
    store_report(folder, project, made)
    return made


def play_stage(playing: Round[W], name: str, title: str, stage: Callable[[Round[W]], None]) -> None:
    started = time.monotonic()
    playing.screen.begin(title)
    stage(playing)
    playing.screen.end()
    playing.seconds.setdefault(name, time.monotonic() - started)
    write_json(playing.seconds_file, playing.seconds)


def _pretrain(playing: Round[World]) -> None:
    corpora = playing.engineer.all(f"projects/{playing.project}/corpora")
    corpus = next(corpus["id"] for corpus in corpora if corpus["name"] == seeding.CORPUS)
    follow_run(playing, "pretrain", "pretrain", {"corpus": corpus})


def _demonstrations(playing: Round[World]) -> None:
    _label(playing, "demonstration")


def _sft(playing: Round[World]) -> None:
    inputs = {"base": playing.checkpoint("pretrain"), "demonstrations": {"filters": {"split": "train"}}}
    follow_run(playing, "sft", "sft", inputs)


def _sample(playing: Round[World]) -> None:
    """Rollouts of the SFT policy for all prompts: those of held-out prompts judge the reward model."""
    playing.admin.patch(f"projects/{playing.project}", {"overlap": playing.scale.overlap})
    follow_run(playing, "sample", "sample", {"policy": playing.checkpoint("sft"), "prompts": {"filters": {}}})


def _rankings(playing: Round[World]) -> None:
    """Only until the reward model is begun: later rollouts in the queue are for people."""
    if _find(playing, "reward_model", "reward_model") is None:
        _label(playing, "ranking")


def _reward_model(playing: Round[World]) -> None:
    inputs = {"base": playing.checkpoint("sft"), "rankings": {"filters": {}}}
    follow_run(playing, "reward_model", "reward_model", inputs)


def _ppo(playing: Round[World]) -> None:
    inputs = {
        "policy": playing.checkpoint("sft"),
        "reward_model": playing.checkpoint("reward_model"),
        "prompts": {"filters": {"split": "train"}},
    }
    follow_run(playing, "ppo", "ppo", inputs)


def _evaluate(playing: Round[World]) -> None:
    inputs = {
        "policy": playing.checkpoint("ppo"),
        "reference": playing.checkpoint("sft"),
        "reward_model": playing.checkpoint("reward_model"),
        "prompts": {"filters": {"split": "heldout"}},
    }
    follow_run(playing, "evaluate", "evaluate", inputs)


def _queue(playing: Round[World]) -> None:
    follow_run(
        playing, "queue", "sample", {"policy": playing.checkpoint("ppo"), "prompts": {"filters": {"split": "train"}}}
    )


STAGES: tuple[tuple[str, str, Callable[[Round[World]], None]], ...] = (
    ("pretrain", "Pretrain a base model", _pretrain),
    ("demonstrations", "Labelers write demonstrations", _demonstrations),
    ("sft", "SFT on the demonstrations", _sft),
    ("sample", "Five rollouts a prompt", _sample),
    ("rankings", "Labelers rank them", _rankings),
    ("reward_model", "Fit the reward model", _reward_model),
    ("ppo", "PPO against the reward model", _ppo),
    ("evaluate", "Evaluate on held-out prompts", _evaluate),
    ("queue", "New rollouts for the queue", _queue),
)


def _ordered(seconds: dict[str, float]) -> dict[str, float]:
    return {name: seconds[name] for name in ("project", *(name for name, _, _ in STAGES)) if name in seconds}


def _label(playing: Round[World], kind: str) -> None:
    """Let the simulated labelers do all waiting work of one kind."""
    counts = playing.admin.get(f"projects/{playing.project}/progress")["tasks"][kind]
    total = (counts["open"] + counts["leased"]) * (playing.scale.overlap if kind == "ranking" else 1)
    lock, done = threading.Lock(), 0

    def on_answer() -> None:
        nonlocal done
        with lock:
            done += 1
        playing.screen.update(done, total)

    labelers.work_together(
        playing.labelers, playing.world, project=playing.project, kind=kind, total=total, on_answer=on_answer
    )


def _find(playing: Round[Any], stage: str, kind: str) -> Run | None:
    """The stage's newest run, whatever became of it."""
    runs = playing.engineer.all(f"projects/{playing.project}/runs", kind=kind)
    return next((run for run in runs if run["name"] == _name(stage)), None)


def _name(stage: str) -> str:
    return f"round 1: {stage.replace('_', ' ')}"


def follow_run(playing: Round[Any], stage: str, kind: str, inputs: dict[str, Any]) -> None:
    """Start the stage's run, or resume the one that broke off, and follow it to its end."""
    run = _find(playing, stage, kind)
    if run is None:
        body = {
            "kind": kind,
            "name": _name(stage),
            "config": playing.scale.configs[kind],
            "seed": playing.world.seed,
            "inputs": inputs,
        }
        run = playing.engineer.post(f"projects/{playing.project}/runs", body)
    elif run["status"] in ("failed", "cancelled"):
        run = playing.engineer.post(f"runs/{run['id']}/resume")
    while run["status"] in ("queued", "running"):
        time.sleep(POLL_SECONDS)
        playing.check()
        run = playing.engineer.get(f"runs/{run['id']}")
        progress = run["progress"]
        playing.screen.update(progress["done"], progress["total"], progress["text"] or progress["stage"])
    if run["status"] != "succeeded":
        raise StageFailed(_name(stage), run)
    playing.runs[stage] = run
