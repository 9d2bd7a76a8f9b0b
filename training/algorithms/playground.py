"""`python -m training.algorithms.playground`: a process that keeps models warm and answers a worker's requests.

It says and hears what `contracts/playground.py` lays down. Which person asked, and for what, it never learns.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

import torch
from torch import Tensor

from contracts.records import Message
from rewardmodel import chat
from training.algorithms import policy, sampling
from training.algorithms.__main__ import describe, physical_cores

WARM_MODELS = 2
Request = dict[str, Any]
Say = Callable[[dict[str, Any]], None]


class Models:
    """The last few models asked for, by folder."""

    def __init__(self) -> None:
        self._loaded: dict[str, tuple[Any, Any]] = {}

    def get(self, folder: str, on_load: Callable[[], None]) -> tuple[Any, Any]:
        found = self._loaded.pop(folder, None)
        if found is None:
            on_load()
            if len(self._loaded) >= WARM_MODELS:
                del self._loaded[next(iter(self._loaded))]
            found = policy.load_policy(folder)
        self._loaded[folder] = found
        return found


def serve(incoming: TextIO, say: Say) -> None:
    """Answer requests until `incoming` ends. A thread reads it, so that a cancel is heard during a reply."""
    requests: queue.Queue[tuple[Request, threading.Event] | None] = queue.Queue()

    def hear() -> None:
        newest = threading.Event()
        for line in incoming:
            request = json.loads(line)
            if request["kind"] == "cancel":
                newest.set()
            else:
                # Each request has its own: a cancel may come before its request is taken up.
                newest = threading.Event()
                requests.put((request, newest))
        requests.put(None)

    threading.Thread(target=hear, name="hear", daemon=True).start()
    models = Models()
    while (waiting := requests.get()) is not None:
        request, cancelled = waiting
        try:
            answer(request, models, say, cancelled)
        except Exception as error:
            logging.exception("the request failed")
            code, sentence = describe(error)
            say({"error": {"code": code, "sentence": sentence}})


def answer(request: Request, models: Models, say: Say, cancelled: threading.Event) -> None:
    model, tokenizer = models.get(request["model"], lambda: say({"stage": "loading"}))
    messages = [Message.from_json(message) for message in request["messages"]]
    if request["kind"] == "inspect":
        say({"done": inspect(model, tokenizer, messages, position=request["position"], top=request["top"])})
        return
    prompt = chat.encode_prompt(tokenizer, messages)
    say({"stage": "replying"})
    reason = "length"
    for token, stops in reply(model, tokenizer, prompt, request):
        if cancelled.is_set():
            reason = "cancelled"
            break
        say({"token": token})
        reason = "stop" if stops else reason
    say({"done": {"finish_reason": reason, "prompt_tokens": len(prompt)}})


def reply(model: Any, tokenizer: Any, prompt: Sequence[int], request: Request) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each token as it is drawn, and whether it is the stop token.

    The texts join to the reply's text: a token that ends within a character brings none, the next one brings both.
    """
    stop = chat.stop_token_id(tokenizer)
    limit = min(request["max_new_tokens"], sampling.context_length(model) - len(prompt))
    drawn: list[int] = []
    shown = ""
    for token, logprob, logprobs in sampling.stream(
        model,
        prompt,
        max_new_tokens=limit,
        stop_id=stop,
        pad_id=tokenizer.pad_token_id,
        seed=request["seed"],
        temperature=request["temperature"],
    ):
        drawn.append(token)
        text = chat.decode_reply(tokenizer, drawn)
        cut = text.endswith("\ufffd") and token != stop and len(drawn) < limit
        whole = shown if cut else text
        yield (
            {
                "id": token,
                "text": whole[len(shown) :],
                "logprob": round(logprob, 6),
                "top": likeliest(tokenizer, logprobs, request["top"]),
            },
            token == stop,
        )
        shown = whole


@torch.inference_mode()
def inspect(model: Any, tokenizer: Any, messages: Sequence[Message], *, position: int, top: int) -> dict[str, Any]:
    """The conversation token by token, how the model expected each, and what it expects after `position`."""
    marked = chat.encode_marked(tokenizer, messages)
    ids = torch.tensor([[token for token, _ in marked]], device=model.device)
    length, context = ids.shape[1], sampling.context_length(model)
    if length > context:
        raise sampling.SamplingError(
            f"the conversation has {length} tokens and the model's context {context}; shorten it"
        )
    if not -length <= position < length:
        raise sampling.SamplingError(f"position must be below {length}, the conversation's tokens; found {position}")
    logprobs = model(input_ids=ids).logits[0].float().log_softmax(-1)
    chosen = logprobs[:-1].gather(1, ids[0, 1:, None])
    ranks = (logprobs[:-1] > chosen).sum(1) + 1
    expected = [(None, None), *zip(chosen[:, 0].tolist(), ranks.tolist(), strict=True)]
    owners = _owners(marked, messages, chat.stop_token_id(tokenizer))
    pieces = [
        {
            "id": token,
            "text": tokenizer.decode([token], skip_special_tokens=False),
            "role": messages[owner].role if owner < len(messages) else "assistant",
            "part": "template" if index is None else "content",
            "logprob": None if logprob is None else round(logprob, 6),
            "rank": rank,
        }
        for (token, index), owner, (logprob, rank) in zip(marked, owners, expected, strict=True)
    ]
    place = position % length
    return {"tokens": pieces, "position": place, "next": likeliest(tokenizer, logprobs[place], top)}


def likeliest(tokenizer: Any, logprobs: Tensor, count: int) -> list[dict[str, Any]]:
    values, ids = logprobs.topk(min(count, len(logprobs)))
    return [
        {"id": token, "text": tokenizer.decode([token], skip_special_tokens=False), "probability": round(chance, 6)}
        for token, chance in zip(ids.tolist(), values.exp().tolist(), strict=True)
    ]


def _owners(marked: Sequence[tuple[int, int | None]], messages: Sequence[Message], stop: int) -> list[int]:
    """The message that each token belongs to. Between two contents, the first one's end mark is still its own.

    The header of the reply to come gets the number past the last message's.
    """
    last = len(messages) - (messages[-1].role == "assistant")
    owners, owner, open_turn = [], 0, False
    for token, index in marked:
        if index is not None:
            owner, open_turn = index, True
        owners.append(owner)
        if index is None and open_turn and token == stop:
            owner, open_turn = min(owner + 1, last), False
    return owners


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    torch.set_num_threads(physical_cores())
    # What libraries print must not mix with what is said.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(word: dict[str, Any]) -> None:
        out.write(json.dumps(word) + "\n")
        out.flush()

    serve(sys.stdin, say)


if __name__ == "__main__":
    main()
