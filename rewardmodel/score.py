"""Score responses from the command line: JSONL in, the same rows with their scores out, in order.

Rows stream through in chunks, so memory does not grow with the file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from contracts.records import Message, RecordError
from rewardmodel import chat
from rewardmodel.errors import RewardModelError
from rewardmodel.groups import fit

ROWS_AT_A_TIME = 64
FORM = '{"prompt": TEXT or [{"role", "content"}...], "response": TEXT} or the same with "responses": [TEXT...]'


class ScoreError(RewardModelError):
    """A row cannot be scored. Names its line, what was found, and what is expected."""


@dataclass(frozen=True)
class Row:
    """One line: the plain object, and the ids of its prompt and responses."""

    plain: dict[str, Any]
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]


def score_rows(
    model: Any, lines: Iterable[str], *, micro_batch_tokens: int, max_length: int
) -> Iterator[dict[str, Any]]:
    """Each row with "score" (of its response) or "scores" (of its responses), and "truncated" where one was cut."""
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    while chunk := list(islice(numbered, ROWS_AT_A_TIME)):
        rows = [_read(line, number, model.tokenizer, max_length) for number, line in chunk]
        distinct = list({(row.prompt, row.responses): None for row, _ in rows})
        found = model.score_responses(
            [prompt for prompt, _ in distinct],
            [responses for _, responses in distinct],
            micro_batch_tokens=micro_batch_tokens,
        )
        scores = dict(zip(distinct, found, strict=True))
        for row, cut in rows:
            made = scores[row.prompt, row.responses]
            result = {"score": made[0]} if "response" in row.plain else {"scores": made}
            yield row.plain | result | ({"truncated": True} if cut else {})


def _read(line: str, number: int, tokenizer: Any, max_length: int) -> tuple[Row, bool]:
    try:
        plain = json.loads(line)
        prompt = plain["prompt"]
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        messages = [Message.from_json(turn) for turn in turns]
        replies = [plain["response"]] if "response" in plain else plain["responses"]
        texts = [reply if isinstance(reply, str) else reply["text"] for reply in replies]
    except (json.JSONDecodeError, RecordError, KeyError, TypeError) as error:
        raise ScoreError(
            f"line {number}: found {line.strip()[:80]!r} ({error!r}), expected {FORM}; mend the row"
        ) from error
    if not messages or not texts:
        raise ScoreError(f"line {number}: found no message or no response, expected one or more; mend the row")
    ids = chat.encode_prompt(tokenizer, messages)
    responses = [chat.encode_reply(tokenizer, text) for text in texts]
    short, cut = fit(ids, responses, max_length)
    changed = len(short) < len(ids) or any(len(a) < len(b) for a, b in zip(cut, responses, strict=True))
    return Row(plain, tuple(short), tuple(map(tuple, cut))), changed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.score",
        description=(
            "Score responses with a reward model. Reads JSON lines from a file or standard input, writes the same "
            "rows with a score. 0 is the average response the model was fitted on, 1 is one standard deviation better."
        ),
        epilog=f"A row is {FORM}.",
    )
    parser.add_argument("--model", required=True, help="folder of the reward model (a run's output)")
    parser.add_argument("--input", default="-", metavar="FILE", help="JSON lines to score (default: standard input)")
    parser.add_argument("--output", default="-", metavar="FILE", help="where rows go (default: standard output)")
    parser.add_argument("--combine", default="", help="for an ensemble: mean, min, or uncertainty (mean - variance)")
    parser.add_argument(
        "--max-length", type=int, default=1024, help="longest prompt and response, tokens (default 1024)"
    )
    parser.add_argument("--tokens", type=int, default=16_384, help="most padded tokens in one pass (default 16384)")
    options = parser.parse_args(arguments)

    from rewardmodel.commands import named_errors, quiet_transformers
    from rewardmodel.model import RewardModel, default_device

    quiet_transformers()
    with named_errors(parser):
        model = RewardModel.load(options.model, combine=options.combine, device=default_device())
        length = min(options.max_length, model.context or options.max_length)
        with _open(options.input, "r") as source, _open(options.output, "w") as target:
            rows = score_rows(model, source, micro_batch_tokens=options.tokens, max_length=length)
            for done, row in enumerate(rows, start=1):
                target.write(json.dumps(row, ensure_ascii=False) + "\n")
                if sys.stderr.isatty() and done % ROWS_AT_A_TIME == 0:
                    sys.stderr.write(f"\r{done} rows")
    return 0


def _open(name: str, mode: str) -> IO[str]:
    if name == "-":
        descriptor = sys.stdin.fileno() if mode == "r" else sys.stdout.fileno()
        return open(descriptor, mode, encoding="utf-8", closefd=False)
    return open(name, mode, encoding="utf-8")  # noqa: PTH123 - the caller closes it


if __name__ == "__main__":
    sys.exit(main())
