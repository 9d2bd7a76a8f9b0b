"""The rollout browser: in the order of rewards, of one policy, and where the reward model and people differ most."""

import uuid

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from contracts.records import Rollout, RolloutSetRecord
from labeling.models.prompts import RolloutSet
from labeling.selectors.agreement import against_scores
from labeling.services import rollouts, sources


def test_disagreement_is_the_share_of_decided_pairs_that_the_scores_put_the_other_way():
    scores = {"a": 3.0, "b": 2.0, "c": 1.0}
    assert against_scores([{"a": 1, "b": 2, "c": 3}], scores) == 0
    assert against_scores([{"a": 3, "b": 2, "c": 1}], scores) == 1
    assert against_scores([{"a": 2, "b": 1, "c": 3}], scores) == pytest.approx(1 / 3)
    assert against_scores([{"a": 1, "b": 2, "c": 3}, {"a": 3, "b": 2, "c": 1}], scores) == 0.5
    assert against_scores([{"a": 1, "b": 1, "c": 2}], scores) == 0, "a tie of people decides nothing"
    assert against_scores([{"a": 1, "b": 2}], {"a": 1.0, "b": 1.0}) == 0.5, "equal scores are half wrong"
    assert against_scores([{"a": 1, "b": 2}], {"a": 1.0}) is None
    assert against_scores([], scores) is None


@pytest.fixture
def write(project, prompt, now):
    """write("first", {"What is soil?": [1.0, 0.5, 0.0]}) publishes a policy's scored rollouts, or None without scores."""

    def write(policy, scored):
        source = sources.register(project=project, kind="checkpoint", name=policy, reference=policy, now=now)
        rows = [
            RolloutSetRecord(
                prompt_id=str(prompt(question).uuid),
                rollouts=tuple(
                    Rollout(index=n, text=f"Reply {n} to {question}", token_ids=(n,), token_logprobs=(-1.0,),
                            finish_reason="stop", seed=n)
                    for n in range(3)
                ),
                scores=tuple(scores or ()),
            )
            for question, scores in scored.items()
        ]  # fmt: skip
        rollouts.publish(
            project=project, source=source, run_id=uuid.uuid4(), sampling={}, rows=rows, open_tasks=True, now=now
        )
        return str(source.uuid)

    return write


@pytest.fixture
def browse(caller, ada):
    """browse(order="best") gives the questions of the first page."""

    def browse(**query):
        answer = caller(ada).get("projects/garden/rollouts", **query)
        assert answer.status_code == 200, answer.content
        return [row["prompt"]["messages"][0]["content"] for row in answer.json()["results"]]

    return browse


def test_sets_stand_by_reward_and_policy(write, browse, caller, ada):
    first = write("first", {"A?": [1.0, 0.0, -3.0], "B?": [0.5, 0.4, 0.3], "C?": None})
    second = write("second", {"D?": [2.0, -1.0, 0.0]})
    assert browse() == ["D?", "C?", "B?", "A?"]
    assert browse(order="best") == ["D?", "A?", "B?"]
    assert browse(order="worst") == ["A?", "D?", "B?"]
    assert browse(order="best", policy=first) == ["A?", "B?"]
    assert browse(policy=second) == ["D?"]
    assert browse(order="disagreement") == []
    known = caller(ada).get("projects/garden/policies").json()["results"]
    assert [(one["id"], one["name"]) for one in known] == [(second, "second"), (first, "first")]


def test_pages_follow_one_another_and_lose_nothing(write, caller, ada):
    write("first", {f"{n}?": [float(n % 3), 0.0, 0.0] for n in range(10)})
    seen, address = [], "projects/garden/rollouts?order=best&page_size=3"
    while address:
        page = caller(ada)._client.get(
            address if address.startswith("http") else f"/api/v1/{address}", headers=caller(ada)._headers
        )
        seen += [max(one["score"] for one in row["responses"]) for row in page.json()["results"]]
        address = page.json()["next"]
    assert len(seen) == 10 and seen == sorted(seen, reverse=True)


def test_where_people_and_scores_differ_most_comes_first(project, write, browse, next_task, caller, ada, member):
    write(
        "first", {"Same?": [3.0, 2.0, 1.0], "Other?": [1.0, 2.0, 3.0], "Mixed?": [2.0, 3.0, 1.0], "Unasked?": [1, 2, 3]}
    )
    eve = member("eve", "labeler")
    for _ in range(3):
        lease = next_task(eve)
        question = lease["task"]["prompt"]["messages"][0]["content"]
        if question == "Unasked?":
            caller(eve).post(f"leases/{lease['token']}/skip", {"reason": "other"})
            lease = next_task(eve)
        ranks = {one["id"]: int(one["text"].split()[1]) + 1 for one in lease["task"]["responses"]}
        body = {"idempotency_key": uuid.uuid4().hex, "ranks": ranks}
        assert caller(eve).post(f"leases/{lease['token']}/ranking", body).status_code == 201
    ranked = set(RolloutSet.objects.filter(answers__isnull=False).values_list("pk", flat=True))
    call_command("measure", project.slug, verbosity=0)
    found = dict(RolloutSet.objects.values_list("prompt__messages__0__content", "disagreement"))
    assert len(ranked) == 3
    expected = {"Same?": 0.0, "Other?": 1.0, "Mixed?": pytest.approx(1 / 3), "Unasked?": None}
    assert found == {question: expected[question] for question in found}
    shown = browse(order="disagreement")
    assert shown == [question for question in ("Other?", "Mixed?", "Same?") if found[question] is not None]
    rows = caller(ada).get("projects/garden/rollouts", order="disagreement").json()["results"]
    assert rows[0]["disagreement"] == 1 and rows[0]["rankings"] == 1
    assert [one["mean_place"] for one in rows[0]["responses"]] == [1, 2, 3]


def test_a_wrong_order_or_policy_is_refused(write, caller, ada):
    write("first", {"A?": None})
    for query, field in (
        ({"order": "random"}, "order"),
        ({"policy": "x"}, "policy"),
        ({"policy": str(uuid.uuid4())}, "policy"),
    ):
        answer = caller(ada).get("projects/garden/rollouts", **query)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_sets_of_before_get_their_scores_and_policy(write, browse, shared_fill):
    write("first", {"A?": [1.0, 0.0, -3.0], "B?": None})
    before = list(RolloutSet.objects.order_by("id").values_list("best_score", "worst_score", "source"))
    RolloutSet.objects.update(best_score=None, worst_score=None, source=None)
    shared_fill()
    assert list(RolloutSet.objects.order_by("id").values_list("best_score", "worst_score", "source")) == before


@pytest.fixture
def shared_fill():
    def fill():
        executor = MigrationExecutor(connection)
        executor.loader.get_migration("labeling", "0011_fill_rollout_browser").operations[0].code(
            executor.loader.project_state(("labeling", "0011_fill_rollout_browser")).apps, None
        )

    return fill
