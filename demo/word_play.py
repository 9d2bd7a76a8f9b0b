"""The word problems, played over the API: people write solutions, a policy learns from them, then from itself.

Stages as in `play.py`, whose helpers this uses: each looks first at what is there. The gain is measured by the
`best_of_n` run on held-out problems. What is asked and how people slip: `word_problems.py`.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from contracts.records import Message
from contracts.run_dir import read_json
from demo import labelers, play, seeding
from demo.client import Client
from demo.play import Round
from demo.scale import Scale
from demo.screen import Screen
from demo.word_problems import WordProblems

CORPUS = "word problems"
DEMONSTRATIONS = 300  # training problems that people solve, at most; the others are only attempted
GUIDELINE = "Solve the problem step by step, and end with the answer."
Playing = Round[WordProblems]
Report = dict[str, Any]

FULL = Scale(
    train_prompts=1_200,
    heldout_prompts=150,
    documents=12_000,
    overlap=1,
    configs={
        "pretrain": {
            "vocab_size": 512,
            "hidden_size": 128,
            "layers": 4,
            "heads": 4,
            "context": 192,
            "sequence_length": 128,
            "batch_size": 16,
            "steps": 900,
            "learning_rate": 4e-3,
            "save_every": 300,
        },
        "sft": {"epochs": 3.0, "batch_size": 16, "learning_rate": 5e-4, "max_length": 192},
        "best_of_n": {"attempts": 15, "iterations": 3, "max_new_tokens": 112, "epochs": 2, "learning_rate": 5e-4},
    },
)
SMALL = Scale(
    train_prompts=24,
    heldout_prompts=8,
    documents=300,
    overlap=1,
    configs={
        "pretrain": {
            "vocab_size": 400,
            "hidden_size": 32,
            "layers": 2,
            "heads": 2,
            "context": 160,
            "sequence_length": 64,
            "batch_size": 8,
            "steps": 60,
            "save_every": 30,
        },
        "sft": {"epochs": 1.0, "batch_size": 8, "max_length": 160},
        "best_of_n": {"attempts": 30, "iterations": 1, "max_new_tokens": 64, "heldout_attempts": 2},
    },
)


def slug(seed: int) -> str:
    return "arithmetic" if seed == seeding.DEFAULT_SEED else f"arithmetic-{seed}"


def play_problems(
    address: str, *, seed: int, scale: Scale, folder: Path, console: Console, check: Callable[[], None] = lambda: None
) -> Report:
    """Play what is left and return the report, which is also written where `play.play` writes its own."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = WordProblems(seed, train=scale.train_prompts, heldout=scale.heldout_prompts)
    seconds_file = folder / f"{slug(seed)}.seconds.json"
    with ExitStack() as stack:
        screen = stack.enter_context(Screen(console))

        def login(username: str) -> Client:
            return stack.enter_context(Client.login(address, username, seeding.PASSWORD))

        admin = login(seeding.ADMIN)
        started = time.monotonic()
        screen.begin("Project, people, problems, corpus")
        seed_project(admin, problems, scale, screen.update)
        screen.end()
        seconds: dict[str, float] = read_json(seconds_file) or {}
        seconds.setdefault("project", time.monotonic() - started)
        playing = Round(
            admin=admin,
            engineer=login(seeding.ENGINEER),
            labelers={labeler.username: login(labeler.username) for labeler in labelers.LABELERS},
            world=problems,
            scale=scale,
            project=slug(seed),
            screen=screen,
            seconds_file=seconds_file,
            check=check,
            seconds=seconds,
        )
        for name, title, stage in STAGES:
            play.play_stage(playing, name, title, stage)
        made = build(playing)
    play.store_report(folder, slug(seed), made)
    return made


def seed_project(admin: Client, problems: WordProblems, scale: Scale, on_step: Callable[[int, int], None]) -> None:
    """Demonstrations are wanted for the first training problems only."""
    project = slug(problems.seed)
    body = {
        "slug": project,
        "name": "Word problems" if problems.seed == seeding.DEFAULT_SEED else f"Word problems, seed {problems.seed}",
        "description": f"Prices, totals and change in whole dollars; seed {problems.seed}.",
        "k": 5,
        "overlap": 1,
        "guideline": GUIDELINE,
    }

    def prompts() -> None:
        train = [one for one in problems.prompts if one.split == "train"]
        heldout = [one for one in problems.prompts if one.split == "heldout"]
        parts = ((train[:DEMONSTRATIONS], True), (train[DEMONSTRATIONS:], False), (heldout, False))
        for part, wanted in parts:
            rows = [
                {"messages": [message.to_json() for message in one.messages], "split": one.split, "meta": one.meta}
                for one in part
            ]
            if rows:
                admin.post(f"projects/{project}/prompts", {"prompts": rows, "open_demonstrations": wanted})

    steps: list[Callable[[], Any]] = [
        lambda: seeding.make_people(admin),
        lambda: seeding.make_project(admin, body),
        lambda: seeding.make_members(admin, project),
        prompts,
        lambda: seeding.make_corpus(admin, project, CORPUS, lambda: problems.corpus(scale.documents)),
    ]
    for done, step in enumerate(steps, start=1):
        step()
        on_step(done, len(steps))


def _pretrain(playing: Playing) -> None:
    corpora = playing.engineer.all(f"projects/{playing.project}/corpora")
    corpus = next(corpus["id"] for corpus in corpora if corpus["name"] == CORPUS)
    play.follow_run(playing, "pretrain", "pretrain", {"corpus": corpus})


def _demonstrations(playing: Playing) -> None:
    """Everybody takes what is handed out until nothing is left. What is written follows from seed and problem."""
    total = playing.admin.get(f"projects/{playing.project}/progress")["tasks"]["demonstration"]["open"]
    lock, done = threading.Lock(), 0

    def work(client: Client) -> None:
        nonlocal done
        while lease := client.post(f"projects/{playing.project}/next", {"kinds": ["demonstration"]}):
            prompt = tuple(Message.from_json(message) for message in lease["task"]["prompt"]["messages"])
            rng = random.Random(f"solve:{playing.world.seed}:{prompt[-1].content}")
            text = playing.world.demonstration(prompt, rng)
            key = str(uuid.uuid5(uuid.NAMESPACE_OID, lease["token"]))
            body = {"idempotency_key": key, "text": text, "active_ms": 6_000 + 90 * len(text)}
            client.post(f"leases/{lease['token']}/demonstration", body)
            with lock:
                done += 1
                playing.screen.update(done, total)

    with ThreadPoolExecutor(len(playing.labelers)) as pool:
        for future in [pool.submit(work, client) for client in playing.labelers.values()]:
            future.result()


def _sft(playing: Playing) -> None:
    inputs = {"base": playing.checkpoint("pretrain"), "demonstrations": {"filters": {"split": "train"}}}
    play.follow_run(playing, "sft", "sft", inputs)


def _best_of_n(playing: Playing) -> None:
    inputs = {"policy": playing.checkpoint("sft"), "prompts": {"filters": {}}}
    play.follow_run(playing, "best_of_n", "best_of_n", inputs)


STAGES: tuple[tuple[str, str, Callable[[Playing], None]], ...] = (
    ("pretrain", "Pretrain a base model", _pretrain),
    ("demonstrations", "Labelers solve problems", _demonstrations),
    ("sft", "SFT on their solutions", _sft),
    ("best_of_n", "Learn from the best of n attempts", _best_of_n),
)


def build(playing: Playing) -> Report:
    found = playing.engineer.get(f"runs/{playing.runs['best_of_n']['id']}/report")
    progress = playing.admin.get(f"projects/{playing.project}/progress")
    return {
        "domain": "arithmetic",
        "seed": playing.world.seed,
        "project": playing.project,
        "seconds": round(sum(playing.seconds.values()), 1),
        "stages": {name: round(seconds, 1) for name, seconds in playing.seconds.items()},
        "problems": {"train": found["problems"], "heldout": found["heldout_problems"]},
        "demonstrations": progress["answers"]["demonstrations"],
        "attempts": found["attempts"],
        "accuracy_sft": found["accuracy_start"],
        "accuracy": found["accuracy_end"],
        "by_iteration": found["by_iteration"],
        "checkpoints": {name: playing.checkpoint(name) for name, _, _ in STAGES if name != "demonstrations"},
    }


def show(made: Report, console: Console) -> None:
    """Print the report: one row for each iteration, 0 the SFT policy."""
    table = Table(title=f"Word problems, seed {made['seed']}: held-out problems, by iteration", title_justify="left")
    for name in ("iteration", "accuracy", "solved in 4", "tokens", "corrections", "problems kept"):
        table.add_column(name, justify="right")
    by = made["by_iteration"]
    for i, accuracy in enumerate(by["accuracy"]):
        row = (f"{accuracy:.1%}", f"{by['solved'][i]:.1%}", f"{by['length'][i]:.1f}", f"{by['corrections'][i]:.3f}")
        table.add_row(str(i), *row, f"{by['kept'][i]:.0f}")
    console.print(table)
    gain = made["accuracy"] / made["accuracy_sft"] if made["accuracy_sft"] else float("inf")
    console.print(
        f"One attempt is right {made['accuracy_sft']:.1%} of the time after SFT on {made['demonstrations']} solutions, "
        f"{made['accuracy']:.1%} after {len(by['accuracy']) - 1} iterations of {made['attempts']} attempts at "
        f"{made['problems']['train']} problems: {gain:.1f} times as often."
    )
    console.print("seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in made["stages"].items()))
