"""The process that runs one reply for `sandbox.py`. A script of the standard library: nothing imports it.

It reads its order, loads what a reply may import, builds the walls, says so, and only then runs the code.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import struct
import sys
from typing import Any

# A reply can import these and what they load: nothing can be opened once the walls stand.
MODULES = (
    "abc", "array", "bisect", "builtins", "calendar", "cmath", "collections", "collections.abc",
    "copy", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "heapq",
    "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics",
    "string", "textwrap", "time", "types", "typing", "unicodedata",
)  # fmt: skip
NOBODY = 65_534
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
ALLOW, REFUSE, KILL = 0x7FFF_0000, 0x0005_0001, 0x8000_0000  # REFUSE: errno 1, EPERM
# What an interpreter needs that opens nothing: number on x86-64, number on arm64 (None: not there).
CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "times": (100, 153),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "ppoll": (271, 73),
    "getrandom": (318, 278),
}
MACHINES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column of CALLS, AUDIT_ARCH


def main() -> None:
    order = json.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    for name in MODULES:
        importlib.import_module(name)
    "".encode("utf-16")  # loads codecs that later could not be
    try:
        wall_in(order)
    except (OSError, ValueError, AttributeError) as error:  # a libc without prctl is not Linux's
        say(out, order["token"], state="refused", reason=str(error))
        return
    say(out, order["token"], state="walled")
    passed, reason = judge(order["code"], order["tests"])
    say(out, order["token"], state="done", passed=passed, reason=reason)
    os._exit(0)  # nothing of the reply's runs at exit


def say(out: int, token: str, **word: Any) -> None:
    os.write(out, json.dumps({"token": token, **word}).encode() + b"\n")


def judge(code: str, tests: list[str]) -> tuple[bool, str]:
    """Whether the code runs and every test then does; the first exception is the reason."""
    namespace: dict[str, Any] = {"__name__": "reply"}
    for part, source in [("reply", code), *((f"test {i}", test) for i, test in enumerate(tests, 1))]:
        try:
            exec(compile(source, part, "exec"), namespace)
        except MemoryError:
            return False, f"{part}: memory ran out"
        except BaseException as error:  # noqa: BLE001  also SystemExit: a reply that leaves has not passed
            return False, f"{part}: {type(error).__name__}"
    return True, ""


def wall_in(order: dict[str, Any]) -> None:
    """Limits first, then the user, then the system calls. Raises OSError where too little would hold."""
    libc = _libc()
    for limit, value in (
        (resource.RLIMIT_CPU, order["cpu_seconds"]),
        (resource.RLIMIT_AS, order["memory"] << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))
    # Root is above some limits, and a worker's own user may remove its files and end its processes.
    nobody = os.getuid() == 0 and _become_nobody()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)  # after the change of user, which clears it
    filtered = order["seccomp"] and _filter_calls(libc)
    if not (nobody or filtered):
        raise OSError("the kernel takes no seccomp filter, and the process cannot become another user")
    for name in [name for name in sys.modules if name.split(".")[0] in ("ctypes", "_ctypes", "resource")]:
        del sys.modules[name]


def _become_nobody() -> bool:
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return True


def _libc() -> Any:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    return libc


def _filter_calls(libc: Any) -> bool:
    """Leave the calls in CALLS. Classic BPF on struct seccomp_data: number at byte 0, architecture at byte 4."""
    import ctypes

    if os.uname().machine not in MACHINES:
        return False
    column, architecture = MACHINES[os.uname().machine]
    numbers = [number for call in CALLS.values() if (number := call[column]) is not None]
    load, equal, result = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (result, 0, 0, KILL), (load, 0, 0, 0)]
    program += [(equal, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(result, 0, 0, REFUSE), (result, 0, 0, ALLOW)]
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    steps = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(steps)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header), 0, 0) == 0  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
