"""What a succeeded run leaves in the database: checkpoints with parents, sources, published rollouts."""

import json
from itertools import product

import pytest
from django.utils import timezone

from contracts.records import Rollout, RolloutSetRecord
from contracts.run_dir import RunDir, RunDirError, write_json
from contracts.snapshots import canonical_json
from labeling.models.prompts import Response, RolloutSet, Source
from labeling.models.work import LabelingTask, Slot
from tests.training.conftest import make_corpus
from tests.training.test_api import a_checkpoint, add_prompt, assert_shape
from training.api import shapes
from training.models.checkpoints import Checkpoint
from training.models.runs import Run
from training.selectors import lineage
from training.services import outputs, runs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folders(var):
    """Run directories of these tests go to a folder of each test's own."""


def claimed(project, kind, given=None, **config):
    run = runs.start(project=project, kind=kind, config=config, given=given or {}, by=None, now=timezone.now(), seed=4)
    return runs.claim(run.id, now=timezone.now())


def folder_of(run, settings):
    folder = RunDir(settings.RUNS / str(run.id))
    folder.path.mkdir(parents=True)
    return folder


def write_rollouts(folder, prompts, *, k=2, policies=("policy",), ids=(5, 2)):
    with folder.saving_output(kind="rollouts") as output, (output / "rollouts.jsonl").open("w") as stream:
        for prompt, policy in product(prompts, policies):
            rollouts = tuple(
                Rollout(
                    index=i,
                    text=f"reply {i}",
                    token_ids=ids,
                    token_logprobs=(-0.5, -0.1),
                    finish_reason="stop",
                    seed=i,
                )
                for i in range(k)
            )
            record = RolloutSetRecord(prompt_id=str(prompt.uuid), rollouts=rollouts, policy=policy)
            stream.write(canonical_json(record.to_json()) + "\n")


def finish(run, folder):
    return outputs.finish(run, folder, now=timezone.now())


def trained(project, kind, given, settings, **config):
    """A run of this kind that has succeeded, and its checkpoint."""
    run = claimed(project, kind, given, **config)
    folder = folder_of(run, settings)
    with folder.saving_output(kind=kind) as output:
        write_json(output / "weights.json", {"of": str(run.id)})
    folder.write_report({"accuracy": 0.7})
    assert finish(run, folder)
    return Checkpoint.objects.get(run=run)


def test_a_trained_policy_is_a_checkpoint_with_parents_and_a_source(project, settings):
    policy, reward_model = a_checkpoint(project, "policy"), a_checkpoint(project, "reward_model")
    add_prompt(project)
    made = trained(project, "ppo", {}, settings)
    assert made.kind == "policy"
    assert set(made.parents.all()) == {policy, reward_model}
    assert (made.source.kind, made.source.reference) == ("checkpoint", str(made.id))
    made.run.refresh_from_db()
    assert made.run.report == {"accuracy": 0.7}
    assert made.run.outputs["checkpoint"] == str(made.id)


def test_sampled_rollouts_become_ranking_tasks_with_provenance(project, settings):
    policy = a_checkpoint(project, "base")
    prompts = [add_prompt(project, "one?"), add_prompt(project, "two?")]
    run = claimed(project, "sample", temperature=0.7)
    folder = folder_of(run, settings)
    write_rollouts(folder, prompts)
    assert finish(run, folder)
    run.refresh_from_db()
    assert run.outputs == {"rollouts": True, "published": 2}
    assert LabelingTask.objects.filter(kind="ranking", state="open").count() == 2
    assert Slot.objects.count() == 2
    stored = RolloutSet.objects.get(prompt=prompts[0])
    assert stored.run_id == run.id
    assert (stored.sampling["temperature"], stored.sampling["seed"]) == (0.7, 4)
    policy.refresh_from_db()
    response = Response.objects.filter(rollout_set=stored).first()
    assert (response.source, response.token_ids, response.seed) == (policy.source, [5, 2], "0")


def test_rollouts_that_are_not_to_be_published_open_no_task_and_can_be_read(api, project, settings):
    a_checkpoint(project, "policy")
    prompts = [add_prompt(project, f"{i}?") for i in range(25)]
    run = claimed(project, "sample", publish=False)
    folder = folder_of(run, settings)
    write_rollouts(folder, prompts)
    assert finish(run, folder)
    assert not LabelingTask.objects.exists()
    first = json.loads(api.get(f"runs/{run.id}/rollouts").content)
    assert_shape(shapes.RolloutPage, first)
    assert first["results"][0]["prompt"][0]["content"] == "0?"
    rest = json.loads(api.get(f"runs/{run.id}/rollouts?cursor={first['next']}").content)
    assert len(first["results"]) + len(rest["results"]) == 25
    assert rest["next"] is None


def test_a_hub_model_that_is_sampled_is_an_outside_source(project, settings):
    prompt = add_prompt(project)
    run = claimed(project, "sample", {"policy": {"hub": "someone/model"}})
    folder = folder_of(run, settings)
    write_rollouts(folder, [prompt])
    assert finish(run, folder)
    assert Source.objects.get().name == "someone/model"


def test_a_servers_model_is_an_outside_source_and_its_token_ids_are_unknown(project, settings):
    prompt = add_prompt(project)
    run = claimed(project, "sample", server="http://gpu-box:8000/v1", server_model="big-7b")
    assert [row.name for row in run.input_rows.all()] == ["prompts"]
    folder = folder_of(run, settings)
    write_rollouts(folder, [prompt], ids=())
    assert finish(run, folder)
    source = Source.objects.get()
    assert (source.kind, source.name, source.reference) == ("outside", "big-7b", "http://gpu-box:8000/v1 big-7b")
    assert [(one.token_ids, one.tokens) for one in Response.objects.all()] == [(None, 2), (None, 2)]


def test_two_evaluated_policies_are_compared_by_people(api, project, settings, alice, caller):
    policy, reference = a_checkpoint(project, "policy"), a_checkpoint(project, "policy")
    prompts = [add_prompt(project, "one?", split="heldout"), add_prompt(project, "two?", split="heldout")]
    run = claimed(project, "evaluate", {"policy": str(policy.id), "reference": str(reference.id)})
    assert api.post(f"runs/{run.id}/compare").json()["code"] == "nothing_to_compare"
    folder = folder_of(run, settings)
    write_rollouts(folder, prompts, k=1, policies=("policy", "reference"))
    assert finish(run, folder)
    assert api.post(f"runs/{run.id}/compare").json() == {"opened": 2}
    assert api.post(f"runs/{run.id}/compare").json() == {"opened": 0}
    lease = caller(alice).post("projects/garden/next", {"kinds": ["comparison"]}).json()
    assert lease["task"]["kind"] == "comparison" and len(lease["task"]["responses"]) == 2


def test_registering_is_all_or_nothing(project, settings):
    a_checkpoint(project, "policy")
    prompt = add_prompt(project)
    run = claimed(project, "sample")
    folder = folder_of(run, settings)
    prompt.uuid = "00000000-0000-4000-8000-000000000000"
    write_rollouts(folder, [prompt])
    with pytest.raises(Exception, match="no prompt"):
        finish(run, folder)
    assert Run.objects.get(id=run.id).status == "running"
    assert not RolloutSet.objects.exists()


def test_another_attempts_result_is_not_registered(project, settings):
    make_corpus(project, settings.ARTIFACTS)
    run = claimed(project, "pretrain")
    folder = folder_of(run, settings)
    with folder.saving_output() as output:
        write_json(output / "weights.json", {})
    Run.objects.filter(id=run.id).update(attempt=2)
    assert not finish(run, folder)
    assert not Checkpoint.objects.exists()


def test_a_run_without_its_artifact_is_refused(project, settings):
    make_corpus(project, settings.ARTIFACTS)
    run = claimed(project, "pretrain")
    with pytest.raises(RunDirError, match="incomplete"):
        finish(run, folder_of(run, settings))


def edges(graph):
    labels = {node["id"]: (node["type"], node["label"]) for node in graph["nodes"]}
    return {(labels[edge["from"]], edge["role"], labels[edge["to"]]) for edge in graph["edges"]}


def test_lineage_runs_from_a_checkpoint_to_what_it_came_from_and_what_came_of_it(api, project, settings):
    make_corpus(project, settings.ARTIFACTS)
    add_prompt(project)
    base = trained(project, "pretrain", {}, settings)
    reward_model = a_checkpoint(project, "reward_model")
    policy = trained(project, "ppo", {"policy": str(base.id), "reward_model": str(reward_model.id)}, settings)
    expected = {
        (("corpus", "corpus"), "corpus", ("run", "pretrain 1")),
        (("run", "pretrain 1"), "made", ("checkpoint", "pretrain 1")),
        (("checkpoint", "pretrain 1"), "policy", ("run", "ppo 1")),
        (("snapshot", "1 prompts"), "prompts", ("run", "ppo 1")),
        (("run", "ppo 1"), "made", ("checkpoint", "ppo 1")),
    }
    assert expected <= edges(lineage.of_checkpoint(policy))
    assert expected - {(("snapshot", "1 prompts"), "prompts", ("run", "ppo 1"))} <= edges(lineage.of_checkpoint(base))
    assert_shape(shapes.Lineage, json.loads(api.get(f"checkpoints/{policy.id}/lineage").content))
