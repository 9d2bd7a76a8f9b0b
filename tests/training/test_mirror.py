"""Lines of a run's files become rows: once each, also across a resume."""

import pytest
from django.utils import timezone

from contracts.run_dir import RunDir
from tests.training.conftest import make_corpus, make_project, start
from training.models.runs import Metric, Run, Sample
from training.selectors import runs as reads
from training.services import runs
from training.services.mirror import Mirror


@pytest.fixture
def run(db, var, settings):
    project = make_project()
    make_corpus(project, settings.ARTIFACTS)
    return runs.claim(start(project).id, now=timezone.now())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return RunDir(tmp_path / "run")


def report(folder, *steps):
    for step in steps:
        folder.add_metrics(step, loss=float(step))


def stored(run):
    return [(row.seq, row.step) for row in Metric.objects.filter(run=run)]


def test_lines_are_copied_once_as_they_come(run, folder):
    mirror = Mirror(folder, run_id=run.id, attempt=1)
    assert mirror.pull()
    report(folder, 1, 2)
    assert mirror.pull()
    assert mirror.pull()
    report(folder, 3)
    assert mirror.pull()
    assert stored(run) == [(1, 1), (2, 2), (3, 3)]


def test_half_a_line_waits_for_its_end(run, folder):
    mirror = Mirror(folder, run_id=run.id, attempt=1)
    report(folder, 1)
    path = folder.path / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:10])
    assert mirror.pull()
    with path.open("ab") as stream:
        stream.write(whole[10:])
    assert mirror.pull()
    assert stored(run) == [(1, 1), (2, 1)]


def test_steps_that_a_resumed_run_repeats_replace_the_old_ones_under_new_numbers(run, folder):
    report(folder, 1, 2, 3, 4, 5)
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    mirror = Mirror(folder, run_id=run.id, attempt=1)
    assert mirror.pull()
    assert stored(run) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    folder.drop_after(2)
    assert mirror.pull()
    assert stored(run) == [(1, 1), (2, 2)]
    report(folder, 3, 4)
    assert mirror.pull()
    assert stored(run) == [(1, 1), (2, 2), (6, 3), (7, 4)]
    new = reads.metrics(run, after=5)
    assert [row["step"] for row in new["rows"]] == [3, 4]
    assert new["next"] == 7


def test_lines_that_a_killed_supervisor_had_not_copied_are_copied_by_the_next(run, folder):
    report(folder, 1, 2)
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    report(folder, 3, 4, 5)
    folder.drop_after(4)
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    assert stored(run) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_an_older_attempt_copies_nothing(run, folder):
    Run.objects.filter(id=run.id).update(attempt=2)
    report(folder, 1)
    assert not Mirror(folder, run_id=run.id, attempt=1).pull()
    assert stored(run) == []


def test_values_that_are_not_finite_are_null_and_samples_keep_their_text(run, folder):
    folder.add_metrics(1, loss=float("nan"), kl=0.5)
    folder.add_sample(1, prompt="p\ud7ff", text="<b>t</b>\u2028", score=2.0)
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    assert Metric.objects.get().body == {"loss": None, "kl": 0.5}
    assert Sample.objects.get().body == {"prompt": "p\ud7ff", "text": "<b>t</b>\u2028", "values": {"score": 2.0}}
