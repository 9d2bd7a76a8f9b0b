"""Word problems with whole numbers: what is asked, how it is solved step by step, and how people slip.

Problems are a pure function of a seed. No numbers of a held-out problem occur together in a training problem, a
demonstration or the corpus. The right answer travels in a prompt's meta; only a verifier reads it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.records import Message, PromptRecord

NAMES = ("Emily", "Tom", "Ana", "Ben", "Lena", "Oskar", "Rosa", "Hugo")
# One and several.
THINGS = (
    ("an apple", "apples"),
    ("an orange", "oranges"),
    ("a pear", "pears"),
    ("a plum", "plums"),
    ("a lemon", "lemons"),
    ("a melon", "melons"),
)
MOST_BOUGHT, HIGHEST_PRICE, MOST_LEFT = 4, 5, 9
KINDS = ("price", "total", "change")
MARK = "Answer:"
SLIPS = (-3, -2, -1, 1, 2, 3)
RAMBLE = ("Let me think about it.", "We go step by step.", "This is about prices.", "I read it once more.")
NOTICED = "Wait, that is wrong."


@dataclass(frozen=True)
class Style:
    """How somebody solves: chances, each between 0 and 1. A slip that is noticed is corrected at once."""

    slip: float
    notice: float
    ramble: float


# The corpus shows all of it, so that the base model can do each; people in a hurry slip more often.
CORPUS_STYLE = Style(slip=0.12, notice=0.5, ramble=0.4)
PEOPLE_STYLE = Style(slip=0.5, notice=0.35, ramble=0.5)


@dataclass(frozen=True)
class Step:
    """A computation and the words before it. An operand below 0 is an earlier step's result: ~0 the first one's."""

    words: str
    left: int
    operator: str
    right: int


@dataclass(frozen=True)
class Problem:
    """The last step's result is the answer."""

    kind: str
    text: str
    numbers: tuple[int, ...]
    steps: tuple[Step, ...]
    answer: int


class WordProblems:
    """All problems of one seed, each born into its split."""

    def __init__(self, seed: int, *, train: int, heldout: int) -> None:
        self.seed = seed
        rng = random.Random(f"problems:{seed}")
        numbers = [(kind, *one) for kind in KINDS for one in _numbers(kind)]
        rng.shuffle(numbers)
        self._heldout = set(numbers[: len(numbers) // 5])
        self.problems: dict[str, Problem] = {}
        self.prompts: list[PromptRecord] = []
        for split, count in (("heldout", heldout), ("train", train)):
            pool = [one for one in numbers if (one in self._heldout) == (split == "heldout")]
            while count:
                problem = _problem(rng.choice(pool), rng)
                if problem.text in self.problems:
                    continue
                self.problems[problem.text] = problem
                self.prompts.append(_prompt(problem, split))
                count -= 1

    def demonstration(self, prompt: tuple[Message, ...], rng: random.Random) -> str:
        """What a person writes as a solution, slips and all. Raises `ValueError` for another prompt."""
        problem = self.problems.get(prompt[-1].content)
        if problem is None:
            raise ValueError(f"not one of these problems: {prompt[-1].content!r}")
        return solve(problem, PEOPLE_STYLE, rng)

    def corpus(self, documents: int) -> str:
        """Sums in plain sentences and solved problems in turn, with a blank line between them."""
        rng = random.Random(f"problem corpus:{self.seed}")
        pool = [(kind, *one) for kind in KINDS for one in _numbers(kind)]
        pool = [one for one in pool if one not in self._heldout]
        blocks = []
        for number in range(documents):
            if number % 3 == 0:
                blocks.append(" ".join(_fact(rng) for _ in range(12)))
                continue
            problem = _problem(rng.choice(pool), rng)
            turns = (("user", problem.text), ("assistant", solve(problem, CORPUS_STYLE, rng)))
            blocks.append("\n".join(f"<|im_start|>{role}\n{text}<|im_end|>" for role, text in turns))
        return "\n\n".join(blocks) + "\n"


def solve(problem: Problem, style: Style, rng: random.Random) -> str:
    """A solution step by step. A slip that nobody notices is carried on to the answer."""
    sentences = []
    if rng.random() < style.ramble:
        sentences += rng.sample(RAMBLE, rng.choice((1, 2)))
    results: list[int] = []
    for step in problem.steps:
        left, right = (results[~one] if one < 0 else one for one in (step.left, step.right))
        sum_ = f"{step.words}{left} {step.operator} {right} ="
        result = compute(left, step.operator, right)
        if rng.random() < style.slip:
            slipped = max(0, result + rng.choice(SLIPS))
            if rng.random() < style.notice:
                sentences += [f"{sum_} {slipped}.", NOTICED]
            else:
                result = slipped
        sentences.append(f"{sum_} {result}.")
        results.append(result)
    return " ".join([*sentences, f"{MARK} {results[-1]}"])


def compute(left: int, operator: str, right: int) -> int:
    if operator == "/":
        return left // right if right else 0
    return {"+": left + right, "-": left - right, "x": left * right}[operator]


def corrections(text: str) -> int:
    """How often a solution takes something back."""
    return text.count(NOTICED)


def _numbers(kind: str) -> Iterator[tuple[int, ...]]:
    """(bought a, bought b, price of a, price of b) or, for change, (bought, price, change)."""
    counts, prices = range(2, MOST_BOUGHT + 1), range(1, HIGHEST_PRICE + 1)
    if kind == "change":
        yield from ((n, p, left) for n in counts for p in prices for left in range(1, MOST_LEFT + 1))
    else:
        yield from ((n, m, p, q) for n in counts for m in counts for p in prices for q in prices)


def _problem(chosen: tuple, rng: random.Random) -> Problem:
    kind, *numbers = chosen
    name = rng.choice(NAMES)
    (one, many), (other, others) = rng.sample(THINGS, 2)
    if kind == "change":
        n, p, left = numbers
        text = f"{name} has ${n * p + left} and buys {n} {many}. Each {_bare(one)} costs ${p}. How much money is left?"
        cost, rest = Step("The cost is ", n, "x", p), Step("That leaves ", n * p + left, "-", ~0)
        return Problem(kind, text, tuple(numbers), (cost, rest), left)
    n, m, p, q = numbers
    total = n * p + m * q
    second = Step(f"The {others} cost ", m, "x", q)
    bought = f"{name} buys {n} {many} and {m} {others}."
    if kind == "total":
        text = f"{bought} Each {_bare(one)} costs ${p} and each {_bare(other)} costs ${q}. What is the total?"
        steps = (Step(f"The {many} cost ", n, "x", p), second, Step("All cost ", ~0, "+", ~1))
        return Problem(kind, text, tuple(numbers), steps, total)
    text = f"{bought} Each {_bare(other)} costs ${q}. The total is ${total}. What does {one} cost?"
    steps = (second, Step(f"The {many} cost ", total, "-", ~0), Step("One costs ", ~1, "/", n))
    return Problem(kind, text, tuple(numbers), steps, p)


def _bare(one: str) -> str:
    return one.partition(" ")[2]


def _fact(rng: random.Random) -> str:
    n, p = rng.randint(2, MOST_BOUGHT), rng.randint(1, HIGHEST_PRICE)
    q = rng.choice((rng.randint(1, MOST_LEFT), rng.randint(2, MOST_BOUGHT) * rng.randint(1, HIGHEST_PRICE)))
    return rng.choice(
        (
            f"{n} x {p} = {n * p}.",
            f"{n * p} / {n} = {p}.",
            f"{q} + {n * p} = {q + n * p}.",
            f"{q + n * p} - {n * p} = {q}.",
        )
    )


def _prompt(problem: Problem, split: str) -> PromptRecord:
    messages = (Message(role="user", content=problem.text),)
    meta = {"kind": problem.kind, "answer": problem.answer}
    return PromptRecord(id=problem.text, messages=messages, split=split, meta=meta)
