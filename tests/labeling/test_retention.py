"""Archived projects come back, or go with everything of theirs when their time is over."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from labeling.models.records import AuditEntry
from labeling.models.work import LabelingTask
from labeling.services import corpora, retention, snapshots
from tests.labeling.work import rank


def archive(caller, ada, **more):
    answer = caller(ada).patch("projects/garden", {"status": "archived", "confirm": "garden", **more})
    assert answer.status_code == 200, answer.content
    return answer.json()


def purge(*arguments):
    out = StringIO()
    call_command("purge_projects", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def full(project, publish, next_task, caller, alice, ada, now, artifacts):
    """A project with a bit of everything."""
    project.repeat_share, project.repeat_distance, project.gold_share = 1.0, 1, 0.0
    project.save()
    publish(4)
    for _ in range(4):
        lease = next_task(alice)
        caller(alice).put(f"leases/{lease['token']}/draft", {"body": {"a": 1}})
        caller(alice).post(f"leases/{lease['token']}/ranking", rank(lease))
    lease = next_task(alice)
    caller(alice).post(f"leases/{lease['token']}/skip", {"reason": "unclear"})
    snapshots.freeze(project=project, kind="rankings", filters={}, by=ada, now=now)
    corpora.store(project=project, name="c", blocks=iter([b"some words"]), by=ada, now=now)
    caller(ada).post("projects/garden/webhooks", {"url": "http://localhost/"})
    assert LabelingTask.objects.filter(purpose="repeat").exists()
    return project


def test_an_archived_project_is_hidden_and_comes_back(project, publish, next_task, caller, alice, ada):
    publish(1)
    found = archive(caller, ada, retention_days=30)
    assert found["archived_at"] and found["retention_days"] == 30
    assert caller(ada).get("projects").json()["results"] == []
    assert [row["slug"] for row in caller(ada).get("projects", archived=1).json()["results"]] == ["garden"]
    assert caller(alice).post("projects/garden/next").json()["code"] == "project_closed"
    back = caller(ada).patch("projects/garden", {"status": "open"}).json()
    assert (back["status"], back["archived_at"]) == ("open", None)
    assert next_task(alice)


def test_a_project_is_due_when_its_retention_time_is_over_and_not_before(project, caller, ada, now):
    archive(caller, ada)
    assert retention.due(now=now + timedelta(days=10_000)) == []
    archive(caller, ada, retention_days=30)
    assert retention.due(now=now + timedelta(days=29)) == []
    assert retention.due(now=now + timedelta(days=31)) == [project]


@pytest.mark.django_db(transaction=True)
def test_a_purge_takes_everything_of_the_project_and_nothing_else_and_reports_it(full, caller, ada, now, artifacts):
    other = Project.objects.create(slug="meadow", name="Meadow", created_at=now)
    Prompt.objects.create(project=other, content_hash="x", messages=[], split="train", created_at=now)
    archive(caller, ada, retention_days=0)
    files = [path for path in artifacts.rglob("*") if path.is_file()]
    assert files
    dry = json.loads(purge("--dry-run", "--json"))
    assert dry["dry_run"] and dry["rows"]["answers"] == 4
    assert Project.objects.filter(slug="garden").exists()
    report = json.loads(purge("--json"))
    assert report["rows"] == dry["rows"] and report["bytes"] > 0
    assert not [path for path in artifacts.rglob("*") if path.is_file()]
    assert list(Project.objects.all()) == [other]
    assert Prompt.objects.count() == 1 and User.objects.filter(username="alice").exists()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("labeling_") and "project_id" in [
                column.name for column in connection.introspection.get_table_description(cursor, table)
            ]:
                cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE project_id = %s", [full.pk])
                assert cursor.fetchone()[0] == 0, table
    connection.check_constraints()
    entry = AuditEntry.objects.get(action="project_purged")
    assert entry.project is None and entry.details["rows"]["answers"] == 4
    assert purge() == ""


def test_a_project_that_came_back_meanwhile_is_not_purged(project, caller, ada, now):
    archive(caller, ada, retention_days=0)
    (due,) = retention.due(now=now + timedelta(days=1))
    caller(ada).patch("projects/garden", {"status": "open"})
    with pytest.raises(ValueError, match="not archived"):
        retention.purge(project=due, now=now)
    assert Project.objects.filter(slug="garden").exists()


def test_a_project_with_a_run_under_way_is_kept_and_said_so(project, caller, ada, now):
    from training.models.runs import Run

    archive(caller, ada, retention_days=0)
    Run.objects.create(id=uuid.uuid4(), project=project, kind="pretrain", name="r", config={}, seed=0, created_at=now)
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("purge_projects", stdout=out)
    assert "a run of it is under way" in out.getvalue()
    Run.objects.update(status="cancelled", finished_at=now)
    assert "1 runs" in purge()
    assert Run.objects.count() == 0
