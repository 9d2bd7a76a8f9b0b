"""A database of its own on disk for tests with real threads and processes, and a project to run in."""

import copy
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from labeling.models.people import Membership, Role, User
from labeling.models.projects import Project
from labeling.models.records import Corpus
from tests import services
from tests.training import stub_run
from training.models.runs import Run
from training.services import messages, runs, supervisor

ROOT = Path(__file__).parents[2]
STUB = [sys.executable, stub_run.__file__]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory, django_db_blocker):
    """A SQLite file with the tables and nothing in them."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite3"
    with django_db_blocker.unblock(), connected_to({"NAME": str(path)}):
        call_command("migrate", verbosity=0)
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def var(tmp_path, settings):
    """Run directories, artifacts and messages in a folder of this test's own."""
    folder = tmp_path / "var"
    settings.VAR, settings.RUNS, settings.ARTIFACTS = folder, folder / "runs", folder / "artifacts"
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS}
    options |= {name: str(folder / "broker" / "messages") for name in ("data_folder_in", "data_folder_out")}
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = options | {"control_folder": str(folder / "broker" / "control")}
    settings.RUN_COMMAND = STUB
    settings.RUN_HEARTBEAT_SECONDS = 0.1
    messages._sender.cache_clear()
    supervisor.stopping.clear()
    yield folder
    messages._sender.cache_clear()


@pytest.fixture
def on_disk(migrated, var, django_db_blocker):
    """The default database is a file that other threads and processes see too."""
    var.mkdir()
    path = var / "rankloop.sqlite3"
    shutil.copy(migrated, path)
    with django_db_blocker.unblock(), connected_to({"NAME": str(path)}):
        yield path


class connected_to:  # noqa: N801  reads as a sentence
    """The default connection, in every thread, with some of its settings replaced."""

    def __init__(self, values):
        self.values = values

    def __enter__(self):
        self.plain = connections.databases["default"]
        self.connection = connections["default"]
        connections.databases["default"] = {**copy.deepcopy(self.plain), **self.values}
        del connections["default"]

    def __exit__(self, *_):
        connections["default"].close()
        connections.databases["default"] = self.plain
        connections["default"] = self.connection


def make_project(slug="small"):
    return Project.objects.create(slug=slug, name=slug.title(), created_at=timezone.now())


def make_member(project, name, role):
    # No password: hashing one takes longer than most of these tests.
    user = User.objects.create(username=name, password="!")
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_corpus(project, artifacts, text="one line\n"):
    artifacts.mkdir(parents=True, exist_ok=True)
    (artifacts / "corpus.txt").write_text(text)
    from contracts.snapshots import file_hash

    return Corpus.objects.create(
        project=project,
        name="corpus",
        location="corpus.txt",
        bytes=len(text),
        sha256=file_hash(artifacts / "corpus.txt"),
        created_at=timezone.now(),
    )


@pytest.fixture
def api(caller, erin):
    """The API as erin calls it."""
    return caller(erin)


@pytest.fixture
def stage(on_disk, settings):
    """A project with a corpus and an engineer, on disk."""
    project = make_project()
    make_corpus(project, settings.ARTIFACTS)
    make_member(project, "erin", Role.ENGINEER)
    return project


def start(project, *, steps=20, behaves=stub_run.WELL, **more):
    more = {"config": {"steps": steps}, "given": {}, "kind": "pretrain", "by": None, **more}
    return runs.start(project=project, seed=behaves, now=timezone.now(), **more)


class Worker:
    """A real `celery worker` process."""

    def __init__(self, var, **environment):
        self.log = (var / "worker.log").open("ab")
        base = {
            "RANKLOOP_VAR": str(var),
            "DATABASE_URL": f"sqlite:///{var / 'rankloop.sqlite3'}",
            "RANKLOOP_RUN_COMMAND": ",".join(STUB),
            "RANKLOOP_RUN_STALE_SECONDS": "3",
        }
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads", "--loglevel", "INFO"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **base, **environment},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=30)


@pytest.fixture
def start_worker(var):
    workers = []

    def begin(**environment):
        workers.append(Worker(var, **environment))
        return workers[-1]

    yield begin
    for worker in workers:
        if worker.process.poll() is None:
            worker.kill()
        worker.log.close()


@pytest.fixture(scope="session")
def redis_url():
    with services.redis() as url:
        yield url


def until(run, condition, *, seconds=30):
    """Wait for something to be true of a run's row, and return the row."""
    deadline = time.monotonic() + seconds
    while True:
        run = Run.objects.get(id=run.id)
        if condition(run):
            return run
        assert time.monotonic() < deadline, (
            f"{run.status}, attempt {run.attempt}, {run.progress}, {run.error_sentence}, {run.log_tail}"
        )
        time.sleep(0.05)
