"""Gold and repeats: silent, at most once, scored by pairs, and never counted as independent answers."""

import datetime
import random
import uuid

import pytest
from django.db import IntegrityError, transaction

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.quality import GoldItem, QualityCheck
from labeling.models.work import Kind, LabelingTask, Lease, Slot
from labeling.selectors import invariants, progress, ranked, records
from labeling.selectors.filters import Filters
from labeling.services import gold, leases, rankings

LEASE = datetime.timedelta(seconds=1200)


@pytest.fixture(autouse=True)
def promises(db):
    random.seed(0)
    yield
    assert not any(invariants.violations().values()), invariants.violations()


@pytest.fixture
def take(project, now):
    def take(user, *, at=None):
        found = leases.acquire(project=project, guideline_id=None, labeler=user, kinds=[Kind.RANKING], now=at or now)
        return found[0] if found else None

    return take


@pytest.fixture
def answer(now):
    """Ranks responses by their place in their set, best first, or in reverse; or ties the named number of the best."""

    def answer(lease, user, *, at=None, reverse=False, tied=0, **more):
        ids = in_order(lease)
        ranks = {id: 1 if place < tied else place - max(tied - 1, 0) + 1 for place, id in enumerate(ids)}
        if reverse:
            ranks = {id: len(ids) - place for place, id in enumerate(ids)}
        body = {"idempotency_key": uuid.uuid4().hex, "ranks": ranks, **more}
        return rankings.submit(token=lease.token, labeler=user, plain=body, now=at or now)[0]

    return answer


def in_order(lease) -> list[str]:
    from labeling.models.prompts import Response

    rows = Response.objects.filter(uuid__in=lease.order_shown).order_by("index")
    return [str(row.uuid) for row in rows]


@pytest.fixture
def make_gold(now):
    """The order of the responses' indices is the known one."""

    def make_gold(task):
        ids = [str(uuid) for uuid in task.rollout_set.responses.order_by("index").values_list("uuid", flat=True)]
        ranks = {id: place for place, id in enumerate(ids, 1)}
        return gold.make(task=task, ranks=ranks, reason="by the book", by=None, now=now)

    return make_gold


@pytest.fixture
def shares(project):
    def shares(**values):
        for name, value in {"gold_share": 0.0, "repeat_share": 0.0, **values}.items():
            setattr(project, name, value)
        project.save()

    return shares


def test_gold_comes_at_its_share_and_once_to_each_labeler(shares, publish, make_gold, take, answer, alice, bob):
    tasks = publish(8)
    for task in tasks[:2]:
        make_gold(task)
    shares(gold_share=1.0)
    for user in (alice, bob):
        leased = [take(user)]
        answer(leased[0], user)
        leased.append(take(user))
        answer(leased[1], user)
        assert {lease.task_id for lease in leased} == {tasks[0].pk, tasks[1].pk}
        assert leased[0].selection_probability == 0.5 and leased[1].selection_probability == 1.0
        assert take(user).task.purpose == "ordinary"
    assert Answer.objects.filter(purpose="gold").count() == 4
    assert LabelingTask.objects.filter(purpose="gold", state="open").count() == 2


def test_gold_looks_like_any_other_task(shares, publish, make_gold, next_task, caller, alice, bob):
    tasks = publish(3)
    make_gold(tasks[0])
    shares(gold_share=1.0)
    silent, plain = next_task(alice), next_task(bob)
    assert silent["task"]["id"] == str(tasks[0].uuid)
    shares(gold_share=0.0)
    from labeling.selectors import access

    access.forget()
    caller(bob).post(f"leases/{plain['token']}/skip", {"reason": "later"})
    plain = next_task(bob)

    def shape(value):
        if isinstance(value, dict):
            return {name: shape(inner) for name, inner in value.items()}
        return [shape(inner) for inner in value] if isinstance(value, list) else type(value)

    assert shape(silent) == shape(plain)
    assert "gold" not in str(silent)


def test_gold_is_not_handed_out_where_nothing_else_waits(shares, publish, make_gold, take, answer, alice):
    tasks = publish(2)
    make_gold(tasks[0])
    shares(gold_share=1.0)
    answer(take(alice), alice)
    answer(take(alice), alice)
    assert Answer.objects.filter(purpose="gold").count() == 1
    (task,) = publish(1)
    make_gold(task)
    assert take(alice) is None


def test_gold_is_scored_by_pairs_and_a_tie_is_not_the_known_order(shares, publish, make_gold, take, answer, person):
    tasks = publish(4)
    make_gold(tasks[0])
    shares(gold_share=1.0, overlap=5)
    for name, more, agreeing in (("a", {}, 3), ("b", {"reverse": True}, 0), ("c", {"tied": 2}, 2)):
        user = person(name)
        lease = take(user)
        assert lease.task_id == tasks[0].pk
        answer(lease, user, **more)
        check = QualityCheck.objects.get(labeler=user)
        assert (check.purpose, check.agreeing, check.decided) == ("gold", agreeing, 3)


def test_an_abandoned_gold_lease_waits_for_its_labeler_and_goes_to_nobody_else(
    shares, publish, make_gold, take, answer, alice, bob, now
):
    tasks = publish(3)
    make_gold(tasks[0])
    shares(gold_share=1.0)
    lease = take(alice)
    shares(gold_share=0.0)
    others = {take(bob, at=now + LEASE * 2).task_id}
    assert lease.task_id not in others
    assert take(alice, at=now + LEASE * 9).token == lease.token
    assert leases.renew(token=lease.token, labeler=alice, now=now) == now + LEASE
    assert not answer(lease, alice, at=now + LEASE * 10).late


def test_who_holds_a_task_that_becomes_gold_may_finish_and_is_scored(publish, make_gold, take, answer, alice, bob):
    (task,) = publish(1)
    lease = take(alice)
    make_gold(task)
    assert take(bob) is None
    assert answer(lease, alice).purpose == "gold"
    assert QualityCheck.objects.get().agreeing == 3


def test_a_skipped_gold_item_does_not_come_back(shares, publish, make_gold, take, alice, bob, now):
    tasks = publish(3)
    make_gold(tasks[0])
    shares(gold_share=1.0)
    lease = take(alice)
    leases.skip(token=lease.token, labeler=alice, reason="unclear", comment="", now=now)
    assert take(alice).task_id != tasks[0].pk
    assert take(bob).task_id == tasks[0].pk


def test_retired_gold_is_handed_out_no_more(shares, publish, make_gold, take, answer, alice, bob, ada, now):
    tasks = publish(3)
    item = make_gold(tasks[0])
    shares(gold_share=1.0)
    answer(take(alice), alice)
    gold.retire(item=item, by=ada, now=now)
    assert take(bob).task_id != tasks[0].pk
    with pytest.raises(errors.Conflict):
        gold.retire(item=item, by=ada, now=now)
    assert QualityCheck.objects.count() == 1


def test_a_repeat_is_a_task_of_its_own_after_the_distance(shares, publish, take, answer, alice, bob):
    publish(9)
    shares(repeat_share=1.0, repeat_distance=2)
    first = [answer(take(alice), alice) for _ in range(3)]
    lease = take(alice)
    assert lease.task.purpose == "repeat" and lease.task.repeat_of == first[0]
    assert lease.task.rollout_set == first[0].rollout_set and lease.task_id != first[0].task_id
    assert sorted(lease.order_shown) == sorted(first[0].order_shown)
    repeated = answer(lease, alice, reverse=True)
    assert repeated.purpose == "repeat"
    check = QualityCheck.objects.get()
    assert (check.purpose, check.against, check.agreeing, check.decided) == ("repeat", first[0], 0, 3)
    assert LabelingTask.objects.get(pk=lease.task_id).state == "done"
    again = take(alice)
    assert again.task.repeat_of == first[1]
    assert take(bob).task.purpose == "ordinary"


def test_a_repeat_is_compared_with_the_newest_revision(shares, publish, take, answer, alice, now):
    from labeling.services import answers

    publish(5)
    shares(repeat_share=1.0, repeat_distance=1)
    lease = take(alice)
    first = answer(lease, alice, reverse=True)
    ids = in_order(lease)
    body = {"idempotency_key": "edit", "ranks": {id: place for place, id in enumerate(ids, 1)}}
    answers.revise(answer=first, labeler=alice, plain=body, read=rankings.read, now=now)
    lease = take(alice)
    assert lease.task.repeat_of == first
    answer(lease, alice)
    assert QualityCheck.objects.get().agreeing == 3


def test_repeats_and_gold_count_nowhere_as_independent_answers(
    shares, project, publish, make_gold, take, answer, alice, bob, now
):
    tasks = publish(8)
    make_gold(tasks[0])
    shares(gold_share=1.0)
    answer(take(alice), alice)
    shares(gold_share=0.0, repeat_share=1.0, repeat_distance=1)
    for _ in range(5):
        answer(take(alice), alice)
    assert Answer.objects.filter(purpose="repeat").count() == 2
    ordinary = set(Answer.objects.filter(purpose="ordinary").values_list("uuid", flat=True))
    assert len(ordinary) == 3
    frozen = records.rankings(project=project, filters=Filters())
    assert {uuid.UUID(row.id) for row in frozen} == ordinary
    assert ranked.items_by_count(project=project)[0] == []
    found = progress.progress(project=project, user=alice, with_labelers=True, now=now)
    assert found["answers"]["rankings"] == found["labelers"][0]["rankings"] == found["tasks"]["ranking"]["done"] == 3
    assert found["mine"]["total"] == 6


def test_the_database_refuses_a_second_repeat_of_an_answer_and_a_repeat_of_nothing(
    shares, publish, take, answer, alice, project, now
):
    publish(5)
    shares(repeat_share=1.0, repeat_distance=1)
    first = answer(take(alice), alice)
    answer(take(alice), alice)
    lease = take(alice)
    assert lease.task.repeat_of == first
    values = {
        "project": project,
        "kind": "ranking",
        "prompt": first.prompt,
        "rollout_set": first.rollout_set,
        "created_at": now,
    }
    for wrong in ({"purpose": "repeat", "repeat_of": first}, {"purpose": "repeat"}, {"repeat_of": first}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LabelingTask.objects.create(**values, **wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        Slot.objects.create(task=first.task, number=9, project=project, kind="ranking", priority=0, shuffle=0,
                            state="leased", reserved=True, labeler=alice, token=uuid.uuid4())  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Slot.objects.filter(token=lease.token).update(free_at=now)


def test_a_skipped_repeat_is_closed_and_halts_nothing(shares, publish, take, answer, alice, now):
    publish(5)
    shares(repeat_share=1.0, repeat_distance=1, skips_to_halt=1)
    for _ in range(2):
        answer(take(alice), alice)
    lease = take(alice)
    leases.skip(token=lease.token, labeler=alice, reason="seen before", comment="", now=now)
    assert LabelingTask.objects.get(pk=lease.task_id).state == "closed"
    assert LabelingTask.objects.filter(state="halted").count() == 0


def test_a_hand_out_takes_as_many_statements_however_much_gold_and_history_there_is(
    shares, publish, make_gold, take, answer, alice, now
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def statements(**values):
        shares(**values)
        with CaptureQueriesContext(connection) as captured:
            lease = take(alice)
        answer(lease, alice)
        return len(captured)

    tasks = publish(60)
    for task in tasks[:5]:
        make_gold(task)
    plain = statements()
    few = [statements(gold_share=1.0), statements(repeat_share=1.0, repeat_distance=1)]
    for task in tasks[5:30]:
        make_gold(task)
    shares()
    for _ in range(15):
        answer(take(alice), alice)
    assert statements() == plain
    assert [statements(gold_share=1.0), statements(repeat_share=1.0, repeat_distance=1)] == few
    assert max(few) <= plain + 5


def test_shares_are_kept_over_many_hand_outs(shares, publish, make_gold, take, answer, alice, now):
    tasks = publish(230)
    for task in tasks[:60]:
        make_gold(task)
    shares(gold_share=0.2, repeat_share=0.1, repeat_distance=5)
    for _ in range(200):
        answer(take(alice), alice)
    counts = {name: Answer.objects.filter(purpose=name).count() for name in ("ordinary", "gold", "repeat")}
    # Three standard deviations of a binomial of 200 draws.
    assert abs(counts["gold"] - 40) <= 17 and abs(counts["repeat"] - 20) <= 13
    assert Lease.objects.filter(selection_probability__gt=1).count() == 0
    assert GoldItem.objects.count() == 60


def test_gold_that_is_closed_and_opened_again_is_still_drawn_only(shares, publish, make_gold, take, alice, ada, now):
    from labeling.services import tasks

    known, _ = publish(2)
    shares(overlap=2)
    make_gold(known)
    for state in ("closed", "open"):
        tasks.change(task=known, plain={"state": state}, by=ada, now=now)
    assert take(alice).task_id != known.pk
    assert LabelingTask.objects.get(pk=known.pk).state == "open"
