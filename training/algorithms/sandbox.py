"""Runs Python that a model wrote: one process for each reply, which can compute and nothing else.

Walls, from inside out: it cannot open a descriptor (so no file, socket or pipe), cannot start a process or thread,
has no environment, no home and no site packages; CPU, memory and wall time are limited; where the kernel takes a
seccomp filter, only the system calls of a computation are left, and the others fail with EPERM. What cannot be
walled in is refused, not run. The child's side is `sandbox_child.py`.

A reply that ends the process early has not passed: a verdict carries a token. Replies share the interpreter with
their tests, so this keeps the machine safe, and not a test from a reply that was written to deceive it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("sandbox_child.py")
VERDICT_BYTES = 4_096
START_SECONDS = 10.0  # for the interpreter to start on a busy machine, not for the reply


class SandboxError(ValueError):
    """This machine cannot keep foreign code in, so none was run."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`wall_seconds` counts from when the code starts. `memory` is of address space, in MiB."""

    cpu_seconds: int = 2
    wall_seconds: float = 5.0
    memory: int = 512


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`reason` is empty for a reply that passed, else a few words: an exception, a limit, an early exit."""

    passed: bool
    reason: str = ""


def run(code: str, tests: Sequence[str], *, limits: Limits = Limits(), seccomp: bool = True) -> Outcome:
    """Run code, then the tests in its namespace. `seccomp=False` leaves the system-call filter out, as on a machine
    that has none; everything else still holds. Raises `SandboxError` where not enough of it does."""
    token = secrets.token_hex(16)
    order = {"token": token, "code": code, "tests": list(tests), "seccomp": seccomp, **asdict(limits)}
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )
    try:
        _send(child, json.dumps(order).encode())
        lines, in_time = _listen(child, limits.wall_seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            assert stream is not None
            stream.close()
    return _judge(lines, token, in_time=in_time, status=child.returncode)


def _send(child: subprocess.Popen[bytes], order: bytes) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(order)
        child.stdin.close()
    except BrokenPipeError:
        return


def _listen(child: subprocess.Popen[bytes], wall_seconds: float) -> tuple[list[bytes], bool]:
    """What the child wrote, of bounded size, and whether it ended in time; its first line says that it starts."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    heard = b""
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(heard) < VERDICT_BYTES:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return heard.splitlines(), False
            block = os.read(descriptor, VERDICT_BYTES)
            if not block:
                break
            if b"\n" not in heard and b"\n" in block:
                deadline = time.monotonic() + wall_seconds
            heard += block
    return heard.splitlines(), True


def _judge(lines: list[bytes], token: str, *, in_time: bool, status: int) -> Outcome:
    words = [_read(line, token) for line in lines]
    known = [word for word in words if word is not None]
    if not known or known[0].get("state") != "walled":
        why = known[0].get("reason", "") if known else "its process did not start"
        raise SandboxError(f"this machine cannot keep Python replies in ({why}); run as another user or on Linux")
    verdict = known[-1]
    if verdict["state"] == "done":
        return Outcome(passed=verdict["passed"], reason=verdict["reason"])
    if not in_time:
        return Outcome(passed=False, reason="wall time ran out")
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return Outcome(passed=False, reason="CPU time ran out")
    return Outcome(passed=False, reason="ended before its tests did")


def _read(line: bytes, token: str) -> dict[str, Any] | None:
    try:
        plain = json.loads(line)
    except ValueError:
        return None
    return plain if isinstance(plain, dict) and plain.get("token") == token else None
