"""The worker's thread that answers the playground's requests, with a process of its own that keeps models warm.

It takes no slot of a run, so a person can talk to a checkpoint while another one trains. Tokens go into the
request's row a few times a second; the web reads them there and never loads torch.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from contracts.run_dir import RunDirError, verify_manifest
from training.models.playground import PlaygroundRequest
from training.services import playground, supervisor
from training.services.process import KEPT_FROM_RUNS

POLL_SECONDS = 0.2
SHOW_SECONDS = 0.1
SWEEP_SECONDS = 600.0
log = logging.getLogger(__name__)


class EngineLost(Exception):
    """The process ended, or does not do what `contracts/playground.py` says."""


class Engine:
    """The process, started when first needed. A thread reads what it says."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def tell(self, word: dict[str, Any]) -> None:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._start()
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(word) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise EngineLost from error

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """The next word, or None where there is none in time."""
        try:
            word = self._said.get(timeout=seconds)
        except queue.Empty:
            return None
        if word is None:
            raise EngineLost
        return word

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                assert stream is not None
                stream.close()
        self._process = None

    def _start(self) -> None:
        folder = settings.VAR / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_RUNS}
        environment |= {"PYTHONUNBUFFERED": "1", "GOMP_SPINCOUNT": "3000", "TQDM_DISABLE": "1"}
        with (folder / f"playground-{os.getpid()}.log").open("ab") as errors:
            self._process = subprocess.Popen(
                settings.PLAYGROUND_COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        self._said = queue.Queue()
        threading.Thread(target=_read, args=(self._process, self._said), name="engine", daemon=True).start()


def _read(process: subprocess.Popen[str], said: queue.Queue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError):  # not JSON, or closed under us: either way it has ended for us
        for line in process.stdout:
            said.put(json.loads(line))
    said.put(None)


def serve_until_stopping() -> None:
    """The thread's loop: claim, answer, and let the process go when nobody asks."""
    engine, asked_at, swept_at = Engine(), time.monotonic(), 0.0
    try:
        while not supervisor.stopping.is_set():
            try:
                request = playground.claim(now=timezone.now())
                if request is not None:
                    answer(request, engine)
                    asked_at = time.monotonic()
                elif time.monotonic() - swept_at > SWEEP_SECONDS:
                    playground.forget_old(now=timezone.now())
                    swept_at = time.monotonic()
            except DatabaseError as error:
                log.warning("the playground waits for the database: %s", error)
                engine.stop()  # in the middle of a reply, maybe
                supervisor.stopping.wait(1)
            close_old_connections()
            if time.monotonic() - asked_at > settings.PLAYGROUND_IDLE_SECONDS:
                engine.stop()
            if request is None:
                supervisor.stopping.wait(POLL_SECONDS)
    finally:
        engine.stop()
        connection.close()


def answer(request: PlaygroundRequest, engine: Engine) -> None:
    """See one request through. What goes wrong becomes its error; the process starts anew for the next one."""
    folder = settings.RUNS / request.checkpoint.path
    try:
        verify_manifest(folder)
        engine.tell({"kind": request.kind, "model": str(folder), **request.body})
        _follow(request, engine)
    except EngineLost:
        engine.stop()
        sentence = "The process that answers ended; the model may be larger than the worker's memory. Ask again."
        playground.fail(request, code="crashed", sentence=sentence, now=timezone.now())
    except (RunDirError, OSError) as error:
        playground.fail(request, code="bad_input", sentence=str(error), now=timezone.now())


def _follow(request: PlaygroundRequest, engine: Engine) -> None:
    tokens: list[dict[str, Any]] = []
    stage, told_to_stop = "loading", False
    shown_at = 0.0
    while True:
        word = engine.hear(SHOW_SECONDS)
        now = timezone.now()
        if word is not None and "done" in word:
            playground.finish(request, tokens=tokens, result=word["done"], now=now)
            return
        if word is not None and "error" in word:
            playground.fail(request, code=word["error"]["code"], sentence=word["error"]["sentence"], now=now)
            return
        if supervisor.stopping.is_set():
            engine.stop()
            playground.give_back(request)
            return
        if word is not None and "token" in word:
            tokens.append(word["token"])
        stage = word.get("stage", stage) if word is not None else stage
        if time.monotonic() - shown_at < SHOW_SECONDS:
            continue
        shown_at = time.monotonic()
        cancel = playground.write(request, stage=stage, tokens=tokens, now=now)
        if cancel is None:
            engine.stop()  # the request belongs to nobody any more; what the process says of it must not be heard
            return
        if cancel and not told_to_stop:
            engine.tell({"kind": "cancel"})
            told_to_stop = True
