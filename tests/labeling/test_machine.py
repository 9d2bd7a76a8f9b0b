"""Hand-out against a small model of it: Hypothesis looks for a sequence of actions that breaks a promise."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.people import User
from labeling.models.work import Kind, LabelingTask, Lease, Skip
from labeling.selectors import invariants
from labeling.services import leases, rankings, tasks
from tests.labeling.work import set_up

LEASE = 60  # seconds
OVERLAP = 2
SKIPS = 2
PEOPLE = ("labeler0", "labeler1", "labeler2")


class HandOut(RuleBasedStateMachine):
    """The model: who holds which slot until when, who answered, who skipped; times are seconds since the start."""

    leased = Bundle("leased")

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.start = datetime(2030, 1, 1, tzinfo=UTC)
        self.clock = 0
        self.project = set_up(
            tasks=2, overlap=OVERLAP, labelers=len(PEOPLE), now=self.start, lease_seconds=LEASE, random_share=0.5,
            skips_to_halt=SKIPS,
        )  # fmt: skip
        self.users = {user.username: user for user in User.objects.all()}
        self.holds: dict[tuple[int, str], int] = {}  # (task, name) -> when the lease ends, until taken by another
        self.answered: dict[tuple[int, str], str] = {}  # (task, name) -> key
        self.late: set[tuple[int, str]] = set()
        self.skipped: set[tuple[int, str]] = set()
        self.halted: set[int] = set()
        self.closed: set[int] = set()
        self.keys = itertools.count()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.clock)

    def tasks(self) -> list[int]:
        return list(LabelingTask.objects.order_by("id").values_list("pk", flat=True))

    def free(self, task: int) -> int:
        """Slots of a task that may be handed out now."""
        if task in self.halted | self.closed:
            return 0
        live = sum(ends > self.clock for (held, _), ends in self.holds.items() if held == task)
        taken = sum(held == task for held, name in self.answered if (held, name) not in self.late)
        return OVERLAP - live - taken

    def may_have(self, task: int, name: str) -> bool:
        return (task, name) not in self.answered and (task, name) not in self.skipped and self.free(task) > 0

    def evict(self, task: int) -> None:
        """The expired lease that a claim of this task took over, if it had to: the database says whose."""
        held = {key for key in self.holds if key[0] == task}
        still = {
            (task, name)
            for name in LabelingTask.objects.get(pk=task)
            .slots.filter(state="leased")
            .values_list("labeler__username", flat=True)
        }
        for key in held - still:
            assert self.holds.pop(key) <= self.clock, "a live lease was taken over"

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61, 200]))
    def time_passes(self, seconds: int) -> None:
        self.clock += seconds

    @rule(target=leased, name=st.sampled_from(PEOPLE))
    def claim(self, name: str):
        mine = [task for task, who in self.holds if who == name]
        found = leases.acquire(
            project=self.project, guideline_id=None, labeler=self.users[name], kinds=[Kind.RANKING], now=self.now
        )
        if found is None:
            assert not mine
            assert not any(self.may_have(task, name) for task in self.tasks())
            return multiple()
        lease = found[0]
        if mine:
            assert lease.task_id in mine
        else:
            assert self.may_have(lease.task_id, name)
        self.holds[lease.task_id, name] = self.clock + LEASE
        self.evict(lease.task_id)
        return lease.token, name

    @rule(lease=leased)
    def renew(self, lease) -> None:
        token, name = lease
        task = Lease.objects.get(token=token).task_id
        current = (task, name) in self.holds and Lease.objects.filter(token=token, slot__token=token).exists()
        try:
            leases.renew(token=token, labeler=self.users[name], now=self.now)
        except errors.Conflict:
            assert not current
        else:
            assert current
            self.holds[task, name] = self.clock + LEASE

    @rule(lease=leased, again=st.booleans())
    def submit(self, lease, again: bool) -> None:
        token, name = lease
        row = Lease.objects.get(token=token)
        task, who = row.task_id, (row.task_id, name)
        key = self.answered.get(who) if again else None
        body = {"idempotency_key": key or f"key {next(self.keys)}", "ranks": {id: 1 for id in row.order_shown}}
        on_time = who in self.holds or self.free(task) > 0
        try:
            answer, replayed = rankings.submit(token=token, labeler=self.users[name], plain=body, now=self.now)
        except errors.AlreadyAnswered:
            assert who in self.answered and key is None
        except errors.AlreadySkipped:
            assert who in self.skipped
        else:
            assert replayed == (key is not None)
            if not replayed:
                assert who not in self.answered and who not in self.skipped
                assert answer.late == (not on_time)
                self.answered[who] = body["idempotency_key"]
                self.holds.pop(who, None)
                if answer.late:
                    self.late.add(who)
                self.evict(task)

    @rule(lease=leased)
    def skip(self, lease) -> None:
        token, name = lease
        task = Lease.objects.get(token=token).task_id
        try:
            leases.skip(token=token, labeler=self.users[name], reason="unclear", comment="", now=self.now)
        except errors.AlreadyAnswered:
            assert (task, name) in self.answered
        else:
            assert (task, name) not in self.answered
            self.skipped.add((task, name))
            self.holds.pop((task, name), None)
            self._maybe_halt(task)

    @rule(which=st.integers(0, 1), state=st.sampled_from(["open", "closed"]))
    def review(self, which: int, state: str) -> None:
        task = LabelingTask.objects.get(pk=self.tasks()[which])
        tasks.change(task=task, plain={"state": state}, by=self.users["labeler0"], now=self.now)
        if state == "closed":
            self.closed.add(task.pk)
            for who in [who for who in self.holds if who[0] == task.pk]:
                del self.holds[who]
        else:
            self.closed.discard(task.pk)
            self.halted.discard(task.pk)

    def _maybe_halt(self, task: int) -> None:
        if LabelingTask.objects.get(pk=task).state == LabelingTask.State.HALTED and task not in self.halted:
            assert sum(held == task for held, _ in self.skipped) >= SKIPS
            self.halted.add(task)
            for who in [who for who in self.holds if who[0] == task]:
                del self.holds[who]

    @invariant()
    def promises_hold(self) -> None:
        assert not any(invariants.violations().values())

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        stored = Answer.objects.values_list("task", "labeler__username", "idempotency_key", "late")
        assert {(task, name): key for task, name, key, _ in stored} == self.answered
        assert {(task, name) for task, name, _, late in stored if late} == self.late
        assert len(stored) == len(self.answered)
        assert Skip.objects.count() == len(self.skipped)


@pytest.mark.django_db
def test_no_sequence_of_actions_breaks_a_promise():
    run_state_machine_as_test(
        HandOut,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None,
            derandomize=True,
        ),
    )  # fmt: skip
