"""Scores that are kept: into the database with the run, out of it into the next run's directory, once each."""

import io
import json
import zipfile

import pytest
from django.db import IntegrityError, transaction

from contracts import snapshots
from contracts.run_dir import RunDir, write_json
from contracts.scores import KNOWN, MADE, ScoreRecord
from labeling.models.people import Role
from tests.training.conftest import make_member
from tests.training.test_api import a_checkpoint, add_prompt
from tests.training.test_outputs import claimed, finish, folder_of, write_rollouts
from training.models.runs import Run
from training.models.scores import Score
from training.selectors import archive
from training.services import scores

pytestmark = pytest.mark.django_db
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture(autouse=True)
def _folders(var):
    """Run directories of these tests go to a folder of each test's own."""


def write_scores(folder, rows):
    text = "".join(snapshots.canonical_json(ScoreRecord(rollout=r, score=s).to_json()) + "\n" for r, s in rows)
    with folder.saving_output(kind="rollouts") as output:
        (output / "rollouts.jsonl").write_text("")
        (output / MADE).write_text(text)


@pytest.fixture
def stage(project):
    a_checkpoint(project, "policy")
    add_prompt(project)
    return project, a_checkpoint(project, "reward_model")


def sampled(stage, settings, rows, judge=None):
    project, reward_model = stage
    run = claimed(project, "sample", {"reward_model": str((judge or reward_model).id)}, publish=False)
    folder = folder_of(run, settings)
    scores.lay_out(run, folder)
    write_scores(folder, rows)
    assert finish(run, folder)
    run.refresh_from_db()
    return run, folder


def known(folder):
    return {row.rollout: row.score for row in snapshots.read(folder.path / KNOWN, ScoreRecord)}


def test_what_one_run_scored_the_next_one_knows(stage, settings):
    first, folder = sampled(stage, settings, [(A, 0.5), (B, -1.0)])
    assert known(folder) == {}
    assert first.outputs["scores"] == 2
    _, folder = sampled(stage, settings, [(C, 2.0)])
    assert known(folder) == {A: 0.5, B: -1.0}
    assert Score.objects.count() == 3


def test_two_runs_at_once_that_score_the_same_rollout_leave_the_first_score(stage, settings):
    sampled(stage, settings, [(A, 0.5)])
    run, _ = sampled(stage, settings, [(A, 0.75), (B, 1.0)])
    assert run.status == Run.Status.SUCCEEDED
    assert dict(Score.objects.values_list("rollout_sha256", "score")) == {A: 0.5, B: 1.0}


def test_another_reward_model_has_scores_of_its_own(stage, settings):
    project, _ = stage
    other = a_checkpoint(project, "reward_model")
    type(other).objects.filter(id=other.id).update(manifest_sha256="1" * 64)
    sampled(stage, settings, [(A, 0.5)])
    _, folder = sampled(stage, settings, [(A, 9.0)], judge=other)
    assert known(folder) == {}
    assert Score.objects.filter(rollout_sha256=A).count() == 2


def test_the_database_refuses_a_second_score_of_the_same_rollout(stage, settings):
    run, _ = sampled(stage, settings, [(A, 0.5)])
    row = Score.objects.get()
    again = {"reward_model_sha256": row.reward_model_sha256, "rollout_sha256": A, "score": 1.0, "run": run}
    with pytest.raises(IntegrityError), transaction.atomic():
        Score.objects.create(**again)
    with pytest.raises(IntegrityError), transaction.atomic():
        Score.objects.create(**{**again, "rollout_sha256": ""})


def test_an_attempt_that_lost_its_run_keeps_no_scores(stage, settings):
    project, reward_model = stage
    run = claimed(project, "sample", {"reward_model": str(reward_model.id)}, publish=False)
    folder = folder_of(run, settings)
    write_scores(folder, [(A, 0.5)])
    Run.objects.filter(id=run.id).update(attempt=run.attempt + 1)
    assert not finish(run, folder)
    assert not Score.objects.exists()


def test_a_run_without_a_reward_model_gets_and_keeps_none(stage, settings):
    project, _ = stage
    run = claimed(project, "sample", publish=False)
    folder = folder_of(run, settings)
    scores.lay_out(run, folder)
    assert not (folder.path / KNOWN).exists()
    write_rollouts(folder, [])
    assert finish(run, folder)


# Downloads.


@pytest.fixture
def exported(stage, settings):
    project, reward_model = stage
    run = claimed(project, "export", {"reward_model": str(reward_model.id)})
    folder = folder_of(run, settings)
    with folder.saving_output(kind="classifier") as output:
        (output / "README.md").write_text("# Reward model\n")
        (output / "model.safetensors").write_bytes(bytes(range(256)) * 12_000)  # about 3 MB: several blocks
        (output / "deep").mkdir()
        write_json(output / "deep" / "config.json", {"a": 1})
    folder.write_report({"bytes": 3})
    assert finish(run, folder)
    return run, folder


def test_an_exported_classifier_is_downloaded_as_a_zip_file(api, exported):
    run, folder = exported
    answer = api.get(f"runs/{run.id}/output.zip")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert f'filename="export-{str(run.id)[:8]}.zip"' in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive_file:
        assert archive_file.testzip() is None
        found = {name.partition("/")[2]: archive_file.read(name) for name in archive_file.namelist()}
    expected = {
        path.relative_to(folder.output).as_posix(): path.read_bytes()
        for path in folder.output.rglob("*") if path.is_file()
    }  # fmt: skip
    assert found == expected


def test_an_export_registers_no_checkpoint(exported):
    run, _ = exported
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    assert "checkpoint" not in run.outputs


def test_a_download_holds_one_block_at_a_time(tmp_path):
    (tmp_path / "big").write_bytes(b"x" * (8 << 20))
    pieces = list(archive.stream(tmp_path, name="n"))
    assert max(map(len, pieces)) < (1 << 20) + 1_000
    assert b"".join(pieces) == b"".join(archive.stream(tmp_path, name="n"))


def test_only_engineers_download_and_only_what_is_there(caller, project, exported, stage, settings):
    run, folder = exported
    alice = make_member(project, "alison", Role.LABELER)
    assert caller(alice).get(f"runs/{run.id}/output.zip").status_code == 403
    erin = make_member(project, "edith", Role.ENGINEER)
    (folder.output / "manifest.json").unlink()
    answer = caller(erin).get(f"runs/{run.id}/output.zip")
    assert (answer.status_code, json.loads(answer.content)["code"]) == (409, "no_output")
    waiting = claimed(project, "sample", publish=False)
    assert RunDir(settings.RUNS / str(waiting.id)).output.exists() is False
    assert caller(erin).get(f"runs/{waiting.id}/output.zip").status_code == 409
