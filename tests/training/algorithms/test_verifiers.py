"""Verifiers against replies judged by hand, and a sandbox that keeps hostile replies in."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from contracts import configs
from training.algorithms import sandbox, verifiers

SHORT = sandbox.Limits(cpu_seconds=1, wall_seconds=3.0, memory=256)


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        ("So 2 x 2 = 4 and 13 - 4 = 9. Each apple costs $3.", 3, True),
        ("Each apple costs $3. That took 2 steps.", 3, False),
        ("#### 1,234.50\nI used 3 steps.", "1234.5", True),
        ("The answer is 7, not 9.", 7, True),
        ("Final answer: -2", -2, True),
        ("It is 3-2", 2, False),
        (r"\boxed{3/4} of them", 0.75, True),
        ("50%", 50, True),
        ("none", 1, False),
        ("1e3", 1000, True),
        ("The number 12 at the end 13", 12, False),
        ("1/0", 1, False),
        ("0.1 + 0.2 = 0.30000000000000004", 0.3, True),
    ],
)
def test_numeric_reads_the_marked_or_the_last_number(reply, answer, right):
    assert verifiers.numeric("", reply, {"answer": answer}) == float(right)


def test_numeric_takes_absolute_and_relative_tolerances():
    assert verifiers.numeric("", "about 3.1", {"answer": 3.14}) == 0.0
    assert verifiers.numeric("", "about 3.1", {"answer": 3.14, "tolerance": 0.05}) == 1.0
    assert verifiers.numeric("", "about 99", {"answer": 100, "relative_tolerance": 0.01}) == 1.0
    assert verifiers.numeric("", "about 98", {"answer": 100, "relative_tolerance": 0.01}) == 0.0


def test_exact_ignores_space_case_and_a_full_stop_and_reads_a_marked_answer():
    meta = {"answer": ["Paris", "the city of Paris"]}
    assert verifiers.exact("", "  paris. ", meta) == 1.0
    assert verifiers.exact("", "It is in France.\nAnswer: The city  of Paris\nBye.", meta) == 1.0
    assert verifiers.exact("", "Paris or London", meta) == 0.0
    assert verifiers.exact("", "paris", {"answer": "Paris", "case_sensitive": True}) == 0.0


def test_regex_searches_across_lines():
    assert verifiers.regex("", "one\ntwo", {"pattern": r"one.two$"}) == 1.0
    assert verifiers.regex("", "one\ntwo", {"pattern": r"^three"}) == 0.0


def test_python_runs_the_last_block_against_every_test():
    reply = "First:\n```python\ndef f(x): return 0\n```\nBetter:\n```python\nimport math\ndef f(x): return math.prod(range(1, x + 1))\n```\n"
    tests = ["assert f(3) == 6", "assert f(5) == 120"]
    assert verifiers.python("", reply, {"tests": tests}) == 1.0
    assert verifiers.python("", reply, {"tests": [*tests, "assert f(0) == 2"]}) == 0.0
    assert verifiers.python("", "def f(x): return 6", {"tests": "assert f(3) == 6"}) == 1.0
    rows = [("", reply, {"tests": tests}), ("", "f = 1", {"tests": tests}), ("", reply, {"tests": tests})]
    assert verifiers.judge("python", rows) == [1.0, 0.0, 1.0]


def test_configs_name_exactly_the_verifiers_there_are():
    assert tuple(verifiers.VERIFIERS) == configs.VERIFIERS
    with pytest.raises(verifiers.VerifierError, match="choose one of exact, numeric"):
        verifiers.named("telepathy")


@pytest.mark.parametrize(
    ("name", "meta", "said"),
    [
        ("numeric", {}, "no 'answer'"),
        ("numeric", {"answer": "three"}, "meta.answer cannot be used"),
        ("exact", {"answer": {"a": 1}}, "meta.answer cannot be used"),
        ("regex", {"pattern": "("}, "meta.pattern cannot be used"),
        ("python", {"tests": ["assert f("]}, "meta.tests cannot be used"),
    ],
)
def test_a_prompt_that_does_not_say_what_is_right_is_named(name, meta, said):
    assert said in verifiers.problem(name, meta)
    with pytest.raises(verifiers.VerifierError, match="cannot judge a reply"):
        verifiers.named(name)("", "3", meta)


@pytest.fixture(params=[True, False], ids=["filtered", "limits only"])
def run(request):
    """Runs hostile code with the system-call filter, and without it as another user."""
    if not request.param and os.getuid() != 0:
        pytest.skip("only root can become another user")
    return lambda code, tests=(): sandbox.run(code, tests, limits=SHORT, seccomp=request.param)


def test_code_that_is_right_passes_and_wrong_code_says_which_test(run):
    assert run("def f(x): return 2 * x", ["assert f(2) == 4", "import math; assert math.pi > 3"]).passed
    assert run("def f(x): return x", ["assert f(0) == 0", "assert f(2) == 4"]).reason == "test 2: AssertionError"


def test_an_endless_loop_is_ended(run):
    started = time.monotonic()
    assert run("while True:\n    try:\n        while True: pass\n    except BaseException: pass").reason in (
        "CPU time ran out",
        "wall time ran out",
    )
    assert run("import time\ntime.sleep(60)").reason == "wall time ran out"
    assert time.monotonic() - started < 30


def test_a_memory_hog_is_refused_its_memory(run):
    assert run("hoard = []\nwhile True: hoard.append(bytearray(1 << 20))").reason == "reply: memory ran out"


def test_a_fork_bomb_starts_no_process(run):
    outcome = run("import os\npid = os.fork()")
    assert outcome.reason in ("reply: PermissionError", "reply: BlockingIOError")
    outcome = run("import _thread\nfor _ in range(100): _thread.start_new_thread(lambda: None, ())")
    assert not outcome.passed


def test_sockets_and_files_cannot_be_opened(run, tmp_path):
    tmp_path.chmod(0o777)
    victim = tmp_path / "kept"
    victim.write_text("as it was")
    victim.chmod(0o666)
    for code in (
        "import _socket\n_socket.socket()",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"open({str(victim)!r}, 'a')",
        "open('/etc/hostname')",
        "import os\nos.pipe()",
    ):
        assert not run(code).passed, code
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert victim.read_text() == "as it was"


def test_the_filter_leaves_no_call_that_changes_the_machine(tmp_path):
    victim = tmp_path / "kept"
    victim.write_text("as it was")
    tmp_path.chmod(0o777)
    for code in (
        f"import os\nos.unlink({str(victim)!r})",
        f"import os\nos.rename({str(victim)!r}, {str(tmp_path / 'other')!r})",
        f"import os\nos.mkdir({str(tmp_path / 'folder')!r})",
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.execv('/bin/sh', ['sh'])",
    ):
        assert sandbox.run(code, [], limits=SHORT).reason == "reply: PermissionError", code
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_reply_that_leaves_early_or_floods_its_output_has_not_passed(run):
    assert run("import os\nos._exit(0)", ["assert False"]).reason == "ended before its tests did"
    assert run("raise SystemExit(0)", ["assert False"]).reason == "reply: SystemExit"
    flood = 'import os\nfor i in range(3, 20):\n    try:\n        while True: os.write(i, b\'{"state":"done","passed":true}\\n\')\n    except OSError: pass'
    assert not run(flood, ["assert False"]).passed


def test_a_reply_sees_no_environment(run, monkeypatch):
    monkeypatch.setenv("A_SECRET", "1")
    assert run("import os", ["assert 'A_SECRET' not in os.environ"]).passed


def test_a_machine_without_walls_runs_nothing():
    """As an ordinary user without a filter: such code could remove that user's files."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    program = (
        "import os, ctypes\n"
        "from training.algorithms import sandbox_child\n"
        "os.setgid(1234); os.setuid(1234)\n"
        "try: sandbox_child.wall_in({'seccomp': False, 'cpu_seconds': 1, 'memory': 512})\n"
        "except OSError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path.cwd())
    assert "takes no seccomp filter" in found.stdout, found.stderr


def test_many_replies_at_once_leave_no_process_behind():
    threads = [threading.Thread(target=sandbox.run, args=("import time\ntime.sleep(0.2)", [])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True)
    assert "sandbox_child" not in listed.stdout
