"""Small worlds for studies: base, policy and rollouts of a seed, made by real runs and kept in var/benchmarks.

Everything follows from the seed, the scale and the code; whoever changes how worlds are made removes the folder. No
server and no database: the runs are those of `make run`, started on run directories.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import snapshots
from contracts.records import DemonstrationRecord, JsonRecord, Message, PromptRecord, RolloutSetRecord
from contracts.run_dir import InputRef, RunDir, RunSpec
from contracts.snapshots import content_hash, file_hash
from demo import labelers, texts
from demo.scale import FULL, Scale
from demo.world import World

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "var" / "benchmarks"
# Each held-out prompt is sampled for so often, five rollouts at a time.
HELDOUT_SETS = 4


@dataclass(frozen=True)
class Made:
    """One seed's world, and what its policy wrote to each prompt, five rollouts to a set."""

    world: World
    policy: Path
    prompts: dict[str, PromptRecord]
    train: list[RolloutSetRecord]
    heldout: list[RolloutSetRecord]  # HELDOUT_SETS of each prompt, "prompt #number" as its id


def make(seed: int, scale: Scale = FULL, *, threads: str = "1") -> Made:
    """The world of a seed; what is there already is not made again."""
    world = World(seed)
    records = world.prompts(train=scale.train_prompts, heldout=scale.heldout_prompts)
    folder = KEPT / "worlds" / f"{seed}-{content_hash(repr(scale))[:12]}"
    heldout = [record.messages[-1].content for record in records if record.split == "heldout"]
    corpus = folder / "corpus.txt"
    if not corpus.exists():
        folder.mkdir(parents=True, exist_ok=True)
        corpus.write_text(texts.corpus(world, heldout=heldout, documents=scale.documents), encoding="utf-8")
    demonstrations = _snapshot(folder / "demonstrations", "demonstrations", _demonstrations(world, records))
    base = _run(folder, "pretrain", scale, seed, {"corpus": corpus}, threads)
    policy = _run(folder, "sft", scale, seed, {"base": base, "demonstrations": demonstrations}, threads)
    sampled = {}
    for split, times in (("train", 1), ("heldout", HELDOUT_SETS)):
        chosen = [record for record in records if record.split == split]
        repeated = [
            PromptRecord(id=f"{record.id} #{n}", messages=record.messages, split=split)
            for record in chosen
            for n in range(times)
        ]
        prompts = _snapshot(folder / f"{split}-prompts", "prompts", repeated)
        made = _run(folder, "sample", scale, seed, {"policy": policy, "prompts": prompts}, threads, name=split)
        sampled[split] = list(snapshots.read(made / "rollouts.jsonl", RolloutSetRecord))
    return Made(world, policy, {record.id: record for record in records}, sampled["train"], sampled["heldout"])


def prompt_of(made: Made, rollouts: RolloutSetRecord) -> PromptRecord:
    return made.prompts[rollouts.prompt_id.rpartition(" #")[0]]


def run(
    folder: Path, kind: str, config: dict[str, Any], seed: int, inputs: dict[str, Path], threads: str = "1"
) -> RunDir:
    """One finished run of a directory, as its worker would start it. Ends the program where the run fails."""
    run_dir = RunDir(folder)
    run_dir.create(RunSpec(run_id="", kind=kind, config=config, seed=seed, inputs=_references(inputs)))
    if not run_dir.is_finished():
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, "-m", "training.algorithms", str(folder)]
        with run_dir.log.open("a") as log:
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        if done.returncode:
            raise SystemExit(f"{kind} in {folder} failed: {(run_dir.error() or {}).get('sentence', 'see log.txt')}")
    return run_dir


def _run(
    folder: Path, kind: str, scale: Scale, seed: int, inputs: dict[str, Path], threads: str, *, name: str = ""
) -> Path:
    return run(folder / (name or kind), kind, scale.configs[kind], seed, inputs, threads).output


def _references(inputs: dict[str, Path]) -> dict[str, InputRef]:
    hashed = {name: path / "manifest.json" if path.is_dir() else path for name, path in inputs.items()}
    return {name: InputRef(path=str(inputs[name]), sha256=file_hash(path)) for name, path in hashed.items()}


def _snapshot(folder: Path, kind: str, records: Sequence[JsonRecord]) -> Path:
    if not folder.exists():
        snapshots.write(folder, kind=kind, records=records, details={})
    return folder


def _demonstrations(world: World, prompts: Sequence[PromptRecord]) -> list[DemonstrationRecord]:
    """What the small world's six labelers write, each their share of the training prompts."""
    draw = random.Random(f"who demonstrates:{world.seed}")
    people, shares = labelers.LABELERS, [labeler.share for labeler in labelers.LABELERS]
    made = []
    for prompt in (prompt for prompt in prompts if prompt.split == "train"):
        (labeler,) = draw.choices(people, shares)
        reply = Message(role="assistant", content=labelers.demonstrate(labeler, world, prompt.messages))
        made.append(
            DemonstrationRecord(
                id=prompt.id, prompt_id=prompt.id, prompt=prompt.messages, reply=(reply,), labeler=labeler.username
            )
        )
    return made


if __name__ == "__main__":
    for number in sys.argv[1:]:
        make(int(number))
