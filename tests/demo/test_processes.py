"""Child processes: started again when they die, and gone when we leave."""

import os
import signal
import sys
import time

import psutil
import pytest

from demo import processes
from demo.processes import ChildFailed, Children

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
# Leaves a grandchild in the same process group and tells its id.
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; "
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid, flush=True); time.sleep(600)",
]


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(processes, "WATCH_SECONDS", 0.05)


def test_a_child_that_dies_is_started_again(tmp_path):
    with Children(tmp_path, os.environ) as children:
        children.start("sleeper", SLEEPER)
        first = children.pid("sleeper")
        os.kill(first, signal.SIGKILL)
        until(lambda: children.pid("sleeper") != first)
        assert is_alive(children.pid("sleeper"))
        children.check()


def test_leaving_ends_children_and_grandchildren(tmp_path):
    with Children(tmp_path, os.environ) as children:
        children.start("parent", PARENT)
        log = tmp_path / "parent.log"
        until(lambda: log.exists() and log.read_text().strip())
        pids = [children.pid("parent"), int(log.read_text())]
        assert all(map(is_alive, pids))
    until(lambda: not any(map(is_alive, pids)), seconds=5)


def test_a_child_that_cannot_live_is_given_up_with_its_last_words(tmp_path):
    with Children(tmp_path, os.environ) as children:
        children.start("broken", [sys.executable, "-c", "import sys; sys.exit('the disk is full')"])

        def has_failed():
            try:
                children.check()
            except ChildFailed as error:
                return "the disk is full" in str(error)
            return False

        until(has_failed)
