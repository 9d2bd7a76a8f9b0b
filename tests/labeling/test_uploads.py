"""Uploads in pieces, previews, and imports that a worker does; a killed import goes on where it stood."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError

from labeling.models.imports import Import
from labeling.models.prompts import Prompt
from labeling.services import uploads
from tests import services

ROOT = Path(__file__).parents[2]
TEXT = b"".join(json.dumps({"question_text": f"Question {number}?"}).encode() + b"\n" for number in range(40))


@pytest.fixture
def begun(caller, project, erin, artifacts):
    def begin(content=TEXT, name="questions.jsonl"):
        answer = caller(erin).post("projects/garden/imports", {"name": name, "bytes": len(content)})
        assert answer.status_code == 201
        return answer.json()["id"]

    return begin


@pytest.fixture
def send(caller, erin):
    def send(identity, content, offset):
        route = f"imports/{identity}/content?offset={offset}"
        return caller(erin).put(route, content, content_type="application/octet-stream")

    return send


def test_a_file_comes_in_pieces_and_goes_on_where_it_broke_off(begun, send, caller, erin):
    identity = begun()
    assert send(identity, TEXT[:100], 0).json()["received"] == 100
    again = send(identity, TEXT[:100], 0)
    assert (again.status_code, again.json()["code"], again.json()["fields"]["offset"]) == (
        409,
        "wrong_offset",
        "must be 100",
    )
    gap = send(identity, TEXT[200:], 200)
    assert gap.json()["code"] == "wrong_offset"
    too_much = send(identity, TEXT[100:] + b"x", 100)
    assert (too_much.status_code, too_much.json()["code"]) == (400, "too_many_bytes")
    assert caller(erin).get(f"imports/{identity}").json()["state"] == "uploading"
    early = caller(erin).post(f"imports/{identity}/start", {})
    assert (early.status_code, early.json()["code"]) == (409, "upload_unfinished")
    done = send(identity, TEXT[100:], 100).json()
    assert (done["state"], done["received"]) == ("ready", len(TEXT))
    assert Import.objects.get().path.read_bytes() == TEXT


def test_a_preview_shows_records_and_counts_and_stores_nothing(begun, send, caller, erin):
    identity = begun()
    send(identity, TEXT, 0)
    unknown = caller(erin).post(f"imports/{identity}/preview", {}).json()
    assert (unknown["format"], unknown["report"], unknown["field_names"]) == ("", None, ["question_text"])
    mapped = caller(erin).post(f"imports/{identity}/preview", {"mapping": {"question_text": "prompt"}}).json()
    assert (mapped["format"], mapped["report"]["stored"], mapped["whole"]) == ("prompts", 40, True)
    assert mapped["records"][0]["value"] == {"question_text": "Question 0?"}
    assert mapped["records"][0]["items"][0]["messages"][0]["content"] == "Question 0?"
    assert Prompt.objects.count() == 0
    wrong = caller(erin).post(f"imports/{identity}/preview", {"format": "nonsense"})
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["format"])


def test_a_worker_takes_up_what_was_started_once(begun, send, caller, erin, now):
    identity = begun()
    send(identity, TEXT, 0)
    options = {"mapping": {"question_text": "prompt"}, "open_demonstrations": True}
    assert caller(erin).post(f"imports/{identity}/start", options).status_code == 202
    assert caller(erin).post(f"imports/{identity}/start", options).json()["code"] == "import_started"
    assert [str(one) for one in uploads.waiting(now=now)] == [identity]
    uploads.work(uploads.waiting(now=now)[0], now=now)
    shown = caller(erin).get(f"imports/{identity}").json()
    assert (shown["state"], shown["share"], shown["report"]["stored"], shown["report"]["tasks"]) == (
        "done",
        1.0,
        40,
        40,
    )
    assert uploads.waiting(now=now + timedelta(days=1)) == []
    assert not Import.objects.get().path.exists()
    assert Prompt.objects.count() == 40


def test_a_cancelled_import_stops_at_its_next_batch(begun, send, caller, erin, now, monkeypatch):
    from labeling.services import batches, imports

    monkeypatch.setattr(batches, "BATCH", 10)
    identity = begun()
    send(identity, TEXT, 0)
    caller(erin).post(f"imports/{identity}/start", {"mapping": {"question_text": "prompt"}})
    real, seen = imports._mark, []

    def mark(row, report, share):
        real(row, report, share)
        seen.append(report.records)
        if len(seen) == 2:
            Import.objects.update(state="cancelled")

    monkeypatch.setattr(imports, "_mark", mark)
    uploads.work(uploads.waiting(now=now)[0], now=now)
    assert Import.objects.get().state == "cancelled"
    assert Prompt.objects.count() == 20


def test_an_unreadable_file_fails_with_its_reason(begun, send, caller, erin, now):
    identity = begun(b"\x80\x04pickle", "a.pkl")
    send(identity, b"\x80\x04pickle", 0)
    assert caller(erin).post(f"imports/{identity}/preview", {}).json()["code"] == "unreadable_file"
    caller(erin).post(f"imports/{identity}/start", {})
    uploads.work(uploads.waiting(now=now)[0], now=now)
    shown = caller(erin).get(f"imports/{identity}").json()
    assert shown["state"] == "failed"
    assert shown["error"].startswith("a.pkl is a pickle")


@pytest.mark.parametrize(("fault", "state", "waits"), [(RuntimeError, "failed", 0), (OperationalError, "running", 1)])
def test_only_a_database_that_does_not_answer_is_tried_again(
    fault, state, waits, begun, send, caller, erin, now, monkeypatch
):
    from labeling.services import imports

    def broken(*_):
        raise fault("no such luck")

    identity = begun()
    send(identity, TEXT, 0)
    caller(erin).post(f"imports/{identity}/start", {"mapping": {"question_text": "prompt"}})
    monkeypatch.setattr(imports, "_mark", broken)
    with pytest.raises(fault):
        uploads.work(uploads.waiting(now=now)[0], now=now)
    row = Import.objects.get()
    assert row.state == state
    assert len(uploads.waiting(now=now + timedelta(days=1))) == waits
    assert row.path.exists() == bool(waits)
    assert ("RuntimeError" in row.error) == (not waits)


def test_a_killed_import_goes_on_where_it_stood(tmp_path):
    total = 60_000
    file, base = tmp_path / "many.jsonl", tmp_path / "base.sqlite3"
    with file.open("w") as stream:
        stream.writelines(json.dumps({"prompt": f"Question {number}?"}) + "\n" for number in range(total))
        stream.write("broken\n")
    environment = os.environ | {"RANKLOOP_VAR": str(tmp_path), "DATABASE_URL": f"sqlite:///{base}"}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=environment, check=True, capture_output=True)
    command = [*manage, "import_data", "--project", "p", "--json", str(file)]
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while _rows(base, "SELECT COALESCE(MAX(records), 0) FROM labeling_import")[0][0] == 0:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = _rows(base, "SELECT COUNT(*) FROM labeling_prompt")[0][0]
    assert 0 < done < total
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    report = json.loads(again.stdout)
    assert again.returncode == 1
    assert (report["stored"], report["duplicates"], report["refused"], report["records"]) == (total, 0, 1, total + 1)
    assert _rows(base, "SELECT COUNT(*), COUNT(DISTINCT content_hash) FROM labeling_prompt") == [(total, total)]
    assert _rows(base, "SELECT state, attempt FROM labeling_import") == [("done", 2)]


def _rows(base, statement):
    with sqlite3.connect(base, timeout=20) as connection:
        return connection.execute(statement).fetchall()


def test_two_imports_of_one_file_on_postgresql_store_each_record_once(tmp_path):
    file = tmp_path / "pairs.jsonl"
    with file.open("w") as stream:
        for number in range(6_000):
            row = {"prompt": f"Question {number % 5_000}?", "chosen": f"Yes {number}.", "rejected": "No."}
            stream.write(json.dumps(row) + "\n")
    with services.postgres() as url:
        environment = os.environ | {"RANKLOOP_VAR": str(tmp_path), "DATABASE_URL": url}
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], cwd=ROOT, env=environment, check=True, capture_output=True)
        command = [*manage, "import_data", "--project", "p", "--json"]
        other = file.rename(tmp_path / "again.jsonl"), tmp_path / "more.jsonl"
        other[1].write_bytes(
            other[0].read_bytes() + b"\n"
        )  # other bytes, so that neither takes over the other's import
        children = [subprocess.Popen([*command, str(one)], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
                    for one in other]  # fmt: skip
        reports = [json.loads(child.communicate()[0]) for child in children]
        assert [child.returncode for child in children] == [0, 0]
        assert sum(report["stored"] for report in reports) == 6_000
        assert sum(report["duplicates"] for report in reports) == 6_000
        export = [*manage, "export_data", "--project", "p", "--kind", "rankings", "--format", "trl-standard"]
        out = subprocess.run(export, cwd=ROOT, env=environment, check=True, capture_output=True).stdout
        assert len({line for line in out.splitlines() if line}) == 6_000
