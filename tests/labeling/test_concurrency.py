"""Many labelers at once over real connections, on both databases: each slot answered once, nothing lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.db.models import Count
from django.utils import timezone

from labeling.models.answers import Answer
from labeling.models.people import Membership
from labeling.models.projects import Project
from labeling.models.quality import QualityCheck, ReviewCase
from labeling.models.work import Kind, LabelingTask, Slot
from labeling.selectors import invariants
from labeling.services import gold, leases
from tests.labeling.work import Labeler, set_up

ROOT = Path(__file__).parents[2]


def check(sent: dict[str, dict], *, tasks: int, overlap: int) -> None:
    """Every slot is answered, every answer that the server took is there as it was sent, and no promise is broken."""
    assert not any(invariants.violations().values()), invariants.violations()
    assert Slot.objects.filter(state=Slot.State.ANSWERED).count() == Slot.objects.count() == tasks * overlap
    assert set(LabelingTask.objects.values_list("state", flat=True)) == {LabelingTask.State.DONE}
    stored = {answer.idempotency_key: answer for answer in Answer.objects.prefetch_related("ranked__response")}
    for key, body in sent.items():
        ranks = {str(one.response.uuid): one.rank for one in stored[key].ranked.all()}
        assert ranks == body["ranks"]
    assert Answer.objects.filter(late=False).count() == tasks * overlap


def finish(labelers: list[Labeler]) -> None:
    """What the last ones abandoned after the others had left, one labeler after another."""
    for turn in range(200):
        labeler, later = labelers[turn % len(labelers)], timezone.now() + timedelta(hours=1 + turn)
        if not labeler.turn(later):
            labeler._send_what_was_held_back(later)


def in_threads(count: int, work) -> None:
    """Start together, from a barrier; the first error fails the test."""
    barrier, failures = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            barrier.wait(timeout=30)
            work(number)
        except BaseException as error:  # noqa: BLE001  it is raised again in the test's own thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if failures:
        raise failures[0]


def test_threads_with_jumping_clocks_and_repeated_posts(shared_database):
    tasks, overlap, count = 40, 2, 6
    project = set_up(tasks=tasks, overlap=overlap, labelers=count, now=timezone.now())
    labelers = [Labeler(project, f"labeler{number}", seed=number) for number in range(count)]

    def work(number: int) -> None:
        idle = 0
        # Clocks run on, so that whatever was abandoned comes back.
        while idle < 4:
            shift = timedelta(seconds=120 * idle)
            idle = 0 if labelers[number].turn(timezone.now() + shift) else idle + 1

    in_threads(count, work)
    finish(labelers)
    sent = {key: body for labeler in labelers for key, body in labeler.sent.items()}
    check(sent, tasks=tasks, overlap=overlap)


def test_all_who_ask_at_once_get_different_slots(shared_database):
    count = 8
    project = set_up(tasks=count, overlap=1, labelers=count, now=timezone.now())
    taken: list[int] = []

    def work(number: int) -> None:
        user = Labeler(project, f"labeler{number}", seed=0).user
        found = leases.acquire(
            project=project, guideline_id=None, labeler=user, kinds=[Kind.RANKING], now=timezone.now()
        )
        assert found is not None, "was told that nothing waits"
        taken.append(found[0].slot_id)

    in_threads(count, work)
    assert len(set(taken)) == count


def test_one_labeler_in_many_tabs_gets_one_lease_and_one_ahead(shared_database):
    project = set_up(tasks=10, overlap=2, labelers=1, now=timezone.now())
    tokens: dict[bool, set] = {False: set(), True: set()}

    def work(number: int) -> None:
        user = Labeler(project, "labeler0", seed=0).user
        for turn in range(10):
            ahead = turn % 2 == 1
            found = leases.acquire(
                project=project, guideline_id=None, labeler=user, kinds=[Kind.RANKING], now=timezone.now(), ahead=ahead
            )
            tokens[ahead].add(found[0].token)

    in_threads(6, work)
    assert len(tokens[False]) == len(tokens[True]) == 1
    assert tokens[False] != tokens[True]
    assert not any(invariants.violations().values())


def test_gold_repeats_early_stops_and_reviews_at_once(shared_database):
    """Everything that may follow from an answer, under many hands: each once, and nothing independent that is not."""
    rules = {
        "gold_accuracy": 0.9, "self_consistency": 0.9, "fast_share": 0.5, "minimum_seconds": {"ranking": 1}, "least": 2,
        "stop_agreement": 0.5,
    }  # fmt: skip
    project = set_up(
        tasks=40, overlap=3, labelers=5, now=timezone.now(), gold_share=0.3, repeat_share=0.2, repeat_distance=2,
        quality=rules,
    )  # fmt: skip
    for task in LabelingTask.objects.order_by("id")[:6]:
        ids = [str(uuid) for uuid in task.rollout_set.responses.values_list("uuid", flat=True)]
        order = {id: place for place, id in enumerate(ids, 1)}
        gold.make(task=task, ranks=order, reason="", by=None, now=timezone.now())
    labelers = [Labeler(project, f"labeler{number}", seed=number) for number in range(5)]

    def work(number: int) -> None:
        idle = 0
        while idle < 4:
            shift = timedelta(seconds=120 * idle)
            idle = 0 if labelers[number].turn(timezone.now() + shift) else idle + 1

    in_threads(5, work)
    assert not any(invariants.violations().values()), invariants.violations()
    counts = {name: Answer.objects.filter(purpose=name).count() for name in ("ordinary", "gold", "repeat")}
    assert min(counts.values()) > 0, counts
    assert QualityCheck.objects.count() == counts["gold"] + counts["repeat"]
    twice = Answer.objects.filter(purpose="gold").values("task", "labeler").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists()
    ended = LabelingTask.objects.filter(purpose="ordinary")
    assert set(ended.values_list("state", flat=True)) == {"done"}
    assert Slot.objects.filter(state="withdrawn", task__purpose="ordinary").exists(), "nothing stopped early"
    assert ReviewCase.objects.filter(state="open").exists(), "nobody disagreed"
    assert Membership.objects.filter(warned_at__isnull=False).exists()


def test_processes_killed_at_any_moment(shared_database, tmp_path):
    tasks, overlap, count = 40, 2, 3
    set_up(tasks=tasks, overlap=overlap, labelers=count, now=timezone.now(), lease_seconds=1)
    generator, running = random.Random(1), {}

    def start(number: int, seed: int) -> None:
        running[number] = subprocess.Popen(
            [sys.executable, "-m", "tests.labeling.labeler_process", f"labeler{number}", str(seed), tmp_path],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": shared_database, "RANKLOOP_VAR": str(tmp_path)},
        )

    for number in range(count):
        start(number, seed=number)
    wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == count)
    (tmp_path / "go").touch()
    for kill in range(2):
        time.sleep(generator.uniform(0.05, 0.3))
        running[kill].send_signal(signal.SIGKILL)
        running[kill].wait()
        start(kill, seed=100 + kill)
    for process in running.values():
        assert process.wait(timeout=120) == 0
    sent = {}
    for path in tmp_path.glob("sent-*.jsonl"):
        for line in path.read_text().splitlines():
            key, body = json.loads(line)
            sent[key] = body
    labelers = [Labeler(Project.objects.get(), f"labeler{number}", seed=number) for number in range(count)]
    finish(labelers)
    sent |= {key: body for labeler in labelers for key, body in labeler.sent.items()}
    check(sent, tasks=tasks, overlap=overlap)


def wait_until(condition, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
