"""What people of the small world write: answers in every style, demonstrations, and a corpus to read.

The corpus holds conversations in ChatML marks and plain sentences. No conversation of it asks what a
held-out prompt asks; the facts behind a held-out prompt are in it, in other words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from demo import phrases
from demo.world import LARGEST_TERM, Question, World

DOCUMENTS = 18_000
PLAIN_SHARE = 0.2  # of the documents: sentences without a conversation
SYSTEM_SHARE = 0.3  # of the conversations


@dataclass(frozen=True)
class Style:
    """How somebody answers: chances, each between 0 and 1. Tone is polite, rude or, for the rest, neutral."""

    right: float
    dodge: float
    ramble: float
    polite: float
    rude: float


# The corpus holds all styles, so that the base model can speak each of them.
CORPUS_STYLE = Style(right=0.97, dodge=0.15, ramble=0.3, polite=0.35, rude=0.25)


def answer(question: Question, style: Style, rng: random.Random) -> str:
    """One reply to a question, in the given style."""
    if rng.random() < style.dodge:
        core = rng.choice(phrases.DODGE)
    else:
        right = sorted(question.right)
        wrong = [word for word in question.domain if word not in question.right]
        word = rng.choice(right if rng.random() < style.right or not wrong else wrong)
        core = rng.choice(question.forms).format(word)
    before, after = [], []
    if rng.random() < style.ramble:
        before = rng.sample(phrases.RAMBLE, rng.choice((0, 1, 1, 2)))
        after = [rng.choice([text for text in phrases.RAMBLE if text not in before])] if rng.random() < 0.5 else []
    tone = rng.random()
    if tone < style.polite:
        _place(phrases.POLITE_BEFORE, phrases.POLITE_AFTER, before, after, rng)
    elif tone < style.polite + style.rude:
        _place(phrases.RUDE_BEFORE, phrases.RUDE_AFTER, before, after, rng)
    return " ".join([*before, core, *after])


def corpus(world: World, *, heldout: Iterable[str], documents: int = DOCUMENTS) -> str:
    """Documents with a blank line between them. `heldout` are user turns that must not appear in it."""
    rng = random.Random(f"corpus:{world.seed}")
    kept_out = set(heldout)
    kinds: dict[str, list[Question]] = {}
    for question in world.questions.values():
        if question.text not in kept_out:
            kinds.setdefault(question.kind, []).append(question)
    names = tuple(kinds)
    plain = _plain(world, rng)
    blocks = []
    for _ in range(documents):
        if rng.random() < PLAIN_SHARE:
            blocks.append(" ".join(next(plain) for _ in range(rng.randint(3, 6))))
        else:
            blocks.append(_conversation(rng.choice(kinds[rng.choice(names)]), rng))
    return "\n\n".join(blocks) + "\n"


def _place(
    early: tuple[str, ...], late: tuple[str, ...], before: list[str], after: list[str], rng: random.Random
) -> None:
    if rng.random() < 0.5:
        before.insert(0, rng.choice(early))
    else:
        after.append(rng.choice(late))


def _conversation(question: Question, rng: random.Random) -> str:
    turns = [("user", question.text), ("assistant", answer(question, CORPUS_STYLE, rng))]
    if rng.random() < SYSTEM_SHARE:
        turns.insert(0, ("system", rng.choice(phrases.SYSTEM)))
    return "\n".join(f"<|im_start|>{role}\n{content}<|im_end|>" for role, content in turns)


def _plain(world: World, rng: random.Random) -> Iterator[str]:
    """True sentences without end. Sums, facts, ages and categories in turn."""
    while True:
        a, b = rng.randint(1, LARGEST_TERM), rng.randint(1, LARGEST_TERM)
        yield f"{a} plus {b} is {a + b}."
        person = rng.choice(world.people)
        yield rng.choice(
            (
                f"The boat of {person.name} is {person.color}.",
                f"{person.name} keeps a {person.animal}.",
                f"{person.name} likes {person.food}.",
                f"{person.name} lives at the {person.home}.",
            )
        )
        one, other = rng.sample(world.people, 2)
        older, younger = (one, other) if one.age > other.age else (other, one)
        yield f"{older.name} is older than {younger.name}."
        category = rng.choice(tuple(phrases.CATEGORIES))
        yield f"The {rng.choice(phrases.CATEGORIES[category])} is a {category}."
        word, opposite = rng.choice(phrases.OPPOSITES)
        yield f"The opposite of {word} is {opposite}."
