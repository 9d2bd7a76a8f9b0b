"""Rankings: best to worst, ties and marks, by response id."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from labeling.models import sql
from labeling.models.answers import Answer, RankedResponse
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.work import Kind, LabelingTask
from labeling.services import answers
from labeling.services.bodies import Body


def submit(*, token: UUID, labeler: User, plain: Any, now: datetime) -> tuple[Answer, bool]:
    return answers.submit(token=token, labeler=labeler, kind=Kind.RANKING, plain=plain, read=read, now=now)


def read(body: Body, task: LabelingTask) -> Callable[[Answer], None]:
    """Check a ranking against its rollout set and its project's rules; returns what stores it."""
    responses = response_keys(task)
    ranks = body.mapping("ranks")
    unacceptable = body.texts("unacceptable")
    marks = read_marks(body, task, responses)
    _check_ids(body, "ranks", ranks, responses)
    _check_ids(body, "unacceptable", unacceptable, responses)
    if len(set(unacceptable)) != len(unacceptable):
        body.problem("unacceptable", "names a response twice", code="duplicate_response")
    if unacceptable and not task.project.allow_unacceptable:
        body.problem("unacceptable", "is not allowed in this project", code="not_allowed")
    _check_ranks(body, ranks, unacceptable, responses, task.project)
    return storing(responses, ranks=ranks, unacceptable=set(unacceptable), marks=marks)


def storing(
    responses: dict[str, int], *, ranks: dict[str, int | None], unacceptable: set[str], marks: dict[str, dict[str, Any]]
) -> Callable[[Answer], None]:
    """One row per response of the set, whether ranked or not."""

    def store(answer: Answer) -> None:
        sql.insert_many(
            RankedResponse,
            [
                {
                    "answer_id": answer.pk,
                    "response_id": key,
                    "rank": ranks.get(id),
                    "unacceptable": id in unacceptable,
                    "likert": marks.get(id, {}).get("likert"),
                    "flags": marks.get(id, {}).get("flags", []),
                }
                for id, key in responses.items()
            ],
        )

    return store


def response_keys(task: LabelingTask) -> dict[str, int]:
    """The keys of a task's responses by their ids."""
    if task.responses is not None:
        return task.responses
    rows = sql.rows("SELECT uuid, id FROM labeling_response WHERE rollout_set_id = %s", [task.rollout_set_id])
    return {str(sql.as_uuid(uuid)): pk for uuid, pk in rows}


def read_marks(body: Body, task: LabelingTask, responses: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Likert points and flags by response id."""
    project = task.project
    marks: dict[str, dict[str, Any]] = {}
    likert = body.mapping("likert")
    _check_ids(body, "likert", likert, responses)
    if likert and not project.likert_points:
        body.problem("likert", "is not asked in this project", code="not_asked")
    for id, points in likert.items() if project.likert_points else ():
        if points is not None and body.is_whole(f"likert.{id}", points, least=1, most=project.likert_points):
            marks.setdefault(id, {})["likert"] = points
    flags = body.mapping("flags")
    _check_ids(body, "flags", flags, responses)
    for id, names in flags.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            body.problem(f"flags.{id}", "must be a list of texts", code="wrong_type")
        elif unknown := set(names) - set(project.flags):
            known = ", ".join(project.flags) or "none"
            body.problem(f"flags.{id}", f"{min(unknown)!r:.60} is not a flag here; known: {known}", code="unknown_flag")
        elif names:
            marks.setdefault(id, {})["flags"] = sorted(set(names))
    return marks


def _check_ids(body: Body, field: str, ids: Any, responses: dict[str, int]) -> None:
    foreign = [id for id in ids if id not in responses]
    if foreign:
        body.problem(field, f"{foreign[0]!r:.60} is not a response of this task", code="foreign_response")


def _check_ranks(
    body: Body, ranks: dict[str, Any], unacceptable: list[str], responses: dict[str, int], project: Project
) -> None:
    given = []
    for id, rank in ranks.items():
        if rank is not None and body.is_whole(f"ranks.{id}", rank, least=1, most=len(responses)):
            given.append(rank)
    if len(given) != sum(rank is not None for rank in ranks.values()):
        return
    places = sorted(set(given))
    if places != list(range(1, len(places) + 1)):
        body.problem("ranks", "must count from 1 without gaps; responses that tie share a rank", code="ranks_have_gaps")
    if len(places) != len(given) and not project.allow_ties:
        body.problem("ranks", "has ties, which this project does not allow", code="ties_not_allowed")
    undecided = [id for id in responses if ranks.get(id) is None and id not in unacceptable]
    if undecided and not project.allow_partial:
        body.problem("ranks", f"leaves {len(undecided)} of {len(responses)} undecided", code="incomplete")
    if not given and not unacceptable:
        body.problem("ranks", "decides nothing", code="incomplete")
