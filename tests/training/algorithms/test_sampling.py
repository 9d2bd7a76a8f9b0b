from itertools import chain

import numpy as np
import pytest
import torch
from scipy import stats

from rewardmodel import chat
from training.algorithms import decode_shared, decode_step, decoding, sampling

from .conftest import make_model
from .test_policy import naive_logprobs

pytestmark = pytest.mark.torch
PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14, 15, 16, 17], [18], [19, 20, 21]]


def drawn(model, tokenizer, prompts=PROMPTS, **changes):
    options = {"k": 3, "max_new_tokens": 12, "seed": 7, "batch_size": 4, **changes}
    return sampling.sample(
        model, prompts, stop_id=chat.stop_token_id(tokenizer), pad_id=tokenizer.pad_token_id, **options
    )


def ids_of(results):
    return [[response.ids for response in group] for group in results]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen2", "mistral"])
def test_stored_logprobs_are_those_of_a_naive_forward(tokenizer, kind):
    model = make_model(kind, tokenizer, **({"sliding_window": 4} if kind == "mistral" else {}))
    results = drawn(model, tokenizer, temperature=0.8)
    for prompt, group in zip(PROMPTS, results, strict=True):
        assert len(group) == 3
        for response in group:
            expected, _ = naive_logprobs(model, prompt, response.ids, 0.8)
            assert np.allclose(response.logprobs, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral"])
def test_a_response_does_not_depend_on_its_batch_companions(tokenizer, kind):
    model = make_model(kind, tokenizer, **({"sliding_window": 4} if kind == "mistral" else {}))
    together = ids_of(drawn(model, tokenizer, batch_size=64))
    assert together == ids_of(drawn(model, tokenizer, batch_size=2))
    alone = [ids_of(drawn(model, tokenizer, [prompt], indices=[i]))[0] for i, prompt in enumerate(PROMPTS)]
    assert together == alone
    assert together[0][0] != together[0][1], "rollouts of one prompt have their own randomness"
    assert together != ids_of(drawn(model, tokenizer, seed=8))


def test_a_response_ends_at_the_first_stop_token_or_at_the_limit(tokenizer):
    model = make_model("llama", tokenizer)
    stop = chat.stop_token_id(tokenizer)
    groups = drawn(model, tokenizer, k=40, max_new_tokens=60, batch_size=50)
    responses = [response for group in groups for response in group]
    assert {response.finish_reason for response in responses} == {"stop", "length"}
    for response in responses:
        assert (response.ids.count(stop), response.ids[-1] == stop) == (
            (1, True) if response.finish_reason == "stop" else (0, False)
        )
        assert len(response.ids) == len(response.logprobs)
        assert response.finish_reason == "stop" or len(response.ids) == 60


def test_responses_fill_the_context_and_no_more(tokenizer):
    model = make_model("gpt2", tokenizer)
    prompts = [[5] * 90, [6] * 95]
    lengths = [len(response.ids) for group in drawn(model, tokenizer, prompts) for response in group]
    assert max(lengths[:3]) <= 6 and lengths[3:] == [1, 1, 1]
    with pytest.raises(sampling.SamplingError, match="96 tokens and the model's context 96"):
        drawn(model, tokenizer, [[5] * 96])


def test_token_frequencies_match_the_model_at_each_temperature(tokenizer):
    """Chi-square of 4,000 first tokens, and of second tokens after the commonest first one."""
    model = make_model("llama", tokenizer)
    for temperature in (1.0, 0.6):
        groups = drawn(
            model, tokenizer, [PROMPTS[0]], k=4000, max_new_tokens=2, batch_size=512, temperature=temperature
        )
        first = [response.ids[0] for response in groups[0]]
        assert chi_square(model, PROMPTS[0], first, temperature) > 1e-3
        common = max(set(first), key=first.count)
        second = [r.ids[1] for r in groups[0] if r.ids[0] == common and len(r.ids) > 1]
        assert len(second) > 200
        assert chi_square(model, [*PROMPTS[0], common], second, temperature) > 1e-3


def chi_square(model, prompt, tokens, temperature):
    """p-value of the observed tokens under the model; tokens expected fewer than 5 times are pooled."""
    with torch.no_grad():
        chances = (model(input_ids=torch.tensor([prompt])).logits[0, -1].double() / temperature).softmax(-1).numpy()
    expected = chances * len(tokens)
    observed = np.bincount(tokens, minlength=len(chances))
    often = expected >= 5
    pooled = [np.append(values[often], values[~often].sum()) for values in (observed, expected)]
    return stats.chisquare(pooled[0], pooled[1] * pooled[0].sum() / pooled[1].sum()).pvalue


def test_draw_inverts_the_distribution_function():
    logits = torch.tensor([0.2, 0.5, 0.3]).log()[None].expand(4, 3)
    ids, logprobs = decoding.draw(logits, torch.tensor([0.0, 0.1999, 0.2001, 0.9999], dtype=torch.float64))
    assert ids.tolist() == [0, 0, 1, 2]
    assert torch.allclose(logprobs.exp(), torch.tensor([0.2, 0.2, 0.5, 0.3]))


def test_impossible_tokens_are_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf]]).expand(3, 3)
    ids, _ = decoding.draw(logits, torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64))
    assert ids.tolist() == [1, 1, 1]


def test_caches_grow_past_their_room(tokenizer, monkeypatch):
    model = make_model("llama", tokenizer)
    expected = ids_of(drawn(model, tokenizer, max_new_tokens=40))
    for module in (decoding, decode_step, decode_shared):
        monkeypatch.setattr(module, "ROOM", 1)
    assert ids_of(drawn(model, tokenizer, max_new_tokens=40)) == expected


def test_windowed_models_are_sampled_without_a_shared_cache(tokenizer):
    from rewardmodel import prefix

    model = make_model("mistral", tokenizer, sliding_window=4)
    assert "cache" not in prefix.exact_layouts(model.base_model)
    llama = make_model("llama", tokenizer)
    assert {"cache", "packed"} <= prefix.exact_layouts(llama.base_model)


def test_progress_counts_rollouts(tokenizer):
    seen = []
    drawn(make_model("llama", tokenizer), tokenizer, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("k", "batch_size", "step"),
    [(1, 64, decode_step.FusedStep), (5, 64, decode_shared.SharedStep), (5, 7, decode_shared.SharedStep)],
)
@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
def test_fused_steps_draw_what_the_model_itself_draws(tokenizer, kind, k, batch_size, step, monkeypatch):
    model = make_model(kind, tokenizer, **({"sliding_window": None} if kind == "mistral" else {}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_()
    assert decode_step.fits(model)
    assert type(decode_shared.step_for(model, 4, shared=k > 1)) is step
    fused = drawn(model, tokenizer, max_new_tokens=30, k=k, batch_size=batch_size)
    monkeypatch.setattr(decode_shared, "fits", lambda _: False)
    plain = drawn(model, tokenizer, max_new_tokens=30, k=k, batch_size=batch_size)
    assert ids_of(fused) == ids_of(plain)
    for one, other in zip(chain(*fused), chain(*plain), strict=True):
        assert np.allclose(one.logprobs, other.logprobs, atol=1e-5)


def test_models_of_another_form_are_stepped_through_themselves(tokenizer):
    from peft import LoraConfig, get_peft_model

    assert not decode_step.fits(make_model("gpt2", tokenizer))
    assert not decode_step.fits(make_model("llama", tokenizer, hidden_act="gelu"))
    adapted = get_peft_model(make_model("llama", tokenizer), LoraConfig(target_modules="all-linear"))
    assert not decode_step.fits(adapted)
    assert not decode_step.fits(adapted.base_model.model), "the adapters are not in the weights"


def test_uniform_numbers_are_uniform_and_each_seed_has_its_own():
    seeds = np.arange(2_000, dtype=np.uint64)
    table = np.stack([decoding.uniform(seeds, np.full(2_000, step)) for step in range(50)])
    assert table.min() >= 0 and table.max() < 1
    assert stats.kstest(table.ravel(), "uniform").pvalue > 1e-3
    for axis in (0, 1):
        rows = np.take(table, range(20), axis)
        shifted = np.take(table, range(1, 21), axis)
        assert abs(np.corrcoef(rows.ravel(), shifted.ravel())[0, 1]) < 0.03
    assert len(np.unique(table)) == table.size
