"""The guards of hand-out, taken away one by one: each time the same walk must see a promise broken.

So the walk can fail, and no guard is idle. On both databases.
"""

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from django.db import IntegrityError, connection, transaction

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.work import Kind, LabelingTask, Slot
from labeling.selectors import invariants
from labeling.services import answers, claims, leases, rankings, silent
from tests.labeling.work import set_up

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@contextlib.contextmanager
def without_constraint(model, name: str) -> Iterator[None]:
    constraint = next(one for one in model._meta.constraints if one.name == name)
    with connection.schema_editor() as editor:
        editor.remove_constraint(model, constraint)
    try:
        yield
    finally:
        # What the walk left would break it.
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA defer_foreign_keys = ON")
            for table in ("rankedresponse", "qualitycheck", "answer", "lease", "slot", "labelingtask"):
                cursor.execute(f"DELETE FROM labeling_{table}")
        with connection.schema_editor() as editor:
            editor.add_constraint(model, constraint)


@contextlib.contextmanager
def changed(module: ModuleType, name: str, old: str, new: str) -> Iterator[None]:
    """A statement of the module without one of its conditions."""
    before = getattr(module, name)
    both = {"sqlite": before, "postgresql": before} if isinstance(before, str) else before
    assert all(old in statement for statement in both.values()), (name, old)
    replaced = {vendor: statement.replace(old, new) for vendor, statement in both.items()}
    setattr(module, name, replaced["sqlite"] if isinstance(before, str) else replaced)
    claims._statement.cache_clear()
    try:
        yield
    finally:
        setattr(module, name, before)
        claims._statement.cache_clear()


def walk() -> set[str]:
    """Three labelers and three tasks; returns which promises broke."""
    project = set_up(
        tasks=3, overlap=4, labelers=3, now=NOW, random_share=0.0, gold_share=0.0, repeat_share=0.0, repeat_distance=1
    )
    users = [User.objects.get(username=f"labeler{number}") for number in range(3)]
    broken: set[str] = set()

    def take(user, at=NOW, ahead=False):
        found = leases.acquire(
            project=project, guideline_id=None, labeler=user, kinds=[Kind.RANKING], now=at, ahead=ahead
        )
        return found[0] if found else None

    def rank(lease, user, at=NOW):
        body = {"idempotency_key": uuid.uuid4().hex, "ranks": {id: 1 for id in lease.order_shown}}
        try:
            return rankings.submit(token=lease.token, labeler=user, plain=body, now=at)[0]
        except errors.AlreadyAnswered:
            return None

    try:
        first = take(users[0])
        if take(users[0]).token != first.token:
            broken.add("another lease for who has one")
        held = {take(user).slot_id for user in users[1:]}
        if first.slot_id in held or len(held) < 2:
            broken.add("a live slot handed out again")
        later = NOW + timedelta(seconds=61)
        ahead = take(users[0], ahead=True)
        once_more = take(users[0], ahead=True)
        if ahead.token == first.token or once_more is None or once_more.token != ahead.token:
            broken.add("another lease ahead for who has one")
        still = take(users[0])
        if still is None or still.token != first.token:
            broken.add("another task on the screen of who has one")
        rank(first, users[0])
        if rank(first, users[0]) is not None:
            broken.add("a second answer to a task")
        again = take(users[0])
        if again is None or again.token != ahead.token:
            broken.add("what was fetched ahead does not come next")
        if again is not None and again.task_id == first.task_id:
            broken.add("a task twice to one labeler")
        if again is not None:
            rank(again, users[0])
        project.repeat_share = 1.0
        LabelingTask.objects.filter(pk=LabelingTask.objects.latest("id").pk).update(priority=0)
        more = take(users[0], later)
        if more is not None and more.task.purpose == "repeat" and more.task.repeat_of.labeler_id != users[0].pk:
            broken.add("a repeat of somebody else's")
    except IntegrityError:
        broken.add("the database refused")
    broken |= {name for name, number in invariants.violations().items() if number}
    if Slot.objects.filter(state="answered").count() > Answer.objects.filter(late=False).count():
        broken.add("more slots than answers")
    return broken


MUTATIONS = {
    "claims take slots that are held": lambda: [
        changed(
            claims, "_FITS", "s.free_at <= %s", "s.free_at IS NOT NULL AND (s.free_at <= %s OR s.free_at IS NOT NULL)"
        )
    ],
    "claims do not look at what the labeler has, nor does the database": lambda: [
        changed(claims, "_FITS", "m.labeler_id = %s", "m.labeler_id = -%s"),
        without_constraint(Slot, "slot_of_a_task_once_per_labeler"),
    ],
    "claims do not look at what the labeler has, and the database does": lambda: [
        changed(claims, "_FITS", "m.labeler_id = %s", "m.labeler_id = -%s"),
    ],
    "unfinished work is forgotten, and nothing refuses a second lease": lambda: [
        changed(claims, "_UNFINISHED", "state = 'leased'", "state = 'nothing'"),
        without_constraint(Slot, "one_lease_per_labeler_and_kind"),
    ],
    "unfinished work is forgotten, and the database refuses a second lease": lambda: [
        changed(claims, "_UNFINISHED", "state = 'leased'", "state = 'nothing'"),
    ],
    "what was fetched ahead is forgotten, and nothing refuses a second": lambda: [
        changed(claims, "_FETCHED_AHEAD", "state = 'leased'", "state = 'nothing'"),
        without_constraint(Slot, "one_lease_per_labeler_and_kind"),
        without_constraint(Slot, "one_lease_ahead_per_labeler"),
    ],
    "what was fetched ahead is forgotten, and the database refuses a second": lambda: [
        changed(claims, "_FETCHED_AHEAD", "state = 'leased'", "state = 'nothing'"),
    ],
    "what was fetched ahead comes before what is on the screen": lambda: [
        changed(claims, "_UNFINISHED", "ORDER BY ahead", "ORDER BY ahead DESC"),
    ],
    "an answer does not take its slot": lambda: [
        changed(answers, "_TAKE_OWN", "SET state = 'answered', free_at = NULL", "SET state = state"),
    ],
    "an answered slot is taken again, and nothing refuses a second answer": lambda: [
        changed(answers, "_TAKE_OWN", "AND state = 'leased'", ""),
        without_constraint(Answer, "answer_once_per_task_and_labeler"),
    ],
}


def test_the_walk_finds_nothing_where_nothing_is_taken_away(shared_database):
    assert walk() == set()


@pytest.mark.parametrize("mutation", list(MUTATIONS))
def test_without_a_guard_a_promise_is_seen_broken(mutation, shared_database):
    with contextlib.ExitStack() as stack:
        for change in MUTATIONS[mutation]():
            stack.enter_context(change)
        assert walk(), f"nobody noticed: {mutation}"


def test_repeats_of_others_are_seen(shared_database):
    from labeling.models.work import Purpose

    with changed(silent, "_REPEATABLE", "labeler_id = %s AND project_id", "labeler_id <> %s AND project_id"):
        project = set_up(tasks=3, overlap=1, labelers=2, now=NOW, random_share=0.0, gold_share=0.0, repeat_distance=1)
        one, other = User.objects.order_by("id")
        for _ in range(2):
            lease, _ = leases.acquire(project=project, guideline_id=None, labeler=one, kinds=[Kind.RANKING], now=NOW)
            body = {"idempotency_key": uuid.uuid4().hex, "ranks": {id: 1 for id in lease.order_shown}}
            rankings.submit(token=lease.token, labeler=one, plain=body, now=NOW)
        project.repeat_share = 1.0
        lease, _ = leases.acquire(project=project, guideline_id=None, labeler=other, kinds=[Kind.RANKING], now=NOW)
        assert lease.task.purpose == Purpose.REPEAT
        assert invariants.violations()["repeats_of_somebody_elses_answer"] == 1
