"""A tiny world for the algorithms: a tokenizer and models made here, and run directories driven by real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from contracts import snapshots
from contracts.records import DemonstrationRecord, Message, PromptRecord
from contracts.run_dir import InputRef, RunDir, RunSpec
from contracts.snapshots import file_hash
from rewardmodel import chat

ROOT = Path(__file__).resolve().parents[3]
COLORS = ("red", "blue", "green", "black")
THINGS = ("hat", "cup", "book", "ball", "lamp", "coat")
NAMES = ("Ann", "Ben", "Cora", "Dan")


def facts() -> list[tuple[str, str]]:
    """(question, answer) pairs."""
    pairs = [(name, thing) for name in NAMES for thing in THINGS]
    return [
        (f"What color is the {thing} of {name}?", f"The {thing} of {name} is {COLORS[i % 4]}.")
        for i, (name, thing) in enumerate(pairs)
    ]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus_text() -> str:
    turns = [
        f"{chat.IM_START}user\n{question}{chat.IM_END}\n{chat.IM_START}assistant\n{answer}{chat.IM_END}"
        for question, answer in facts()
    ]
    return "\n\n".join([*turns, *(f"{question} {answer}" for question, answer in facts())]) + "\n"


@pytest.fixture(scope="session")
def tokenizer(corpus_text: str) -> Any:
    from training.algorithms import pretrain

    return pretrain.train_tokenizer(corpus_text.split("\n\n"), vocab_size=320, context=96)


def make_model(kind: str, tokenizer: Any, *, seed: int = 0, **changes: Any) -> Any:
    """A random causal model of width 32 and 2 layers; its distributions are peaked enough to be told apart."""
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    common = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": chat.stop_token_id(tokenizer),
        "initializer_range": 0.3,
    }
    small = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 96,
        "tie_word_embeddings": True,
    }
    torch.manual_seed(seed)
    if kind == "gpt2":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96}
        return GPT2LMHeadModel(GPT2Config(**common, **sizes, **changes)).eval()
    classes = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "mistral": (MistralConfig, MistralForCausalLM),
    }
    config, model = classes[kind]
    return model(config(**common, **small, **changes)).eval()


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A policy directory such as a succeeded run leaves as its output."""
    from contracts.run_dir import write_manifest
    from training.algorithms import policy

    folder = tmp_path_factory.mktemp("policy")
    policy.save_policy(make_model("llama", tokenizer), tokenizer, folder)
    write_manifest(folder, {"kind": "policy"})
    return folder


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts") / "snapshot"
    records = [
        PromptRecord(id=f"p{i}", messages=(Message(role="user", content=question),))
        for i, (question, _) in enumerate(facts())
    ]
    snapshots.write(folder, kind="prompts", records=records, details={})
    return folder


@pytest.fixture(scope="session")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demonstrations") / "snapshot"
    records = [
        DemonstrationRecord(
            id=f"d{i}",
            prompt_id=f"p{i}",
            prompt=(Message(role="user", content=question),),
            reply=(Message(role="assistant", content=answer),),
        )
        for i, (question, answer) in enumerate(facts())
    ]
    snapshots.write(folder, kind="demonstrations", records=records, details={})
    return folder


def make_run(folder: Path, kind: str, config: dict[str, Any], inputs: dict[str, Path], *, seed: int = 1) -> RunDir:
    run_dir = RunDir(folder)
    refs = {}
    for name, path in inputs.items():
        hashed = path / "manifest.json" if path.is_dir() else path
        refs[name] = InputRef(path=str(path), sha256=file_hash(hashed), id=name)
    run_dir.create(RunSpec(run_id=folder.name, kind=kind, config=config, seed=seed, inputs=refs))
    return run_dir


def start(run_dir: RunDir) -> subprocess.Popen:
    """The process that a supervisor starts, with its output in log.txt."""
    with run_dir.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "training.algorithms", str(run_dir.path)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=log,
        )


def finish(run_dir: RunDir) -> int:
    """The same entry in this process, which has paid for its imports."""
    from training.algorithms.__main__ import main

    before = signal.getsignal(signal.SIGTERM)
    try:
        return main([str(run_dir.path)])
    finally:
        signal.signal(signal.SIGTERM, before)


def wait_for(condition: Any, *, seconds: float = 120, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)


def kill_when(run_dir: RunDir, condition: Any) -> None:
    """Start the run and kill it with -9 once the condition holds."""
    process = start(run_dir)
    wait_for(lambda: condition() or process.poll() is not None, pause=0.002)
    assert process.poll() is None, run_dir.log.read_text()
    process.kill()
    process.wait()


def hashes(folder: Path) -> dict[str, str]:
    """The weights and rows of an output, by file."""
    wanted = (".safetensors", ".jsonl", "tokenizer.json")
    return {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.name.endswith(wanted)}
