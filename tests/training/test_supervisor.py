"""One run from claim to end, with a real process that stands in for the algorithms."""

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from contracts.run_dir import RunDir
from tests.training import stub_run
from tests.training.conftest import start, until
from training.models.checkpoints import Checkpoint
from training.models.runs import Metric, Run
from training.services import runs, supervisor


def in_thread(function, *arguments):
    def body():
        try:
            function(*arguments)
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


def test_a_run_ends_as_a_registered_checkpoint_with_its_metrics_and_report(stage, settings):
    run = start(stage, steps=12)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.report) == ("succeeded", 1, {"counted": 12})
    assert run.progress["done"] == 12
    checkpoint = Checkpoint.objects.get(run=run)
    assert checkpoint.kind == "base"
    assert (settings.RUNS / checkpoint.path / "weights.json").exists()
    assert [(row.seq, row.step, row.body) for row in Metric.objects.filter(run=run)][-1][1:] == (12, {"loss": 1 / 12})
    assert run.samples.get().body["text"] == "four"


def test_the_run_directory_says_what_to_run_with_which_inputs(stage, settings):
    run = start(stage, steps=1)
    supervisor.supervise(run.id)
    folder = RunDir(settings.RUNS / str(run.id))
    spec = folder.spec()
    assert (spec.run_id, spec.kind, spec.config["steps"], spec.seed) == (str(run.id), "pretrain", 1, 0)
    assert spec.versions["python"] and spec.versions["torch"]
    assert folder.input("corpus").endswith("corpus.txt")
    assert not Path(spec.inputs["corpus"].path).is_absolute()


def test_a_failing_run_shows_its_sentence_and_its_last_log_lines(stage):
    run = start(stage, behaves=stub_run.FAILS)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert run.status == "failed"
    assert run.error_code == "bad_input"
    assert run.error_sentence == "demonstrations has 0 rows, at least 1 is needed; write some."
    assert run.log_tail.endswith("Traceback: the data are bad")
    assert Metric.objects.filter(run=run).count() == 3


def test_a_crash_without_an_error_file_is_told_in_one_sentence(stage):
    run = start(stage, behaves=stub_run.CRASHES)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert run.error_code == "crashed"
    assert "ZeroDivisionError: nobody caught this" in run.error_sentence
    assert "\n" not in run.error_sentence


def test_a_process_killed_from_outside_is_told_in_one_sentence(stage):
    run = start(stage, behaves=stub_run.IS_KILLED)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "killed")
    assert "SIGKILL" in run.error_sentence and "memory" in run.error_sentence


def test_an_output_that_is_not_what_its_manifest_says_is_not_registered(stage):
    run = start(stage, steps=1, behaves=stub_run.BREAKS_OUTPUT)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "bad_output")
    assert not Checkpoint.objects.exists()


def test_a_failed_run_resumes_from_its_state(stage, settings):
    run = start(stage, steps=30, behaves=stub_run.WELL)
    folder = RunDir(settings.RUNS / str(run.id))
    (folder.path / "state").mkdir(parents=True)
    (folder.state / "place.json").write_text(json.dumps({"done": 25}))
    supervisor.supervise(run.id)
    assert list(Metric.objects.filter(run=run).values_list("step", flat=True)) == [26, 27, 28, 29, 30]


def test_a_cancelled_run_stops_keeps_its_state_and_can_be_resumed(stage):
    run = start(stage, steps=60)
    thread = in_thread(supervisor.supervise, run.id)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    runs.cancel(run=run, now=timezone.now())
    thread.join(timeout=10)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert not Checkpoint.objects.exists()
    stopped_at = Metric.objects.filter(run=run).count()
    assert 3 <= stopped_at < 60

    runs.resume(run=run, now=timezone.now())
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("succeeded", 2)
    assert list(Metric.objects.filter(run=run).values_list("step", flat=True)) == list(range(1, 61))


def test_a_process_that_will_not_stop_is_killed_after_its_grace(stage, settings):
    settings.RUN_CANCEL_SECONDS, settings.RUN_TERM_SECONDS = 0.3, 0.3
    run = start(stage, steps=2_000, behaves=stub_run.STUBBORN)
    thread = in_thread(supervisor.supervise, run.id)
    until(run, lambda run: run.progress.get("done", 0) >= 1)
    runs.cancel(run=run, now=timezone.now())
    thread.join(timeout=10)
    run.refresh_from_db()
    assert not thread.is_alive()
    assert run.status == "cancelled"


def test_workers_that_claim_at_once_start_one_process(stage, monkeypatch):
    """All of them have read the queued row before any of them writes."""
    run = start(stage)
    have_read, claimed = threading.Barrier(8), []
    read = QuerySet.first

    def read_together(rows):
        row = read(rows)
        have_read.wait(timeout=20)
        return row

    monkeypatch.setattr(QuerySet, "first", read_together)

    def claim():
        found = runs.claim(run.id, now=timezone.now())
        if found is not None:
            claimed.append(found.attempt)

    threads = [in_thread(claim) for _ in range(8)]
    for thread in threads:
        thread.join()
    assert claimed == [1]


def test_a_run_with_a_live_heartbeat_cannot_be_claimed_and_one_with_a_stale_one_can(stage, settings):
    run = start(stage)
    now = timezone.now()
    assert runs.claim(run.id, now=now).attempt == 1
    assert runs.claim(run.id, now=now + timedelta(seconds=settings.RUN_STALE_SECONDS - 1)) is None
    assert runs.claim(run.id, now=now + timedelta(seconds=settings.RUN_STALE_SECONDS + 1)).attempt == 2


def test_a_stale_attempt_writes_nothing(stage):
    run = start(stage)
    now = timezone.now()
    old = runs.claim(run.id, now=now)
    later = now + timedelta(minutes=1)
    new = runs.claim(run.id, now=later)
    assert (old.attempt, new.attempt) == (1, 2)
    before = Run.objects.filter(id=run.id).values().get()
    assert not runs.beat(run.id, 1, progress={"stage": "old"}, now=later)
    assert not runs.fail(run.id, 1, code="x", sentence="x", log_tail="", now=later)
    assert not runs.end_cancelled(run.id, 1, now=later)
    assert not runs.release(run.id, 1, now=later)
    assert Run.objects.filter(id=run.id).values().get() == before


def test_a_supervisor_that_lost_its_run_stops_its_process_and_registers_nothing(stage):
    run = start(stage, steps=2_000)
    thread = in_thread(supervisor.supervise, run.id)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    Run.objects.filter(id=run.id).update(attempt=7)
    thread.join(timeout=10)
    assert not thread.is_alive()
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("running", 7)
    assert not Checkpoint.objects.exists()


def test_a_worker_that_shuts_down_queues_its_run_again(stage):
    run = start(stage, steps=2_000)
    thread = in_thread(supervisor.supervise, run.id)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    supervisor.stopping.set()
    thread.join(timeout=10)
    supervisor.stopping.clear()
    run.refresh_from_db()
    assert (run.status, run.attempt, run.finished_at) == ("queued", 1, None)


def test_a_changed_input_fails_the_run_with_a_sentence(stage, settings):
    run = start(stage)
    (settings.ARTIFACTS / "corpus.txt").unlink()
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "bad_input")
    assert "corpus.txt does not exist" in run.error_sentence


@pytest.mark.parametrize("outcome", ["cancelled", "queued"])
def test_the_reaper_takes_up_a_lost_run(stage, settings, outcome):
    run = start(stage)
    now = timezone.now()
    runs.claim(run.id, now=now)
    if outcome == "cancelled":
        runs.cancel(run=run, now=now)
    later = now + timedelta(seconds=settings.RUN_STALE_SECONDS + 1)
    assert runs.requeue_lost(now=later, ours=[run.id]) == 0
    assert runs.requeue_lost(now=later) == 1
    run.refresh_from_db()
    assert run.status == outcome


def test_a_run_that_takes_down_worker_after_worker_fails_in_the_end(stage, settings):
    run = start(stage)
    settings.RUN_MOST_ATTEMPTS = 2
    now = timezone.now()
    for attempt in (1, 2):
        assert runs.claim(run.id, now=now).attempt == attempt
        now += timedelta(seconds=settings.RUN_STALE_SECONDS + 1)
        assert runs.requeue_lost(now=now) == 1
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "worker_lost")


def test_only_idle_workers_send_again_and_only_for_their_queues(stage, settings, var):
    run = start(stage)
    sent = var / "broker" / "messages"
    assert len(list(sent.glob("*.msg"))) == 1
    Run.objects.filter(id=run.id).update(sent_at=timezone.now() - timedelta(minutes=1))
    supervisor.active.add(run.id)
    supervisor.reap(queues={"default"}, slots=1)
    supervisor.active.clear()
    supervisor.reap(queues={"gpu"}, slots=1)
    assert len(list(sent.glob("*.msg"))) == 1
    supervisor.reap(queues={"default"}, slots=1)
    supervisor.reap(queues={"default"}, slots=1)
    assert len(list(sent.glob("*.msg"))) == 2
