"""Score responses from the command line: JSONL in, the same rows with their scores out, in order.

Rows stream through in chunks, so memory does not grow with the file. An output file is written beside its
place and takes it when it is complete; the same command after an interruption goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from contracts.records import Message, RecordError
from contracts.run_dir import naming_a_full_disk, read_json, write_json
from contracts.snapshots import file_hash
from rewardmodel import chat
from rewardmodel.commands import add_combination
from rewardmodel.errors import RewardModelError
from rewardmodel.groups import fit

ROWS_AT_A_TIME = 64
FORM = '{"prompt": TEXT or [{"role", "content"}...], "response": TEXT} or the same with "responses": [TEXT...]'


class ScoreError(RewardModelError):
    """A row cannot be scored. Names its line, what was found, and what is expected."""


@dataclass(frozen=True)
class Row:
    """One line: the plain object, the ids of its prompt and responses, and what was done to them."""

    plain: dict[str, Any]
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]
    marks: dict[str, Any]


def score_rows(
    model: Any, lines: Iterable[str], *, micro_batch_tokens: int, max_length: int, skip: int = 0
) -> Iterator[dict[str, Any]]:
    """Each row with "score" (of its response) or "scores" (of its responses), from row `skip` on.

    An ensemble adds "uncertainty" or "uncertainties": the standard deviation between members. "truncated" is
    there where a row was cut, "unknown_tokens" where the tokenizer could not spell it.
    """
    from rewardmodel import ensemble

    unknown = chat.unknown_counter(model.tokenizer)
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    rest = islice(numbered, skip, None)
    while chunk := list(islice(rest, ROWS_AT_A_TIME)):
        rows = [_read(line, number, model.tokenizer, max_length, unknown) for number, line in chunk]
        distinct = list({(row.prompt, row.responses): None for row in rows})
        found = model.member_scores_of(
            [prompt for prompt, _ in distinct],
            [responses for _, responses in distinct],
            micro_batch_tokens=micro_batch_tokens,
        )
        members = dict(zip(distinct, found, strict=True))
        for row in rows:
            of_row = members[row.prompt, row.responses]
            result = _named(row, "score", "scores", ensemble.combine(of_row, model.combine, model.penalty).tolist())
            if len(of_row) > 1:
                result |= _named(row, "uncertainty", "uncertainties", ensemble.spread(of_row).tolist())
            yield row.plain | result | row.marks


def _named(row: Row, one: str, many: str, values: list[float]) -> dict[str, Any]:
    return {one: values[0]} if "response" in row.plain else {many: values}


def _read(line: str, number: int, tokenizer: Any, max_length: int, unknown: Callable[[Sequence[int]], int]) -> Row:
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
    marks: dict[str, Any] = {}
    if len(short) < len(ids) or any(len(a) < len(b) for a, b in zip(cut, responses, strict=True)):
        marks["truncated"] = True
    if strange := sum(map(unknown, (ids, *responses))):
        marks["unknown_tokens"] = strange
    return Row(plain, tuple(short), tuple(map(tuple, cut)), marks)


class Output:
    """The output file while it grows: `NAME.partial`, and beside it what it was made with.

    `done` rows are there already; they count only where model, options and input are still the same.
    """

    def __init__(self, target: Path, made_with: dict[str, Any]) -> None:
        self.target = target
        self._partial = target.with_name(target.name + ".partial")
        self._facts = target.with_name(target.name + ".partial.json")
        self.done = 0
        if read_json(self._facts) == made_with and self._partial.exists():
            self.done = _keep_whole_chunks(self._partial)
        else:
            self._partial.unlink(missing_ok=True)
            write_json(self._facts, made_with)

    def write(self, rows: Iterable[dict[str, Any]], on_row: Callable[[], None]) -> None:
        with naming_a_full_disk(self.target), self._partial.open("a", encoding="utf-8") as stream:
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                on_row()
            stream.flush()
            os.fsync(stream.fileno())
        self._partial.replace(self.target)
        self._facts.unlink()


def _keep_whole_chunks(path: Path) -> int:
    """Cut the file after its last whole chunk, so that the rest is batched as it would have been; count its rows."""
    rows = end = read = 0
    with path.open("r+b") as stream:
        for number, line in enumerate(stream, start=1):
            read += len(line)
            if number % ROWS_AT_A_TIME == 0 and line.endswith(b"\n"):
                rows, end = number, read
        stream.truncate(end)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.score",
        description=(
            "Score responses with a reward model. Reads JSON lines from a file or standard input, writes the same "
            "rows with a score. 0 is the average response the model was fitted on, 1 is one standard deviation "
            "better. Of an ensemble, each row also gets its uncertainty: how far the members are apart."
        ),
        epilog=f"A row is {FORM}. Interrupted, the same command with --input and --output goes on where it stopped.",
    )
    parser.add_argument("--model", required=True, type=Path, help="folder of the reward model (a run's output)")
    parser.add_argument("--input", default="-", metavar="FILE", help="JSON lines to score (default: standard input)")
    parser.add_argument("--output", default="-", metavar="FILE", help="where rows go (default: standard output)")
    add_combination(parser)
    parser.add_argument(
        "--max-length", type=int, default=1024, help="longest prompt and response, tokens (default 1024)"
    )
    parser.add_argument("--tokens", type=int, default=16_384, help="most padded tokens in one pass (default 16384)")
    options = parser.parse_args(arguments)

    from rewardmodel.commands import Bar, named_errors, quiet_transformers
    from rewardmodel.model import RewardModel, default_device

    quiet_transformers()
    with named_errors(parser):
        if options.input != "-" and not Path(options.input).is_file():
            raise ScoreError(f"found no file {options.input}, expected one of JSON lines; check its name")
        model = RewardModel.load(
            options.model, combine=options.combine, penalty=options.penalty, device=default_device()
        )
        length = min(options.max_length, model.context or options.max_length)
        output = None if options.output == "-" else Output(Path(options.output), _made_with(options, length))
        total = 0 if options.input == "-" else Path(options.input).stat().st_size
        with _open(options.input, "r") as source:
            shown = Bar()
            rows = score_rows(
                model,
                _measured(source, lambda read: shown.show("scoring", read, total, options.input)) if total else source,
                micro_batch_tokens=options.tokens,
                max_length=length,
                skip=output.done if output else 0,
            )
            if output:
                output.write(rows, lambda: None)
            else:
                with _open("-", "w") as target:
                    for row in rows:
                        target.write(json.dumps(row, ensure_ascii=False) + "\n")
    return 0


def _made_with(options: argparse.Namespace, length: int) -> dict[str, Any]:
    """What the rows of a partial output depend on. Standard input cannot be read twice, so it never resumes."""
    source = {} if options.input == "-" else {"path": str(Path(options.input).absolute())}
    if source:
        source["bytes"] = str(Path(options.input).stat().st_size)
    identity = file_hash(options.model / "manifest.json")
    again = {"model": identity, "combine": options.combine, "penalty": options.penalty, "max_length": length}
    return {**again, "input": source or os.getpid()}


def _measured(lines: Iterable[str], on_bytes: Callable[[int], None]) -> Iterator[str]:
    read = 0
    for number, line in enumerate(lines, start=1):
        read += len(line.encode())
        yield line
        if number % ROWS_AT_A_TIME == 0:
            on_bytes(read)
    on_bytes(read)


def _open(name: str, mode: str) -> IO[str]:
    if name == "-":
        descriptor = sys.stdin.fileno() if mode == "r" else sys.stdout.fileno()
        return open(descriptor, mode, encoding="utf-8", closefd=False)
    return open(name, mode, encoding="utf-8")  # noqa: PTH123 - the caller closes it


if __name__ == "__main__":
    sys.exit(main())
