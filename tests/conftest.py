"""The cast and the stage: alice and bob label, rita reviews, erin engineers, ada administers; one open project."""

import datetime
import shutil
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

PASSWORD = "a long password"


def pytest_configure(config: pytest.Config) -> None:
    """What tests write goes to a folder of their own, never to var/."""
    from django.conf import settings

    folder = Path(tempfile.mkdtemp(prefix="rankloop-tests-"))
    var = settings.VAR
    for name in dir(settings):
        value = getattr(settings, name)
        if isinstance(value, Path) and value.is_relative_to(var):
            setattr(settings, name, folder / value.relative_to(var))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(autouse=True)
def _fresh_process_state(request: pytest.FixtureRequest) -> None:
    """No test sees what another one's process trusted."""
    if {"db", "transactional_db"} & set(request.fixturenames) or "django" in request.keywords:
        from labeling.api import auth, system
        from labeling.selectors import access

        auth.forget()
        access.forget()
        system.forget()


@pytest.fixture
def artifacts(tmp_path: Path, settings) -> Path:
    """A folder of this test's own for snapshots and corpora."""
    settings.ARTIFACTS = tmp_path / "artifacts"
    return settings.ARTIFACTS


@pytest.fixture
def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture
def person(db) -> Callable:
    """Makes a user: person("dora", "labeler")."""
    from django.contrib.auth.hashers import make_password

    from labeling.models.people import User

    # One hash for all: hashing slowly is what passwords need and tests do not.
    hashed = make_password(PASSWORD, hasher="pbkdf2_sha256") if not _HASHED else _HASHED[0]
    _HASHED[:] = [hashed]

    def make(username: str, role: str = "labeler") -> User:
        return User.objects.create(username=username, role=role, name=username.title(), password=hashed)

    return make


_HASHED: list[str] = []


@pytest.fixture
def ada(person):
    return person("ada", "admin")


@pytest.fixture
def project(db, now):
    from labeling.models.projects import Guideline, Project

    project = Project.objects.create(
        slug="garden", name="Garden", created_at=now, k=3, flags=["harmful", "off_topic"], random_share=0.0
    )
    Guideline.objects.create(project=project, version=1, text="Prefer what is true.", created_at=now)
    return project


@pytest.fixture
def member(person, project) -> Callable:
    """Makes a user with a role in the project: member("dora", "labeler")."""
    from labeling.models.people import Membership

    def make(username: str, role: str):
        user = person(username, role)
        Membership.objects.create(project=project, user=user, role=role)
        return user

    return make


@pytest.fixture
def alice(member):
    return member("alice", "labeler")


@pytest.fixture
def bob(member):
    return member("bob", "labeler")


@pytest.fixture
def rita(member):
    return member("rita", "reviewer")


@pytest.fixture
def erin(member):
    return member("erin", "engineer")


class Caller:
    """An API client that signs in by token: `caller.post("projects/garden/next", {})` gives the response."""

    def __init__(self, user) -> None:
        from django.test import Client

        self._client = Client()
        self._headers = {}
        if user is not None:
            from django.utils import timezone

            from labeling.services import people

            _, text = people.make_token(person=user, name="test", now=timezone.now())
            self._headers = {"Authorization": f"Bearer {text}"}

    def get(self, route: str, **query):
        return self._client.get(self._path(route), query, headers=self._headers)

    def post(self, route: str, body=None, **extra):
        return self._send("post", route, body, **extra)

    def put(self, route: str, body=None, **extra):
        return self._send("put", route, body, **extra)

    def patch(self, route: str, body=None, **extra):
        return self._send("patch", route, body, **extra)

    def delete(self, route: str):
        return self._client.delete(self._path(route), headers=self._headers)

    def upload(self, route: str, **fields):
        return self._client.post(self._path(route), fields, headers=self._headers)

    def _send(self, method: str, route: str, body, *, content_type: str = "application/json"):
        data = body if isinstance(body, (bytes, str)) else {} if body is None else body
        return getattr(self._client, method)(self._path(route), data, content_type=content_type, headers=self._headers)

    @staticmethod
    def _path(route: str) -> str:
        return route if route.startswith(("/", "http")) else f"/api/v1/{route}"


@pytest.fixture
def caller() -> Callable[..., Caller]:
    """`caller(alice)` calls the API as alice, `caller(None)` as nobody."""
    return Caller


@pytest.fixture
def prompt(project, now) -> Callable:
    """Makes a prompt of one user turn: prompt("What is soil?")."""
    from labeling.services import prompts
    from labeling.services.prompts import NewPrompt

    def make(text: str = "What is soil?", split: str = "train"):
        messages = [{"role": "user", "content": text, "name": ""}]
        (row,) = prompts.store(project=project, prompts=[NewPrompt(messages=messages, split=split)], now=now)
        return row

    return make


@pytest.fixture
def publish(project, prompt, now) -> Callable:
    """Publishes rollout sets and opens their ranking tasks: publish(3) gives three tasks."""
    from contracts.records import Rollout, RolloutSetRecord
    from labeling.models.work import LabelingTask
    from labeling.services import rollouts, sources

    def make(count: int = 1, *, k: int = 3, run_id: uuid.UUID | None = None, at: datetime.datetime | None = None):
        source = sources.register(project=project, kind="checkpoint", name="policy 1", reference="policy-1", now=now)
        rows = [
            RolloutSetRecord(
                prompt_id=str(prompt(f"Question {number}?").uuid),
                rollouts=tuple(
                    Rollout(
                        index=index,
                        text=f"Reply {index} to question {number}.",
                        token_ids=(5, 6, 7 + index),
                        token_logprobs=(-0.1, -0.2, -0.3),
                        finish_reason="stop",
                        seed=2**70 + index,
                    )
                    for index in range(k)
                ),
            )
            for number in range(count)
        ]
        run_id = run_id or uuid.uuid4()
        rollouts.publish(
            project=project, source=source, run_id=run_id, sampling={"temperature": 1.0}, rows=rows, open_tasks=True,
            now=at or now,
        )  # fmt: skip
        return list(LabelingTask.objects.filter(rollout_set__run_id=run_id).order_by("id"))

    return make
