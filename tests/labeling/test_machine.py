"""Hand-out against a small model of it: Hypothesis looks for a sequence of actions that breaks a promise.

Gold and repeats come in between, data is imported, and the project is closed, archived, deleted and made anew.
"""

import itertools
import json
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from labeling.services import gold, imports, leases, projects, rankings, retention, tasks
from labeling.services.import_options import Options
from tests.labeling.work import add_tasks, set_up

LEASE = 60  # seconds
OVERLAP = 2
SKIPS = 2
MOST_TASKS = 8
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
        self.numbers = itertools.count(4)
        self.begin()
        self.keys = itertools.count()
        random.seed(0)

    def begin(self) -> None:
        """An empty model of a new project."""
        self.project = set_up(
            tasks=4, overlap=OVERLAP, labelers=len(PEOPLE), now=self.now, lease_seconds=LEASE, random_share=0.5,
            skips_to_halt=SKIPS, gold_share=0.5, repeat_share=0.4, repeat_distance=1,
        )  # fmt: skip
        self.users = {user.username: user for user in User.objects.all()}
        self.gold: set[int] = set()
        self.repeats: dict[int, str] = {}  # task -> whose it is
        self.imported = 0
        self.holds: dict[tuple[int, str], int] = {}  # (task, name) -> when the lease ends, until taken by another
        self.ahead: set[tuple[int, str]] = set()  # of these, what is not on its labeler's screen yet
        self.answered: dict[tuple[int, str], str] = {}  # (task, name) -> key
        self.late: set[tuple[int, str]] = set()
        self.skipped: set[tuple[int, str]] = set()
        self.halted: set[int] = set()
        self.closed: set[int] = set()
        self.known_order(self.tasks()[0])

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
        if task in self.halted | self.closed | self.gold or task in self.repeats:
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
            self.ahead.discard(key)

    def let_go(self, task: int) -> None:
        """The task was withdrawn: nobody holds it."""
        for who in [who for who in self.holds if who[0] == task]:
            del self.holds[who]
            self.ahead.discard(who)

    @rule(seconds=st.sampled_from([1, 30, 59, 60, 61, 200]))
    def time_passes(self, seconds: int) -> None:
        self.clock += seconds

    def lost(self, token) -> bool:
        """Whether the lease went with its project; nothing can be done with it then."""
        if Lease.objects.filter(token=token).exists():
            return False
        for name in PEOPLE:
            with pytest.raises(errors.LeaseUnknown):
                leases.renew(token=token, labeler=self.users[name], now=self.now)
        return True

    @rule(target=leased, name=st.sampled_from(PEOPLE), ahead=st.booleans())
    def claim(self, name: str, ahead: bool):
        every = [task for task, who in self.holds if who == name]
        later = [task for task in every if (task, name) in self.ahead]
        assert len(later) <= 1 and len(every) - len(later) <= 1
        # What is fetched ahead comes next where nothing is on the screen.
        mine = later if ahead else [task for task in every if task not in later] or later
        waits = any(self.may_have(task, name) for task in self.tasks())
        found = leases.acquire(
            project=self.project, guideline_id=None, labeler=self.users[name], kinds=[Kind.RANKING], now=self.now,
            ahead=ahead,
        )  # fmt: skip
        if found is None:
            assert not mine
            assert not waits
            return multiple()
        lease = found[0]
        if mine:
            assert lease.task_id in mine
        elif lease.task.purpose == "repeat":
            assert waits
            first = lease.task.repeat_of
            assert first.labeler.username == name and first.purpose == "ordinary" and lease.task_id not in self.repeats
            self.repeats[lease.task_id] = name
        elif lease.task_id in self.gold:
            assert waits and (lease.task_id, name) not in self.answered.keys() | self.skipped
        else:
            assert self.may_have(lease.task_id, name)
        assert lease.begun_at == (None if ahead else lease.begun_at or self.now)
        self.ahead.discard((lease.task_id, name))
        if ahead:
            self.ahead.add((lease.task_id, name))
        self.holds[lease.task_id, name] = self.clock + LEASE
        self.evict(lease.task_id)
        return lease.token, name

    @rule(lease=leased)
    def give_back(self, lease) -> None:
        token, name = lease
        if self.lost(token):
            return
        task = Lease.objects.get(token=token).task_id
        reserved = task in self.gold or task in self.repeats
        current = Lease.objects.filter(token=token, slot__token=token).exists()
        given = leases.give_back(token=token, labeler=self.users[name], now=self.now)
        assert given == (current and (task, name) in self.ahead and not reserved)
        if given:
            self.ahead.discard((task, name))
            del self.holds[task, name]

    @rule(lease=leased)
    def renew(self, lease) -> None:
        token, name = lease
        if self.lost(token):
            return
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
        if self.lost(token):
            return
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
                assert answer.purpose == (
                    "repeat" if task in self.repeats else "gold" if task in self.gold else "ordinary"
                )
                self.answered[who] = body["idempotency_key"]
                self.holds.pop(who, None)
                self.ahead.discard(who)
                if answer.late:
                    self.late.add(who)
                self.evict(task)

    @rule(lease=leased)
    def skip(self, lease) -> None:
        token, name = lease
        if self.lost(token):
            return
        task = Lease.objects.get(token=token).task_id
        try:
            leases.skip(token=token, labeler=self.users[name], reason="unclear", comment="", now=self.now)
        except errors.AlreadyAnswered:
            assert (task, name) in self.answered
        else:
            assert (task, name) not in self.answered
            self.skipped.add((task, name))
            self.holds.pop((task, name), None)
            self.ahead.discard((task, name))
            if task in self.repeats:
                self.closed.add(task)
            self._maybe_halt(task)

    @rule(which=st.integers(0, 3))
    def make_gold(self, which: int) -> None:
        self.known_order(self.tasks()[which % len(self.tasks())])

    def known_order(self, key: int) -> None:
        task = LabelingTask.objects.get(pk=key)
        ids = [str(uuid) for uuid in task.rollout_set.responses.values_list("uuid", flat=True)]
        try:
            gold.make(task=task, ranks=dict(zip(ids, (1, 2, 3), strict=True)), reason="", by=None, now=self.now)
        except errors.Conflict:
            assert task.pk in self.gold | self.halted or task.pk in self.repeats
        else:
            self.gold.add(task.pk)
            self.closed.discard(task.pk)

    @rule()
    def new_rollouts(self) -> None:
        if LabelingTask.objects.count() < MOST_TASKS:
            add_tasks(self.project, [next(self.numbers)], now=self.now)

    @rule(annotator=st.sampled_from(["a", "b"]))
    def import_rankings(self, annotator: str) -> None:
        """Somebody else's rankings come in by a file, twice the same; they are nobody's work here."""
        row = {
            "prompt": "Question 0?",
            "chosen": "Reply 0.",
            "rejected": f"Reply {annotator}.",
        }
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            imports.run(
                project=self.project,
                path=Path(file.name),
                name="rankings",
                options=Options(),
                dry_run=False,
                by=None,
                now=self.now,
            )
        self.imported = Answer.objects.filter(labeler=None).count()
        assert self.imported <= 2

    @rule(status=st.sampled_from(["closed", "archived"]), delete=st.booleans(), name=st.sampled_from(PEOPLE))
    def end_the_project(self, status: str, delete: bool, name: str) -> None:
        """It hands nothing out; then it comes back, or is deleted with all that is in it and another takes its name."""
        self.set_status(status)
        with pytest.raises(errors.ProjectClosed):
            leases.acquire(
                project=self.project, guideline_id=None, labeler=self.users[name], kinds=[Kind.RANKING], now=self.now
            )
        if delete and status == "archived":
            retention.purge(project=self.project, now=self.now)
            assert not LabelingTask.objects.exists() and not Lease.objects.exists() and not Answer.objects.exists()
            self.begin()
        else:
            self.set_status("open")

    def set_status(self, status: str) -> None:
        plain = {"status": status, **({"confirm": "field"} if status == "archived" else {})}
        projects.change(project=self.project, plain=plain, by=self.users["labeler0"], now=self.now)

    @rule(which=st.integers(0, 3), state=st.sampled_from(["open", "closed"]))
    def review(self, which: int, state: str) -> None:
        task = LabelingTask.objects.get(pk=self.tasks()[which % len(self.tasks())])
        tasks.change(task=task, plain={"state": state}, by=self.users["labeler0"], now=self.now)
        if state == "closed":
            self.closed.add(task.pk)
            self.let_go(task.pk)
        else:
            self.closed.discard(task.pk)
            self.halted.discard(task.pk)

    def _maybe_halt(self, task: int) -> None:
        if LabelingTask.objects.get(pk=task).state == LabelingTask.State.HALTED and task not in self.halted:
            assert sum(held == task for held, _ in self.skipped) >= SKIPS
            self.halted.add(task)
            self.let_go(task)

    @invariant()
    def promises_hold(self) -> None:
        assert not any(invariants.violations().values())

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        stored = Answer.objects.exclude(labeler=None).values_list(
            "task", "labeler__username", "idempotency_key", "late"
        )
        assert {(task, name): key for task, name, key, _ in stored} == self.answered
        assert {(task, name) for task, name, _, late in stored if late} == self.late
        assert len(stored) == len(self.answered)
        assert Skip.objects.count() == len(self.skipped)
        assert Answer.objects.filter(labeler=None).count() == self.imported


def test_no_sequence_of_actions_breaks_a_promise(shared_database):
    run_state_machine_as_test(
        HandOut,
        settings=settings(
            max_examples=14, stateful_step_count=35, deadline=None, suppress_health_check=list(HealthCheck), database=None,
            derandomize=True,
        ),
    )  # fmt: skip
