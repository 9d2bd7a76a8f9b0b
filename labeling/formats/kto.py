"""KTO's labels: one response marked good or bad, as TRL (prompt, completion, label) and LLaMA-Factory write them."""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, JudgmentItem, Refusal, asked, system, text, turns, waiting

NAME = "kto"
_LISTS = ("messages", "conversations")


def matches(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and isinstance(record.get("label", record.get("kto_tag")), bool)
        and ({"prompt", "completion"} <= set(record) or any(isinstance(record.get(key), list) for key in _LISTS))
    )


def read(record: Any) -> Iterator[Item]:
    label = record.get("label", record.get("kto_tag"))
    if not isinstance(label, bool):
        raise Refusal("label must be true or false")
    messages = system(record) + _conversation(record)
    if messages[-1].role != "assistant":
        raise Refusal("the conversation must end with the assistant, whose reply is judged")
    response = Choice(text=messages[-1].content, source=str(record.get("model") or "imported")[:200])
    annotator = str(record.get("labeler") or "")[:80]
    yield JudgmentItem(messages=waiting(messages[:-1]), response=response, good=label, annotator=annotator)


def _conversation(record: dict[str, Any]) -> tuple[Any, ...]:
    for key in _LISTS:
        if key in record:
            return turns(record[key], key)
    prompt, completion = record.get("prompt"), record.get("completion")
    before = turns(prompt, "prompt") if isinstance(prompt, list) else asked(text(record, "prompt"))
    if isinstance(completion, list):
        return before + turns(completion, "completion")
    return before + turns([{"role": "assistant", "content": completion}], "completion")
