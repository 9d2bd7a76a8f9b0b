"""Demonstrations: a labeler's own ideal reply, or several turns that end in one."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from labeling import errors
from labeling.models.answers import Answer, Demonstration
from labeling.models.people import User
from labeling.models.work import Kind, LabelingTask
from labeling.services import answers, bodies
from labeling.services.bodies import Body

MOST = 50_000  # characters a message
TURNS = ("user", "assistant", "tool")


def submit(*, token: UUID, labeler: User, plain: Any, now: datetime) -> tuple[Answer, bool]:
    return answers.submit(token=token, labeler=labeler, kind=Kind.DEMONSTRATION, plain=plain, read=read, now=now)


def read(body: Body, task: LabelingTask) -> Callable[[Answer], None]:
    """`text` is one assistant message; `messages` are several turns, the last of them an assistant's."""
    confirmed = body.truth("confirm_same_as_draft")
    if body.has("messages"):
        reply = bodies.messages(body, "messages", body.take("messages"), most=MOST, roles=TURNS)
        if body.has("text"):
            body.problem("text", "cannot come together with messages", code="conflicting_fields")
        if reply and reply[-1]["role"] != "assistant":
            body.problem("messages", "must end with the assistant's reply", code="bad_role")
    else:
        text = body.text("text", most=MOST, required=True)
        reply = [{"role": "assistant", "content": text, "name": ""}]
    if reply and not reply[-1]["content"].strip():
        body.problem("messages" if len(reply) > 1 else "text", "is empty", code="missing")
    draft = task.policy_draft
    if draft is not None and reply and len(reply) == 1 and reply[0]["content"] == draft and not confirmed:
        body.finish()
        raise errors.UnconfirmedDraft(fields={"confirm_same_as_draft": "must be true to submit the draft unchanged"})

    def store(answer: Answer) -> None:
        Demonstration.objects.create(
            answer=answer,
            reply=reply,
            policy_draft=draft,
            edit_distance=None if draft is None else edit_distance(draft, reply[-1]["content"]),
        )

    return store


def edit_distance(first: str, second: str) -> int:
    """Levenshtein distance in characters, by Hyyrö's bit vectors: one step per character of `second`.

    H. Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances" (2003), fig. 1.
    """
    if not first:
        return len(second)
    everywhere = (1 << len(first)) - 1
    last = 1 << (len(first) - 1)
    places: dict[str, int] = {}
    for index, letter in enumerate(first):
        places[letter] = places.get(letter, 0) | 1 << index
    up, down, distance = everywhere, 0, len(first)
    for letter in second:
        match = places.get(letter, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        right_up = down | (everywhere & ~(diagonal | up))
        right_down = up & diagonal
        if right_up & last:
            distance += 1
        elif right_down & last:
            distance -= 1
        right_up = (right_up << 1 | 1) & everywhere
        right_down = (right_down << 1) & everywhere
        up = right_down | (everywhere & ~(diagonal | right_up))
        down = right_up & diagonal
    return distance
