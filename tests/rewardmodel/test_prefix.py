"""The shared-prefix pass against the pair layout: the same loss and gradient, for less work."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    BloomConfig,
    BloomModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    MambaConfig,
    MambaModel,
    MistralConfig,
    MistralModel,
    Qwen2Config,
    Qwen2Model,
)

from rewardmodel import prefix

pytestmark = pytest.mark.torch

VOCABULARY = 61
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": VOCABULARY}
LLAMA_SIZES = {**SIZES, "intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}

# Attention beside something else: windows in some layers, convolutions, state spaces, linear attention.
HYBRIDS = {
    "gemma3_text": {"head_dim": 8, "intermediate_size": 48, "num_key_value_heads": 2, "sliding_window": 4},
    "lfm2": {"intermediate_size": 48, "num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
    "falcon_h1": {
        "intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "mamba_d_ssm": 32, "mamba_n_heads": 4,
        "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 8,
    },
    "qwen3_next": {
        "intermediate_size": 48, "num_key_value_heads": 2, "head_dim": 8, "num_experts": 0, "linear_num_value_heads": 4,
        "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"], "mlp_only_layers": [0, 1],
    },
}  # fmt: skip

# Prompts of 1 to 6 tokens, two to four responses of 1 to 5 tokens; token 0 also occurs as a real token.
PROMPTS = [[3], [5, 6, 7, 8, 9, 10], [11, 0, 12]]
RESPONSES = [[[1, 2], [4]], [[13, 14, 15, 16, 17], [0], [18, 19, 0]], [[20], [21, 22], [23, 24, 25, 26], [27, 28]]]
EVEN = prefix.batch([[1, 2]], [[[3, 4], [5, 6]]], pad_id=0)
UNEVEN = prefix.batch([[1]], [[[3], [5, 6, 7, 8, 9, 10], [4], [11]]], pad_id=0)


def make_trunk(name, attention="sdpa"):
    torch.manual_seed(3)
    if name == "llama":
        trunk = LlamaModel(LlamaConfig(**LLAMA_SIZES, attn_implementation=attention))
    elif name == "qwen2":
        trunk = Qwen2Model(Qwen2Config(**LLAMA_SIZES, attn_implementation=attention))
    elif name == "mistral":
        trunk = MistralModel(MistralConfig(**LLAMA_SIZES, sliding_window=4, attn_implementation=attention))
    elif name in HYBRIDS:
        trunk = AutoModel.from_config(AutoConfig.for_model(name, **SIZES, **HYBRIDS[name]))
    elif name == "bloom":
        trunk = BloomModel(BloomConfig(**SIZES))
    elif name == "mamba":
        trunk = MambaModel(MambaConfig(hidden_size=32, num_hidden_layers=2, vocab_size=VOCABULARY, state_size=4))
    else:
        none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        config = GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=VOCABULARY, n_positions=64, **none)
        config._attn_implementation = attention
        trunk = GPT2Model(config)
    # Untrained weights are so small that a wrong mask would hardly show.
    with torch.no_grad():
        for parameter in trunk.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return trunk.eval()


def pair_layout_loss(trunk, weights):
    """Both sides of every pair as unpadded rows of their own: slow, and independent of the code under test."""
    groups = []
    for prompt, responses in zip(PROMPTS, RESPONSES, strict=True):
        pairs = []
        for i in range(len(responses)):
            for j in range(i + 1, len(responses)):
                better, worse = (
                    trunk(torch.tensor([prompt + responses[k]])).last_hidden_state[0, -1] @ weights for k in (i, j)
                )
                pairs.append(F.softplus(worse - better))
        groups.append(torch.stack(pairs).mean())
    return torch.stack(groups).mean()


def shared_loss(trunk, weights, layout):
    states = prefix.encode(trunk, example(), layout=layout)
    last = example().response_lengths - 1
    scores = states[torch.arange(len(last)), last] @ weights
    groups, start = [], 0
    for responses in RESPONSES:
        r = scores[start : start + len(responses)]
        start += len(responses)
        upper = torch.triu_indices(len(r), len(r), offset=1)
        groups.append(F.softplus(r[upper[1]] - r[upper[0]]).mean())
    return torch.stack(groups).mean()


def example():
    return prefix.batch(PROMPTS, RESPONSES, pad_id=60)


def gradients(trunk, loss):
    trunk.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in trunk.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    ("name", "layout"),
    [
        *((name, layout) for name in ("llama", "gpt2", "qwen2") for layout in ("cache", "packed", "each")),
        ("llama", "flat"),
        ("qwen2", "flat"),
    ],
)
def test_loss_and_gradient_equal_the_pair_layout(name, layout, attention):
    trunk = make_trunk(name, attention)
    weights = torch.linspace(-1, 1, 32)

    expected_loss = pair_layout_loss(trunk, weights)
    expected = gradients(trunk, expected_loss)
    loss = shared_loss(trunk, weights, layout)
    found = gradients(trunk, loss)

    assert abs(loss.item() - expected_loss.item()) < 1e-5
    assert found.keys() == expected.keys()
    for parameter, gradient in expected.items():
        assert (found[parameter] - gradient).abs().max() < 1e-5 * max(1.0, gradient.abs().max().item()), parameter


@pytest.mark.parametrize("layout", ["cache", "packed", "each", "flat"])
def test_the_state_before_the_first_response_token_is_the_prompts_last(layout):
    trunk = make_trunk("llama")
    states = prefix.encode(trunk, example(), with_last_prompt_state=True, layout=layout)
    assert states.shape == (9, 6, 32)
    n = 0
    for prompt, responses in zip(PROMPTS, RESPONSES, strict=True):
        for response in responses:
            alone = trunk(torch.tensor([prompt + response])).last_hidden_state[0, len(prompt) - 1 :]
            torch.testing.assert_close(states[n, : len(response) + 1], alone, atol=1e-5, rtol=1e-5)
            n += 1


@pytest.mark.parametrize("layout", ["cache", "packed", "each", "flat"])
def test_gradients_through_the_state_before_the_response_are_those_of_rows_alone(layout):
    """As the policy's are: the first token's log-probability is read at the prompt's last token."""
    trunk = make_trunk("llama")
    weights = torch.linspace(-1, 1, 32)
    expected = gradients(
        trunk,
        sum(
            (trunk(torch.tensor([prompt + response])).last_hidden_state[0, len(prompt) - 1 : -1] @ weights).tanh().sum()
            for prompt, responses in zip(PROMPTS, RESPONSES, strict=True)
            for response in responses
        ),
    )
    states = prefix.encode(trunk, example(), with_last_prompt_state=True, layout=layout)[:, :-1]
    found = gradients(trunk, (states[example().response_mask] @ weights).tanh().sum())
    for parameter, gradient in expected.items():
        assert (found[parameter] - gradient).abs().max() < 1e-5 * max(1.0, gradient.abs().max().item()), parameter


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2"])
def test_full_attention_shares_the_prompt_by_itself(name, monkeypatch):
    trunk = make_trunk(name)
    flat = {"flat"} if name != "gpt2" else set()
    assert prefix.exact_layouts(trunk) == {"cache", "packed", "each"} | flat
    if flat:
        assert prefix.choose_layout(trunk, EVEN) == "flat"
        assert prefix.choose_layout(trunk, UNEVEN) == "packed"  # most of flat's attention would be padding
        monkeypatch.setattr("rewardmodel.flat.MOST_PROBABILITIES", 0)
    assert prefix.choose_layout(trunk, EVEN) == "cache"
    assert prefix.choose_layout(trunk, UNEVEN) == "packed"


@pytest.mark.parametrize("name", ["mistral", "gemma3_text", "mamba", "lfm2", "falcon_h1", "qwen3_next"])
def test_windowed_hybrid_and_recurrent_trunks_encode_each_completion_and_agree(name):
    trunk = make_trunk(name)
    assert prefix.exact_layouts(trunk) == {"each"}
    states = prefix.encode(trunk, example())
    alone = trunk(torch.tensor([PROMPTS[1] + RESPONSES[1][0]])).last_hidden_state[0, 6:]
    torch.testing.assert_close(states[2], alone, atol=1e-3, rtol=1e-3)


def test_a_window_that_is_switched_off_does_not_stop_sharing():
    """Qwen2 states a window in its config and, as published, does not use it."""
    trunk = Qwen2Model(Qwen2Config(**LLAMA_SIZES, sliding_window=4, use_sliding_window=False)).eval()
    assert prefix.exact_layouts(trunk) == {"cache", "packed", "each", "flat"}
    windowed = Qwen2Model(Qwen2Config(**LLAMA_SIZES, sliding_window=4, use_sliding_window=True, max_window_layers=0))
    assert prefix.exact_layouts(windowed.eval()) == {"each"}


def test_a_trunk_whose_positions_come_from_columns_is_found_inexact_by_measuring():
    """Bloom's ALiBi biases count columns, so restarted positions in a packed row cannot be told to it."""
    trunk = make_trunk("bloom")
    assert "packed" not in prefix.exact_layouts(trunk)
    states = prefix.encode(trunk, example())
    alone = trunk(torch.tensor([PROMPTS[1] + RESPONSES[1][0]])).last_hidden_state[0, 6:]
    torch.testing.assert_close(states[2], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2"])
def test_gradient_checkpointing_takes_the_packed_layout_and_gives_the_pair_layouts_gradient(name, attention):
    weights = torch.linspace(-1, 1, 32)
    trunk = make_trunk(name, attention)
    expected_loss = pair_layout_loss(trunk, weights)
    expected = gradients(trunk, expected_loss)
    trunk.gradient_checkpointing_enable({"use_reentrant": False})
    trunk.train()  # no trunk here has dropout
    assert prefix.choose_layout(trunk, EVEN) == "packed"
    loss = shared_loss(trunk, weights, None)
    found = gradients(trunk, loss)
    assert abs(loss.item() - expected_loss.item()) < 1e-5
    for parameter, gradient in expected.items():
        assert (found[parameter] - gradient).abs().max() < 1e-5 * max(1.0, gradient.abs().max().item()), parameter


def test_measuring_leaves_the_mode_and_the_generator_alone():
    trunk = make_trunk("gpt2").train()
    before = torch.get_rng_state()
    prefix.exact_layouts(trunk)
    assert trunk.training
    assert torch.equal(torch.get_rng_state(), before)


def test_padding_changes_no_state():
    trunk = make_trunk("llama")
    together = prefix.encode(trunk, example())
    alone = prefix.encode(trunk, prefix.batch(PROMPTS[:1], RESPONSES[:1], pad_id=1))
    torch.testing.assert_close(together[0, :2], alone[0, :2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together[1, :1], alone[1, :1], atol=1e-5, rtol=1e-5)


def test_masks_come_from_lengths_when_the_pad_id_is_also_a_real_token():
    made = prefix.batch([[0, 0]], [[[0], [0, 0, 0]]], pad_id=0)
    assert made.prompt_mask.tolist() == [[True, True]]
    assert made.response_mask.tolist() == [[True, False, False], [True, True, True]]
    assert made.owner.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("prompts", "responses"),
    [([[]], [[[1]]]), ([[1]], [[]]), ([[1]], [[[1], []]]), ([], []), ([[1]], [[[1]], [[2]]])],
)
def test_empty_prompts_and_responses_are_refused(prompts, responses):
    with pytest.raises(prefix.PrefixError, match=r"needs|give"):
        prefix.batch(prompts, responses, pad_id=0)


@pytest.mark.parametrize(
    ("P", "R", "pairs", "each", "shared"),
    [
        (64, 64, 2_560, 640, 384),
        (128, 128, 5_120, 1_280, 768),
        (256, 128, 7_680, 1_920, 896),
        (256, 64, 6_400, 1_600, 576),
        (1_024, 128, 23_040, 5_760, 1_664),
    ],
)
def test_tokens_through_the_trunk_for_five_responses_are_the_promised_ones(P, R, pairs, each, shared):
    """Counted at the embedding. All pairs encode both sides of each of the 10: K(K-1)(P+R)."""
    torch.manual_seed(0)
    sizes = {**LLAMA_SIZES, "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "head_dim": 2}
    trunk = LlamaModel(LlamaConfig(**{**sizes, "max_position_embeddings": 2_048})).eval()
    made = prefix.batch([[1] * P], [[[2] * R] * 5], pad_id=0)
    prefix.exact_layouts(trunk)  # which measures on rows of its own
    counted = []
    trunk.get_input_embeddings().register_forward_hook(lambda _, given, __: counted.append(given[0].numel()))
    with torch.no_grad():
        for layout, expected in (("cache", shared), ("packed", shared), ("flat", shared), ("each", each)):
            counted.clear()
            prefix.encode(trunk, made, layout=layout)
            assert sum(counted) == expected, layout
    assert pairs == 5 * 4 * (P + R)


def test_only_the_shared_pass_and_the_decoder_of_rollouts_know_caches():
    root = Path(__file__).parents[2]
    files = [path for folder in ("rewardmodel", "training") for path in (root / folder).rglob("*.py")]
    knowing = {path.relative_to(root).as_posix() for path in files if "DynamicCache" in path.read_text()}
    assert knowing == {"rewardmodel/prefix.py", "training/algorithms/decode_step.py"}
