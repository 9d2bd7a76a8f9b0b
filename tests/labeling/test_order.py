"""Hand-out order by information, anchors beside each round, and tasks over responses of outside models."""

import json
import uuid

import pytest
from django.db import IntegrityError, transaction

from labeling.models.answers import Answer
from labeling.models.prompts import RolloutSet
from labeling.models.work import LabelingTask, Slot
from labeling.selectors import access, invariants, records
from labeling.selectors.filters import Filters
from labeling.services import priorities
from labeling.services.priorities import Signals
from tests.labeling.work import rank


@pytest.fixture(autouse=True)
def promises(db, settings):
    settings.TOKEN_CACHE_SECONDS = 0
    yield
    assert not any(invariants.violations().values()), invariants.violations()


def signals(**columns):
    number = len(next(iter(columns.values())))
    return [Signals(task=uuid.uuid4(), **{name: values[i] for name, values in columns.items()}) for i in range(number)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (signals(uncertainty=[0.1, 0.3, 0.2, 0.4]), [0.125, 0.625, 0.375, 0.875]),
        (signals(uncertainty=[5, 5, 7, 1]), [0.5, 0.5, 0.875, 0.125]),
        (signals(reward=[7.0]), [0.5]),
        (signals(uncertainty=[1, 2], reward=[20, 10]), [0.75, 0.75]),
        (signals(uncertainty=[1, None], disagreement=[None, None]), [0.5, 0.0]),
    ],
)
def test_information_is_the_highest_quantile_of_any_signal(rows, expected):
    assert priorities.information(rows) == pytest.approx(expected)


def test_the_most_telling_task_comes_first_but_after_fresher_ones(publish, next_task, caller, alice, erin, now):
    from datetime import timedelta

    stale = publish(3, at=now - timedelta(minutes=1))
    body = {
        "tasks": [
            {"task": str(task.uuid), "uncertainty": value} for task, value in zip(stale, (0.2, 0.9, 0.5), strict=True)
        ]
    }
    assert caller(erin).post("projects/garden/priorities", body).json() == {"tasks": 3}
    (fresh,) = publish(1, at=now)
    order = [fresh, stale[1], stale[2], stale[0]]
    for expected in order:
        lease = next_task(alice)
        assert lease["task"]["id"] == str(expected.uuid)
        caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease))
    assert LabelingTask.objects.get(pk=stale[1].pk).information == pytest.approx(5 / 6)


def test_days_let_information_outrank_freshness(publish, next_task, caller, alice, erin, now):
    from datetime import timedelta

    (stale,) = publish(1, at=now - timedelta(days=1))
    publish(1, at=now)
    body = {"tasks": [{"task": str(stale.rollout_set.uuid), "reward": 3}], "days": 7}
    assert caller(erin).post("projects/garden/priorities", body).json() == {"tasks": 1}
    assert next_task(alice)["task"]["id"] == str(stale.uuid)


def test_scores_of_a_run_order_its_tasks(project, prompt, now):
    from contracts.records import Rollout, RolloutSetRecord
    from labeling.services import rollouts, sources

    source = sources.register(project=project, kind="checkpoint", name="p", reference="p", now=now)
    spread = {"sure": (3.0, -3.0), "unsure": (0.1, 0.0), "hacked": (90.0, 1.0)}
    rows = [
        RolloutSetRecord(
            prompt_id=str(prompt(name).uuid),
            scores=scores,
            rollouts=tuple(
                Rollout(
                    index=i, text=f"{name} {i}", token_ids=(1,), token_logprobs=(0.0,), finish_reason="stop", seed=i
                )
                for i in range(2)
            ),
        )
        for name, scores in spread.items()
    ]
    rollouts.publish(
        project=project, source=source, run_id=uuid.uuid4(), sampling={}, rows=rows, open_tasks=True, now=now
    )
    found = {task.prompt.messages[0]["content"]: task.information for task in LabelingTask.objects.all()}
    assert found["hacked"] == found["unsure"] > found["sure"]
    assert all(slot.priority == slot.task.priority for slot in Slot.objects.select_related("task"))


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "tasks", "wrong_type"),
        ({"tasks": [{"task": "x", "reward": 1}]}, "tasks.0.task", "invalid"),
        ({"tasks": [{"task": str(uuid.uuid4()), "reward": 1}]}, "tasks.0.task", "unknown_task"),
        ({"tasks": [{"task": str(uuid.uuid4())}]}, "tasks.0", "wrong_type"),
        ({"tasks": [{"task": str(uuid.uuid4()), "reward": "high"}]}, "tasks.0", "wrong_type"),
        ({"tasks": [{"task": str(uuid.uuid4()), "mood": 1, "reward": 1}]}, "tasks.0.mood", "unknown_field"),
        ({"tasks": [7]}, "tasks.0", "wrong_type"),
        ({"tasks": [{"task": str(uuid.uuid4()), "reward": 1}], "days": -1}, "days", "out_of_range"),
    ],
)
def test_bad_priorities_are_refused_by_field(body, field, code, project, caller, erin):
    answer = caller(erin).post("projects/garden/priorities", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.json()
    assert field in answer.json()["fields"]


def answered(publish, next_task, caller, user, number):
    tasks = publish(number)
    for _ in range(number):
        lease = next_task(user)
        assert caller(user).post(f"leases/{lease['token']}/ranking", rank(lease)).status_code == 201
    return tasks


def test_each_round_ranks_the_same_anchors_again_beside_the_new_items(
    project, publish, next_task, caller, alice, bob, erin
):
    answered(publish, next_task, caller, alice, 6)
    project.anchor_share = 0.5
    project.save()
    access.forget()
    publish(4)
    first = set(LabelingTask.objects.filter(purpose="anchor").values_list("rollout_set", flat=True))
    assert len(first) == 2
    run_id = uuid.uuid4()
    publish(4, run_id=run_id)
    second = LabelingTask.objects.filter(purpose="anchor", opened_for=run_id)
    assert set(second.values_list("rollout_set", flat=True)) == first
    listed = caller(erin).get("projects/garden/anchors").json()["results"]
    assert {row["id"] for row in listed} == {str(row.uuid) for row in RolloutSet.objects.filter(pk__in=first)}
    publish(4, run_id=run_id)
    assert LabelingTask.objects.filter(purpose="anchor").count() == 4
    while lease := next_task(bob):
        caller(bob).post(f"leases/{lease['token']}/ranking", rank(lease))
    assert Answer.objects.filter(purpose="anchor").count() == 4
    frozen = list(records.rankings(project=project, filters=Filters()))
    assert len(frozen) == Answer.objects.filter(purpose="ordinary").count() == 14


def test_anchors_are_named_and_dismissed_over_the_api(publish, caller, erin):
    tasks = publish(2)
    body = {"tasks": [str(tasks[0].uuid)]}
    assert caller(erin).post("projects/garden/anchors", body).json() == {"items": 1}
    assert caller(erin).post("projects/garden/anchors", body).json() == {"items": 0}
    assert caller(erin).post("projects/garden/anchors", {**body, "anchored": False}).json() == {"items": 1}
    assert caller(erin).get("projects/garden/anchors").json()["results"] == []
    for wrong in ({}, {"tasks": []}, {"tasks": ["x"]}, {"tasks": "x"}):
        answer = caller(erin).post("projects/garden/anchors", wrong)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["tasks"])


def test_the_database_refuses_a_second_anchor_of_an_item_in_a_round(project, publish, now):
    (task,) = publish(1)
    values = {"project": project, "kind": "ranking", "prompt": task.prompt, "rollout_set": task.rollout_set,
              "purpose": "anchor", "created_at": now, "state": "closed"}  # fmt: skip
    run_id = uuid.uuid4()
    LabelingTask.objects.create(**values, opened_for=run_id)
    for wrong in ({"opened_for": run_id}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LabelingTask.objects.create(**values, **wrong)


def item(text="Who?", responses=(("a", "The gardener."), ("b", "Nobody."))):
    return {
        "messages": [{"role": "user", "content": text}],
        "responses": [{"source": source, "text": reply} for source, reply in responses],
    }


def test_outside_models_are_compared_blind_and_an_item_opens_one_task(project, caller, erin, alice, next_task):
    body = {"kind": "comparison", "items": [item(), item("When?"), item()]}
    made = caller(erin).post("projects/garden/tasks", body)
    assert (made.status_code, made.json()["opened"], made.json()["duplicates"]) == (201, 2, 1)
    assert caller(erin).post("projects/garden/tasks", body).json()["opened"] == 0
    lease = next_task(alice)
    assert lease["task"]["kind"] == "comparison"
    assert "source" not in json.dumps(lease)
    for choice in ("tie", "both_bad"):
        lease = next_task(alice)
        sent = caller(alice).post(f"leases/{lease['token']}/comparison", {"idempotency_key": choice, "choice": choice})
        assert sent.status_code == 201
    assert next_task(alice) is None
    rows = list(records.rankings(project=project, filters=Filters()))
    assert sorted({one.source for row in rows for one in row.responses}) == ["outside:a", "outside:b"]


def test_outside_models_are_ranked(project, caller, erin, alice, next_task):
    body = {"kind": "ranking", "items": [item(responses=(("a", "x"), ("a", "y"), ("b", "z")))]}
    assert caller(erin).post("projects/garden/tasks", body).json()["opened"] == 1
    assert len(next_task(alice)["task"]["responses"]) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": "demonstration", "items": [item()]}, "kind"),
        ({"kind": "ranking", "items": []}, "items"),
        ({"kind": "ranking", "items": ["x"]}, "items.0"),
        ({"kind": "ranking", "items": [{**item(), "x": 1}]}, "items.0.x"),
        ({"kind": "ranking", "items": [{**item(), "messages": []}]}, "items.0.messages"),
        ({"kind": "ranking", "items": [item(responses=(("a", "x"),))]}, "items.0.responses"),
        ({"kind": "ranking", "items": [item(responses=(("a", "x"),) * 10)]}, "items.0.responses"),
        ({"kind": "ranking", "items": [item(responses=(("", "x"), ("a", "y")))]}, "items.0.responses.0.source"),
        ({"kind": "ranking", "items": [item(responses=(("a", 5), ("a", "y")))]}, "items.0.responses.0.text"),
        ({"kind": "ranking", "items": [item(responses=(("a", "\x00"), ("a", "y")))]}, "items.0.responses.0.text"),
        ({"kind": "comparison", "items": [item(responses=(("a", "x"), ("a", "y")))]}, "items.0.responses"),
        ({"kind": "comparison", "items": [item(responses=(("a", "x"), ("b", "y"), ("c", "z")))]}, "items.0.responses"),
    ],
)
def test_bad_items_are_refused_by_field(body, field, project, caller, erin):
    answer = caller(erin).post("projects/garden/tasks", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["fields"]
    assert LabelingTask.objects.count() == RolloutSet.objects.count() == 0


def test_a_labeler_authors_a_whole_conversation_where_the_prompt_only_sets_the_scene(
    project, caller, erin, alice, next_task
):
    scene = {"messages": [{"role": "system", "content": "You help in a garden."}]}
    body = {"prompts": [scene], "open_demonstrations": True}
    assert caller(erin).post("projects/garden/prompts", body).status_code == 201
    lease = next_task(alice)
    assert lease["task"]["prompt"]["messages"] == [{"role": "system", "content": "You help in a garden.", "name": ""}]
    turns = [
        {"role": "user", "content": "When do I sow beans?"},
        {"role": "assistant", "content": "In May."},
        {"role": "user", "content": "And peas?"},
        {"role": "assistant", "content": "In March."},
    ]
    sent = caller(alice).post(f"leases/{lease['token']}/demonstration", {"idempotency_key": "k", "messages": turns})
    assert sent.status_code == 201
    (row,) = records.demonstrations(project=project, filters=Filters())
    assert [message.content for message in row.reply] == [turn["content"] for turn in turns]
