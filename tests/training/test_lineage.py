"""From checkpoints to the people whose answers are in them, and back."""

import json

import pytest
from django.utils import timezone

from labeling.models.answers import Answer
from tests.training.conftest import make_corpus
from tests.training.test_api import a_checkpoint, assert_shape
from tests.training.test_outputs import claimed, edges, finish, folder_of, trained, write_rollouts
from training.api import shapes
from training.selectors import lineage
from training.services import runs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folders(var):
    """Run directories of these tests go to a folder of each test's own."""


@pytest.fixture
def ranked(project, publish, alice, bob, caller):
    """Three sets of responses: alice has ranked two of them, bob one."""
    publish(3)
    for person, count in ((alice, 2), (bob, 1)):
        for number in range(count):
            lease = caller(person).post("projects/garden/next", {"kinds": ["ranking"]}).json()
            ids = [response["id"] for response in lease["task"]["responses"]]
            ranks = {identity: place for place, identity in enumerate(ids, start=1)}
            sent = {"idempotency_key": f"{person.username}-{number}", "ranks": ranks, "active_ms": 1000}
            answer = caller(person).post(f"leases/{lease['token']}/ranking", sent)
            assert answer.status_code == 201, answer.content


@pytest.fixture
def models(project, ranked, settings):
    """base, then a reward model on the rankings, then a policy against it."""
    make_corpus(project, settings.ARTIFACTS)
    base = trained(project, "pretrain", {}, settings)
    reward_model = trained(project, "reward_model", {"base": str(base.id)}, settings)
    given = {"policy": str(base.id), "reward_model": str(reward_model.id)}
    return base, reward_model, trained(project, "ppo", given, settings)


def test_a_policy_leads_to_the_labelers_whose_rankings_made_its_reward(models):
    found = edges(lineage.of_checkpoint(models[2]))
    assert {
        (("labeler", "alice"), "2 rankings", ("snapshot", "3 rankings")),
        (("labeler", "bob"), "1 rankings", ("snapshot", "3 rankings")),
        (("snapshot", "3 rankings"), "rankings", ("run", "reward_model 1")),
        (("run", "reward_model 1"), "made", ("checkpoint", "reward_model 1")),
        (("checkpoint", "reward_model 1"), "reward_model", ("run", "ppo 1")),
        (("corpus", "corpus"), "corpus", ("run", "pretrain 1")),
    } <= found


def test_a_labeler_and_an_answer_lead_to_the_checkpoints_they_are_in(project, models, api, bob):
    found = edges(api.get("projects/garden/lineage", labeler="bob").json())
    assert (("labeler", "bob"), "1 rankings", ("snapshot", "3 rankings")) in found
    assert (("run", "ppo 1"), "made", ("checkpoint", "ppo 1")) in found
    assert not [edge for edge in found if ("labeler", "alice") in edge]
    answer = Answer.objects.get(labeler=bob)
    graph = api.get("projects/garden/lineage", answer=str(answer.uuid)).json()
    assert_shape(shapes.Lineage, graph)
    assert edges(graph) == found


def test_rankings_name_the_checkpoint_whose_responses_they_order(project, settings, prompt, api):
    prompt()
    make_corpus(project, settings.ARTIFACTS)
    base = trained(project, "pretrain", {}, settings)
    run = claimed(project, "sample", {"policy": str(base.id)})
    folder = folder_of(run, settings)
    write_rollouts(folder, list(project.prompts.all()))
    assert finish(run, folder)
    lease = api.post("projects/garden/next", {"kinds": ["ranking"]}).json()
    ids = [response["id"] for response in lease["task"]["responses"]]
    api.post(f"leases/{lease['token']}/ranking", {"idempotency_key": "k", "ranks": {ids[0]: 1, ids[1]: 2}})
    reward_model = trained(project, "reward_model", {"base": str(base.id)}, settings)
    edge = (("checkpoint", "pretrain 1"), "rollouts", ("snapshot", "1 rankings"))
    assert edge in edges(lineage.of_checkpoint(reward_model))


def test_leaving_a_labeler_out_is_one_filter(project, models):
    base = models[0]
    rows = {"filters": {"without_labelers": ["alice"]}}
    run = runs.start(
        project=project, kind="reward_model", config={}, given={"base": str(base.id), "rankings": rows}, by=None,
        now=timezone.now(),
    )  # fmt: skip
    assert run.input_rows.get(name="rankings").snapshot.rows == 1


def test_what_nobody_used_leads_nowhere(project, api):
    alone = a_checkpoint(project, "policy")
    graph = json.loads(api.get(f"checkpoints/{alone.id}/lineage").content)
    assert {node["type"] for node in graph["nodes"]} == {"run", "checkpoint"}
    assert api.get("projects/garden/lineage", labeler="nobody").json() == {"nodes": [], "edges": []}
    assert api.get("projects/garden/lineage").status_code == 400


def test_erasing_a_labeler_tells_what_used_them_and_leaves_no_name(project, models, caller, ada, bob, erin, now):
    from labeling.selectors import exports
    from labeling.selectors.exports import Choices

    body = {"labeler": "bob", "answers": True}
    assert caller(erin).post("projects/garden/erasures", body).status_code == 403
    tried = caller(ada).post("projects/garden/erasures", {**body, "dry_run": True}).json()
    assert_shape(shapes.ErasureReport, tried)
    assert tried["erased"] == {}
    done = caller(ada).post("projects/garden/erasures", body).json()
    assert {one["name"] for one in done["checkpoints"]} == {"reward_model 1", "ppo 1"}
    assert [one["name"] for one in done["snapshots"]] == ["3 rankings"]
    assert done["erased"]["answers"] == 1
    assert caller(ada).post("projects/garden/erasures", body).status_code == 404
    bob.refresh_from_db()
    assert (bob.is_active, bob.name, bob.username[:7]) == (False, "", "erased-")
    rows = list(exports.found(project=project, choices=Choices(kind="rankings")))
    assert {row["labeler"] for row in rows} == {"alice"}


def test_erasing_a_prompt_takes_its_texts_and_keeps_it_out(project, models, caller, ada, now):
    from labeling.models.prompts import Prompt, Response
    from labeling.selectors import exports
    from labeling.selectors.exports import Choices

    answer = Answer.objects.filter(labeler__username="alice").first()
    prompt = answer.prompt
    said = prompt.messages[0]["content"]
    done = caller(ada).post("projects/garden/erasures", {"prompt": str(prompt.uuid)}).json()
    assert {one["name"] for one in done["checkpoints"]} >= {"reward_model 1", "ppo 1"}
    assert done["erased"]["responses"] == 3
    again = caller(ada).post("projects/garden/erasures", {"prompt": str(prompt.uuid)}).json()
    assert set(again["erased"].values()) == {0}
    kept = json.dumps(
        [list(Prompt.objects.values_list("messages", flat=True)), list(Response.objects.values_list("text", flat=True))]
    )
    assert said not in kept
    for kind in ("prompts", "rankings"):
        assert said not in json.dumps(list(exports.found(project=project, choices=Choices(kind=kind))))
    body = {"prompts": [{"messages": [{"role": "user", "content": said}]}]}
    assert caller(ada).post("projects/garden/prompts", body).json()["stored"] == 0
