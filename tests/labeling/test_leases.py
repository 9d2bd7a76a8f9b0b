"""Hand-out: one live lease a slot, one slot of a task a labeler, late work kept, skips sticky."""

import datetime
import uuid

import pytest
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.prompts import Response
from labeling.models.work import Draft, Exclusion, Kind, LabelingTask, Lease, Skip, Slot
from labeling.selectors import invariants
from labeling.services import leases, rankings

LEASE = datetime.timedelta(seconds=1200)


@pytest.fixture(autouse=True)
def promises(db):
    yield
    assert not any(invariants.violations().values())


@pytest.fixture
def take(project, now):
    def take(user, *, at=None, kinds=(Kind.RANKING,)):
        found = leases.acquire(project=project, guideline_id=None, labeler=user, kinds=kinds, now=at or now)
        return found[0] if found else None

    return take


@pytest.fixture
def answer(now):
    def answer(lease, user, *, at=None, key=None, reverse=False):
        ids = sorted(lease.order_shown, reverse=reverse)
        body = {"idempotency_key": key or uuid.uuid4().hex, "ranks": {id: place for place, id in enumerate(ids, 1)}}
        return rankings.submit(token=lease.token, labeler=user, plain=body, now=at or now)

    return answer


def test_two_labelers_never_hold_the_same_slot(publish, take, alice, bob):
    publish(2)
    assert take(alice).slot_id != take(bob).slot_id
    assert take(bob).slot_id != take(alice).slot_id


def test_asking_again_gives_the_same_lease_and_renews_it(publish, take, alice, now):
    publish(2)
    first = take(alice)
    later = now + datetime.timedelta(seconds=600)
    assert take(alice, at=later).token == first.token
    assert Slot.objects.get(pk=first.slot_id).free_at == later + LEASE


def test_nothing_waits_when_all_slots_are_held(publish, take, alice, bob):
    publish(1)
    assert take(alice)
    assert take(bob) is None


def test_overlap_gives_a_task_to_as_many_labelers_and_no_more(project, publish, take, answer, person):
    project.overlap = 2
    project.save()
    publish(1)
    people = [person(f"labeler{i}") for i in range(4)]
    taken = [lease for user in people if (lease := take(user))]
    assert len(taken) == 2
    assert len({lease.labeler_id for lease in taken}) == 2


def test_nobody_gets_a_task_twice(project, publish, take, answer, alice, bob):
    project.overlap = 2
    project.save()
    publish(1)
    answer(take(alice), alice)
    assert take(alice) is None
    answer(take(bob), bob)
    assert LabelingTask.objects.get().state == LabelingTask.State.DONE


def test_an_expired_lease_frees_the_slot_and_keeps_the_draft(publish, take, alice, bob, now):
    publish(1)
    lease = take(alice)
    leases.save_draft(token=lease.token, labeler=alice, body={"ranks": {"x": 1}}, now=now)
    assert take(bob, at=now + LEASE - datetime.timedelta(seconds=1)) is None
    assert take(bob, at=now + LEASE).task_id == lease.task_id
    assert Draft.objects.get(labeler=alice).body == {"ranks": {"x": 1}}


def test_an_expired_lease_that_nobody_took_goes_on(publish, take, alice, now):
    publish(2)
    lease = take(alice)
    later = now + 2 * LEASE
    assert leases.renew(token=lease.token, labeler=alice, now=later) == later + LEASE
    assert take(alice, at=later).token == lease.token


def test_a_lost_lease_cannot_be_renewed(publish, take, alice, bob, now):
    publish(1)
    lease = take(alice)
    assert take(bob, at=now + LEASE)
    with pytest.raises(errors.LeaseLost):
        leases.renew(token=lease.token, labeler=alice, now=now + LEASE)
    assert leases.save_draft(token=lease.token, labeler=alice, body={"a": 1}, now=now + LEASE) is None
    assert Draft.objects.get(labeler=alice).body == {"a": 1}


def test_a_submission_after_expiry_counts_while_the_slot_is_free(publish, take, answer, alice, now):
    publish(1)
    stored, replayed = answer(take(alice), alice, at=now + 10 * LEASE)
    assert not stored.late and not replayed
    assert LabelingTask.objects.get().state == LabelingTask.State.DONE


def test_a_submission_after_the_slot_went_to_another_is_kept_as_late(publish, take, answer, alice, bob, now):
    publish(1)
    lost, held = take(alice), take(bob, at=now + LEASE)
    late, _ = answer(lost, alice, at=now + LEASE)
    assert late.late
    assert not answer(held, bob, at=now + LEASE)[0].late
    assert Answer.objects.count() == 2
    assert Lease.objects.get(pk=lost.pk).outcome == Lease.Outcome.LATE
    assert take(alice, at=now + 9 * LEASE) is None


def test_a_submission_takes_another_free_slot_of_its_task(project, publish, take, answer, alice, bob, now):
    project.overlap = 2
    project.save()
    publish(1)
    lost = take(alice)
    held = take(bob, at=now + LEASE)
    assert held.slot_id == lost.slot_id
    assert not answer(lost, alice, at=now + LEASE)[0].late
    assert Slot.objects.filter(state=Slot.State.ANSWERED, labeler=alice).count() == 1


def test_the_same_key_and_body_give_the_stored_answer(publish, take, answer, alice):
    publish(1)
    lease = take(alice)
    first, replayed = answer(lease, alice, key="k")
    assert not replayed
    second, replayed = answer(lease, alice, key="k")
    assert replayed and second.pk == first.pk
    assert Answer.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(publish, take, answer, alice):
    publish(1)
    lease = take(alice)
    answer(lease, alice, key="k")
    with pytest.raises(errors.KeyReused):
        answer(lease, alice, key="k", reverse=True)


def test_a_second_answer_under_a_new_key_is_refused(publish, take, answer, alice):
    publish(1)
    lease = take(alice)
    answer(lease, alice)
    with pytest.raises(errors.AlreadyAnswered):
        answer(lease, alice)


def test_somebody_elses_lease_is_refused(publish, take, answer, alice, bob, now):
    publish(1)
    lease = take(alice)
    with pytest.raises(errors.LeaseOfAnother):
        answer(lease, bob)
    with pytest.raises(errors.LeaseOfAnother):
        leases.renew(token=lease.token, labeler=bob, now=now)
    with pytest.raises(errors.LeaseUnknown):
        leases.renew(token=uuid.uuid4(), labeler=bob, now=now)
    assert Answer.objects.count() == 0


def test_a_skip_is_sticky_and_frees_the_slot(publish, take, answer, alice, bob, now):
    publish(1)
    lease = take(alice)
    leases.skip(token=lease.token, labeler=alice, reason="unclear", comment="", now=now)
    assert take(alice, at=now + 9 * LEASE) is None
    assert take(bob).task_id == lease.task_id
    with pytest.raises(errors.AlreadySkipped):
        answer(lease, alice)


def test_skipping_twice_is_skipping_once(publish, take, alice, now):
    publish(1)
    lease = take(alice)
    first = leases.skip(token=lease.token, labeler=alice, reason="unclear", comment="", now=now)
    assert leases.skip(token=lease.token, labeler=alice, reason="other", comment="", now=now).pk == first.pk
    assert Skip.objects.count() == 1


def test_enough_skips_halt_the_task_and_an_answer_under_way_is_kept(project, publish, take, answer, person, now):
    project.overlap, project.skips_to_halt = 3, 2
    project.save()
    publish(1)
    users = [person(f"labeler{i}") for i in range(4)]
    held = take(users[0])
    for user in users[1:3]:
        leases.skip(token=take(user).token, labeler=user, reason="broken", comment="", now=now)
    assert LabelingTask.objects.get().state == LabelingTask.State.HALTED
    assert take(users[3]) is None
    assert answer(held, users[0])[0].late


def test_nobody_ranks_their_own_text(publish, take, project, alice, bob, now):
    from labeling.models.prompts import Prompt, RolloutSet, Source
    from labeling.services import sources, tasks

    (task,) = publish(1)
    LabelingTask.objects.filter(pk=task.pk).delete()
    rollout_set = RolloutSet.objects.get()
    Response.objects.filter(rollout_set=rollout_set, index=1).update(author=alice)
    assert Prompt.objects.count() and Source.objects.count() and sources
    tasks.open_for_sets(project=project, kind=Kind.RANKING, rollout_sets=[rollout_set], priority=0, now=now)
    assert take(alice) is None
    assert Exclusion.objects.get().reason == Exclusion.Reason.OWN_TEXT
    assert take(bob)


def test_higher_priority_goes_first_and_fresher_rollouts_outrank_stale_ones(publish, take, answer, alice, now):
    (stale,) = publish(1, at=now - datetime.timedelta(days=3))
    (fresh,) = publish(1, at=now)
    lease = take(alice)
    assert lease.task_id == fresh.pk
    answer(lease, alice)
    assert take(alice).task_id == stale.pk


def test_the_order_is_shuffled_per_labeler_and_stored_with_the_answer(project, publish, take, answer, person):
    project.overlap = 20
    project.save()
    publish(1, k=5)
    orders = set()
    for number in range(20):
        user = person(f"labeler{number}")
        stored, _ = answer(take(user), user)
        orders.add(tuple(stored.order_shown))
        assert sorted(stored.order_shown) == sorted(str(r.uuid) for r in Response.objects.all())
    assert len(orders) > 10


def test_a_closed_project_hands_out_and_takes_nothing(project, publish, take, answer, alice, now):
    publish(1)
    lease = take(alice)
    type(project).objects.update(status="closed")
    project.refresh_from_db()
    with pytest.raises(errors.ProjectClosed):
        take(alice)
    with pytest.raises(errors.ProjectClosed):
        answer(lease, alice)
    assert leases.save_draft(token=lease.token, labeler=alice, body={"kept": True}, now=now)


def test_random_share_draws_any_task_and_records_its_probability(project, publish, take, person):
    project.random_share = 1.0
    project.save()
    publish(20)
    slots = list(Slot.objects.order_by("shuffle"))
    gaps = {slot.pk: slot.shuffle - slots[place - 1].shuffle + (place == 0) for place, slot in enumerate(slots)}
    lease = take(person("dora"))
    assert lease.drawn_at_random
    assert lease.selection_probability == pytest.approx(gaps[lease.slot_id])
    assert sum(gaps.values()) == pytest.approx(1)
    drawn = {take(person(f"labeler{number}")).task_id for number in range(10)}
    assert drawn != {slot.task_id for slot in Slot.objects.order_by("-priority", "id")[:10]}


def test_priority_hand_out_records_its_probability_too(project, publish, take, alice):
    publish(3)
    assert take(alice).selection_probability == 1.0
    assert not Lease.objects.get().drawn_at_random


def test_the_database_refuses_a_second_lease_of_a_kind(project, publish, take, alice):
    publish(2)
    take(alice)
    with pytest.raises(IntegrityError, match=r"labeler_id|one_lease_per_labeler_and_kind"), transaction.atomic():
        Slot.objects.filter(state=Slot.State.OPEN).update(state=Slot.State.LEASED, labeler=alice, token=uuid.uuid4())


def test_the_database_refuses_a_second_slot_of_a_task(project, publish, take, answer, alice):
    project.overlap = 2
    project.save()
    publish(1)
    answer(take(alice), alice)
    with pytest.raises(IntegrityError, match=r"labeler_id|slot_of_a_task_once_per_labeler"), transaction.atomic():
        Slot.objects.filter(state=Slot.State.OPEN).update(state=Slot.State.ANSWERED, labeler=alice, free_at=None)


def test_the_database_refuses_a_lease_without_a_labeler(publish):
    publish(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Slot.objects.update(state=Slot.State.LEASED)
