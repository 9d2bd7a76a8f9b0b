"""Blind comparisons of two policies. A comparison is stored as a ranking of two."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.work import Kind, LabelingTask
from labeling.services import answers, rankings
from labeling.services.bodies import Body

TIE = "tie"
BOTH_BAD = "both_bad"


def submit(*, token: UUID, labeler: User, plain: Any, now: datetime) -> tuple[Answer, bool]:
    return answers.submit(token=token, labeler=labeler, kind=Kind.COMPARISON, plain=plain, read=read, now=now)


def read(body: Body, task: LabelingTask) -> Callable[[Answer], None]:
    responses = rankings.response_keys(task)
    choice = body.text("choice", most=40, required=True)
    marks = rankings.read_marks(body, task, responses)
    if choice and choice not in (TIE, BOTH_BAD, *responses):
        body.problem("choice", "must be one of the two responses, tie or both_bad", code="foreign_response")
    ranks: dict[str, int | None] = {id: 1 if choice in (id, TIE, BOTH_BAD) else 2 for id in responses}
    return rankings.storing(
        responses, ranks=ranks, unacceptable=set(responses) if choice == BOTH_BAD else set(), marks=marks
    )
