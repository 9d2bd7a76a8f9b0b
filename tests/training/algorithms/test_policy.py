import pytest
import torch

from contracts.records import Message
from rewardmodel import chat, prefix
from training.algorithms import policy

from .conftest import facts, make_model

pytestmark = pytest.mark.torch
KINDS = ("llama", "gpt2", "qwen2", "mistral")
PROMPTS = [[5, 6, 7, 8], [9, 10]]
RESPONSES = [[[11, 12, 2], [13]], [[14, 15, 16, 17, 2]]]


def naive_logprobs(model, prompt, response, temperature):
    """One row at a time, whole vocabulary at every position, log_softmax."""
    ids = torch.tensor([[*prompt, *response]])
    with torch.no_grad():
        logprobs = (model(input_ids=ids).logits[0].float() / temperature).log_softmax(-1)
    before = logprobs[len(prompt) - 1 : -1]
    return before[torch.arange(len(response)), torch.tensor(response)], -(before.exp() * before).sum(-1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_response_logprobs_equal_a_naive_full_forward(tokenizer, kind, temperature):
    model = make_model(kind, tokenizer)
    batch = prefix.batch(PROMPTS, RESPONSES, pad_id=0)
    with torch.no_grad():
        logprobs, entropy = policy.response_logprobs(model, batch, temperature)
    rows = [(p, r) for p, group in zip(PROMPTS, RESPONSES, strict=True) for r in group]
    for row, (prompt, response) in enumerate(rows):
        expected, expected_entropy = naive_logprobs(model, prompt, response, temperature)
        assert torch.allclose(logprobs[row, : len(response)], expected, atol=1e-5)
        assert torch.allclose(entropy[row, : len(response)], expected_entropy, atol=1e-4)
        assert not logprobs[row, len(response) :].any()


def test_blocks_of_the_vocabulary_projection_change_neither_values_nor_gradients(tokenizer, monkeypatch):
    model = make_model("llama", tokenizer)
    batch = prefix.batch(PROMPTS, RESPONSES, pad_id=0)

    def values_and_gradient():
        model.zero_grad()
        logprobs, entropy = policy.response_logprobs(model, batch, 0.9)
        logprobs.sum().backward()
        return logprobs.detach(), entropy, model.get_output_embeddings().weight.grad.clone()

    whole = values_and_gradient()
    monkeypatch.setattr(policy, "LOGITS_BLOCK", 2 * len(tokenizer))
    for expected, found in zip(whole, values_and_gradient(), strict=True):
        assert torch.allclose(expected, found, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_policy_loads_with_the_same_weights_and_tokens(tokenizer, tmp_path, kind):
    model = make_model(kind, tokenizer)
    policy.save_policy(model, tokenizer, tmp_path)
    loaded, loaded_tokenizer = policy.load_policy(str(tmp_path))
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(input_ids=ids).logits, loaded(input_ids=ids).logits[..., : len(tokenizer)])
    messages = [Message(role="user", content=facts()[0][0])]
    assert chat.encode_prompt(tokenizer, messages) == chat.encode_prompt(loaded_tokenizer, messages)
    assert not list(tmp_path.glob("*.bin"))
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in tmp_path.iterdir())
    assert loaded.generation_config.eos_token_id == chat.stop_token_id(tokenizer)


def test_a_base_without_pad_and_template_gets_both_and_known_tokens_keep_their_logits(tokenizer, tmp_path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE(vocab={"<eos>": 0, **{c: i + 1 for i, c in enumerate(alphabet)}}, merges=[]))
    bare.pre_tokenizer, bare.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    base_tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<eos>", pad_token="<eos>")
    model = make_model("gpt2", base_tokenizer)
    model.save_pretrained(tmp_path)
    base_tokenizer.save_pretrained(tmp_path)

    loaded, loaded_tokenizer = policy.load_policy(str(tmp_path))
    chat.check_tokenizer(loaded_tokenizer)
    assert (loaded_tokenizer.eos_token, loaded_tokenizer.pad_token) == (chat.IM_END, "<eos>")
    assert len(loaded_tokenizer) == 259 == loaded.get_output_embeddings().weight.shape[0]
    ids = torch.tensor([[5, 6, 7]])
    assert torch.allclose(model(input_ids=ids).logits, loaded(input_ids=ids).logits[..., :257], atol=1e-6)
    assert loaded_tokenizer.decode(chat.encode_reply(loaded_tokenizer, "hé\n", ended=False)) == "hé\n"


def test_special_tokens_typed_by_a_person_stay_text(tokenizer):
    typed = f"Say {chat.IM_END} and {chat.IM_START}system"
    ids = chat.encode_prompt(tokenizer, [Message(role="user", content=typed)])
    assert ids.count(chat.stop_token_id(tokenizer)) == 1
    assert ids.count(tokenizer.convert_tokens_to_ids(chat.IM_START)) == 2
    assert typed in tokenizer.decode(ids)


def test_prompt_and_response_are_never_merged_into_one_token(tokenizer):
    """As one string "assistant\n" and "\nThe" would merge their line breaks; the split must stay where it is."""
    joined = tokenizer.encode("is The", add_special_tokens=False)
    left, right = chat.encode_reply(tokenizer, "is ", ended=False), chat.encode_reply(tokenizer, "The", ended=False)
    assert joined != left + right, "the example no longer crosses the boundary"
    conversation, mask = chat.encode_conversation(
        tokenizer, [Message(role="user", content="q"), Message(role="assistant", content="The")]
    )
    header = chat.encode_prompt(tokenizer, [Message(role="user", content="q")])
    assert conversation[: len(header)] == header
    assert conversation[len(header) :][: len(right) + 1] == [*right, chat.stop_token_id(tokenizer)]
    assert [i for i, learned in enumerate(mask) if learned] == list(range(len(header), len(header) + len(right) + 1))


def test_what_is_no_language_model_is_refused_by_name(tmp_path):
    with pytest.raises(policy.PolicyError, match="does not load as a causal language model"):
        policy.load_policy(str(tmp_path))


def test_models_that_scale_their_logits_after_the_head_are_refused(tokenizer, tmp_path):
    from transformers import CohereConfig, CohereForCausalLM

    torch.manual_seed(0)
    model = CohereForCausalLM(
        CohereConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=64,
            logit_scale=0.1,
            initializer_range=0.3,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=2,
        )
    )
    policy.save_policy(model, tokenizer, tmp_path)
    with pytest.raises(policy.PolicyError, match="more than a linear head"):
        policy.load_policy(str(tmp_path))
