"""Supervises one run from its claim to its end: directory, process, heartbeat, mirror, cancel, result.

Called by the Celery task in a thread of its own. When this thread's process dies, the run's process notices
and ends itself, the heartbeat goes stale, and another worker takes the run up from its saved state.
"""

from __future__ import annotations

import logging
import platform
import threading
import uuid
from dataclasses import replace
from importlib import metadata
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from contracts.run_dir import RunDir, RunDirError, RunSpec
from contracts.snapshots import SnapshotError
from labeling.errors import Refused
from training.models.runs import Run
from training.services import inputs, outputs, process, runs, scores
from training.services.mirror import Mirror

TICK_SECONDS = 0.25
PACKAGES = "torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "numpy"
log = logging.getLogger(__name__)

# Runs that this process supervises now, and whether it is shutting down.
active: set[uuid.UUID] = set()
stopping = threading.Event()


def supervise(run_id: uuid.UUID) -> None:
    """Claim the run and see it through. Returns at once where there is nothing to claim."""
    if stopping.is_set():
        return
    run = runs.claim(run_id, now=timezone.now())
    if run is None:
        return
    log.info("run %s (%s): attempt %d", run.id, run.kind, run.attempt)
    active.add(run.id)
    pulse = Pulse(run, RunDir(settings.RUNS / str(run.id)))
    pulse.start()
    try:
        _see_through(run, pulse)
    except DatabaseError:
        # As good as a lost worker: the row stays, goes stale, and is claimed again.
        log.exception("run %s: the database failed; its next attempt goes on", run.id)
    except Exception as error:
        sentence = f"The worker could not see the run through: {type(error).__name__}: {error}"
        _fail(run, "supervisor", sentence, process.log_tail(pulse.folder.log))
        raise
    finally:
        pulse.stop()
        active.discard(run.id)


class Pulse(threading.Thread):
    """The heartbeat, apart from the work: hashing, publishing or a full disk must not silence it."""

    def __init__(self, run: Run, folder: RunDir) -> None:
        super().__init__(name=f"pulse-{run.id}", daemon=True)
        self.folder = folder
        self.lost = threading.Event()
        self.cancel = threading.Event()
        self._run = run
        self._end = threading.Event()

    def run(self) -> None:
        try:
            while not self._end.wait(settings.RUN_HEARTBEAT_SECONDS) and not self.lost.is_set():
                try:
                    self._beat()
                except DatabaseError as error:
                    log.warning("run %s: no heartbeat: %s", self._run.id, error)
                close_old_connections()
        finally:
            connection.close()

    def stop(self) -> None:
        self._end.set()
        self.join()

    def _beat(self) -> None:
        progress = self.folder.progress()
        if not runs.beat(self._run.id, self._run.attempt, progress=progress, now=timezone.now()):
            self.lost.set()
        elif runs.is_cancel_requested(self._run.id, self._run.attempt):
            self.cancel.set()


def _see_through(run: Run, pulse: Pulse) -> None:
    try:
        _prepare(run, pulse.folder)
    except (RunDirError, SnapshotError, OSError) as error:
        _fail(run, "bad_input", str(error), "")
        return
    argv = process.command(pulse.folder.path, base=settings.RUN_COMMAND, processes=run.processes)
    child = process.Process(
        pulse.folder, argv, cancel_grace=settings.RUN_CANCEL_SECONDS, term_grace=settings.RUN_TERM_SECONDS
    )
    try:
        _follow(run, pulse, child)
    finally:
        # Where we leave early, whatever the reason, the process does not outlive us.
        child.kill()
        child.close()
    if not pulse.lost.is_set():
        _conclude(run, pulse, child.ending())


def _prepare(run: Run, folder: RunDir) -> None:
    """Write run.json, or check that an earlier attempt wrote the same; versions are those of the first."""
    rows = run.input_rows.select_related("checkpoint", "snapshot", "corpus")
    spec = RunSpec(
        run_id=str(run.id),
        kind=run.kind,
        config=run.config,
        seed=run.seed,
        inputs={row.name: inputs.reference(row, folder=folder.path) for row in rows},
        versions=versions(),
    )
    if (folder.path / "run.json").exists():
        spec = replace(spec, versions=folder.spec().versions)
    folder.create(spec)
    scores.lay_out(run, folder)
    folder.withdraw_cancel()


def versions() -> dict[str, str]:
    """Versions of the interpreter and of the packages that decide a run's result, without importing any."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _follow(run: Run, pulse: Pulse, child: process.Process) -> None:
    """Until the process ends or the run is lost: mirror its lines, and stop it when asked to."""
    mirror = Mirror(pulse.folder, run_id=run.id, attempt=run.attempt)
    ended = False
    while not ended and not pulse.lost.is_set():
        ended = child.wait(TICK_SECONDS)
        try:
            if not mirror.pull():
                pulse.lost.set()
        except DatabaseError as error:
            log.warning("run %s: lines wait: %s", run.id, error)
        close_old_connections()
        if pulse.cancel.is_set() or stopping.is_set():
            child.stop()
    if not mirror.pull():
        pulse.lost.set()


def _conclude(run: Run, pulse: Pulse, ending: process.Ending) -> None:
    now = timezone.now()
    if ending.outcome == "succeeded":
        try:
            outputs.finish(run, pulse.folder, now=now)
        except (RunDirError, SnapshotError, Refused) as error:
            _fail(run, "bad_output", str(error), process.log_tail(pulse.folder.log))
    elif ending.outcome == "failed":
        _fail(run, ending.code, ending.sentence, ending.log_tail)
    elif stopping.is_set() and not runs.is_cancel_requested(run.id, run.attempt):
        runs.release(run.id, run.attempt, now=now)
    else:
        runs.end_cancelled(run.id, run.attempt, now=now)


def _fail(run: Run, code: str, sentence: str, log_tail: str) -> None:
    log.warning("run %s failed: %s", run.id, sentence)
    runs.fail(run.id, run.attempt, code=code, sentence=sentence, log_tail=log_tail, now=timezone.now())


def reap(*, queues: set[str], slots: int) -> None:
    """Take up what was left lying: lost runs, and queued ones whose message nobody heard.

    Only an idle worker sends, so messages do not pile up behind a long run.
    """
    now = timezone.now()
    runs.requeue_lost(now=now, ours=set(active))
    runs.send_unheard(queues=queues, limit=max(0, slots - len(active)), now=now)


def reap_until_stopping(*, queues: set[str], slots: int, every: float) -> Any:
    """The reaper's loop, for a thread of the worker."""
    try:
        while not stopping.is_set():
            try:
                reap(queues=queues, slots=slots)
            except DatabaseError as error:
                log.warning("the reaper waits for the database: %s", error)
            close_old_connections()
            stopping.wait(every)
    finally:
        connection.close()
