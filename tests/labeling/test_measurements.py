"""Measurements: asked for, claimed once, and what the API says of agreement, reliability and statistics."""

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.models.answers import Answer, RankedResponse
from labeling.models.measurements import LabelerMeasure, Measurement, SetMeasure
from labeling.models.prompts import RolloutSet
from labeling.models.quality import GoldItem, QualityCheck
from labeling.models.work import LabelingTask, Lease, Slot
from labeling.selectors import measured, statistics
from labeling.services import measurements, measuring
from tests.labeling.work import rank

P = "projects/garden"


CYCLE = [(1, 2, 3), (3, 1, 2), (2, 3, 1)]


def test_before_the_first_measurement_everything_is_null(caller, rita, project):
    found = caller(rita).get(f"{P}/agreement").json()
    assert found == {
        "measured_at": None, "current": True, "measuring": False, "error": "", "agreement": None, "reliability": None,
        "gold": None, "self_consistency": None, "anchors": None,
    }  # fmt: skip
    assert caller(rita).get(f"{P}/statistics").json()["statistics"] is None
    assert caller(rita).get(f"{P}/agreement/labelers").json()["results"] == []


def test_a_project_without_answers_is_undefined_with_reasons(measure, caller, rita, project):
    measure()
    found = caller(rita).get(f"{P}/agreement").json()
    assert found["measured_at"] is not None
    for name in ("pairwise_agreement", "pairwise_agreement_interval", "kendall_tau_b", "krippendorff_alpha"):
        assert found["agreement"][name] is None
        assert found["agreement"]["reasons"][name] == "no item was ranked by two people"
    assert found["reliability"]["reason"] == "nobody has ranked anything yet"


def test_agreement_of_three_items_by_hand(measure, ranked_by, caller, rita, project):
    # The same order; one pair of three turned; a tie, so that two pairs are decided by both, alike.
    ranked_by([[(1, 2, 3), (1, 2, 3)], [(1, 2, 3), (2, 1, 3)], [(1, 1, 2), (1, 2, 3)]])
    measure()
    found = caller(rita).get(f"{P}/agreement").json()["agreement"]
    assert (found["items"], found["agreeing_pairs"], found["decided_pairs"]) == (3, 7, 8)
    assert found["pairwise_agreement"] == 7 / 8
    assert found["kendall_tau_b"] == pytest.approx((1 + 1 / 3 + 2 / 6**0.5) / 3)
    assert found["reasons"] == {}
    labelers = caller(rita).get(f"{P}/agreement/labelers").json()["results"]
    assert [one["labeler"] for one in labelers] == ["alice", "bob"]
    assert labelers[0]["agreement"] == labelers[1]["agreement"]
    assert labelers[0]["agreement"]["decided_pairs"] == 8
    # Two people alone: the product of their strengths is known, neither of them is.
    assert labelers[0]["reliability"]["strength"] is None
    assert labelers[0]["reliability"]["reason"]


def test_ambiguous_items_are_listed_and_the_worst_come_first(measure, ranked_by, caller, rita, project):
    ranked_by([[(1, 2, 3)] * 3, CYCLE, [(1, 2, 3), (1, 2, 3), (1, 3, 2)]])
    measure()
    (only,) = caller(rita).get(f"{P}/agreement/items", ambiguous="1").json()["results"]
    assert only["pairwise_agreement"] == pytest.approx(1 / 3)
    assert only["rankings"] == 3
    worst = caller(rita).get(f"{P}/agreement/items", order="agreement").json()["results"]
    assert [round(one["pairwise_agreement"], 3) for one in worst] == [0.333, 0.778, 1.0]
    assert worst[0]["rollout_set"] == only["rollout_set"]
    assert caller(rita).get(f"{P}/agreement/items", order="mood").json()["code"] == "invalid"


def test_items_page_by_cursor_in_order_of_agreement(measure, ranked_by, caller, rita, project):
    ranked_by([[(1, 2, 3), (1, 2, 3)], [(1, 2, 3), (2, 1, 3)], [(1, 2, 3), (3, 2, 1)]])
    measure()
    seen, route = [], f"{P}/agreement/items?order=agreement&page_size=1"
    while route:
        page = caller(rita).get(route).json()
        seen += [round(one["pairwise_agreement"], 3) for one in page["results"]]
        route = page["next"]
    assert seen == [0.0, 0.667, 1.0]


def test_the_merged_ranking_of_an_item(measure, ranked_by, caller, rita, project):
    ranked_by([[(1, 2, 3), (1, 3, 2), (1, 2, 3)]])
    measure()
    (row,) = SetMeasure.objects.all()
    found = caller(rita).get(f"rollout-sets/{row.rollout_set.uuid}/merged").json()
    responses = list(row.rollout_set.responses.order_by("index").values_list("uuid", flat=True))
    assert found["ranks"] == {str(id): place for id, place in zip(responses, (1, 2, 3), strict=True)}
    assert found["condorcet_winner"] == str(responses[0])
    assert (found["rankings"], found["ambiguous"]) == (3, False)


def test_only_what_changed_is_stored_again_and_what_is_gone_goes(measure, ranked_by, project):
    ranked_by([[(1, 2, 3), (1, 2, 3)]])
    measure()
    (first,) = SetMeasure.objects.all()
    measure()
    (second,) = SetMeasure.objects.all()
    assert first.pk == second.pk
    SetMeasure.objects.update(ambiguous=True)
    measure()
    assert not SetMeasure.objects.get().ambiguous


def test_statistics_by_hand(measure, ranked_by, caller, rita, project):
    type(project).objects.update(hourly_rate="24.00")
    project.refresh_from_db()
    # alice and bob each rank two items of three pairs; one tie leaves two pairs. Half a minute each.
    ranked_by([[(1, 2, 3), (1, 2, 3)], [(1, 2, 3), (1, 1, 2)]])
    measure()
    found = caller(rita).get(f"{P}/statistics").json()
    assert found["hourly_rate"] == "24.00"
    numbers = found["statistics"]
    total = numbers["total"]
    assert (total["rankings"], total["usable_comparisons"], total["active_minutes"]) == (4, 11, 2.0)
    assert total["active_minutes_per_usable_comparison"] == pytest.approx(2 / 11, abs=1e-4)
    assert total["cost_per_usable_comparison"] == pytest.approx(24 / 60 * 2 / 11, abs=1e-4)
    assert [(one["labeler"], one["usable_comparisons"]) for one in numbers["labelers"]] == [("alice", 6), ("bob", 5)]
    assert len(numbers["days"]) == 1
    ranking = next(one for one in numbers["queue"] if one["kind"] == "ranking")
    assert (ranking["done_tasks"], ranking["open_tasks"], ranking["free_slots"]) == (2, 0, 0)
    (stale,) = numbers["staleness"]
    assert (stale["name"], stale["done_tasks"], stale["answers"], stale["checkpoints_behind"]) == ("policy 1", 2, 4, 0)


def test_an_unacceptable_response_is_a_comparison_that_counts(project, publish, caller, alice, next_task, now):
    publish(1)
    lease = next_task(alice)
    ids = [response["id"] for response in lease["task"]["responses"]]
    body = rank(lease, (1, 1, None), unacceptable=[ids[2]])
    assert caller(alice).post(f"leases/{lease['token']}/ranking", body).status_code == 201
    (row,) = statistics.throughput(project=project, now=now + timedelta(seconds=1))
    assert row["usable_comparisons"] == 2
    assert row["timed_comparisons"] == 0
    totals = statistics.total([row], hourly_rate=None)
    assert totals["active_minutes_per_usable_comparison"] is totals["cost_per_usable_comparison"] is None


def test_a_newer_revision_replaces_the_older_ones_comparisons(ranked_by, caller, project, now):
    (alice,) = ranked_by([[(1, 2, 3)]])
    (answer,) = caller(alice).get(f"{P}/answers", mine="1").json()["results"]
    body = {"idempotency_key": "again", "ranks": {id: 1 for id in answer["ranks"]}, "active_ms": 60_000}
    assert caller(alice).patch(f"answers/{answer['id']}", body).status_code == 200
    (row,) = statistics.throughput(project=project, now=now + timedelta(seconds=1))
    assert (row["rankings"], row["usable_comparisons"], row["active_minutes"]) == (1, 0, 1.5)


def test_a_measurement_is_asked_for_once_and_claimed_once(project, caller, rita, now):
    first = caller(rita).post(f"{P}/measurements").json()
    assert caller(rita).post(f"{P}/measurements").json()["id"] == first["id"]
    assert caller(rita).get(f"{P}/agreement").json()["measuring"]
    mine, theirs = measurements.waiting(now=now), measurements.waiting(now=now)
    assert measurements.claim(measurement=mine, now=now)
    assert not measurements.claim(measurement=theirs, now=now)
    assert measurements.waiting(now=now) is None


def test_one_whose_process_was_lost_is_taken_over_and_the_first_writes_nothing(project, now):
    measurements.request(project=project, by=None, now=now)
    lost = measurements.waiting(now=now)
    assert measurements.claim(measurement=lost, now=now)
    later = now + measurements.LOST + timedelta(seconds=1)
    heir = measurements.waiting(now=later)
    assert measurements.claim(measurement=heir, now=later)
    found = vars(measuring.measure(project=project, now=later))
    assert not measurements.finish(measurement=lost, **found, now=later)
    assert measurements.finish(measurement=heir, **found, now=later)


def test_a_measurement_that_fails_says_why(measure, project, caller, rita, monkeypatch):
    monkeypatch.setattr(measuring, "measure", lambda **_: 1 / 0)
    assert measure().error == "ZeroDivisionError: division by zero"
    state = caller(rita).get(f"{P}/agreement").json()
    assert (state["error"], state["measured_at"]) == ("ZeroDivisionError: division by zero", None)


def test_what_has_new_answers_is_due_after_a_while(ranked_by, project, now):
    every = timedelta(minutes=5)
    assert measurements.request_due(every=every, now=now) == 0
    ranked_by([[(1, 2, 3)]])
    assert measurements.request_due(every=every, now=now) == 1
    call_command("measure", verbosity=0)
    later = now + timedelta(minutes=20)
    assert measurements.request_due(every=every, now=later) == 0
    Measurement.objects.update(answers_through=0)
    assert measurements.request_due(every=every, now=now) == 0
    assert measurements.request_due(every=every, now=later) == 1


def test_old_measurements_go(measure, project, now, monkeypatch):
    monkeypatch.setattr(measurements, "KEPT", 2)
    for _ in range(4):
        newest = measure()
    assert list(Measurement.objects.order_by("-id").values_list("pk", flat=True)) == [newest.pk, newest.pk - 1]


@pytest.mark.parametrize(
    "route", ["agreement", "agreement/labelers", "agreement/items", "agreement/items?order=agreement", "statistics"]
)
def test_reading_takes_as_many_queries_for_many_as_for_few(
    measure, route, ranked_by, caller, rita, project, member, publish
):
    ranked_by([[(1, 2, 3), (1, 2, 3)]])
    measure()
    client = caller(rita)
    client.get(f"{P}/{route}")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(f"{P}/{route}")
    SetMeasure.objects.all().delete()
    newest = measured.newest(project=project)
    for number in range(10):
        LabelerMeasure.objects.create(
            measurement=newest,
            labeler=member(f"person{number}", "labeler"),
            numbers={"agreement": {}, "reliability": {}},
        )
    for task in publish(10):
        SetMeasure.objects.create(
            rollout_set=task.rollout_set, project=project, rankings=2, agreeing_pairs=1, decided_pairs=2,
            pairwise_agreement=0.5, ambiguous=False,
        )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        assert client.get(f"{P}/{route}").status_code == 200
    assert len(many) == len(few)


def test_gold_repeats_and_anchors_are_measured_and_are_no_independent_answers(
    ranked_by, measure, caller, rita, project, now
):
    # alice and bob agree on two items. The first becomes gold of the reversed order; alice repeats the second, turned
    # around in one pair; and it is an anchor of a later run that bob turns around wholly.
    alice, bob = ranked_by([[(1, 2, 3), (1, 2, 3)], [(1, 2, 3), (1, 2, 3)]])
    first, second = RolloutSet.objects.order_by("id")
    run = uuid.uuid4()
    measure()
    before = caller(rita).get(f"{P}/agreement").json()["agreement"]

    def again(labeler, purpose, places, **more):
        task = LabelingTask.objects.create(
            project=project, kind="ranking", purpose=purpose, prompt=second.prompt, rollout_set=second, created_at=now,
            **more,
        )  # fmt: skip
        slot = Slot.objects.create(task=task, number=0, project=project, kind="ranking", priority=0, shuffle=0,
                                   state="answered", labeler=labeler)  # fmt: skip
        lease = Lease.objects.create(token=uuid.uuid4(), slot=slot, task=task, labeler=labeler, drawn_at_random=True,
                                     selection_probability=1, created_at=now)  # fmt: skip
        answer = Answer.objects.create(
            project=project, kind="ranking", purpose=purpose, prompt=second.prompt, rollout_set=second, task=task,
            labeler=labeler, lease=lease, idempotency_key=purpose, body_hash=purpose,
            created_at=now + timedelta(days=1),
        )  # fmt: skip
        responses = second.responses.order_by("index")
        RankedResponse.objects.bulk_create(
            RankedResponse(answer=answer, response=one, rank=rank) for one, rank in zip(responses, places, strict=True)
        )
        return answer

    earlier = Answer.objects.get(labeler=alice, rollout_set=second)
    repeat = again(alice, "repeat", (2, 1, 3), repeat_of=earlier)
    check = {"project": project, "labeler": alice, "created_at": now}
    QualityCheck.objects.create(answer=repeat, against=earlier, purpose="repeat", agreeing=2, decided=3, **check)
    scored = Answer.objects.get(labeler=alice, rollout_set=first)
    QualityCheck.objects.create(answer=scored, purpose="gold", agreeing=0, decided=3, **check)
    again(bob, "anchor", (3, 2, 1), opened_for=run)
    measure()
    found = caller(rita).get(f"{P}/agreement").json()
    assert found["agreement"] == before
    assert (found["gold"]["share"], found["gold"]["answers"], found["gold"]["interval"]) == (0.0, 1, None)
    assert found["self_consistency"]["share"] == pytest.approx(2 / 3)
    (anchor,) = found["anchors"]
    assert (anchor["run"], anchor["items"], anchor["answers"]) == (str(run), 1, 1)
    assert (anchor["own"]["share"], anchor["others"]["share"]) == (0.0, 0.0)
    assert anchor["own"]["decided_pairs"] == anchor["others"]["decided_pairs"] == 3
    mine, bobs = caller(rita).get(f"{P}/agreement/labelers").json()["results"]
    assert (mine["self_consistency"]["decided_pairs"], bobs["self_consistency"]["share"]) == (3, None)


def test_the_known_order_of_gold_items_tells_who_reads(ranked_by, measure, caller, rita, project, now):
    """Two people alone cannot be told apart; against gold they can."""
    ranked_by([[(1, 2, 3), (3, 2, 1) if n % 2 else (2, 3, 1)] for n in range(10)])
    for task in LabelingTask.objects.all():
        ids = [str(one.uuid) for one in task.rollout_set.responses.order_by("index")]
        GoldItem.objects.create(
            task=task, project=project, kind="ranking", created_at=now, ranks=dict(zip(ids, (1, 2, 3), strict=True))
        )
    Answer.objects.update(purpose="gold")
    LabelingTask.objects.update(purpose="gold")
    measure()
    alice, bob = caller(rita).get(f"{P}/agreement/labelers").json()["results"]
    assert alice["reliability"]["finding"] == "reads"
    assert bob["reliability"]["finding"] in ("guesses", "reverses")
    assert alice["weight"] > 0.5 > bob["weight"]
    assert alice["agreement"]["items"] == 0
