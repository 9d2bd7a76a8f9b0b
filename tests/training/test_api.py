"""Runs, checkpoints and rounds as programs and the web page meet them."""

import json

import pytest
from django.utils import timezone

from labeling.models.people import Role
from labeling.models.prompts import Prompt
from tests.training import stub_run
from tests.training.conftest import make_corpus, make_member, make_project
from training.api import shapes
from training.models.checkpoints import Checkpoint
from training.models.runs import Run
from training.services import runs, supervisor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folders(var):
    """Run directories and messages of these tests go to a folder of each test's own."""


@pytest.fixture
def corpus(project, settings):
    return make_corpus(project, settings.ARTIFACTS)


def body(response):
    return json.loads(response.content)


def a_checkpoint(project, kind, *, run_kind="sft"):
    run = Run.objects.create(project=project, kind=run_kind, name=f"{kind} run", config={}, seed=1)
    return Checkpoint.objects.create(project=project, kind=kind, name=kind, run=run, path="x", manifest_sha256="0" * 64)


def add_prompt(project, text="hello?", split="train"):
    return Prompt.objects.create(
        project=project, content_hash=text, messages=[{"role": "user", "content": text, "name": ""}], split=split,
        created_at=timezone.now(),
    )  # fmt: skip


def assert_shape(shape, plain):
    """The response has exactly the fields that the schema promises, and their types."""
    declared = shape().fields
    assert set(plain) == set(declared), set(plain) ^ set(declared)
    problems = shape(data=plain)
    assert problems.is_valid(), problems.errors


def test_run_kinds_describe_inputs_and_options_for_a_form(api):
    kinds = body(api.get("run-kinds"))
    for kind in kinds:
        assert_shape(shapes.RunKind, kind)
    sft = next(kind for kind in kinds if kind["kind"] == "sft")
    assert sft["produces"] == "policy"
    assert sft["inputs"]["base"]["accepts"] == ["base", "policy"]
    rate = next(option for option in sft["options"] if option["name"] == "learning_rate")
    assert rate["type"] == "float" and rate["above"] == 0


def test_a_started_run_is_queued_with_its_whole_config_and_obvious_inputs(api, project, corpus):
    answer = api.post("projects/garden/runs", {"kind": "pretrain", "config": {"steps": 7}, "seed": 5})
    assert answer.status_code == 201
    run = body(answer)
    assert_shape(shapes.Run, run)
    assert (run["status"], run["name"], run["seed"], run["created_by"]) == ("queued", "pretrain 1", 5, "erin")
    assert run["config"]["steps"] == 7 and run["config"]["vocab_size"] == 512
    assert run["inputs"] == {"corpus": {"id": str(corpus.uuid), "kind": "corpus", "label": "corpus"}}
    assert body(api.get(f"runs/{run['id']}")) == run
    listed = body(api.get("projects/garden/runs?kind=pretrain&status=queued"))
    assert listed["results"] == [run]
    assert body(api.get("projects/garden/runs?status=failed"))["results"] == []


BAD = [
    ("pretrain", {"learning_rate": -1.0}, {}, "learning_rate"),
    ("pretrain", {"learning_rat": 1.0}, {}, "learning_rat"),
    ("pretrain", {"steps": "many"}, {}, "steps"),
    ("pretrain", {"steps": True}, {}, "steps"),
    ("pretrain", [], {}, "config"),
    ("sample", {"rollouts_per_prompt": 1}, {}, "rollouts_per_prompt"),
    ("dance", {}, {}, "kind"),
    ("pretrain", {}, {"corpus": "00000000-0000-4000-8000-000000000000"}, "inputs.corpus"),
    ("pretrain", {}, {"corpus": {"hub": "gpt2"}}, "inputs.corpus"),
    ("pretrain", {}, {"corpus": 7}, "inputs.corpus"),
    ("pretrain", {}, {"text": "x"}, "inputs.text"),
    ("pretrain", {}, [], "inputs"),
    ("sft", {}, {"base": "00000000-0000-4000-8000-000000000000"}, "inputs.base"),
    ("sft", {}, {"base": {"hub": ""}}, "inputs.base"),
    ("sft", {}, {"base": {"hub": "a\u0000b"}}, "inputs.base"),
    ("sft", {}, {"base": {"hub": "gpt2"}, "demonstrations": {"filters": {"spilt": "train"}}}, "inputs.demonstrations"),
    ("sft", {}, {"base": {"hub": "gpt2"}}, "inputs.demonstrations"),
    ("reward_model", {"leave_out": "nobody"}, {"base": {"hub": "gpt2"}}, "leave_out"),
    ("reward_model", {"margin": 1.0, "loss": "plackett_luce"}, {"base": {"hub": "gpt2"}}, "margin"),
    ("reward_model", {"combine": "weights"}, {"base": {"hub": "gpt2"}}, "combine"),
    ("export", {"member": 1, "average": True}, {}, "member"),
]


@pytest.mark.parametrize(("kind", "config", "inputs", "field"), BAD)
def test_a_bad_run_is_refused_naming_the_field_before_anything_is_queued(api, corpus, kind, config, inputs, field):
    answer = api.post("projects/garden/runs", {"kind": kind, "config": config, "inputs": inputs})
    assert answer.status_code == 400, answer.content
    refused = body(answer)
    assert field in refused["fields"], refused
    assert refused["fields"][field] and "\n" not in refused["fields"][field]
    assert not Run.objects.exists()


def test_every_wrong_field_is_named_at_once(api, corpus):
    sent = {"kind": "ppo", "config": {"updates": 0, "nonsense": 1}, "seed": -1, "processes": 0, "queue": "moon"}
    fields = body(api.post("projects/garden/runs", sent))["fields"]
    assert {"updates", "nonsense", "seed", "processes", "queue", "inputs.policy", "inputs.reward_model"} <= set(fields)


def test_a_checkpoint_of_the_wrong_kind_or_project_is_refused(api, project):
    reward_model = a_checkpoint(project, "reward_model")
    elsewhere = a_checkpoint(make_project("other"), "policy")
    add_prompt(project)
    for wanted, word in ((reward_model, "reward_model"), (elsewhere, "no checkpoint")):
        answer = api.post("projects/garden/runs", {"kind": "sample", "inputs": {"policy": str(wanted.id)}})
        assert answer.status_code == 400
        assert word in body(answer)["fields"]["inputs.policy"]


def test_starting_freezes_the_data_that_the_run_works_on(api, project):
    policy = a_checkpoint(project, "policy")
    add_prompt(project, "one?"), add_prompt(project, "two?"), add_prompt(project, "hidden?", split="heldout")
    run = body(api.post("projects/garden/runs", {"kind": "sample"}))
    assert run["inputs"]["policy"] == {"id": str(policy.id), "kind": "policy", "label": "policy"}
    assert run["inputs"]["prompts"]["label"] == "2 prompts"
    again = body(api.post("projects/garden/runs", {"kind": "sample"}))
    assert again["inputs"]["prompts"]["id"] == run["inputs"]["prompts"]["id"]
    held_out = body(api.post("projects/garden/runs", {"kind": "evaluate"}))
    assert held_out["inputs"]["prompts"]["label"] == "1 prompts"
    assert set(held_out["inputs"]) == {"policy", "prompts"}
    named = {"kind": "sample", "inputs": {"prompts": {"filters": {"split": "train", "limit": 1}}}}
    assert body(api.post("projects/garden/runs", named))["inputs"]["prompts"]["label"] == "1 prompts"


def test_two_fitting_checkpoints_must_be_told_apart(api, project):
    a_checkpoint(project, "policy"), a_checkpoint(project, "base")
    add_prompt(project)
    answer = api.post("projects/garden/runs", {"kind": "sample"})
    assert "several" in body(answer)["fields"]["inputs.policy"]


@pytest.mark.parametrize("role", [Role.LABELER, Role.REVIEWER])
def test_labelers_and_reviewers_neither_see_nor_start_runs(api, caller, member, corpus, role):
    run = body(api.post("projects/garden/runs", {"kind": "pretrain"}))
    other = caller(member("someone", role))
    assert other.get("projects/garden/runs").status_code == 403
    assert other.post("projects/garden/runs", {"kind": "pretrain"}).status_code == 403
    for path in ("", "/metrics", "/samples", "/log", "/report", "/rollouts"):
        assert other.get(f"runs/{run['id']}{path}").status_code == 403
    assert other.post(f"runs/{run['id']}/cancel").status_code == 403


def test_an_engineer_of_another_project_sees_nothing_and_strangers_must_sign_in(api, caller, corpus):
    run = body(api.post("projects/garden/runs", {"kind": "pretrain"}))
    stranger = caller(make_member(make_project("other"), "oscar", Role.ENGINEER))
    assert body(stranger.get(f"runs/{run['id']}"))["code"] == "not_a_member"
    assert caller(None).get(f"runs/{run['id']}").status_code == 401


def test_what_is_not_there_is_not_found(api):
    nowhere = "00000000-0000-4000-8000-000000000000"
    for path in (f"runs/{nowhere}", f"checkpoints/{nowhere}", f"rounds/{nowhere}", "projects/none/runs"):
        answer = api.get(path)
        assert answer.status_code == 404 and body(answer)["code"], path


def test_cancel_and_resume_say_when_they_cannot(api, corpus):
    run = body(api.post("projects/garden/runs", {"kind": "pretrain"}))
    assert body(api.post(f"runs/{run['id']}/resume"))["code"] == "run_cannot_resume"
    assert body(api.post(f"runs/{run['id']}/cancel"))["status"] == "cancelled"
    again = api.post(f"runs/{run['id']}/cancel")
    assert (again.status_code, body(again)["code"]) == (409, "run_is_final")
    assert body(api.post(f"runs/{run['id']}/resume"))["status"] == "queued"


def test_cancelling_twice_while_it_stops_is_harmless(api, corpus):
    run = body(api.post("projects/garden/runs", {"kind": "pretrain"}))
    runs.claim(run["id"], now=timezone.now())
    for _ in range(2):
        answer = api.post(f"runs/{run['id']}/cancel")
        assert answer.status_code == 200
        assert (body(answer)["status"], body(answer)["cancelling"]) == ("running", True)


def test_a_finished_run_shows_metrics_samples_log_report_and_checkpoint(stage, caller):
    api = caller(stage.memberships.get().user)
    sent = {"kind": "pretrain", "config": {"steps": 10}, "seed": stub_run.WELL}
    run = body(api.post("projects/small/runs", sent))
    supervisor.supervise(Run.objects.get().id)
    page = body(api.get(f"runs/{run['id']}/metrics"))
    assert_shape(shapes.MetricPage, page)
    assert [row["step"] for row in page["rows"]] == list(range(1, 11))
    rest = body(api.get(f"runs/{run['id']}/metrics?after={page['next']}"))
    assert rest == {"rows": [], "next": page["next"]}
    samples = body(api.get(f"runs/{run['id']}/samples"))
    assert_shape(shapes.SamplePage, samples)
    assert samples["rows"][0]["text"] == "four"
    log = body(api.get(f"runs/{run['id']}/log"))
    assert "starting after step 0" in log["text"]
    assert body(api.get(f"runs/{run['id']}/log?after={log['next']}"))["text"] == ""
    assert body(api.get(f"runs/{run['id']}/report")) == {"counted": 10}
    checkpoint = body(api.get("projects/small/checkpoints?kind=base"))["results"][0]
    assert_shape(shapes.Checkpoint, checkpoint)
    assert body(api.get(f"checkpoints/{checkpoint['id']}")) == checkpoint
    assert body(api.get(f"runs/{run['id']}"))["checkpoint"] == checkpoint["id"]


def test_a_bad_cursor_is_refused(api, corpus):
    run = body(api.post("projects/garden/runs", {"kind": "pretrain"}))
    for query in ("metrics?after=-1", "log?after=x", "rollouts?cursor=1e3"):
        assert api.get(f"runs/{run['id']}/{query}").status_code == 400


def test_an_unknown_field_in_the_body_is_refused(api, corpus):
    answer = api.post("projects/garden/runs", {"kind": "pretrain", "sead": 1})
    assert answer.status_code == 400 and "sead" in body(answer)["fields"]
