"""The one serialization of conversations: the same ids go to storage, reward model, critic and policy.

A prompt is the chat template with the generation prompt; a response is the sampled ids, ending in the
stop token. The two are never tokenized as one string, so no merge ever crosses the boundary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from contracts.records import Message
from contracts.snapshots import content_hash
from rewardmodel.errors import RewardModelError

IM_START, IM_END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"

# ChatML. The generation markers tell TRL which tokens are the assistant's own.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}"
    "{{ '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class ChatError(RewardModelError):
    """A tokenizer or its chat template cannot serialize conversations as this project needs."""


def stop_token_id(tokenizer: Any) -> int:
    """The id that ends an assistant turn: ChatML's end mark where the tokenizer has it, else EOS."""
    # Not `in get_vocab()`, which copies the whole vocabulary at every call.
    found = tokenizer.convert_tokens_to_ids(IM_END)
    if found is not None and tokenizer.convert_ids_to_tokens(found) == IM_END:
        return int(found)
    if tokenizer.eos_token_id is None:
        raise ChatError("the tokenizer has neither <|im_end|> nor an EOS token; add one")
    return int(tokenizer.eos_token_id)


def check_tokenizer(tokenizer: Any) -> None:
    """Refuse a tokenizer whose pad and stop tokens coincide, or that has no chat template."""
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == stop_token_id(tokenizer):
        raise ChatError(
            f"pad id {tokenizer.pad_token_id} must exist and differ from stop id {stop_token_id(tokenizer)}; "
            "give the tokenizer a pad token of its own"
        )
    if not tokenizer.chat_template:
        raise ChatError("the tokenizer has no chat template; set one, for example rewardmodel.chat.CHAT_TEMPLATE")


def complete_tokenizer(tokenizer: Any) -> None:
    """Add a chat template (ChatML) and a pad token where they are missing or pad ends turns or texts."""
    if not tokenizer.chat_template:
        missing = [token for token in (IM_START, IM_END) if token not in tokenizer.get_vocab()]
        if missing:
            tokenizer.add_special_tokens({"extra_special_tokens": missing}, replace_extra_special_tokens=False)
        tokenizer.chat_template = CHAT_TEMPLATE
        tokenizer.eos_token = IM_END
    if tokenizer.pad_token_id in (None, tokenizer.eos_token_id, stop_token_id(tokenizer)):
        tokenizer.add_special_tokens({"pad_token": PAD})
    check_tokenizer(tokenizer)


def tokenizer_identity(tokenizer: Any) -> str:
    """sha256 of what decides the ids of a conversation: vocabulary, merges, normalization, chat template.

    Padding and truncation settings do not enter, since no ids depend on them here.
    """
    plain: dict[str, Any] = {"template": tokenizer.chat_template, "stop": stop_token_id(tokenizer)}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        plain["vocabulary"] = tokenizer.get_vocab()
    else:
        parts = json.loads(backend.to_str())
        plain.update({name: parts.get(name) for name in ("added_tokens", "normalizer", "pre_tokenizer", "model")})
    return content_hash(plain)


def unknown_counter(tokenizer: Any) -> Callable[[Sequence[int]], int]:
    """Counts the tokens of a text that stand for what the tokenizer cannot spell; byte-level ones spell all."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown in (tokenizer.eos_token_id, tokenizer.pad_token_id, stop_token_id(tokenizer)):
        return lambda _: 0
    return lambda ids: sum(token == unknown for token in ids)


def encode_prompt(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Ids of the conversation and of the header that opens the assistant's turn."""
    pieces = _render(tokenizer, messages, add_generation_prompt=True)
    return [token for ids, _ in _encode_pieces(tokenizer, pieces) for token in ids]


def encode_reply(tokenizer: Any, text: str, *, ended: bool = True) -> list[int]:
    """Ids of one assistant reply; the stop token follows unless the reply was cut off (`ended=False`)."""
    ids = _encode_text(tokenizer, text)
    return [*ids, stop_token_id(tokenizer)] if ended else ids


def decode_reply(tokenizer: Any, ids: Sequence[int]) -> str:
    """Text of sampled ids without their stop token; other special tokens stay visible."""
    stop = stop_token_id(tokenizer)
    return str(tokenizer.decode(ids[:-1] if ids and ids[-1] == stop else ids, skip_special_tokens=False))


def encode_conversation(
    tokenizer: Any, messages: Sequence[Message], *, learn_from: int = 0
) -> tuple[list[int], list[bool]]:
    """Ids of a whole conversation, and an action mask of the same length.

    The mask is True on the content and the stop token of each assistant turn from message `learn_from` on.
    """
    stop = stop_token_id(tokenizer)
    ids: list[int] = []
    mask: list[bool] = []
    awaiting_stop = False
    for piece, index in _encode_pieces(tokenizer, _render(tokenizer, messages, add_generation_prompt=False)):
        learned = index is not None and index >= learn_from and messages[index].role == "assistant"
        for position, token in enumerate(piece):
            ends_turn = awaiting_stop and position == 0 and token == stop
            mask.append(learned or ends_turn)
            ids.append(token)
        awaiting_stop = learned or (awaiting_stop and not piece)
    return ids, mask


def encode_marked(tokenizer: Any, messages: Sequence[Message]) -> list[tuple[int, int | None]]:
    """Ids of a conversation, each with the number of the message whose content it is, or None for the template's.

    A conversation that ends with an assistant's turn is whole; any other one gets the header of the reply.
    """
    pieces = _render(tokenizer, messages, add_generation_prompt=messages[-1].role != "assistant")
    return [(token, index) for ids, index in _encode_pieces(tokenizer, pieces) for token in ids]


def _render(
    tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool
) -> list[tuple[str, int | None]]:
    """The template's own text and the messages' contents in turn; contents carry their message's index.

    Contents are held apart from the template so that special tokens typed by a person stay text.
    """
    marks = [f"\ue000{index}\ue001" for index in range(len(messages))]
    plain = []
    for mark, message in zip(marks, messages, strict=True):
        turn = {"role": message.role, "content": mark}
        plain.append({**turn, "name": message.name} if message.name else turn)
    rendered = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=add_generation_prompt)
    pieces: list[tuple[str, int | None]] = []
    for index, mark in enumerate(marks):
        before, found, rendered = rendered.partition(mark)
        if not found:
            raise ChatError(f"the chat template leaves out message {index} (role {messages[index].role})")
        pieces += [(before, None), (messages[index].content, index)]
    return [*pieces, (rendered, None)]


def _encode_pieces(tokenizer: Any, pieces: Sequence[tuple[str, int | None]]) -> list[tuple[list[int], int | None]]:
    return [
        (tokenizer.encode(text, add_special_tokens=False) if index is None else _encode_text(tokenizer, text), index)
        for text, index in pieces
    ]


def _encode_text(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
