"""Real databases that many threads and processes share: a SQLite file, and a private PostgreSQL server."""

import contextlib
import copy
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from config.settings import database
from tests import services


@contextlib.contextmanager
def connected_to(values: dict[str, Any]) -> Iterator[None]:
    """The default connection of every thread goes to another database meanwhile."""
    plain, open_one = connections.databases["default"], connections["default"]
    connections.databases["default"] = {**copy.deepcopy(plain), **values}
    del connections["default"]
    try:
        yield
    finally:
        connections["default"].close()
        connections.databases["default"] = plain
        connections["default"] = open_one


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory, django_db_blocker) -> Path:
    path = tmp_path_factory.mktemp("labeling") / "empty.sqlite3"
    with django_db_blocker.unblock(), connected_to(database(f"sqlite:///{path}", pool=0)):
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres_url(django_db_blocker) -> Iterator[str]:
    with services.postgres() as url:
        with django_db_blocker.unblock(), connected_to(database(url, pool=0)):
            call_command("migrate", verbosity=0)
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_database(request, tmp_path, django_db_blocker) -> Iterator[str]:
    """URL of a migrated, empty database that is the default one for this test, in all its threads."""
    if request.param == "sqlite":
        path = tmp_path / "shared.sqlite3"
        shutil.copy(request.getfixturevalue("empty_sqlite"), path)
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("postgres_url")
    with django_db_blocker.unblock(), connected_to(database(url, pool=0)):
        if request.param == "postgresql":
            call_command("flush", verbosity=0, interactive=False)
        yield url


@pytest.fixture
def next_task(caller):
    """next_task(alice) is her lease as the API gives it, or None where nothing waits."""

    def next_task(user, **body):
        answer = caller(user).post("projects/garden/next", body)
        return answer.json() if answer.status_code == 200 else None

    return next_task


@pytest.fixture
def measure(project):
    """measure() measures the project now, in this process."""

    def measure():
        from labeling.models.measurements import Measurement

        call_command("measure", project.slug, verbosity=0)
        return Measurement.objects.filter(project=project).latest("id")

    return measure


@pytest.fixture
def ranked_by(project, publish, caller, next_task, member):
    """ranked_by([[(1, 2, 3), (1, 2, 3)], …]): for each item, the places that alice, bob, … give responses 0, 1, 2."""

    def ranked_by(items, *, active_ms=30_000):
        most = max(len(places) for places in items)
        type(project).objects.update(overlap=most)
        project.refresh_from_db()
        names = ["alice", "bob", "carol", "dave"][:most]
        people = [member(name, "labeler") for name in names]
        tasks = {str(task.uuid): places for task, places in zip(publish(len(items)), items, strict=True)}
        for index, person in enumerate(people):
            while lease := next_task(person):
                places = tasks[lease["task"]["id"]]
                token = lease["token"]
                if index >= len(places):
                    assert caller(person).post(f"leases/{token}/skip", {"reason": "other"}).status_code == 201
                    continue
                texts = {response["id"]: response["text"] for response in lease["task"]["responses"]}
                by_response = {id: places[index][int(text.split()[1])] for id, text in texts.items()}
                body = {"idempotency_key": uuid.uuid4().hex, "ranks": by_response, "active_ms": active_ms}
                assert caller(person).post(f"leases/{token}/ranking", body).status_code == 201
        return people

    return ranked_by
