"""Responses of models that nobody has ranked: material for labeling tasks.

alpaca_eval's outputs (instruction, output, generator), self-instruct's predictions (instruction, input, response
beside the prompt that the model saw), sampling reports (prompt, results with outputs), and our own form
(prompt, responses without a ranking).
"""

from collections.abc import Iterator
from typing import Any

from labeling.formats.items import Choice, Item, Refusal, ResponsesItem, asked, extras, instructed, text, turns, waiting

NAME = "responses"
_OWN = {"prompt", "responses"}
_REPORT = {"prompt", "results"}
_OUTPUT = {"instruction", "output", "generator"}
_PREDICTION = {"prompt", "instruction", "input", "response"}
_REFERENCE = {"question_id", "choices"}  # FastChat's: told, so that each is refused by its own reason


def matches(record: Any) -> bool:
    return isinstance(record, dict) and any(
        keys <= set(record) for keys in (_OWN, _REPORT, _OUTPUT, _PREDICTION, _REFERENCE)
    )


def read(record: Any) -> Iterator[Item]:
    keys = set(record)
    if keys >= _OUTPUT:
        choices = [Choice(text=text(record, "output"), source=_name(record, "generator"))]
        yield _item(instructed(record), choices, extras(record, "instruction", "output", "generator", "input"))
    elif keys >= _PREDICTION:
        choices = [Choice(text=text(record, "response"), source=_name(record, "model"))]
        yield _item(instructed(record), choices, {})
    elif keys >= _REPORT:
        yield _item(asked(text(record, "prompt")), list(_sampled(record)), {})
    elif keys >= _REFERENCE:
        raise Refusal("names its question by an id alone; put the question in, as prompt")
    else:
        prompt = record.get("prompt")
        messages = waiting(turns(prompt, "prompt")) if isinstance(prompt, list) else asked(text(record, "prompt"))
        yield _item(messages, list(_listed(record)), extras(record, "prompt", "responses"))


def _item(messages: Any, choices: list[Choice], meta: dict[str, Any]) -> ResponsesItem:
    """The same text of the same source twice tells nothing new."""
    if not choices:
        raise Refusal("there are no responses")
    return ResponsesItem(messages=messages, responses=tuple(dict.fromkeys(choices)), meta=meta)


def _sampled(record: dict[str, Any]) -> Iterator[Choice]:
    results = record.get("results")
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise Refusal("results must be a list of objects")
    for result in results:
        outputs = result.get("outputs")
        if not isinstance(outputs, list) or not all(isinstance(one, str) for one in outputs):
            raise Refusal("outputs must be a list of texts")
        source = ":".join(part for part in (_name(record, "model_name"), _name(result, "sampling_config", "")) if part)
        yield from (Choice(text=one, source=source[:200]) for one in outputs)


def _listed(record: dict[str, Any]) -> Iterator[Choice]:
    given = record.get("responses")
    if not isinstance(given, list):
        raise Refusal("responses must be a list")
    for one in given:
        if isinstance(one, str):
            yield Choice(text=one, source="unknown")
        elif isinstance(one, dict):
            yield Choice(text=text(one, "text"), source=_name(one, "model"))
        else:
            raise Refusal("a response must be a text, or an object with text and model")


def _name(record: dict[str, Any], key: str, default: str = "unknown") -> str:
    value = record.get(key)
    return value[:200] if isinstance(value, str) and value else default
