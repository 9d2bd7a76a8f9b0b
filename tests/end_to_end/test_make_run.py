"""`make run` itself, once everything is installed: how it stops, and what it says when a stage fails."""

import signal
import socket
import subprocess
import time
from dataclasses import replace

import httpx
import pytest

from demo import up
from tests.end_to_end.conftest import make_run_process

pytestmark = [pytest.mark.loop, pytest.mark.torch]


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex((up.HOST, port)) != 0


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(chosen, tmp_path, which):
    started = make_run_process(replace(chosen, var=tmp_path), scale="SMALL")
    try:
        deadline = time.monotonic() + 90
        while not started_a_run(tmp_path):
            assert started.poll() is None, started.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert httpx.get(f"{chosen.address}/api/v1/health").status_code == 200
        started.send_signal(which)
        output, _ = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 130
    assert "goes on from here" in output
    assert is_free(chosen.port)
    assert not processes_of(tmp_path)


def test_a_failing_stage_ends_with_its_cause_and_the_last_log_lines(chosen, tmp_path):
    broken = "replace(SMALL, documents=2)"
    started = make_run_process(replace(chosen, var=tmp_path), scale=broken)
    output, _ = started.communicate(timeout=180)
    assert started.returncode == 1
    assert "round 1: pretrain: the corpus has" in output
    assert "Traceback" in output
    assert not processes_of(tmp_path)


def started_a_run(var):
    return any(var.glob("runs/*/log.txt"))


def processes_of(var):
    """Processes that work in this folder or were started for it, by their command lines."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(var) in line]
