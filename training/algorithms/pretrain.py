"""A byte-level BPE tokenizer and a small Llama-architecture base model, from a text corpus.

A document is a block between blank lines; ChatML marks in it are the special tokens that they name, so a
corpus may hold conversations. Documents are shuffled each epoch, joined by the end mark and cut into rows.
Rows are a pure function of seed and step: the data cursor of a resumed run is its step.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from contracts.configs import PretrainConfig
from contracts.run_dir import Cancelled, RunDir, RunSpec
from rewardmodel import chat
from training.algorithms import policy, sampling, states

HELDOUT_SHARE = 0.02  # of the documents, at most `HELDOUT_ROWS` rows of them
HELDOUT_ROWS = 64
SAMPLE_TOKENS = 32
log = logging.getLogger(__name__)


class PretrainError(ValueError):
    """The corpus cannot be trained on, or training broke down."""


@dataclass(frozen=True)
class Corpus:
    """Token ids of all documents, each with its end mark: document i is ids[starts[i]:starts[i + 1]]."""

    ids: np.ndarray
    starts: np.ndarray

    def stream(self, order: np.ndarray) -> np.ndarray:
        return np.concatenate([self.ids[self.starts[i] : self.starts[i + 1]] for i in order])


def run(run_dir: RunDir, config: PretrainConfig, spec: RunSpec) -> None:
    torch.manual_seed(spec.seed)
    run_dir.set_progress("tokenizer", 0, config.steps)
    documents = read_documents(Path(run_dir.input("corpus")))
    tokenizer = train_tokenizer(documents, vocab_size=config.vocab_size, context=config.context)
    heldout = _heldout(len(documents), spec.seed)
    train = encode_documents(tokenizer, [text for i, text in enumerate(documents) if i not in heldout])
    valid = encode_documents(tokenizer, [documents[i] for i in sorted(heldout)]) if heldout else train
    _check_size(train, config)
    model = build_model(config, tokenizer, spec.seed).to(policy.default_device())
    optimizer = build_optimizer(model, config)
    first, losses = _resume(run_dir, model, optimizer)
    log.info("%d documents, %d tokens, %d parameters", len(documents), len(train.ids), model.num_parameters())
    _train(run_dir, config, spec.seed, model, optimizer, tokenizer, train, valid, first, losses)
    loss = evaluate(model, valid, config)
    model.eval()
    with run_dir.saving_output(**states.provenance(spec, "base")) as folder:
        policy.save_policy(model, tokenizer, folder)
    run_dir.write_report(
        {
            "parameters": model.num_parameters(),
            "vocabulary": len(tokenizer),
            "documents": len(documents),
            "corpus_tokens": len(train.ids),
            "tokens_trained": config.steps * config.batch_size * config.sequence_length,
            "heldout_documents": len(heldout),
            "heldout_loss": loss,
            "heldout_perplexity": math.exp(min(loss, 50.0)),
        }
    )
    run_dir.set_progress("done", config.steps, config.steps)


def read_documents(path: Path) -> list[str]:
    """Blocks between blank lines of a text file, or of every .txt file of a folder in order of name."""
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    blocks: list[str] = []
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").removeprefix("\ufeff")
        blocks += [block.strip() for block in re.split(r"\n[ \t]*\n", text)]
    documents = [block for block in blocks if block]
    if not documents:
        raise PretrainError(f"{path.name} holds no text; give a UTF-8 text file with one document a paragraph block")
    return documents


def train_tokenizer(documents: list[str], *, vocab_size: int, context: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: any text has ids and comes back unchanged. A small corpus may fill less than vocab_size."""
    special = [chat.PAD, chat.IM_START, chat.IM_END]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    marks = re.compile("|".join(map(re.escape, special)))
    bpe.train_from_iterator((marks.sub("", text) for text in documents), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=chat.PAD,
        eos_token=chat.IM_END,
        extra_special_tokens=[chat.IM_START],
        chat_template=chat.CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def encode_documents(tokenizer: Any, documents: list[str]) -> Corpus:
    end = chat.stop_token_id(tokenizer)
    encoded = tokenizer(documents, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    pieces = [np.asarray(ids if ids and ids[-1] == end else [*ids, end], dtype=np.int32) for ids in encoded]
    return Corpus(ids=np.concatenate(pieces), starts=np.cumsum([0, *map(len, pieces)]))


def rows(corpus: Corpus, *, length: int, batch_size: int, seed: int, first: int) -> Iterator[Tensor]:
    """Batches (B, length + 1) from step `first` on, without end; neighboring rows overlap by one token."""
    per_epoch = (len(corpus.ids) - 1) // length
    epoch, table = -1, np.empty(0)
    step = first
    while True:
        batch = []
        for index in range(step * batch_size, (step + 1) * batch_size):
            if index // per_epoch != epoch:
                epoch = index // per_epoch
                generator = np.random.default_rng([seed, epoch])
                stream = corpus.stream(generator.permutation(len(corpus.starts) - 1))
                stream = np.roll(stream, -generator.integers(length))
                table = np.lib.stride_tricks.sliding_window_view(stream, length + 1)[::length][:per_epoch]
                table = table[generator.permutation(per_epoch)]
            batch.append(table[index % per_epoch])
        yield torch.from_numpy(np.stack(batch).astype(np.int64))
        step += 1


def build_model(config: PretrainConfig, tokenizer: Any, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    width = config.intermediate_size or -(-8 * config.hidden_size // 3 // 8) * 8
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            intermediate_size=width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=chat.stop_token_id(tokenizer),
            attention_dropout=0.0,
        )
    )


def build_optimizer(model: torch.nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), eps=1e-8, fused=True)


def learning_rate(config: PretrainConfig, step: int) -> float:
    """Linear warm-up to the peak, then a cosine to a tenth of it at the last step."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def evaluate(model: Any, corpus: Corpus, config: PretrainConfig) -> float:
    """Mean loss on held-out documents, nats a token; at initialization about ln of the vocabulary."""
    stream = torch.from_numpy(corpus.ids[: HELDOUT_ROWS * config.sequence_length + 1].astype(np.int64))
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(stream) - 1, config.sequence_length):
            row = stream[start : start + config.sequence_length + 1][None].to(model.device)
            total += float(loss_of(model, row)) * (row.shape[1] - 1)
            count += row.shape[1] - 1
    return total / count


def loss_of(model: Any, batch: Tensor) -> Tensor:
    """Mean next-token loss of rows (B, T + 1)."""
    logits = model(input_ids=batch[:, :-1]).logits
    return F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())


def _train(
    run_dir: RunDir,
    config: PretrainConfig,
    seed: int,
    model: Any,
    optimizer: torch.optim.AdamW,
    tokenizer: Any,
    train: Corpus,
    valid: Corpus,
    first: int,
    losses: list[Tensor],
) -> None:
    """Steps from `first` on; `losses` are those since the last report."""
    model.train()
    batches = rows(train, length=config.sequence_length, batch_size=config.batch_size, seed=seed, first=first)
    clock = time.monotonic()
    for step in range(first, config.steps):
        if run_dir.cancel_requested():
            _save(run_dir, model, optimizer, step, losses)
            raise Cancelled
        # 1. gradient of one batch
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        loss = loss_of(model, next(batches).to(model.device))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        # 2. update
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        # 3. report, and save a state to resume from
        done = step + 1
        if done % 10 == 0 or done == config.steps:
            seconds = time.monotonic() - clock
            tokens = len(losses) * config.batch_size * config.sequence_length
            mean = float(torch.stack(losses).mean())
            if not math.isfinite(mean):
                raise PretrainError(f"the loss became {mean} before step {done}; lower learning_rate")
            run_dir.add_metrics(
                done,
                loss=mean,
                learning_rate=learning_rate(config, step),
                gradient_norm=float(norm),
                tokens_per_s=tokens / max(seconds, 1e-9),
            )
            run_dir.set_progress("train", done, config.steps, f"loss {mean:.3f}")
            clock, losses = time.monotonic(), []
        if done % config.save_every == 0 and done < config.steps:
            run_dir.add_metrics(done, heldout_loss=evaluate(model, valid, config))
            _add_samples(run_dir, done, model, tokenizer, valid, seed)
            _save(run_dir, model, optimizer, done, losses)
            clock = time.monotonic()
    _add_samples(run_dir, config.steps, model, tokenizer, valid, seed)


def _add_samples(run_dir: RunDir, step: int, model: Any, tokenizer: Any, corpus: Corpus, seed: int) -> None:
    """Continuations of the first third of two held-out documents."""
    prompts = []
    for start, end in list(zip(corpus.starts, corpus.starts[1:], strict=False))[:2]:
        length = min(max(1, (end - start) // 3), model.config.max_position_embeddings - 1)
        prompts.append(corpus.ids[start : start + length].tolist())
    model.eval()
    drawn = sampling.sample(
        model,
        prompts,
        k=1,
        max_new_tokens=SAMPLE_TOKENS,
        stop_id=chat.stop_token_id(tokenizer),
        pad_id=tokenizer.pad_token_id,
        seed=seed,
    )
    model.train()
    for prompt, (response,) in zip(prompts, drawn, strict=True):
        run_dir.add_sample(step, prompt=tokenizer.decode(prompt), text=chat.decode_reply(tokenizer, response.ids))


def _heldout(documents: int, seed: int) -> set[int]:
    count = int(documents * HELDOUT_SHARE)
    return set(np.random.default_rng(seed).permutation(documents)[:count].tolist())


def _check_size(corpus: Corpus, config: PretrainConfig) -> None:
    if len(corpus.ids) <= config.sequence_length:
        raise PretrainError(
            f"the corpus has {len(corpus.ids)} tokens and a row needs {config.sequence_length + 1}; "
            "give more text or lower sequence_length"
        )


def _save(run_dir: RunDir, model: Any, optimizer: torch.optim.AdamW, step: int, losses: list[Tensor]) -> None:
    learned = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    states.save(run_dir, {"step": step, "losses": losses, **learned})


def _resume(run_dir: RunDir, model: Any, optimizer: torch.optim.AdamW) -> tuple[int, list[Tensor]]:
    state = states.load(run_dir)
    if state is None:
        run_dir.drop_after(-1)
        return 0, []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    run_dir.drop_after(state["step"])
    log.info("resumed at step %d", state["step"])
    return int(state["step"]), list(state["losses"])
