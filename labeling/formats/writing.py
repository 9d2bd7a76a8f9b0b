"""Records as the rows of a format. Pure: takes the plain JSON of our own records and gives what one line is made of.

What a format cannot carry is written in docs/formats.md; a record that it cannot carry at all gives no row.
"""

from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]
Messages = list[dict[str, Any]]


def pairs(ranking: Row) -> Iterator[tuple[Row, Row]]:
    """(better, worse) for every two responses whose order is decided, in the order shown."""
    ranked = [one for one in ranking["responses"] if one["rank"] is not None]
    for index, one in enumerate(ranked):
        for other in ranked[index + 1 :]:
            if one["rank"] != other["rank"]:
                yield (one, other) if one["rank"] < other["rank"] else (other, one)


def trl(kind: str, row: Row) -> Iterator[Row]:
    """Conversational, explicit prompt."""
    prompt = _said(row["prompt"])
    if kind == "demonstrations":
        yield {"prompt": prompt, "completion": _said(row["reply"])}
    elif kind == "judgments":
        yield {"prompt": prompt, "completion": [_assistant(row["text"])], "label": row["good"]}
    else:
        for better, worse in pairs(row):
            yield {"prompt": prompt, "chosen": [_assistant(better["text"])], "rejected": [_assistant(worse["text"])]}


def trl_implicit(kind: str, row: Row) -> Iterator[Row]:
    """Conversational, the prompt within each conversation; a demonstration is then one list of messages."""
    prompt = _said(row["prompt"])
    if kind == "demonstrations":
        yield {"messages": prompt + _said(row["reply"])}
    elif kind == "judgments":
        yield from trl(kind, row)
    else:
        for better, worse in pairs(row):
            chosen, rejected = ([*prompt, _assistant(one["text"])] for one in (better, worse))
            yield {"chosen": chosen, "rejected": rejected}


def trl_standard(kind: str, row: Row) -> Iterator[Row]:
    """Texts instead of messages."""
    prompt = _text(row["prompt"])
    if kind == "demonstrations":
        yield {"prompt": prompt, "completion": _reply(row)}
    elif kind == "judgments":
        yield {"prompt": prompt, "completion": row["text"], "label": row["good"]}
    else:
        for better, worse in pairs(row):
            yield {"prompt": prompt, "chosen": better["text"], "rejected": worse["text"]}


def hh(kind: str, row: Row) -> Iterator[Row]:
    """Anthropic's HH: whole dialogues as one text; standard preferences with an implicit prompt for TRL.

    A text that has a mark of its own would begin a turn that nobody took: it is left out.
    """
    dialogue = _marked(row["prompt"])
    if kind == "rankings" and dialogue:
        for better, worse in pairs(row):
            if not (_has_mark(better["text"]) or _has_mark(worse["text"])):
                chosen, rejected = (f"{dialogue}\n\nAssistant: {one['text']}" for one in (better, worse))
                yield {"chosen": chosen, "rejected": rejected}


def openai(kind: str, row: Row) -> Iterator[Row]:
    """OpenAI's fine-tuning: supervised and preference."""
    prompt = _said(row["prompt"])
    if kind == "demonstrations":
        yield {"messages": prompt + _said(row["reply"])}
    elif kind == "rankings":
        for better, worse in pairs(row):
            yield {
                "input": {"messages": prompt, "tools": [], "parallel_tool_calls": True},
                "preferred_output": [_assistant(better["text"])],
                "non_preferred_output": [_assistant(worse["text"])],
            }


def alpaca(kind: str, row: Row) -> Iterator[Row]:
    """Alpaca with LLaMA-Factory's system and history. What does not take turns so is left out."""
    if kind != "demonstrations" or len(row["reply"]) != 1:
        return
    messages = row["prompt"]
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    turns = messages[1:] if messages[0]["role"] == "system" else messages
    roles = [turn["role"] for turn in turns]
    if roles != [("user", "assistant")[place % 2] for place in range(len(roles))] or len(roles) % 2 == 0:
        return
    history = [[turns[at]["content"], turns[at + 1]["content"]] for at in range(0, len(turns) - 1, 2)]
    found: Row = {"instruction": turns[-1]["content"], "input": "", "output": row["reply"][0]["content"]}
    yield {**found, **({"system": system} if system else {}), **({"history": history} if history else {})}


def ranked(kind: str, row: Row) -> Iterator[Row]:
    """Whole ranked lists, ties and gaps kept."""
    if kind != "rankings":
        return
    ids = [f"r{index}" for index in range(len(row["responses"]))]
    groups: dict[int, list[str]] = {}
    for identity, one in zip(ids, row["responses"], strict=True):
        if one["rank"] is not None:
            groups.setdefault(one["rank"], []).append(identity)
    if sum(map(len, groups.values())) < 2:
        return
    yield {
        "prompt": _said(row["prompt"]),
        "responses": [
            {"id": identity, "model": _model(one), "text": one["text"], "unacceptable": one["unacceptable"]}
            for identity, one in zip(ids, row["responses"], strict=True)
        ],
        "ranking_groups": [groups[rank] for rank in sorted(groups)],
        "judge": row["labeler"],
    }


def oasst(kind: str, row: Row) -> Iterator[Row]:
    """Open-Assistant's tree: the prompt as a path, the ranked responses as siblings below its last turn."""
    if kind == "judgments":
        return
    if kind == "demonstrations":
        replies: list[Row] = [{"role": "assistant", "text": _reply(row), "replies": []}]
    else:
        places = {
            rank: place for place, rank in enumerate(sorted({one["rank"] or 0 for one in row["responses"]} - {0}))
        }
        replies = [
            {"role": "assistant", "text": one["text"], "rank": places.get(one["rank"]), "model_name": _model(one),
             "replies": []}
            for one in row["responses"]
        ]  # fmt: skip
    roles = {"user": "prompter"}
    for turn in reversed(row["prompt"]):
        replies = [{"role": roles.get(turn["role"], turn["role"]), "text": turn["content"], "replies": replies}]
    for number, message in enumerate(_walk(replies[0])):
        message["message_id"] = f"{row['id']}-{number}"
    yield {"message_tree_id": row["id"], "tree_state": "ready_for_export", "prompt": replies[0]}


def flat(kind: str, row: Row) -> Iterator[Row]:
    """One row of cells a record, for CSV. What is no single text is JSON within its cell."""
    found: Row = {"rankloop_id": row["id"], "split": row["split"]}
    if kind == "prompts":
        yield {**found, "prompt": _cell(row["messages"])}
    elif kind == "demonstrations":
        yield {**found, "prompt": _cell(row["prompt"]), "completion": _cell(row["reply"], "assistant")}
    elif kind == "judgments":
        completion = _cell([_assistant(row["text"])], "assistant")
        yield {**found, "prompt": _cell(row["prompt"]), "completion": completion, "label": row["good"]}
    else:
        for one in ranked(kind, row):
            yield {**found, **one, "prompt": _cell(row["prompt"])}


def prompts(kind: str, row: Row) -> Iterator[Row]:
    if kind == "prompts":
        yield {"prompt": _said(row["messages"])}


def own(_: str, row: Row) -> Iterator[Row]:
    yield row


Writer = Callable[[str, Row], Iterator[Row]]
# name -> the writer, and the kinds that it takes
WRITERS: dict[str, tuple[Writer, tuple[str, ...]]] = {
    "rankloop": (own, ("prompts", "demonstrations", "rankings")),
    "trl": (trl, ("demonstrations", "rankings", "judgments")),
    "trl-implicit": (trl_implicit, ("demonstrations", "rankings", "judgments")),
    "trl-standard": (trl_standard, ("demonstrations", "rankings", "judgments")),
    "hh": (hh, ("rankings",)),
    "openai": (openai, ("demonstrations", "rankings")),
    "alpaca": (alpaca, ("demonstrations",)),
    "ranked": (ranked, ("rankings",)),
    "oasst": (oasst, ("demonstrations", "rankings")),
    "prompts": (prompts, ("prompts",)),
    "csv": (flat, ("prompts", "demonstrations", "rankings", "judgments")),
    "parquet": (trl, ("demonstrations", "rankings", "judgments")),
}


def _said(messages: Messages) -> Messages:
    """Messages with their names where they have one: others' readers know no empty name."""
    return [
        {"role": one["role"], "content": one["content"], **({"name": one["name"]} if one.get("name") else {})}
        for one in messages
    ]


def _assistant(text: str) -> Row:
    return {"role": "assistant", "content": text}


def _reply(row: Row) -> str:
    return str(row["reply"][-1]["content"])


def _text(messages: Messages) -> str:
    """One turn of a person as it is; a longer conversation with HH's marks."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return str(messages[0]["content"])
    marks = {"user": "Human", "assistant": "Assistant", "system": "System", "tool": "Tool"}
    return "".join(f"\n\n{marks[one['role']]}: {one['content']}" for one in messages)


def _marked(messages: Messages) -> str:
    """The dialogue with HH's marks; empty where it has other roles or marks in its texts, which HH cannot say."""
    if any(one["role"] not in ("user", "assistant") or _has_mark(one["content"]) for one in messages):
        return ""
    return "".join(f"\n\n{'Human' if one['role'] == 'user' else 'Assistant'}: {one['content']}" for one in messages)


def _has_mark(text: str) -> bool:
    return "\n\nHuman:" in text or "\n\nAssistant:" in text


def _model(response: Row) -> str:
    return str(response["source"]).removeprefix("outside:") or "unknown"


def _cell(messages: Messages, role: str = "user") -> Any:
    """A single turn's text, unless it would be taken for JSON; else the messages."""
    if len(messages) == 1 and messages[0]["role"] == role and not messages[0].get("name"):
        text = str(messages[0]["content"])
        if text[:1] not in "[{" and text:
            return text
    return _said(messages)


def _walk(message: Row) -> Iterator[Row]:
    yield message
    for reply in message["replies"]:
        yield from _walk(reply)
