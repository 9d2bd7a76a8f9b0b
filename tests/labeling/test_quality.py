"""Quality: too fast, warn then pause, halting on flags, stopping early, and the review queue."""

import datetime
import random
import uuid

import pytest

from labeling.models.answers import Answer
from labeling.models.people import Membership
from labeling.models.quality import QualityCheck, ReviewCase
from labeling.models.records import AuditEntry
from labeling.models.work import LabelingTask, Slot
from labeling.selectors import access, invariants, records
from labeling.selectors.filters import Filters
from labeling.services import gold
from tests.labeling.work import rank


@pytest.fixture(autouse=True)
def promises(db, settings):
    settings.TOKEN_CACHE_SECONDS = 0
    random.seed(0)
    yield
    assert not any(invariants.violations().values()), invariants.violations()


@pytest.fixture
def rules(project):
    """rules(overlap=3, quality={"least": 2}) changes the project."""

    def rules(**values):
        for name, value in values.items():
            setattr(project, name, value)
        project.save()
        access.forget()

    return rules


@pytest.fixture
def work(next_task, caller):
    """work(alice, (1, 2, 3)) ranks the responses of her next task in the order of their set; gives the receipt."""

    def work(user, places=(1, 2, 3), **more):
        lease = next_task(user)
        assert lease is not None
        return submit(caller(user), lease, places, **more)

    return work


def submit(client, lease, places=(1, 2, 3), **more):
    from labeling.models.prompts import Response

    order = {str(row.uuid): row.index for row in Response.objects.filter(rollout_set__tasks__uuid=lease["task"]["id"])}
    shown = [places[order[response["id"]]] for response in lease["task"]["responses"]]
    answer = client.post(f"leases/{lease['token']}/ranking", rank(lease, shown, **more))
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def make_gold(now):
    def make_gold(task):
        ids = [str(uuid) for uuid in task.rollout_set.responses.order_by("index").values_list("uuid", flat=True)]
        return gold.make(task=task, ranks=dict(zip(ids, (1, 2, 3), strict=True)), reason="", by=None, now=now)

    return make_gold


def test_an_answer_below_the_minimum_of_active_time_is_marked_and_kept(rules, publish, work, alice):
    publish(3)
    rules(quality={"minimum_seconds": {"ranking": 5}})
    work(alice, active_ms=60_000)  # says a minute, and held it for less
    assert Answer.objects.get().too_fast
    from labeling.models.work import Lease

    Slot.objects.filter(state="leased").update()
    rules(quality={"minimum_seconds": {"ranking": 0}})
    work(alice, active_ms=1)
    assert [answer.too_fast for answer in Answer.objects.order_by("id")] == [True, False]
    assert Lease.objects.count() == 2


def test_active_time_counts_where_the_task_was_held_for_long(rules, publish, next_task, caller, alice, bob, now):
    from labeling.models.work import Lease

    publish(2)
    rules(quality={"minimum_seconds": {"ranking": 5}})
    for user, active, fast in ((alice, 6_000, False), (bob, 4_000, True)):
        lease = next_task(user)
        Lease.objects.filter(token=lease["token"]).update(begun_at=now - datetime.timedelta(minutes=5))
        submit(caller(user), lease, active_ms=active)
        assert Answer.objects.get(labeler=user).too_fast == fast


def test_bad_gold_warns_then_pauses_and_what_is_held_can_be_finished(
    rules, publish, make_gold, work, next_task, caller, alice, ada
):
    tasks = publish(12)
    for task in tasks[:6]:
        make_gold(task)
    rules(gold_share=1.0, quality={"gold_accuracy": 0.7, "least": 2})
    reader = caller(alice)
    assert reader.get("projects/garden/standing").json() == {"state": "good", "reasons": [], "since": None}
    for _ in range(2):
        work(alice, (3, 2, 1))
    assert reader.get("projects/garden/standing").json()["state"] == "warned"
    lease = next_task(alice)
    assert (lease["notice"]["state"], lease["notice"]["reasons"]) == ("warned", ["gold_accuracy"])
    submit(reader, lease, (3, 2, 1))
    assert reader.get("projects/garden/standing").json()["state"] == "warned"
    # The comparison waits in another queue: a lease that is live when the pause comes.
    lease = next_task(alice)
    submit(reader, lease, (3, 2, 1))
    assert reader.get("projects/garden/standing").json()["state"] == "paused"
    refused = reader.post("projects/garden/next", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "membership_paused")
    trail = list(AuditEntry.objects.filter(action__startswith="labeler_").values_list("action", flat=True))
    assert trail == ["labeler_warned", "labeler_paused"]
    members = caller(ada).get("projects/garden/members").json()["results"]
    assert [row["standing"] for row in members if row["username"] == "alice"] == ["paused"]
    lifted = caller(ada).post(f"projects/garden/members/{alice.uuid}/lift", {"reason": "we talked"})
    assert (lifted.status_code, lifted.json()["standing"]) == (200, "good")
    assert AuditEntry.objects.filter(action="pause_lifted", actor=ada).count() == 1
    work(alice, (3, 2, 1))
    assert reader.get("projects/garden/standing").json()["state"] == "good"


def test_a_live_lease_outlives_the_pause(publish, next_task, caller, alice, bob, ada):
    publish(3)
    lease = next_task(alice)
    caller(ada).post(f"projects/garden/members/{alice.uuid}/pause", {"reason": "to be looked at"})
    assert next_task(alice)["token"] == lease["token"]
    assert caller(alice).post(f"leases/{lease['token']}/renew").status_code == 200
    submit(caller(alice), lease)
    assert caller(alice).post("projects/garden/next", {}).json()["code"] == "membership_paused"
    assert next_task(bob)


def test_good_work_after_a_warning_ends_it(rules, publish, make_gold, work, caller, alice):
    tasks = publish(12)
    for task in tasks[:6]:
        make_gold(task)
    rules(gold_share=1.0, quality={"gold_accuracy": 0.7, "least": 2})
    for places in ((3, 2, 1), (3, 2, 1), (1, 2, 3), (1, 2, 3)):
        work(alice, places)
    assert Membership.objects.get(user=alice).warned_at is None
    assert AuditEntry.objects.filter(action="labeler_recovered").count() == 1


def test_inconsistent_repeats_and_fast_answers_warn_too(rules, publish, work, caller, alice, bob):
    publish(30)
    rules(gold_share=0.0, repeat_share=1.0, repeat_distance=1, quality={"self_consistency": 0.6, "least": 2})
    for places in ((1, 2, 3), (1, 2, 3), (3, 2, 1), (3, 2, 1)):
        work(alice, places)
    assert list(QualityCheck.objects.values_list("purpose", "agreeing")) == [("repeat", 0), ("repeat", 0)]
    assert Membership.objects.get(user=alice).reasons == ["self_consistency"]
    rules(repeat_share=0.0, quality={"minimum_seconds": {"ranking": 600}, "fast_share": 0.5, "least": 3})
    for _ in range(3):
        assert Membership.objects.get(user=bob).reasons == []
        work(bob)
    assert Membership.objects.get(user=bob).reasons == ["fast_answers"]


def test_enough_flags_halt_a_task_for_review(rules, publish, next_task, caller, person, rita, project):
    rules(overlap=4, flags_to_halt=2)
    (task,) = publish(1)
    users = [person(f"labeler{number}") for number in range(4)]
    for user in users:
        Membership.objects.create(project=project, user=user, role="labeler")
    for number, user in enumerate(users[:2]):
        lease = next_task(user)
        first = lease["task"]["responses"][0]["id"]
        submit(caller(user), lease, flags={first: ["harmful"]})
        assert LabelingTask.objects.get().state == ("halted" if number else "open")
    assert next_task(users[2]) is None
    (case,) = caller(rita).get("projects/garden/review").json()["results"]
    assert (case["why"], case["task"]["id"]) == ("flags", str(task.uuid))


def test_flags_do_not_halt_gold_or_repeats(rules, publish, make_gold, next_task, caller, alice):
    tasks = publish(6)
    make_gold(tasks[0])
    for shares in (
        {"gold_share": 1.0},
        {"gold_share": 0.0},
        {"gold_share": 0.0, "repeat_share": 1.0, "repeat_distance": 1},
    ):
        rules(flags_to_halt=0 if shares == {"gold_share": 0.0} else 1, **shares)
        lease = next_task(alice)
        submit(caller(alice), lease, flags={lease["task"]["responses"][0]["id"]: ["harmful"]})
    assert set(Answer.objects.values_list("purpose", flat=True)) == {"gold", "ordinary"}
    lease = next_task(alice)
    submit(caller(alice), lease, flags={lease["task"]["responses"][0]["id"]: ["harmful"]})
    assert Answer.objects.latest("id").purpose == "repeat"
    assert ReviewCase.objects.filter(task__purpose__in=["gold", "repeat"]).count() == 0


def overlapping(rules, publish, person, project, number, **quality):
    rules(overlap=number, quality=quality)
    (task,) = publish(1)
    users = [person(f"labeler{one}") for one in range(number)]
    for user in users:
        Membership.objects.create(project=project, user=user, role="labeler")
    return task, users


def test_labelers_who_disagree_send_an_item_to_review_and_a_ranking_settles_it(
    rules, publish, work, person, project, caller, rita, alice
):
    task, users = overlapping(rules, publish, person, project, 2)
    work(users[0], (1, 2, 3))
    assert ReviewCase.objects.count() == 0
    work(users[1], (3, 2, 1))
    reviewer = caller(rita)
    (case,) = reviewer.get("projects/garden/review").json()["results"]
    assert (case["why"], case["agreement"], case["task"]["state"]) == ("disagreement", 0.0, "done")
    detail = reviewer.get(f"review/{case['id']}").json()
    assert len(detail["answers"]) == 2 and len(detail["responses"]) == 3 and not detail["cycle"]
    assert set(detail["merged"]["ranks"].values()) == {1}
    ids = [str(row.uuid) for row in task.rollout_set.responses.order_by("index")]
    body = {"outcome": "ranking", "ranks": dict(zip(ids, (2, 1, 3), strict=True)), "reason": "the second is right"}
    settled = reviewer.post(f"review/{case['id']}", body)
    assert settled.status_code == 200, settled.content
    assert (settled.json()["state"], settled.json()["closed_by"]) == ("settled", "rita")
    (row,) = records.rankings(project=project, filters=Filters())
    assert (row.labeler, {one.id: one.rank for one in row.responses}) == ("rita", body["ranks"])
    again = reviewer.post(f"review/{case['id']}", body)
    assert (again.status_code, again.json()["code"]) == (409, "case_closed")
    assert reviewer.get("projects/garden/review").json()["results"] == []
    assert AuditEntry.objects.get(action="case_closed").details["reason"] == "the second is right"


def test_a_cycle_goes_to_review_and_merging_settles_it_as_a_tie(rules, publish, work, person, project, caller, rita):
    _, users = overlapping(rules, publish, person, project, 3, review_below=None)
    for user, places in zip(users, ((1, 2, 3), (3, 1, 2), (2, 3, 1)), strict=True):
        work(user, places)
    (case,) = caller(rita).get("projects/garden/review").json()["results"]
    assert case["why"] == "cycle"
    assert caller(rita).get(f"review/{case['id']}").json()["cycle"]
    done = caller(rita).post(f"review/{case['id']}", {"outcome": "merged", "reason": "no majority"})
    assert done.json()["task"]["state"] == "settled"
    (row,) = records.rankings(project=project, filters=Filters())
    assert [one.rank for one in row.responses] == [1, 1, 1]


def test_what_is_discarded_counts_nowhere_and_what_is_left_counts_as_it_is(
    rules, publish, work, person, project, caller, rita
):
    task, users = overlapping(rules, publish, person, project, 2)
    work(users[0], (1, 2, 3))
    work(users[1], (3, 2, 1))
    case = caller(rita).get("projects/garden/review").json()["results"][0]
    left = caller(rita).post(f"review/{case['id']}", {"outcome": "leave", "reason": "both have a point"})
    assert (left.json()["state"], left.json()["task"]["state"]) == ("left", "done")
    assert len(list(records.rankings(project=project, filters=Filters()))) == 2
    ReviewCase.objects.create(task=task, project=project, why="flags", opened_at=task.created_at)
    case = caller(rita).get("projects/garden/review").json()["results"][0]
    assert caller(rita).post(f"review/{case['id']}", {"outcome": "discard", "reason": "nonsense"}).status_code == 200
    assert list(records.rankings(project=project, filters=Filters())) == []
    assert Answer.objects.count() == 2


def test_a_reopened_item_asks_more_labelers(rules, publish, work, next_task, person, project, caller, rita, alice, bob):
    _, users = overlapping(rules, publish, person, project, 2)
    work(users[0], (1, 2, 3))
    work(users[1], (3, 2, 1))
    case = caller(rita).get("projects/garden/review").json()["results"][0]
    assert next_task(alice) is None
    body = {"outcome": "reopen", "slots": 2, "reason": "ask two more"}
    assert caller(rita).post(f"review/{case['id']}", body).json()["state"] == "reopened"
    assert next_task(users[0]) is None
    work(alice, (1, 2, 3))
    work(bob, (1, 2, 3))
    assert LabelingTask.objects.get().state == "done"
    # Three of four agree wholly: half of the pairs of rankings.
    assert ReviewCase.objects.filter(state="open").count() == 0


def test_labelers_who_agree_end_an_item_early_but_not_under_a_live_lease(
    rules, publish, work, next_task, person, project, caller
):
    _, users = overlapping(rules, publish, person, project, 5, stop_agreement=0.9, stop_answers=2)
    held = next_task(users[3])
    work(users[0])
    work(users[1])
    assert LabelingTask.objects.get().state == "open", "somebody is at work on it"
    submit(caller(users[3]), held)
    assert LabelingTask.objects.get().state == "done"
    assert Slot.objects.filter(state="withdrawn").count() == 2
    assert Answer.objects.filter(late=True).count() == 0
    assert next_task(users[4]) is None
    assert AuditEntry.objects.filter(action="task_stopped_early").count() == 1


def test_items_do_not_stop_early_unless_the_project_says_so(rules, publish, work, person, project):
    _, users = overlapping(rules, publish, person, project, 4)
    for user in users[:3]:
        work(user)
    assert LabelingTask.objects.get().state == "open"


def test_gold_over_the_api_is_made_by_reviewers_and_never_shown_to_labelers(publish, caller, rita, alice, work, rules):
    tasks = publish(3)
    ids = [str(row.uuid) for row in tasks[0].rollout_set.responses.order_by("index")]
    body = {"task": str(tasks[0].uuid), "ranks": {ids[0]: 1, ids[1]: 2}, "unacceptable": [ids[2]], "reason": "plain"}
    made = caller(rita).post("projects/garden/gold", body)
    assert (made.status_code, made.json()["ranks"]) == (201, dict(zip(ids, (1, 2, 3), strict=True)))
    assert caller(rita).post("projects/garden/gold", body).json()["code"] == "not_ordinary"
    assert caller(alice).get("projects/garden/gold").status_code == 403
    rules(gold_share=1.0)
    receipt = work(alice)
    assert QualityCheck.objects.get().agreeing == 3
    mine = caller(alice).get("projects/garden/answers", mine=1).json()["results"][0]
    assert (mine["id"], mine["purpose"]) == (receipt["id"], None)
    assert caller(alice).get(f"answers/{receipt['id']}").json()["purpose"] is None
    assert caller(rita).get(f"answers/{receipt['id']}").json()["purpose"] == "gold"
    labelers_view = caller(alice).get("projects/garden").json()
    assert labelers_view["gold_share"] is labelers_view["quality"] is None
    retired = caller(rita).post(f"gold/{made.json()['id']}/retire")
    assert retired.json()["retired_at"]
    assert caller(rita).post(f"gold/{made.json()['id']}/retire").status_code == 409


@pytest.mark.parametrize(
    ("spoil", "field", "code"),
    [
        ({"task": str(uuid.uuid4())}, "task", "unknown_task"),
        ({"task": 7}, "task", "unknown_task"),
        ({"ranks": {}}, "ranks", "incomplete"),
        ({"ranks": {"nobody": 1}}, "ranks", "foreign_response"),
        ({"ranks": [1]}, "ranks", "wrong_type"),
        ({"unacceptable": ["nobody"]}, "unacceptable", "foreign_response"),
        ({"reason": "a\x00b"}, "reason", "bad_characters"),
        ({"surprise": 1}, "surprise", "unknown_field"),
    ],
)
def test_bad_gold_is_refused_by_field(spoil, field, code, publish, caller, rita):
    (task,) = publish(1)
    ids = [str(row.uuid) for row in task.rollout_set.responses.order_by("index")]
    body = {"task": str(task.uuid), "ranks": dict(zip(ids, (1, 2, 3), strict=True)), **spoil}
    answer = caller(rita).post("projects/garden/gold", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.json()
    assert field in answer.json()["fields"]
    assert LabelingTask.objects.get().purpose == "ordinary"


def test_gold_that_ties_everything_or_leaves_somebody_out_is_refused(publish, caller, rita):
    (task,) = publish(1)
    ids = [str(row.uuid) for row in task.rollout_set.responses.order_by("index")]
    tied = {"task": str(task.uuid), "ranks": dict.fromkeys(ids, 1)}
    assert caller(rita).post("projects/garden/gold", tied).json()["code"] == "nothing_decided"
    short = {"task": str(task.uuid), "ranks": {ids[0]: 1, ids[1]: 2}}
    assert caller(rita).post("projects/garden/gold", short).json()["code"] == "incomplete"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "outcome"),
        ({"outcome": "shrug", "reason": "x"}, "outcome"),
        ({"outcome": "discard"}, "reason"),
        ({"outcome": "ranking", "reason": "x"}, "ranks"),
        ({"outcome": "reopen", "reason": "x", "slots": 0}, "slots"),
        ({"outcome": "discard", "reason": "x", "ranks": {}}, "ranks"),
    ],
)
def test_a_bad_settlement_is_refused_and_the_case_stays_open(
    body, field, rules, publish, work, person, project, caller, rita
):
    _, users = overlapping(rules, publish, person, project, 2)
    work(users[0], (1, 2, 3))
    work(users[1], (3, 2, 1))
    case = ReviewCase.objects.get()
    answer = caller(rita).post(f"review/{case.uuid}", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["fields"]
    case.refresh_from_db()
    assert case.state == "open" and Answer.objects.filter(purpose="review").count() == 0
