"""How a run's process is launched, and what is said of its end."""

import signal
import sys
import time
from pathlib import Path

import pytest

from contracts.run_dir import RunDir
from training.services import process
from training.services.process import Process


def started(tmp_path, code, *, cancel_grace=0.1, term_grace=0.1):
    return Process(RunDir(tmp_path), [sys.executable, "-c", code], cancel_grace=cancel_grace, term_grace=term_grace)


def ending(child):
    assert child.wait(20)
    child.kill()
    child.close()
    return child.ending()


def test_one_process_is_started_plainly_and_several_through_the_launcher(tmp_path):
    base = ["python", "-m", "training.algorithms"]
    assert process.command(tmp_path, base=base, processes=1) == [*base, str(tmp_path)]
    several = process.command(tmp_path, base=base, processes=4)
    assert several[:3] == ["python", "-m", "accelerate.commands.launch"]
    assert several[several.index("--num_processes") + 1] == "4"
    assert several[-3:] == ["-m", "training.algorithms", str(tmp_path)]


@pytest.mark.torch
def test_launched_processes_are_as_many_as_asked_for(tmp_path):
    """Without a GPU too: there the launcher would quietly start one."""
    script = tmp_path / "rank.py"
    script.write_text("import os, sys; open(os.path.join(sys.argv[1], os.environ['RANK']), 'w')")
    argv = process.command(tmp_path, base=[sys.executable, str(script)], processes=2)
    child = Process(RunDir(tmp_path), argv, cancel_grace=1, term_grace=1)
    assert child.wait(60)
    child.close()
    assert child.ending().outcome == "succeeded", (tmp_path / "log.txt").read_text()
    assert {path.name for path in tmp_path.iterdir()} >= {"0", "1"}


@pytest.mark.parametrize(
    ("code", "outcome", "words"),
    [
        ("pass", "succeeded", ""),
        ("import sys; sys.exit(3)", "cancelled", ""),
        ("import sys; sys.exit('no such file: x')", "failed", "no such file: x"),
        ("import sys; sys.exit(7)", "failed", "status 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "failed", "SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed", "SIGSEGV"),
    ],
)
def test_an_end_is_told_in_one_sentence(tmp_path, code, outcome, words):
    end = ending(started(tmp_path, code))
    assert end.outcome == outcome
    assert words in end.sentence
    assert "\n" not in end.sentence


def test_a_kill_that_the_kernel_counted_is_told_as_out_of_memory(tmp_path, monkeypatch):
    counts = tmp_path / "memory.events"
    counts.write_text("low 0\noom_kill 4\n")
    monkeypatch.setattr(process, "MEMORY_EVENTS", counts)
    child = started(tmp_path, "import time; time.sleep(60)")
    counts.write_text("low 0\noom_kill 5\n")
    child.kill()
    end = ending(child)
    assert (end.outcome, end.code) == ("failed", "out_of_memory")
    assert "ran out of memory" in end.sentence


def test_a_run_process_does_not_see_the_webs_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:secret@b/c")
    ending(started(tmp_path, "import os; print(sorted(os.environ))"))
    seen = (tmp_path / "log.txt").read_text()
    assert "RANKLOOP_SUPERVISOR_PID" in seen
    assert "DATABASE_URL" not in seen


def test_an_error_file_of_an_earlier_attempt_is_not_blamed(tmp_path):
    RunDir(tmp_path).write_error("old", "an old story")
    assert "old" not in ending(started(tmp_path, "raise SystemExit(5)")).sentence


def test_stopping_presses_harder_step_by_step(tmp_path):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('{}', 'w'); time.sleep(60)"
    ready = tmp_path / "ready"
    child = started(tmp_path, deaf.format(ready), cancel_grace=0.3, term_grace=0.3)
    while not ready.exists():
        time.sleep(0.02)
    asked_at = time.monotonic()
    while not child.wait(0.05):
        child.stop()
    assert 0.6 <= time.monotonic() - asked_at < 5
    assert (tmp_path / "cancel").exists()
    assert child._signalled == signal.SIGKILL
    assert ending(child).outcome == "cancelled"


def test_what_a_run_leaves_running_ends_with_it(tmp_path):
    """A data loader that outlives its trainer would hold the directory and the memory."""
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, file=open({str(tmp_path / 'pid')!r}, 'w'))"
    ending(started(tmp_path, code))
    status = Path("/proc", (tmp_path / "pid").read_text().strip(), "status")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if "State:\tZ" in status.read_text():
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    raise AssertionError("the grandchild still runs")


def test_the_tail_of_a_long_log_is_whole_lines(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {number} é\n" for number in range(10_000)), encoding="utf-8")
    tail = process.log_tail(path).splitlines()
    assert len(tail) == process.LOG_TAIL_LINES
    assert tail[-1] == "line 9999 é" and tail[0] == "line 9970 é"
    assert process.log_tail(tmp_path / "none.txt") == ""
