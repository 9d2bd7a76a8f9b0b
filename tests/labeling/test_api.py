"""The labeling side as its clients see it, over HTTP."""

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contracts.records import Rollout, RolloutSetRecord
from labeling.models.answers import Answer
from labeling.models.prompts import Source
from labeling.models.records import AuditEntry, OutboxEvent
from labeling.services import rollouts, sources
from tests.labeling.work import rank


def test_a_lease_shows_everything_but_whose_the_responses_are(publish, next_task, alice):
    publish(1)
    lease = next_task(alice)
    assert set(lease) == {"token", "expires_at", "lease_seconds", "server_time", "task", "draft", "notice"}
    assert lease["task"]["guideline"] == {"version": 1, "text": "Prefer what is true."}
    assert lease["task"]["prompt"]["messages"] == [{"role": "user", "content": "Question 0?", "name": ""}]
    assert [set(response) for response in lease["task"]["responses"]] == [{"id", "text", "tokens"}] * 3
    assert {response["tokens"] for response in lease["task"]["responses"]} == {3}
    assert "policy" not in json.dumps(lease["task"]["responses"])
    assert lease["expires_at"].endswith("Z")


def test_a_draft_comes_back_with_the_task(publish, next_task, caller, alice):
    publish(1)
    lease = next_task(alice)
    saved = caller(alice).put(f"leases/{lease['token']}/draft", {"body": {"ranks": {"a": 1}, "note": "héé"}})
    assert saved.json()["expires_at"] >= lease["expires_at"]
    assert next_task(alice)["draft"] == {"ranks": {"a": 1}, "note": "héé"}


def test_a_ranking_with_ties_marks_and_notes_is_stored_as_given(publish, next_task, caller, alice, project):
    type(project).objects.update(ask_rationale=True, ask_confidence=True, likert_points=7)
    publish(1)
    lease = next_task(alice)
    ids = [response["id"] for response in lease["task"]["responses"]]
    body = rank(
        lease, (1, 1, None), unacceptable=[ids[2]], likert={ids[0]: 7, ids[1]: None}, flags={ids[2]: ["harmful"]},
        rationale="Both are right — third isn't.", confidence=4, active_ms=5300,
    )  # fmt: skip
    receipt = caller(alice).post(f"leases/{lease['token']}/ranking", body)
    assert receipt.status_code == 201
    assert receipt.json() == {
        "id": receipt.json()["id"], "kind": "ranking", "task": lease["task"]["id"],
        "created_at": receipt.json()["created_at"], "late": False, "revision": 1,
    }  # fmt: skip
    stored = caller(alice).get(f"answers/{receipt.json()['id']}").json()
    assert stored["ranks"] == body["ranks"]
    assert stored["unacceptable"] == [ids[2]]
    assert stored["likert"] == {ids[0]: 7}
    assert stored["flags"] == {ids[2]: ["harmful"]}
    assert (stored["rationale"], stored["confidence"], stored["active_ms"]) == (body["rationale"], 4, 5300)
    assert stored["order_shown"] == ids
    assert stored["guideline_version"] == 1
    assert [response["id"] for response in stored["responses"]] == ids
    assert AuditEntry.objects.filter(action="answer_submitted", actor=alice).count() == 1
    assert OutboxEvent.objects.get().payload["answer"] == receipt.json()["id"]


def test_all_unacceptable_is_an_answer(publish, next_task, caller, alice):
    publish(1)
    lease = next_task(alice)
    ids = [response["id"] for response in lease["task"]["responses"]]
    body = rank(lease, (None, None, None), unacceptable=ids)
    assert caller(alice).post(f"leases/{lease['token']}/ranking", body).status_code == 201


def test_a_partial_ranking_is_taken_where_the_project_allows_it(publish, next_task, caller, alice, project):
    publish(1)
    lease = next_task(alice)
    body = rank(lease, (1, 2, None))
    assert caller(alice).post(f"leases/{lease['token']}/ranking", body).json()["code"] == "incomplete"
    type(project).objects.update(allow_partial=True)
    assert caller(alice).post(f"leases/{lease['token']}/ranking", body).status_code == 201


def test_posting_again_gives_the_stored_answer_and_another_body_a_conflict(publish, next_task, caller, alice):
    publish(1)
    lease = next_task(alice)
    body = rank(lease)
    first = caller(alice).post(f"leases/{lease['token']}/ranking", body)
    again = caller(alice).post(f"leases/{lease['token']}/ranking", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = caller(alice).post(f"leases/{lease['token']}/ranking", {**body, "active_ms": 1})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert Answer.objects.count() == 1


def test_a_demonstration_is_a_reply_or_several_turns(caller, next_task, alice, erin):
    prompts = [{"messages": [{"role": "user", "content": text}]} for text in ("Who?", "When?")]
    added = caller(erin).post("projects/garden/prompts", {"prompts": prompts, "open_demonstrations": True})
    assert added.status_code == 201
    assert next_task(alice, kinds=["ranking"]) is None
    lease = next_task(alice, kinds=["demonstration"])
    assert lease["task"]["responses"] == []
    body = {"idempotency_key": "one", "text": "The gardener."}
    assert caller(alice).post(f"leases/{lease['token']}/demonstration", body).status_code == 201
    lease = next_task(alice)
    turns = [
        {"role": "assistant", "content": "Which year?"},
        {"role": "user", "content": "This one."},
        {"role": "assistant", "content": "In May."},
    ]
    wrong = caller(alice).post(
        f"leases/{lease['token']}/demonstration", {"idempotency_key": "two", "messages": turns[:2]}
    )
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["messages"])
    for empty in ({"text": " "}, {"text": ""}, {}):
        answer = caller(alice).post(f"leases/{lease['token']}/demonstration", {"idempotency_key": "two", **empty})
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["text"])
    good = caller(alice).post(f"leases/{lease['token']}/demonstration", {"idempotency_key": "two", "messages": turns})
    assert good.status_code == 201
    reply = caller(alice).get(f"answers/{good.json()['id']}").json()["reply"]
    assert [turn["content"] for turn in reply] == ["Which year?", "This one.", "In May."]


def test_a_demonstration_equal_to_the_draft_asks_for_confirmation(project, prompt, next_task, caller, alice, now):
    from labeling.services import tasks

    row = prompt("Who?")
    tasks.open_demonstrations(project=project, prompts=[row], now=now, drafts={row.pk: "The gardener."})
    lease = next_task(alice)
    assert lease["task"]["policy_draft"] == "The gardener."
    body = {"idempotency_key": "k", "text": "The gardener."}
    asked = caller(alice).post(f"leases/{lease['token']}/demonstration", body)
    assert (asked.status_code, asked.json()["code"]) == (400, "same_as_draft")
    edited = {"idempotency_key": "k2", "text": "The old gardener!"}
    stored = caller(alice).post(f"leases/{lease['token']}/demonstration", edited).json()
    assert caller(alice).get(f"answers/{stored['id']}").json()["edit_distance"] == 5


def test_a_comparison_of_two_policies_is_blind(project, prompt, next_task, caller, alice, bob, now):
    sides = {
        name: sources.register(project=project, kind=Source.Kind.CHECKPOINT, name=name, reference=name, now=now)
        for name in ("policy", "reference")
    }
    row = prompt("Who?")
    rows = [
        RolloutSetRecord(
            prompt_id=str(row.uuid), policy=name,
            rollouts=(Rollout(index=0, text=f"{len(name)}", token_ids=(1,), token_logprobs=(0.0,), finish_reason="stop", seed=0),),
        )
        for name in sides
    ]  # fmt: skip
    run_id = uuid.uuid4()
    arguments = {"project": project, "sources": sides, "run_id": run_id, "sampling": {}, "rows": rows, "now": now}
    assert rollouts.publish_comparisons(**arguments) == 1
    assert rollouts.publish_comparisons(**arguments) == 0
    lease = next_task(alice, kinds=["comparison"])
    assert "policy" not in json.dumps(lease["task"]["responses"])
    best = lease["task"]["responses"][0]["id"]
    wrong = caller(alice).post(
        f"leases/{lease['token']}/comparison", {"idempotency_key": "k", "choice": str(uuid.uuid4())}
    )
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["choice"])
    stored = caller(alice).post(f"leases/{lease['token']}/comparison", {"idempotency_key": "k", "choice": best}).json()
    assert caller(alice).get(f"answers/{stored['id']}").json()["ranks"][best] == 1
    revised = caller(alice).patch(f"answers/{stored['id']}", {"idempotency_key": "k2", "choice": "both_bad"}).json()
    answer = caller(alice).get(f"answers/{revised['id']}").json()
    assert set(answer["ranks"].values()) == {1}
    assert len(answer["unacceptable"]) == 2


def test_an_edit_is_a_new_revision_and_the_old_one_stays(publish, next_task, caller, alice, bob, rita):
    publish(1)
    lease = next_task(alice)
    first = caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease)).json()
    body = rank(lease, (3, 2, 1))
    second = caller(alice).patch(f"answers/{first['id']}", body)
    assert (second.status_code, second.json()["revision"]) == (200, 2)
    assert caller(alice).patch(f"answers/{first['id']}", body).json() == second.json()
    stale = caller(alice).patch(f"answers/{first['id']}", rank(lease))
    assert (stale.status_code, stale.json()["code"]) == (409, "revision_outdated")
    assert caller(bob).patch(f"answers/{first['id']}", body).status_code == 403
    assert caller(bob).get(f"answers/{first['id']}").status_code == 403
    assert caller(rita).patch(f"answers/{second.json()['id']}", rank(lease)).status_code == 403
    listed = caller(alice).get("projects/garden/answers", mine=1).json()["results"]
    assert [(row["revision"], row["newest"]) for row in listed] == [(2, True), (1, False)]
    assert listed[0]["ranks"] == body["ranks"]


def test_progress_counts_tasks_and_people(publish, next_task, caller, alice, bob, rita):
    publish(3)
    lease = next_task(alice)
    caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease, active_ms=60_000))
    next_task(bob)
    found = caller(rita).get("projects/garden/progress").json()
    assert found["tasks"]["ranking"] == {"open": 1, "leased": 1, "done": 1, "halted": 0}
    assert found["answers"]["rankings"] == 1
    assert found["labelers"] == [
        {"username": "alice", "rankings": 1, "demonstrations": 0, "comparisons": 0, "active_minutes": 1.0}
    ]
    assert caller(alice).get("projects/garden/progress").json()["mine"] == {"today": 1, "total": 1}


def test_a_reviewer_reopens_a_halted_task(publish, next_task, caller, project, alice, bob, rita):
    type(project).objects.update(skips_to_halt=1)
    (task,) = publish(1)
    caller(alice).post(f"leases/{next_task(alice)['token']}/skip", {"reason": "broken"})
    halted = caller(rita).get("projects/garden/tasks", state="halted").json()["results"]
    assert [row["id"] for row in halted] == [str(task.uuid)]
    assert next_task(bob) is None
    assert caller(rita).patch(f"tasks/{task.uuid}", {"state": "open"}).json()["state"] == "open"
    assert next_task(alice) is None
    assert next_task(bob)["task"]["id"] == str(task.uuid)
    assert caller(rita).patch(f"tasks/{task.uuid}", {"state": "closed"}).json()["state"] == "closed"
    assert next_task(bob) is None


def test_events_and_the_audit_trail_tell_what_happened(publish, next_task, caller, alice, erin, ada):
    publish(2)
    told = []
    page = caller(erin).get("projects/garden/events").json()
    assert page["results"] == []
    for _ in range(2):
        lease = next_task(alice)
        told.append(caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease)).json()["id"])
    page = caller(erin).get("projects/garden/events", page_size=1).json()
    page2 = caller(erin).get(page["next"]).json()
    assert [row["payload"]["answer"] for row in page["results"] + page2["results"]] == told
    trail = caller(ada).get("projects/garden/audit").json()["results"]
    assert [(row["actor"], row["action"]) for row in trail] == [("alice", "answer_submitted")] * 2


@pytest.mark.parametrize(
    "route", ["events", "audit", "answers", "tasks", "prompts", "members", "snapshots", "guidelines", "corpora"]
)
def test_lists_take_as_many_queries_for_many_rows_as_for_few(
    route, publish, next_task, caller, alice, bob, ada, member
):
    def fill(count):
        publish(count)
        for _ in range(count):
            lease = next_task(alice)
            caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease))
            member(uuid.uuid4().hex[:10], "labeler")

    reader = caller(ada)
    reader.get(f"projects/garden/{route}")  # what a process looks up once

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert reader.get(f"projects/garden/{route}").status_code == 200
        return len(captured)

    fill(1)
    few = queries()
    fill(6)
    assert queries() == few
