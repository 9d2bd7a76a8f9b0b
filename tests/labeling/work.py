"""A project full of ranking tasks, and one labeler's turn at it, for threads and processes alike."""

import random
import uuid
from datetime import datetime, timedelta

from contracts.records import Rollout, RolloutSetRecord
from labeling import errors
from labeling.models.people import Membership, User
from labeling.models.projects import Project
from labeling.models.work import Kind
from labeling.services import leases, prompts, rankings, rollouts, sources
from labeling.services.prompts import NewPrompt


def set_up(*, tasks: int, overlap: int, labelers: int, now: datetime, k: int = 3, **rules) -> Project:
    """A project with `tasks` x `overlap` slots and labelers named labeler0, labeler1, …"""
    rules = {"lease_seconds": 60, "random_share": 0.2, **rules}
    project = Project.objects.create(slug="field", name="Field", created_at=now, k=k, overlap=overlap, **rules)
    for number in range(labelers):
        user, _ = User.objects.get_or_create(username=f"labeler{number}", defaults={"password": "!"})
        Membership.objects.create(project=project, user=user, role="labeler")
    add_tasks(project, range(tasks), now=now, k=k)
    return project


def add_tasks(project: Project, numbers, *, now: datetime, k: int = 3) -> None:
    """One ranking task per number, each with a prompt of its own."""
    new = [NewPrompt(messages=[{"role": "user", "content": f"Question {n}?", "name": ""}]) for n in numbers]
    stored = prompts.store(project=project, prompts=new, now=now)
    source = sources.register(project=project, kind="checkpoint", name="policy", reference="policy", now=now)
    rows = [
        RolloutSetRecord(
            prompt_id=str(prompt.uuid),
            rollouts=tuple(
                Rollout(
                    index=i, text=f"Reply {i}.", token_ids=(i,), token_logprobs=(-1.0,), finish_reason="stop", seed=i
                )
                for i in range(k)
            ),
        )
        for prompt in stored
    ]
    rollouts.publish(
        project=project, source=source, run_id=uuid.uuid4(), sampling={}, rows=rows, open_tasks=True, now=now
    )


def ranking(lease, key: str, generator: random.Random) -> dict:
    ranks = [generator.randint(1, len(lease.order_shown)) for _ in lease.order_shown]
    places = {rank: place for place, rank in enumerate(sorted(set(ranks)), start=1)}
    return {
        "idempotency_key": key,
        "ranks": {id: places[rank] for id, rank in zip(lease.order_shown, ranks, strict=True)},
    }


def rank(lease: dict, places=(1, 2, 3), **more) -> dict:
    """The body that ranks a lease's responses, as shown, in these places."""
    ids = [response["id"] for response in lease["task"]["responses"]]
    return {"idempotency_key": uuid.uuid4().hex, "ranks": dict(zip(ids, places, strict=True)), **more}


class Labeler:
    """Works like a person with a bad connection: sends twice, out of order, and long after the lease ended."""

    def __init__(self, project: Project, name: str, seed: int) -> None:
        self.project, self.user = project, User.objects.get(username=name)
        self.random = random.Random(seed)
        self.held_back: list[tuple[uuid.UUID, dict]] = []
        self.sent: dict[str, dict] = {}  # idempotency key -> body that the server said it took

    def turn(self, now: datetime) -> bool:
        """Take a task and mostly answer it. False: nothing waits."""
        if self.random.random() < 0.15:
            now += timedelta(seconds=self.random.choice([61, 600]))  # a clock that jumps past the lease
        found = leases.acquire(
            project=self.project, guideline_id=None, labeler=self.user, kinds=[Kind.RANKING], now=now
        )
        if found is None:
            self._send_what_was_held_back(now)
            return False
        lease = found[0]
        self._look_ahead(now)
        body = ranking(lease, uuid.uuid4().hex, self.random)
        choice = self.random.random()
        if choice < 0.1:
            self.held_back.append((lease.token, body))
        elif choice < 0.2:
            leases.save_draft(token=lease.token, labeler=self.user, body=body, now=now)
        else:
            self.send(lease.token, body, now)
            if choice < 0.5:
                self.send(lease.token, body, now)
        if self.random.random() < 0.2:
            self._send_what_was_held_back(now)
        return True

    def _look_ahead(self, now: datetime) -> None:
        """Often fetch the task after this one, and now and then leave it to others."""
        if self.random.random() < 0.5:
            return
        ahead = leases.acquire(
            project=self.project, guideline_id=None, labeler=self.user, kinds=[Kind.RANKING], now=now, ahead=True
        )
        if ahead is not None and self.random.random() < 0.2:
            leases.give_back(token=ahead[0].token, labeler=self.user, now=now)

    def send(self, token: uuid.UUID, body: dict, now: datetime) -> None:
        try:
            answer, _ = rankings.submit(token=token, labeler=self.user, plain=body, now=now)
        except errors.AlreadyAnswered:
            return
        assert answer.idempotency_key == body["idempotency_key"]
        self.sent[body["idempotency_key"]] = body

    def _send_what_was_held_back(self, now: datetime) -> None:
        self.random.shuffle(self.held_back)
        while self.held_back:
            self.send(*self.held_back.pop(), now)
