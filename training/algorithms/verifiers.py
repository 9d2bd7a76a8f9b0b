"""Verifiers: rewards that a program can check, by name, so that a run's config can name them.

Each is `(prompt_text, reply_text, meta) -> float`, 1.0 for a right reply and 0.0 for a wrong one; `meta` is the
prompt's own and says what is right. `named` finds one, `problem` says what a prompt's meta lacks for it.
Python replies run in `sandbox.py`. A new verifier: a function here, a row in `VERIFIERS`, its name in
`contracts.configs.VERIFIERS`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

from training.algorithms import sandbox

Verifier = Callable[[str, str, dict[str, Any]], float]

# What announces a final answer; the last one in a reply counts.
MARKERS = re.compile(r"####|\\boxed\{|\b(?:final )?answer(?: is|:)", re.IGNORECASE)
NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|\d)(?:e[-+]?\d+)?(?:\s*/\s*\d+)?", re.IGNORECASE)
CODE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
ROUNDING = 1e-9  # relative: what decimal fractions lose in binary


class VerifierError(ValueError):
    """There is no such verifier, or a prompt's meta does not say what is right."""


def named(name: str) -> Verifier:
    if name not in VERIFIERS:
        raise VerifierError(f"there is no verifier {name!r}; choose one of {', '.join(VERIFIERS)}")
    return VERIFIERS[name][0]


def problem(name: str, meta: dict[str, Any]) -> str:
    """What keeps the named verifier from judging replies to a prompt of this meta; empty where nothing does."""
    named(name)
    key = VERIFIERS[name][1]
    if meta.get(key) in (None, "", []):
        return f"its meta has no {key!r}"
    try:
        VERIFIERS[name][2](meta[key])
    except (ValueError, TypeError, OverflowError, SyntaxError, re.error) as error:
        return f"its meta.{key} cannot be used: {error}"
    return ""


def judge(name: str, rows: Sequence[tuple[str, str, dict[str, Any]]]) -> list[float]:
    """The named verifier on many (prompt_text, reply_text, meta) rows; replies of Python run side by side."""
    verify = named(name)
    if name != "python":
        return [verify(*row) for row in rows]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda row: verify(*row), rows))


def exact(prompt_text: str, reply_text: str, meta: dict[str, Any]) -> float:  # noqa: ARG001  a verifier's signature
    """The reply, or what follows its last answer marker, is `meta.answer` or one of that list.

    White space, letter case and a full stop at the end do not count; `meta.case_sensitive` makes case count.
    """
    _require("exact", meta)
    case = bool(meta.get("case_sensitive", False))
    allowed = {_plain(answer, case=case) for answer in _answers(meta["answer"])}
    return float(bool(allowed & {_plain(reply_text, case=case), _plain(marked(reply_text), case=case)}))


def numeric(prompt_text: str, reply_text: str, meta: dict[str, Any]) -> float:  # noqa: ARG001
    """The number after the reply's last answer marker, or else its last number, equals `meta.answer`.

    `meta.tolerance` is the largest absolute difference, `meta.relative_tolerance` the largest share of the answer;
    both are 0 by default, and rounding in the last binary digits is always allowed.
    """
    _require("numeric", meta)
    found = last_number(reply_text)
    if found is None:
        return 0.0
    right = to_number(meta["answer"])
    relative = max(ROUNDING, float(meta.get("relative_tolerance", 0.0)))
    allowed = max(float(meta.get("tolerance", 0.0)), relative * abs(right))
    return float(abs(found - right) <= allowed)


def regex(prompt_text: str, reply_text: str, meta: dict[str, Any]) -> float:  # noqa: ARG001
    """`meta.pattern` (Python's `re`, multi-line, dot matches line ends) is found in the reply."""
    _require("regex", meta)
    return float(re.search(meta["pattern"], reply_text, re.MULTILINE | re.DOTALL) is not None)


def python(prompt_text: str, reply_text: str, meta: dict[str, Any]) -> float:  # noqa: ARG001
    """The reply's last fenced code block, or the whole reply, runs and then passes every one of `meta.tests`.

    A test is Python source that raises where the reply is wrong, usually `assert f(2) == 4`. `meta.seconds`
    replaces the CPU limit.
    """
    _require("python", meta)
    limits = sandbox.Limits(cpu_seconds=int(meta.get("seconds", sandbox.Limits.cpu_seconds)))
    return float(sandbox.run(code_of(reply_text), _answers(meta["tests"]), limits=limits).passed)


# Name -> the verifier, the key of meta that it cannot do without, and what raises where that key's value is no good.
VERIFIERS: dict[str, tuple[Verifier, str, Callable[[Any], Any]]] = {
    "exact": (exact, "answer", lambda value: _answers(value)),
    "numeric": (numeric, "answer", lambda value: to_number(value)),
    "regex": (regex, "pattern", re.compile),
    "python": (python, "tests", lambda value: [compile(test, "test", "exec") for test in _answers(value)]),
}


def marked(text: str) -> str:
    """What follows the last answer marker, up to the line's end or the closing brace of a box; else all of it."""
    found = list(MARKERS.finditer(text))
    if not found:
        return text
    rest = text[found[-1].end() :].lstrip()
    end = rest.find("}") if found[-1].group().endswith("{") else rest.find("\n")
    return rest if end < 0 else rest[:end]


def last_number(text: str) -> float | None:
    """The number that a reply answers with: the first after its last marker, or the last one of all."""
    if MARKERS.search(text):
        after = NUMBER.search(marked(text))
        if after:
            return to_number(after.group())
    found = NUMBER.findall(text)
    return to_number(found[-1]) if found else None


def to_number(value: Any) -> float:
    """A number, or its text: 1,234.5 · -3 · 2e5 · 3/4 · $7 · 50%. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a number, found {value!r}")
    if isinstance(value, int | float):
        number = float(value)
    else:
        plain = value.strip().lstrip("$€£").rstrip("%").replace(",", "").replace(" ", "")
        top, slash, bottom = plain.partition("/")
        if slash and not Fraction(bottom):
            return math.inf
        number = float(Fraction(top) / Fraction(bottom)) if slash else float(plain)
    if math.isnan(number):
        raise ValueError("expected a number, found NaN")
    return number


def code_of(reply: str) -> str:
    blocks = CODE.findall(reply)
    return str(blocks[-1]) if blocks else reply


def _answers(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values or not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in values):
        raise ValueError(f"expected text or a list of texts, found {value!r}")
    return [str(one) for one in values]


def _plain(text: str, *, case: bool) -> str:
    plain = " ".join(text.split()).removesuffix(".").strip()
    return plain if case else plain.casefold()


def _require(name: str, meta: dict[str, Any]) -> None:
    if found := problem(name, meta):
        raise VerifierError(f"the verifier {name} cannot judge a reply to this prompt: {found}")
