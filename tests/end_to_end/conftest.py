"""The whole system as `make run` starts it: real database file, web server, worker and broker, in a folder of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo import up
from demo.processes import Children


@pytest.fixture(scope="module")
def var(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="module")
def chosen(var):
    with socket.socket() as probe:
        probe.bind((up.HOST, 0))
        port = probe.getsockname()[1]
    return up.Options(seed=1, port=port, exit=True, var=var)


@pytest.fixture(scope="module")
def system(chosen):
    """A migrated, running system without anybody in it but the first admin."""
    environment = {**clean_environment(), "RANKLOOP_VAR": str(chosen.var)}
    up.prepare(environment, first=True)
    with Children(chosen.var / "log", environment, directory=up.ROOT) as children:
        up.start(chosen, children)
        yield children


def make_run_process(chosen: up.Options, *, scale: str) -> subprocess.Popen:
    """What `make run` executes, at another scale: an expression over `demo.scale`."""
    program = (
        "import sys; from dataclasses import replace; from demo import up; from demo.scale import SMALL; "
        f"sys.exit(up.main({scale}))"
    )
    asked = {"RANKLOOP_VAR": str(chosen.var), "PORT": str(chosen.port), "SEED": str(chosen.seed), "EXIT": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=up.ROOT,
        env={**clean_environment(), **asked},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("RANKLOOP_", "DATABASE_"))}
