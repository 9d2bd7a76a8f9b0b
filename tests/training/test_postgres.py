"""The same claims and fences on PostgreSQL, where rows are locked, not the whole database."""

import threading

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from config.settings import database
from contracts.run_dir import RunDir
from tests import services
from tests.training import stub_run
from tests.training.conftest import connected_to, make_corpus, make_project, start
from training.models.runs import Metric, Sample
from training.services import runs, supervisor
from training.services.mirror import Mirror


@pytest.fixture(scope="module")
def server(django_db_blocker):
    with services.postgres() as url, django_db_blocker.unblock():
        values = database(url, pool=0)
        with connected_to(values):
            call_command("migrate", verbosity=0)
        yield values


@pytest.fixture
def project(server, var, settings, request, django_db_blocker):
    with django_db_blocker.unblock(), connected_to(server):
        project = make_project(request.node.name.replace("_", "-")[-50:])
        make_corpus(project, settings.ARTIFACTS)
        yield project


def test_a_run_is_claimed_once_and_seen_through(project):
    run = start(project, steps=12)
    ready, claimed = threading.Barrier(8), []

    def claim():
        try:
            ready.wait()
            found = runs.claim(run.id, now=timezone.now())
            claimed.extend([found.attempt] if found else [])
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert claimed == [1]

    runs.release(run.id, 1, now=timezone.now())
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert (run.status, run.attempt, run.checkpoint.kind) == ("succeeded", 2, "base")
    assert Metric.objects.filter(run=run).count() == 12


def test_text_that_postgresql_cannot_store_is_replaced(project, tmp_path):
    run = runs.claim(start(project).id, now=timezone.now())
    folder = RunDir(tmp_path)
    folder.add_sample(1, prompt="p", text="a\x00b", score=1.0)
    folder.add_metrics(1, loss=0.1 + 0.2)
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    assert Mirror(folder, run_id=run.id, attempt=1).pull()
    assert Sample.objects.get(run=run).body["text"] == "a\N{REPLACEMENT CHARACTER}b"
    assert Metric.objects.get(run=run).seq == 1
    assert runs.fail(run.id, 1, code="x", sentence="a\x00b", log_tail="\x00", now=timezone.now())


def test_a_failing_run_is_told_there_too(project):
    run = start(project, behaves=stub_run.FAILS)
    supervisor.supervise(run.id)
    run.refresh_from_db()
    assert run.error_code == "bad_input"
