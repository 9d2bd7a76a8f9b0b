import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from contracts.configs import PretrainConfig
from contracts.records import Message
from rewardmodel import chat
from training.algorithms import pretrain

pytestmark = pytest.mark.torch


def test_every_byte_has_a_token_and_text_comes_back_unchanged(tokenizer):
    for text in ("naïve — 東京 🙂", "\x00\x7f tab\t two  spaces\n\n", chat.IM_END, " leading", ""):
        ids = chat.encode_reply(tokenizer, text, ended=False)
        assert tokenizer.decode(ids) == text
        assert not {tokenizer.pad_token_id, chat.stop_token_id(tokenizer)} & set(ids)


def test_the_tokenizer_serves_conversations(tokenizer):
    chat.check_tokenizer(tokenizer)
    assert len(tokenizer) <= 320
    ids = chat.encode_prompt(tokenizer, [Message(role="user", content="hat")])
    assert tokenizer.decode(ids) == "<|im_start|>user\nhat<|im_end|>\n<|im_start|>assistant\n"
    assert (
        ids
        == tokenizer.apply_chat_template([{"role": "user", "content": "hat"}], add_generation_prompt=True)["input_ids"]
    )


def test_documents_are_blocks_between_blank_lines(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_bytes("\ufeffone\ntwo\r\n\r\nthree\n \t\n\n\nfour\n".encode())
    assert pretrain.read_documents(path) == ["one\ntwo", "three", "four"]
    path.write_text(" \n\n ")
    with pytest.raises(pretrain.PretrainError, match="holds no text"):
        pretrain.read_documents(path)


def test_each_document_ends_with_one_end_mark(tokenizer):
    corpus = pretrain.encode_documents(tokenizer, ["The hat", f"{chat.IM_START}user\nhi{chat.IM_END}"])
    end = chat.stop_token_id(tokenizer)
    first, second = (corpus.ids[a:b].tolist() for a, b in pairwise(corpus.starts))
    assert first == [*tokenizer.encode("The hat", add_special_tokens=False), end]
    assert second.count(end) == 1 and second[-1] == end
    assert second[0] == tokenizer.convert_tokens_to_ids(chat.IM_START)


def test_an_epoch_uses_every_row_once_and_resuming_continues_the_same_rows():
    ids = np.arange(1000, dtype=np.int32)
    corpus = pretrain.Corpus(ids=ids, starts=np.arange(0, 1001, 10))
    source = pretrain.rows(corpus, length=20, batch_size=7, seed=3, first=0)
    batches = [next(source) for _ in range(20)]
    assert all(batch.shape == (7, 21) for batch in batches)
    per_epoch = 999 // 20
    targets = torch.cat(batches)[:per_epoch, 1:].flatten().tolist()
    assert len(set(targets)) == len(targets) == per_epoch * 20
    resumed = pretrain.rows(corpus, length=20, batch_size=7, seed=3, first=13)
    assert all(torch.equal(next(resumed), batch) for batch in batches[13:])
    other = pretrain.rows(corpus, length=20, batch_size=7, seed=4, first=0)
    assert not torch.equal(next(other), batches[0])


def test_rows_hold_documents_in_one_piece_but_in_shuffled_order():
    corpus = pretrain.Corpus(ids=np.arange(1000, dtype=np.int32), starts=np.arange(0, 1001, 10))
    row = next(pretrain.rows(corpus, length=200, batch_size=1, seed=0, first=0))[0]
    jumps = (row[1:] != row[:-1] + 1).nonzero().flatten()
    assert len(jumps) > 10
    assert set((row[:-1][jumps] % 10).tolist()) <= {9}


def test_the_learning_rate_warms_up_to_its_peak_and_ends_at_a_tenth():
    config = PretrainConfig(learning_rate=1.0, warmup_steps=4, steps=104)
    rates = [pretrain.learning_rate(config, step) for step in range(104)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[54] == pytest.approx(0.1 + 0.9 * 0.5)
    assert rates[4] == 1.0 and rates[-1] == pytest.approx(0.1, abs=1e-3)
    assert all(a >= b for a, b in pairwise(rates[3:]))


def test_weights_decay_but_norms_do_not(tokenizer):
    config = PretrainConfig(hidden_size=32, layers=1)
    model = pretrain.build_model(config, tokenizer, seed=0)
    decayed, kept = (group["params"] for group in pretrain.build_optimizer(model, config).param_groups)
    assert sum(p.numel() for p in decayed + kept) == model.num_parameters()
    assert {p.ndim for p in kept} == {1}


def test_a_fresh_model_is_as_wrong_as_a_guess(tokenizer, corpus_text):
    config = PretrainConfig(hidden_size=32, layers=2, sequence_length=32)
    model = pretrain.build_model(config, tokenizer, seed=0)
    corpus = pretrain.encode_documents(tokenizer, corpus_text.split("\n\n"))
    loss = pretrain.evaluate(model, corpus, config)
    assert loss == pytest.approx(math.log(len(tokenizer)), abs=0.3)
