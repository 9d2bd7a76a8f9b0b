"""The small world: eight people, what is true of them, and every question that can be asked.

A world is a pure function of its seed. `World.questions` maps the text of a user's turn to its question;
`World.prompts` draws the prompts of a project from them, each born into its split.
Where to read next: `texts.py` writes answers, `gold.py` judges them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.records import Message, PromptRecord
from demo import phrases

LARGEST_TERM = 7
LARGEST_NUMBER = 9
NUMBERS = tuple(str(number) for number in range(2 * LARGEST_TERM + 1))
# Share of each kind among the prompts of a project.
SHARES = {"sum": 0.3, "fact": 0.28, "compare": 0.3, "request": 0.12}
SYSTEM_SHARE = 0.4
ASKING_FOR = ("Tell me {}.", "Do you know {}?", "Please tell me {}.", "I want to know {}.")


@dataclass(frozen=True)
class Person:
    """Who lives in the world. Ages are distinct, so "older" always has one answer."""

    name: str
    age: int
    color: str
    animal: str
    food: str
    home: str


@dataclass(frozen=True)
class Question:
    """What a user asks, which words answer it, and the sentences that an answer comes in.

    `forms` are sentences with {} where one word of `domain` stands; those of `right` are true.
    """

    kind: str
    text: str
    right: frozenset[str]
    domain: tuple[str, ...]
    forms: tuple[str, ...]


class World:
    """People and questions of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.people = _people(random.Random(f"people:{seed}"))
        self.questions = {question.text: question for question in _questions(self.people)}

    def question(self, messages: tuple[Message, ...]) -> Question | None:
        """The question of a prompt's last turn, or None where it is none of this world."""
        return self.questions.get(messages[-1].content) if messages and messages[-1].role == "user" else None

    def prompts(self, *, train: int, heldout: int) -> list[PromptRecord]:
        """Distinct prompts in the shares of `SHARES`; the same kinds in the same shares in both splits."""
        rng = random.Random(f"prompts:{self.seed}")
        pools = {kind: [q for q in self.questions.values() if q.kind == kind] for kind in SHARES}
        for pool in pools.values():
            rng.shuffle(pool)
        records = []
        for split, total in (("heldout", heldout), ("train", train)):
            for kind, count in _parts(total).items():
                if count > len(pools[kind]):
                    raise ValueError(f"the world has {len(pools[kind])} more {kind} questions; {count} were asked for")
                records += [_prompt(pools[kind].pop(), split, rng) for _ in range(count)]
        rng.shuffle(records)
        return records


def _parts(total: int) -> dict[str, int]:
    """`total` in the shares of `SHARES`; what rounding leaves goes to the first kinds."""
    counts = {kind: int(total * share) for kind, share in SHARES.items()}
    for kind in list(counts)[: total - sum(counts.values())]:
        counts[kind] += 1
    return counts


def _prompt(question: Question, split: str, rng: random.Random) -> PromptRecord:
    system = [Message(role="system", content=rng.choice(phrases.SYSTEM))] if rng.random() < SYSTEM_SHARE else []
    messages = (*system, Message(role="user", content=question.text))
    return PromptRecord(id=question.text, messages=messages, split=split, meta={"kind": question.kind})


def _people(rng: random.Random) -> tuple[Person, ...]:
    ages = rng.sample(range(20, 80, 5), len(phrases.NAMES))
    return tuple(
        Person(
            name=name,
            age=age,
            color=rng.choice(phrases.COLORS),
            animal=rng.choice(phrases.ANIMALS),
            food=rng.choice(phrases.FOODS),
            home=rng.choice(phrases.HOMES),
        )
        for name, age in zip(phrases.NAMES, ages, strict=True)
    )


def _questions(people: tuple[Person, ...]) -> Iterator[Question]:
    yield from _sums()
    for person in people:
        yield from _facts(person)
    yield from _comparisons(people)
    yield from _requests()


def _sums() -> Iterator[Question]:
    for a in range(1, LARGEST_TERM + 1):
        for b in range(1, LARGEST_TERM + 1):
            forms = ("It is {}.", "The answer is {}.")
            for text in ("What is {} plus {}?", "How much is {} plus {}?", "Please add {} and {}.", "Add {} and {}."):
                yield Question("sum", text.format(a, b), frozenset({str(a + b)}), NUMBERS, forms)


def _facts(person: Person) -> Iterator[Question]:
    name = person.name
    rows = (
        (
            person.color,
            phrases.COLORS,
            ("It is {}.", "The boat is {}."),
            (f"What color is the boat of {name}?", f"Which color has the boat of {name}?"),
        ),
        (
            person.animal,
            phrases.ANIMALS,
            ("It is a {}.", "The animal is a {}."),
            (f"Which animal does {name} keep?", f"What animal lives with {name}?"),
        ),
        (
            person.food,
            phrases.FOODS,
            ("It is {}.", "The food is {}."),
            (f"What does {name} like to eat?", f"Which food does {name} like?"),
        ),
        (
            person.home,
            phrases.HOMES,
            ("It is the {}.", "The home is the {}."),
            (f"Where does {name} live?", f"In which place does {name} live?"),
        ),
    )
    topics = ("the color of the boat of", "the animal of", "the favorite food of", "the home of")
    for (right, domain, forms, texts), topic in zip(rows, topics, strict=True):
        for text in (*texts, *(text.format(f"{topic} {name}") for text in ASKING_FOR)):
            yield Question("fact", text, frozenset({right}), domain, forms)


def _comparisons(people: tuple[Person, ...]) -> Iterator[Question]:
    forms = ("It is {}.", "That would be {}.")
    numbers = range(1, LARGEST_NUMBER + 1)
    for a, b in ((a, b) for a in numbers for b in numbers if a != b):
        for text in ("Which is more, {} or {}?", "What is larger, {} or {}?"):
            yield Question("compare", text.format(a, b), frozenset({str(max(a, b))}), (str(a), str(b)), forms)
    for one, other in ((one, other) for one in people for other in people if one is not other):
        older = one if one.age > other.age else other
        names = one.name, other.name
        for text in ("Who is older, {} or {}?", "Tell me who is older, {} or {}."):
            yield Question("compare", text.format(*names), frozenset({older.name}), names, forms)


def _requests() -> Iterator[Question]:
    things = tuple(thing for members in phrases.CATEGORIES.values() for thing in members)
    asking = ("Name a {}.", "Please name a {}.", "Can you name a {}?", "Give me a {}.", "Tell me a {}.", "I need a {}.")
    for category, members in phrases.CATEGORIES.items():
        for text in asking:
            forms = ("One is the {}.", "Take the {}.")
            yield Question("request", text.format(category), frozenset(members), things, forms)
    pairs = [pair for one, other in phrases.OPPOSITES for pair in ((one, other), (other, one))]
    words = tuple(word for word, _ in pairs)
    for word, opposite in pairs:
        for text in ("What is the opposite of {}?", *(text.format("the opposite of {}") for text in ASKING_FOR)):
            forms = ("It is {}.", "The opposite is {}.")
            yield Question("request", text.format(word), frozenset({opposite}), words, forms)
