"""A tiny base model and tokenizer on disk, and rankings with a known preference."""

import random

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from contracts.records import Message, RankedResponse, RankingRecord
from rewardmodel import chat

WORDS = ["red", "green", "blue", "seven", "eight", "nine", "sun", "moon", "star", "please", "thanks", "sorry"]


def make_tokenizer(text, vocabulary=400):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [chat.PAD, chat.IM_START, chat.IM_END]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=chat.PAD,
        eos_token=chat.IM_END,
        chat_template=chat.CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def save_base(folder, *, text="", seed=1, hidden=32, context=128):
    """A base with untrained weights, wide enough apart that scores differ."""
    tokenizer = make_tokenizer(text or " ".join(WORDS) * 20)
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=context,
        vocab_size=len(tokenizer),
        initializer_range=0.1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base"))


def response(name, text, rank, **more):
    return RankedResponse(id=name, text=text, rank=rank, **more)


def ranking(name, texts, ranks, *, prompt="which?", **more):
    """One ranking; `texts` and `ranks` side by side."""
    responses = tuple(
        response(f"{name}-{i}", text, rank) for i, (text, rank) in enumerate(zip(texts, ranks, strict=True))
    )
    values = {
        "id": name,
        "prompt_id": f"prompt of {name}",
        "group": f"set of {name}",
        "prompt": (Message(role="user", content=prompt),),
        "responses": responses,
        **more,
    }
    return RankingRecord(**values)


def toy_rankings(count, *, seed=0, K=4, **more):
    """More `please` and less `sorry` is better: a preference that a small model learns in a few steps."""
    source = random.Random(seed)
    made = []
    for number in range(count):
        texts = [" ".join(source.choices(WORDS, k=source.randint(2, 7))) for _ in range(K)]
        values = [text.count("please") - text.count("sorry") for text in texts]
        ranks = [1 + sum(other > value for other in values) for value in values]
        made.append(ranking(f"r{seed}-{number}", texts, ranks, prompt=" ".join(source.choices(WORDS, k=4)), **more))
    return made
