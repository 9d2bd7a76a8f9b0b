"""Private PostgreSQL and Redis servers for tests, started from the machine's own binaries.

`RANKLOOP_TEST_POSTGRES` or `RANKLOOP_TEST_REDIS` names a server to use instead. Where there is neither,
tests that need one are skipped and say so; `.ci/run` installs both, so there they always run.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """URL of an empty database on a PostgreSQL server."""
    if given := os.environ.get("RANKLOOP_TEST_POSTGRES"):
        yield given
        return
    binaries = _postgres_binaries()
    # PostgreSQL refuses to run as root.
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="rankloop-pg-"))
    try:
        if account:
            shutil.chown(folder, "postgres", "postgres")
        run = {"check": True, "capture_output": True, "cwd": "/", **account}
        data = folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "rankloop", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            **run,
        )
        port = free_port()
        server = subprocess.Popen(
            [
                binaries / "postgres",
                "-D",
                data,
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                "-k",
                folder,
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
            ],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account,
        )
        try:
            _wait_for_port(port)
            createdb = [binaries / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "rankloop", "rankloop"]
            _until_succeeds(createdb)
            yield f"postgresql://{quote('rankloop')}@127.0.0.1:{port}/rankloop"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """URL of a Redis server."""
    if given := os.environ.get("RANKLOOP_TEST_REDIS"):
        yield given
        return
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on this machine and RANKLOOP_TEST_REDIS is not set")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rankloop-redis-") as folder:
        server = subprocess.Popen(
            [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=20)


def _postgres_binaries() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    if found is None:
        pytest.skip("no PostgreSQL server on this machine and RANKLOOP_TEST_POSTGRES is not set")
    return Path(found).parent


def _wait_for_port(port: int, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port} after {seconds} s")
        time.sleep(0.05)


def _until_succeeds(command: list[object], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(done.stderr)
        time.sleep(0.1)
