"""A real Celery worker process over a real broker: nothing is lost, whatever is killed."""

import time

import pytest
from django.utils import timezone

from contracts.run_dir import RunDir
from tests.training.conftest import start, until
from training.models.checkpoints import Checkpoint
from training.models.runs import Metric, Run
from training.services import messages, runs

BROKERS = "folder", "redis"


@pytest.fixture(params=BROKERS)
def broker(request, settings):
    """What the worker's environment says of its broker; the sender in this process uses the same."""
    if request.param == "folder":
        return {}
    url = request.getfixturevalue("redis_url")
    settings.CELERY_BROKER_URL = url
    settings.CELERY_BROKER_TRANSPORT = None
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {}
    messages._sender.cache_clear()
    return {"CELERY_BROKER_URL": url}


def steps_of(run):
    return list(Metric.objects.filter(run=run).values_list("step", flat=True))


def test_a_worker_runs_what_is_queued_in_order(stage, start_worker):
    start_worker()
    first, second = start(stage, steps=5), start(stage, steps=5)
    first = until(first, lambda run: run.is_final)
    second = until(second, lambda run: run.is_final)
    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert first.finished_at < second.started_at
    assert steps_of(first) == [1, 2, 3, 4, 5]


def test_a_worker_killed_in_the_middle_and_started_again_ends_in_the_same_state(stage, start_worker, broker, settings):
    worker = start_worker(**broker)
    run = start(stage, steps=60)
    until(run, lambda run: run.progress.get("done", 0) >= 15)
    worker.kill()
    killed_at = time.monotonic()
    start_worker(**broker)
    until(run, lambda run: run.attempt == 2)
    assert time.monotonic() - killed_at < 15
    run = until(run, lambda run: run.is_final)
    assert (run.status, run.report) == ("succeeded", {"counted": 60})
    assert steps_of(run) == list(range(1, 61))
    assert Checkpoint.objects.filter(run=run).count() == 1
    log = RunDir(settings.RUNS / str(run.id)).log.read_text()
    assert "starting after step 0" in log
    resumed_after = int(log.rpartition("starting after step ")[2].split()[0])
    assert resumed_after >= 10


def test_a_worker_asked_to_stop_saves_its_run_and_the_next_worker_goes_on(stage, start_worker):
    worker = start_worker()
    run = start(stage, steps=60)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    assert worker.stop() == 0
    assert Run.objects.get(id=run.id).status == "queued"
    start_worker()
    run = until(run, lambda run: run.is_final)
    assert (run.status, run.attempt) == ("succeeded", 2)
    assert steps_of(run) == list(range(1, 61))


def test_a_run_whose_message_was_lost_is_found(stage, start_worker, var):
    run = start(stage, steps=3)
    for message in (var / "broker" / "messages").glob("*.msg"):
        message.unlink()
    start_worker()
    assert until(run, lambda run: run.is_final).status == "succeeded"


def test_a_run_whose_message_lies_with_a_busy_worker_is_taken_by_an_idle_one(stage, start_worker):
    start_worker()
    long, waiting = start(stage, steps=600), start(stage, steps=3)
    until(long, lambda run: run.status == "running")
    start_worker()
    assert until(waiting, lambda run: run.is_final).status == "succeeded"
    assert Run.objects.get(id=long.id).status == "running"


def test_messages_that_come_twice_run_once(stage, start_worker):
    run = start(stage, steps=3)
    for _ in range(5):
        messages.send(run.id, queue=run.queue)
    start_worker()
    until(run, lambda run: run.is_final)
    other = start(stage, steps=3)
    until(other, lambda run: run.is_final)
    assert Run.objects.get(id=run.id).attempt == 1


def test_cancelling_a_running_run_takes_effect_within_seconds(stage, start_worker):
    start_worker()
    run = start(stage, steps=2_000)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    asked_at = time.monotonic()
    runs.cancel(run=run, now=timezone.now())
    assert until(run, lambda run: run.is_final).status == "cancelled"
    assert time.monotonic() - asked_at < 5


def test_a_run_process_whose_worker_was_killed_ends_by_itself(stage, start_worker, settings):
    worker = start_worker()
    run = start(stage, steps=2_000)
    until(run, lambda run: run.progress.get("done", 0) >= 3)
    worker.kill()
    # The process holds this lock for as long as it lives.
    with RunDir(settings.RUNS / str(run.id)).exclusive(wait=10):
        assert Run.objects.get(id=run.id).status == "running"
