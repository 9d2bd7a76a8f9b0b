"""A round's steps: each starts a run once, and the run's success moves the round on."""

import json

import pytest
from django.utils import timezone

from contracts.run_dir import RunDir, write_json
from tests.training.test_api import a_checkpoint, add_prompt, assert_shape, body
from tests.training.test_outputs import write_rollouts
from training import errors
from training.api import shapes
from training.models.rounds import Round
from training.models.runs import Run
from training.services import outputs, rounds, runs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folders(var):
    """Run directories and messages of these tests go to a folder of each test's own."""


@pytest.fixture
def policy(project):
    return a_checkpoint(project, "policy")


@pytest.fixture
def round(project, policy, api):
    return Round.objects.get(id=body(api.post("projects/garden/rounds", {"policy": str(policy.id)}))["id"])


def advance(api, round, **sent):
    answer = api.post(f"rounds/{round.id}/advance", sent)
    assert answer.status_code == 200, answer.content
    assert_shape(shapes.Round, body(answer))
    return body(answer)


def succeed(run_id, settings, prompts=()):
    run = runs.claim(run_id, now=timezone.now())
    folder = RunDir(settings.RUNS / str(run.id))
    folder.path.mkdir(parents=True)
    if run.kind == "sample":
        write_rollouts(folder, prompts)
    else:
        with folder.saving_output(kind=run.kind) as output:
            write_json(output / "weights.json", {"of": str(run.id)})
    assert outputs.finish(run, folder, now=timezone.now())


@pytest.fixture
def rankings(project):
    """Two ranked rollouts of one prompt."""
    from labeling.models.answers import Answer, RankedResponse
    from labeling.models.prompts import Response, RolloutSet
    from labeling.services import sources

    now = timezone.now()
    prompt = add_prompt(project)
    source = sources.register(project=project, kind="outside", name="m", reference="m", now=now)
    rollout_set = RolloutSet.objects.create(project=project, prompt=prompt, content_hash="h", created_at=now)
    answer = Answer.objects.create(
        project=project, kind="ranking", prompt=prompt, rollout_set=rollout_set, origin="test",
        idempotency_key="k", body_hash="h", created_at=now,
    )  # fmt: skip
    for index in range(2):
        response = Response.objects.create(rollout_set=rollout_set, index=index, text=f"r{index}", source=source)
        RankedResponse.objects.create(answer=answer, response=response, rank=index + 1)
    return prompt


def test_a_round_turns_from_rankings_to_the_next_policys_rollouts(api, project, policy, round, rankings, settings):
    state = advance(api, round, config={"epochs": 2})
    assert (state["state"], state["can_advance"]) == ("fitting", False)
    fitting = Run.objects.get(id=state["current_run"])
    assert (fitting.kind, fitting.config["epochs"], fitting.round) == ("reward_model", 2, round)

    succeed(fitting.id, settings)
    assert body(api.get(f"rounds/{round.id}"))["state"] == "reward_gated"
    optimizing = Run.objects.get(id=advance(api, round)["current_run"])
    assert {row.name: row.checkpoint_id for row in optimizing.input_rows.exclude(checkpoint=None)} == {
        "policy": policy.id,
        "reward_model": fitting.checkpoint.id,
    }

    succeed(optimizing.id, settings)
    sampling = Run.objects.get(id=advance(api, round)["current_run"])
    assert sampling.input_rows.get(name="policy").checkpoint == optimizing.checkpoint

    succeed(sampling.id, settings, [rankings])
    listed = json.loads(api.get("projects/garden/rounds").content)["results"]
    assert [(row["number"], row["state"]) for row in listed] == [(2, "collecting"), (1, "closed")]
    assert listed[0]["policy"]["id"] == str(optimizing.checkpoint.id)
    assert [run["kind"] for run in listed[1]["runs"]] == ["reward_model", "ppo", "sample"]


def test_a_round_waits_for_its_run_and_says_so(api, round, rankings):
    run_id = advance(api, round)["current_run"]
    again = api.post(f"rounds/{round.id}/advance")
    assert (again.status_code, body(again)["code"]) == (409, "round_waits")
    api.post(f"runs/{run_id}/cancel")
    assert "resume it" in body(api.post(f"rounds/{round.id}/advance"))["detail"]
    assert Run.objects.filter(kind="reward_model").count() == 1


def test_a_gate_that_rejects_goes_back_to_collecting(api, round, rankings, settings):
    succeed(advance(api, round)["current_run"], settings)
    assert advance(api, round, accept=False)["state"] == "collecting"
    assert Run.objects.filter(kind="ppo").count() == 0


def test_a_refused_run_leaves_the_round_where_it_was(api, round, rankings):
    answer = api.post(f"rounds/{round.id}/advance", {"config": {"epochs": 0}})
    assert answer.status_code == 400 and "epochs" in body(answer)["fields"]
    assert body(api.get(f"rounds/{round.id}"))["state"] == "collecting"


def test_a_round_without_rankings_says_what_is_missing(api, round):
    answer = api.post(f"rounds/{round.id}/advance")
    assert answer.status_code == 400
    assert "no rankings" in body(answer)["fields"]["inputs.rankings"]


def test_two_people_who_advance_at_once_start_one_run(round, rankings):
    """Both have read the round in `collecting`; the second finds it moved."""
    twin = Round.objects.select_related("project", "policy").get(id=round.id)
    rounds.advance(round=round, by=None, now=timezone.now())
    with pytest.raises(errors.RoundMoved):
        rounds.advance(round=twin, by=None, now=timezone.now())
    assert Run.objects.filter(kind="reward_model").count() == 1


def test_a_project_has_one_open_round_that_starts_from_a_policy_of_its_own(api, project, policy, round):
    answer = api.post("projects/garden/rounds", {"policy": str(policy.id)})
    assert (answer.status_code, body(answer)["code"]) == (409, "round_open")
    wrong = a_checkpoint(project, "reward_model")
    assert "policy" in body(api.post("projects/garden/rounds", {"policy": str(wrong.id)}))["fields"]
