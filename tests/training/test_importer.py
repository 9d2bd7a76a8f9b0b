"""The worker's thread for imports, in a real worker process: it takes up what is queued, whatever else goes on."""

import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models.imports import Import
from labeling.models.prompts import Prompt
from labeling.services import uploads
from labeling.services.import_options import Options
from tests.training.conftest import start, until
from training.models.runs import Run


@pytest.fixture
def upload(stage):
    """upload(100) is a queued import of so many prompts; upload(100, begin=False) one that waits for a person's word."""
    erin = stage.memberships.get().user

    def upload(count, *, begin=True):
        content = b"".join(json.dumps({"prompt": f"Question {n}?"}).encode() + b"\n" for n in range(count))
        now = timezone.now()
        row = uploads.begin(project=stage, name="many.jsonl", size=len(content), by=erin, now=now)
        uploads.append(row=row, offset=0, blocks=iter([content]))
        return uploads.start(row=row, options=Options(), by=erin, now=now) if begin else row

    return upload


def comes_to(row, condition, *, seconds=60):
    """Wait for something to be true of an import's row, and return the row."""
    deadline = time.monotonic() + seconds
    while True:
        row.refresh_from_db()
        if condition(row):
            return row
        assert time.monotonic() < deadline, (row.state, row.attempt, row.records, row.error)
        time.sleep(0.02)


def test_an_import_waits_for_no_run_and_its_file_goes_when_it_is_done(stage, upload, start_worker):
    start_worker()
    run = start(stage, steps=2_000)
    until(run, lambda run: run.status == "running")
    first, second = upload(3_000), upload(30)
    for row, stored in ((first, 3_000), (second, 0)):
        row = comes_to(row, lambda row: row.state == "done")
        assert (row.report["stored"], row.attempt, row.path.exists()) == (stored, 1, False)
    assert Prompt.objects.count() == 3_000
    assert Run.objects.get(id=run.id).status == "running"


def test_an_unreadable_file_fails_and_the_next_one_is_imported(upload, start_worker):
    broken = upload(30)
    broken.path.write_bytes(b"\x80\x04pickle")
    good = upload(20)
    start_worker()
    broken = comes_to(broken, lambda row: row.state == "failed")
    assert "pickle" in broken.error
    assert comes_to(good, lambda row: row.state == "done").report["stored"] == 20


def test_an_import_whose_worker_is_killed_goes_on_with_another(upload, start_worker):
    total = 150_000
    row = upload(total)
    worker = start_worker()
    comes_to(row, lambda row: row.records > 0)
    worker.kill()
    row.refresh_from_db()
    assert (row.state, row.attempt) == ("running", 1)
    assert 0 < Prompt.objects.count() < total
    assert row.path.exists()
    start_worker()
    time.sleep(2)
    row.refresh_from_db()
    assert row.attempt == 1  # nobody takes it while it may be alive
    Import.objects.filter(pk=row.pk).update(seen_at=timezone.now() - uploads.SILENT - timedelta(seconds=1))
    row = comes_to(row, lambda row: row.state == "done")
    assert (row.attempt, row.report["stored"], row.report["duplicates"]) == (2, total, 0)
    assert Prompt.objects.count() == total


def test_uploads_that_nobody_finished_are_swept_and_others_stay(upload, stage, start_worker):
    long_ago = timezone.now() - uploads.KEPT - timedelta(minutes=1)
    waits, fresh, done = upload(3, begin=False), upload(4, begin=False), upload(5)
    half = uploads.begin(project=stage, name="half.jsonl", size=100, by=waits.created_by, now=timezone.now())
    uploads.append(row=half, offset=0, blocks=iter([b"{"]))
    Import.objects.exclude(pk=fresh.pk).update(created_at=long_ago)
    start_worker()
    for row in (waits, half):
        assert not comes_to(row, lambda row: row.state == "cancelled").path.exists()
        assert row.finished_at is not None
    assert comes_to(done, lambda row: row.state == "done").report["stored"] == 5
    fresh.refresh_from_db()
    assert (fresh.state, fresh.path.exists()) == ("ready", True)
