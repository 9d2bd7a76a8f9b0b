"""Child processes that are started, watched, started again and stopped together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WATCH_SECONDS = 0.5
# A child that ends so often within so many seconds is not started again.
MOST_DEATHS, DEATHS_WITHIN = 5, 60.0
# How long a child may take to end after each signal, seconds. A worker saves its run's state meanwhile.
GRACES = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))


class ChildFailed(Exception):
    """A child cannot be kept running. The text ends with its last log lines."""


@dataclass
class Child:
    """One program in a process group of its own, with its output in `log`."""

    name: str
    command: Sequence[str]
    log: Path
    popen: subprocess.Popen[bytes]
    deaths: list[float] = field(default_factory=list)


class Children:
    """A context: on leaving it, every child and its group has ended. Logs go to `folder`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, directory: Path | None = None) -> None:
        self._folder = folder
        self._directory = directory
        self._environment = dict(environment)
        self._children: dict[str, Child] = {}
        self._stopping = threading.Event()
        self._failure = ""
        self._watcher = threading.Thread(target=self._watch, name="watch-children", daemon=True)

    def __enter__(self) -> Children:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        log = self._folder / f"{name}.log"
        self._children[name] = Child(name, command, log, self._spawn(command, log))

    def pid(self, name: str) -> int:
        return self._children[name].popen.pid

    def check(self) -> None:
        """Raise `ChildFailed` where one could not be kept running."""
        if self._failure:
            raise ChildFailed(self._failure)

    def stop(self) -> None:
        """Ask all to end, in the order of `GRACES`, and wait for it."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for which, seconds in GRACES:
            for child in self._children.values():
                _signal(child, which)
            deadline = time.monotonic() + seconds
            for child in self._children.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.popen.wait(timeout=max(0.0, deadline - time.monotonic()))

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            for child in list(self._children.values()):
                if child.popen.poll() is not None and not self._failure:
                    self._again(child)

    def _again(self, child: Child) -> None:
        now = time.monotonic()
        child.deaths = [moment for moment in child.deaths if now - moment < DEATHS_WITHIN] + [now]
        if len(child.deaths) >= MOST_DEATHS:
            status = child.popen.returncode
            self._failure = (
                f"{child.name} ended with status {status} again and again; {child.log} ends:\n{tail(child.log)}"
            )
            return
        _signal(child, signal.SIGKILL)  # what is left of its group
        child.popen = self._spawn(child.command, child.log)

    def _spawn(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as stream:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
            )


def tail(log: Path, lines: int = 20) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _signal(child: Child, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.popen.pid, which)
