"""The whole system as `make run` starts it: real database file, web server, worker and broker, in a folder of its own."""

import os
import socket
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
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RANKLOOP_", "DATABASE_"))}
    environment = {**inherited, "RANKLOOP_VAR": str(chosen.var)}
    up.prepare(environment, first=True)
    with Children(chosen.var / "log", environment, directory=up.ROOT) as children:
        up.start(chosen, children)
        yield children
