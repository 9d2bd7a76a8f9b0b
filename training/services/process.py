"""One run process: start it in a session of its own, stop it step by step, and say how it ended.

Nothing here knows the database. The process answers for its own state (`contracts.run_dir`); this side
only starts, asks, signals and reads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from contracts import run_dir
from contracts.run_dir import RunDir

LOG_TAIL_BYTES = 4_000
LOG_TAIL_LINES = 30
# What a run process has no use for: it sees its directory and nothing else of ours.
KEPT_FROM_RUNS = {"DATABASE_URL", "CELERY_BROKER_URL", "RANKLOOP_SECRET_KEY", "DJANGO_SETTINGS_MODULE"}
MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a process ended: `outcome` is succeeded, cancelled or failed, with a sentence if failed."""

    outcome: str
    code: str = ""
    sentence: str = ""
    log_tail: str = ""


def command(folder: Path, *, base: list[str], processes: int) -> list[str]:
    """The command line of a run; more than one process goes through `accelerate launch`.

    `base` is a Python program: the interpreter, then `-m` and a module, or a script.
    """
    if processes == 1:
        return [*base, str(folder)]
    python, *program = base
    # Without --multi_gpu the launcher starts a single process where it finds no GPU, and does not say so.
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    # Port 0: any free one, so that runs side by side do not meet.
    alone = ["--num_machines", "1", "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no"]
    return [python, *launch, *alone, *program, str(folder)]


class Process:
    """A started run process and everything below it, which share one process group."""

    def __init__(self, folder: RunDir, argv: list[str], *, cancel_grace: float, term_grace: float) -> None:
        self._folder = folder
        self._graces = (cancel_grace, term_grace)
        self._asked_at: float | None = None
        self._signalled: signal.Signals | None = None
        self._oom_kills = oom_kills()
        folder.error_file.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_RUNS}
        environment |= {run_dir.SUPERVISOR_PID: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        self._log = folder.log.open("ab")
        try:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            self._log.close()
            raise

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; True when the process has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=seconds)
        return self._popen.returncode is not None

    def stop(self) -> None:
        """Ask once for a clean stop, and press harder each time a grace has passed. Call it repeatedly."""
        now = time.monotonic()
        if self._asked_at is None:
            self._folder.ask_to_cancel()
            self._asked_at = now
        waited = now - self._asked_at
        if waited >= sum(self._graces):
            self._signal(signal.SIGKILL)
        elif waited >= self._graces[0] and self._signalled is None:
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End whatever still runs of it: the run may belong to somebody else by now. Not a cancel."""
        self._send(signal.SIGKILL)
        self._popen.wait()

    def close(self) -> None:
        self._log.close()

    def ending(self) -> Ending:
        """What the exit status, error.json and the log say, once the process has ended."""
        status = self._popen.returncode
        assert status is not None, "the process still runs"
        if status == run_dir.SUCCEEDED:
            return Ending(outcome="succeeded")
        error = self._folder.error()
        # A launcher has exit statuses of its own: a run that we asked to stop, and that names no error, stopped.
        if status == run_dir.CANCELLED or (self._asked_at is not None and error is None):
            return Ending(outcome="cancelled")
        tail = log_tail(self._folder.log)
        if error is not None:
            return Ending(outcome="failed", code=error["code"], sentence=error["sentence"], log_tail=tail)
        code, sentence = self._unexplained(status, tail)
        return Ending(outcome="failed", code=code, sentence=sentence, log_tail=tail)

    def _unexplained(self, status: int, tail: str) -> tuple[str, str]:
        """Code and sentence for a process that left no error.json."""
        number = -status if status < 0 else status - 128
        if oom_kills() > self._oom_kills:
            return "out_of_memory", (
                "The run's process was killed because the machine ran out of memory; "
                "make batches or the model smaller, then resume."
            )
        if number == signal.SIGKILL:
            return "killed", (
                "The run's process was killed by signal 9 (SIGKILL), as the system does when memory runs out, "
                "or as a person does; resume it, with smaller batches if memory was short."
            )
        if 0 < number < 65:
            name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
            return "crashed", f"The run's process was ended by signal {number} ({name}); its log ends below."
        last = next((line for line in reversed(tail.splitlines()) if line.strip()), "")
        said = f"; the last thing it wrote was: {last.strip()[:300]}" if last else " and wrote nothing"
        return "crashed", f"The run's process ended with status {status} without naming an error{said}"

    def _signal(self, which: signal.Signals) -> None:
        self._signalled = which
        self._send(which)

    def _send(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, which)


def log_tail(path: Path) -> str:
    """The last lines of a log; empty where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            start = max(0, stream.tell() - LOG_TAIL_BYTES)
            stream.seek(start)
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    lines = text.splitlines()
    if start > 0:
        lines = lines[1:]
    return "\n".join(lines[-LOG_TAIL_LINES:])


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for memory; 0 where it cannot be known."""
    try:
        counts = dict(line.split() for line in MEMORY_EVENTS.read_text().splitlines())
        return int(counts.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0
