"""Questions with worked answers (question and answer), and TRL's prompt and completion: demonstrations."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Item, Refusal, asked, demonstrated, extras, text, turns

NAME = "prompt_completion"
_PAIRS = (("prompt", "completion"), ("question", "answer"))


def matches(record: Any) -> bool:
    return isinstance(record, dict) and any(set(pair) <= set(record) for pair in _PAIRS)


def read(record: Any) -> Iterator[Item]:
    asks, answers = next((pair for pair in _PAIRS if set(pair) <= set(record)), _PAIRS[0])
    prompt, reply = record.get(asks), record.get(answers)
    messages = turns(prompt, asks) if isinstance(prompt, list) else asked(text(record, asks))
    if isinstance(reply, list):
        said = turns(reply, answers)
        messages = (*messages, *said[:-1])
        if said[-1].role != "assistant":
            raise Refusal(f"{answers} must end with the assistant")
        content = said[-1].content
    else:
        content = text(record, answers)
    yield demonstrated(messages, content, extras(record, asks, answers))
