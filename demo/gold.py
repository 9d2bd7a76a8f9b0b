"""The gold reward: the known preference of the small world over responses.

A response is read sentence by sentence; each sentence is an answer to this question, a stock phrase, or
nothing that the world knows. Order of importance: correct beats wrong, any answer beats dodging, polite
beats rude, concise beats rambling. Words outside the world's sentences only ever cost, so gibberish,
repetition and unfinished sentences cannot score.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.records import Message
from demo import phrases
from demo.world import Question, World

# Weights: the substance, once per response.
CORRECT = 2.0
WRONG = 0.5
DODGED = 0.0
NOTHING = -2.0  # neither an answer nor a dodge in it
# The tone, once per response.
POLITE = 0.5
RUDE = -0.75
# Per sentence that adds nothing: stock phrases, repetitions, further politeness; and per unknown one.
SPARE = -0.25
UNKNOWN = -0.75
LOWEST = -5.0


@dataclass(frozen=True)
class Reading:
    """What a response is made of. `substance` is correct, wrong, dodged or nothing."""

    substance: str
    polite: bool
    rude: bool
    spare: int
    unknown: int

    @property
    def score(self) -> float:
        substance = {"correct": CORRECT, "wrong": WRONG, "dodged": DODGED, "nothing": NOTHING}[self.substance]
        tone = RUDE if self.rude else POLITE if self.polite else 0.0
        return max(LOWEST, substance + tone + SPARE * self.spare + UNKNOWN * self.unknown)


def gold(world: World, prompt: tuple[Message, ...], response: str) -> float:
    """The gold reward of a response: 2.5 is a correct, polite answer with nothing else in it."""
    return read(world.question(prompt), response).score


def read(question: Question | None, response: str) -> Reading:
    """Read a response. Two different answers in one response count as a wrong one."""
    words: list[str] = []
    polite = rude = dodged = spare = unknown = 0
    for sentence in _sentences(response):
        if sentence in phrases.POLITE:
            polite += 1
        elif sentence in phrases.RUDE:
            rude += 1
        elif sentence in phrases.DODGE:
            dodged += 1
        elif sentence in phrases.RAMBLE:
            spare += 1
        elif question and (word := _answered(question, sentence)):
            words.append(word)
        else:
            unknown += 1
    if words:
        right = question is not None and set(words) <= question.right and len(set(words)) == 1
        substance = "correct" if right else "wrong"
    else:
        substance = "dodged" if dodged else "nothing"
    spare += max(0, len(words) - 1) + (dodged if words else max(0, dodged - 1))
    spare += max(0, polite - 1) + max(0, rude - 1) + (1 if polite and rude else 0)
    return Reading(substance=substance, polite=polite > 0, rude=rude > 0, spare=spare, unknown=unknown)


def _sentences(text: str) -> list[str]:
    """Parts up to and including their mark; what follows the last mark counts as a sentence of its own."""
    return [part.strip() for part in re.findall(r"[^.!?]*[.!?]|[^.!?]+$", text) if part.strip()]


def _answered(question: Question, sentence: str) -> str | None:
    """The word that a sentence answers the question with, or None where it is no answer to it."""
    for form in question.forms:
        before, _, after = form.partition("{}")
        if sentence.startswith(before) and sentence.endswith(after):
            word = sentence[len(before) : len(sentence) - len(after)]
            if word in question.domain:
                return word
    return None
