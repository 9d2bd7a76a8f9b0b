"""The task after the one on the screen, fetched ahead: kept for its labeler, begun when it is shown, given back."""

import datetime
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from labeling import errors
from labeling.models.people import Membership
from labeling.models.work import Kind, LabelingTask, Lease, Slot
from labeling.selectors import invariants
from labeling.services import leases, quality, rankings, tasks
from tests.labeling.work import rank

LEASE = datetime.timedelta(seconds=1200)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def promises(db):
    yield
    assert not any(invariants.violations().values()), invariants.violations()


@pytest.fixture
def take(project, now):
    def take(user, *, at=None, kinds=(Kind.RANKING,), ahead=False, paused=False):
        found = leases.acquire(
            project=project, guideline_id=None, labeler=user, kinds=kinds, now=at or now, ahead=ahead, paused=paused
        )
        return found[0] if found else None

    return take


def answer(lease, user, at):
    body = {"idempotency_key": uuid.uuid4().hex, "ranks": {id: 1 for id in lease.order_shown}}
    return rankings.submit(token=lease.token, labeler=user, plain=body, now=at)[0]


def test_the_task_fetched_ahead_comes_next_and_its_time_begins_then(publish, take, alice, now):
    publish(4)
    shown, ahead = take(alice), take(alice, ahead=True)
    assert ahead.task_id != shown.task_id
    assert take(alice, ahead=True).token == ahead.token
    assert take(alice).token == shown.token
    assert Lease.objects.get(pk=ahead.pk).begun_at is None
    answer(shown, alice, now)
    later = now + MINUTE
    begun = take(alice, at=later)
    assert begun.token == ahead.token
    assert (begun.created_at, begun.begun_at) == (now, later)
    slot = Slot.objects.get(pk=begun.slot_id)
    assert not slot.ahead and slot.free_at == later + LEASE
    assert take(alice, at=later + MINUTE).begun_at == later
    assert take(alice, ahead=True).token not in (shown.token, ahead.token)


def test_a_task_fetched_ahead_is_nobody_elses_until_it_expires(publish, take, alice, bob, now):
    publish(3)
    shown, ahead = take(alice), take(alice, ahead=True)
    third = take(bob)
    assert third.slot_id not in (shown.slot_id, ahead.slot_id)
    answer(third, bob, now)
    assert take(bob) is None
    assert take(bob, at=now + LEASE).slot_id in (shown.slot_id, ahead.slot_id)


def test_the_last_that_waits_is_left_to_who_has_nothing(publish, take, alice, bob, now):
    publish(2)
    shown = take(alice)
    assert take(alice, ahead=True) is None
    last = take(bob)
    assert last.slot_id != shown.slot_id
    answer(last, bob, now)
    assert take(alice).token == shown.token


def test_expired_and_taken_it_is_replaced_and_no_work_is_lost(publish, take, alice, bob, now):
    publish(3)
    shown, ahead = take(alice), take(alice, ahead=True)
    leases.renew(token=shown.token, labeler=alice, now=now + LEASE / 2)
    assert take(bob, at=now + LEASE).slot_id == ahead.slot_id
    assert not answer(shown, alice, now + LEASE).late
    assert take(alice, at=now + LEASE).token != ahead.token


def test_given_back_it_goes_to_others_at_once(publish, take, alice, bob, now):
    publish(3)
    shown, ahead = take(alice), take(alice, ahead=True)
    assert leases.give_back(token=ahead.token, labeler=alice, now=now)
    assert not leases.give_back(token=ahead.token, labeler=alice, now=now)
    assert not leases.give_back(token=shown.token, labeler=alice, now=now)
    assert take(bob).slot_id == ahead.slot_id
    assert take(alice).token == shown.token


def test_an_old_token_gives_nothing_newer_back(publish, take, alice, now):
    publish(3)
    take(alice)
    old = take(alice, ahead=True)
    leases.give_back(token=old.token, labeler=alice, now=now)
    newer = take(alice, ahead=True)
    assert not leases.give_back(token=old.token, labeler=alice, now=now)
    assert take(alice, ahead=True).token == newer.token


def test_nobody_gives_back_what_is_anothers(publish, take, alice, bob, now):
    publish(3)
    take(alice)
    ahead = take(alice, ahead=True)
    with pytest.raises(errors.LeaseOfAnother):
        leases.give_back(token=ahead.token, labeler=bob, now=now)
    with pytest.raises(errors.LeaseUnknown):
        leases.give_back(token=uuid.uuid4(), labeler=bob, now=now)


def test_an_answer_to_a_task_whose_beginning_got_lost_counts(publish, take, alice, now):
    publish(3)
    take(alice)
    ahead = take(alice, ahead=True)
    assert not answer(ahead, alice, now + 2 * LEASE).late
    assert take(alice, ahead=True) is None


def test_one_task_is_fetched_ahead_whatever_its_kind(project, publish, take, prompt, alice, now):
    publish(3)
    tasks.open_demonstrations(project=project, prompts=[prompt("What is mud?"), prompt("What is rain?")], now=now)
    take(alice)
    ahead = take(alice, ahead=True)
    assert take(alice, kinds=[Kind.DEMONSTRATION], ahead=True) is None
    assert take(alice, kinds=[Kind.DEMONSTRATION]) is not None
    assert take(alice, kinds=list(Kind), ahead=True).token == ahead.token


def test_who_is_paused_finishes_what_is_on_the_screen_and_no_more(
    project, publish, take, member, ada, now, django_capture_on_commit_callbacks
):
    publish(3)
    eve = member("eve", "labeler")
    shown, ahead = take(eve), take(eve, ahead=True)
    with django_capture_on_commit_callbacks(execute=True):
        quality.pause(member=Membership.objects.get(user=eve), by=ada, reason="", now=now)
    assert Slot.objects.get(pk=ahead.slot_id).state == Slot.State.OPEN
    assert take(eve, paused=True).token == shown.token
    with pytest.raises(errors.Paused):
        take(eve, paused=True, ahead=True)
    answer(shown, eve, now)
    with pytest.raises(errors.Paused):
        take(eve, paused=True)


def test_a_pause_that_came_before_its_slot_was_free_begins_nothing(publish, take, alice, now):
    publish(3)
    shown, _ = take(alice), take(alice, ahead=True)
    answer(shown, alice, now)
    with pytest.raises(errors.Paused):
        take(alice, paused=True)


def test_a_withdrawn_task_is_not_begun(publish, take, alice, now):
    publish(3)
    shown, ahead = take(alice), take(alice, ahead=True)
    tasks.withdraw(tasks=LabelingTask.objects.filter(pk=ahead.task_id), state=LabelingTask.State.CLOSED)
    answer(shown, alice, now)
    assert take(alice).task_id not in (shown.task_id, ahead.task_id)


def test_the_database_refuses_a_second_task_ahead(project, publish, take, prompt, alice, now):
    publish(3)
    tasks.open_demonstrations(project=project, prompts=[prompt("What is mud?")], now=now)
    take(alice)
    take(alice, ahead=True)
    free = Slot.objects.filter(state=Slot.State.OPEN)
    for kind, name in ((Kind.RANKING, "one_lease_per_labeler_and_kind"), (Kind.DEMONSTRATION, "one_lease_ahead")):
        slot = free.filter(kind=kind).first()
        with pytest.raises(IntegrityError, match=rf"labeler_id|{name}"), transaction.atomic():
            Slot.objects.filter(pk=slot.pk).update(
                state=Slot.State.LEASED, labeler=alice, token=uuid.uuid4(), ahead=True
            )


def test_by_the_api_next_ahead_begin_and_give_back(publish, next_task, caller, member):
    publish(4)
    eve = member("eve", "labeler")
    shown, ahead = next_task(eve), next_task(eve, ahead=True)
    assert ahead["task"]["responses"] and ahead["token"] != shown["token"]
    assert caller(eve).post(f"leases/{shown['token']}/ranking", rank(shown)).status_code == 201
    assert next_task(eve)["token"] == ahead["token"]
    third = next_task(eve, ahead=True)
    assert caller(eve).post(f"leases/{third['token']}/give-back").json() == {"given_back": True}
    assert caller(eve).post(f"leases/{ahead['token']}/give-back").json() == {"given_back": False}
    wrong = caller(eve).post("projects/garden/next", {"ahead": "yes"})
    assert (wrong.status_code, wrong.json()["fields"]) == (400, {"ahead": "must be true or false"})


def test_the_time_held_counts_from_when_it_was_shown(project, publish, take, alice, now):
    project.quality = {"minimum_seconds": {"ranking": 5}}
    project.save()
    publish(3)
    shown = take(alice)
    take(alice, ahead=True)
    answer(shown, alice, now + MINUTE)
    begun = take(alice, at=now + MINUTE)
    assert answer(begun, alice, now + MINUTE + datetime.timedelta(seconds=2)).too_fast


def test_unfinished_work_is_found_by_an_index(publish, take, alice):
    publish(1)
    take(alice)
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM labeling_slot WHERE labeler_id = 1 AND project_id = 1 "
            "AND state = 'leased' AND kind IN ('ranking') AND (1 OR NOT ahead) ORDER BY ahead LIMIT 1"
        )
        assert "one_lease_per_labeler_and_kind" in cursor.fetchone()[3]
