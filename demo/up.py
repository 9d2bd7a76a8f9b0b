"""What `make run` does once everything is installed: start the server and the worker, play the round, stay up.

`EXIT=1` stops after the report, `SEED=n` plays another world in a project of its own, `PORT=n` listens there, and
`DOMAIN=arithmetic` plays the word problems, whose answers a program checks.
The accounts have a known password, so the server listens on this machine only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from demo import play, report, seeding, word_play
from demo.client import API, ApiError
from demo.processes import ChildFailed, Children, tail
from demo.scale import FULL, Scale
from demo.seeding import ADMIN, PASSWORD, PEOPLE

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Domain:
    """What can be played: its project by seed, how it is played, how its report is shown, and its full size."""

    slug: Callable[[int], str]
    play: Callable[..., dict[str, Any]]
    show: Callable[[dict[str, Any], Console], None]
    scale: Scale


DOMAINS = {
    "small": Domain(seeding.slug, play.play, report.show, FULL),
    "arithmetic": Domain(word_play.slug, word_play.play_problems, word_play.show, word_play.FULL),
}


class UpError(Exception):
    """The demo cannot start; the text says what to do."""


@dataclass(frozen=True)
class Options:
    """What the environment asks for."""

    seed: int
    port: int
    exit: bool
    var: Path
    domain: str = "small"

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def reports(self) -> Path:
        return self.var / "demo"


def options(environment: dict[str, str]) -> Options:
    def number(name: str, default: int) -> int:
        value = environment.get(name) or str(default)
        if not value.isascii() or not value.isdigit():
            raise UpError(f"{name} must be a whole number; found {value!r}")
        return int(value)

    domain = environment.get("DOMAIN") or "small"
    if domain not in DOMAINS:
        raise UpError(f"DOMAIN must be one of {', '.join(DOMAINS)}; found {domain!r}")
    return Options(
        domain=domain,
        seed=number("SEED", seeding.DEFAULT_SEED),
        port=number("PORT", 8000),
        exit=environment.get("EXIT", "") not in ("", "0"),
        var=Path(environment.get("RANKLOOP_VAR") or ROOT / "var").absolute(),
    )


def main(scale: Scale | None = None) -> int:
    console = Console(highlight=False)
    # SIGINT too: a shell that starts this in the background leaves it ignored.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        chosen = options(dict(os.environ))
        with _alone(chosen.var):
            return run(chosen, scale, console)
    except KeyboardInterrupt:
        console.print("Stopped. `make run` goes on from here.")
        return 130
    except play.StageFailed as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        console.print(error.log_tail, markup=False, soft_wrap=True)
    except (UpError, ChildFailed, ApiError, httpx.HTTPError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
    return 1


def run(chosen: Options, scale: Scale | None, console: Console) -> int:
    """Start everything and stay until stopped; with `exit`, only until the report."""
    _check_port(chosen.port)
    environment = {**os.environ, "RANKLOOP_VAR": str(chosen.var)}
    domain = DOMAINS[chosen.domain]
    made = play.stored_report(chosen.reports, domain.slug(chosen.seed))
    prepare(environment, first=made is None)
    with Children(chosen.var / "log", environment, directory=ROOT) as children:
        start(chosen, children)
        if made is None:
            made = domain.play(
                chosen.address,
                seed=chosen.seed,
                scale=scale or domain.scale,
                folder=chosen.reports,
                console=console,
                check=children.check,
            )
        domain.show(made, console)
        _greet(chosen, made, console)
        with contextlib.suppress(KeyboardInterrupt):
            while not chosen.exit:
                time.sleep(0.5)
                children.check()
    return 0


def prepare(environment: dict[str, str], *, first: bool) -> None:
    """Bring the database up to date and, the first time, make the admin; everybody else is made over the API.

    Later the admin may have another password, which stays.
    """
    _manage(["migrate", "--verbosity", "0"], environment)
    if first:
        _manage(["create_admin", "--username", ADMIN, "--password", PASSWORD], environment)


def start(chosen: Options, children: Children) -> None:
    """Start the web server and the worker, and wait until the server answers."""
    server = ["granian", "--interface", "wsgi", "--host", HOST, "--port", str(chosen.port), "--workers", "2", "--no-ws"]
    children.start("web", [sys.executable, "-m", *server, "config.wsgi:application"])
    children.start("worker", [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads"])
    _wait_until_healthy(chosen, children)


@contextlib.contextmanager
def _alone(var: Path) -> Iterator[None]:
    """One `make run` at a time in one `var`; the kernel lets go when the process ends, however it ends."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / "up.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UpError(f"another `make run` uses {var}; stop it first") from None
        yield


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UpError(f"cannot listen on {HOST}:{port} ({error}); choose another with PORT=n") from None


def _manage(arguments: list[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UpError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _wait_until_healthy(chosen: Options, children: Children) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        children.check()
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(chosen.address + API + "health", timeout=5.0)
            if answer.is_success:
                return
            if answer.status_code == 503:
                raise UpError(f"the server is not healthy: {answer.text}")
        time.sleep(0.2)
    log = chosen.var / "log" / "web.log"
    raise UpError(f"the server did not answer within {START_SECONDS:.0f} s; {log} ends:\n{tail(log)}")


def _greet(chosen: Options, made: dict[str, Any], console: Console) -> None:
    console.print(f"\nReport: {play.report_file(chosen.reports)}")
    if chosen.exit:
        return
    waiting = f"; {made['queue']['ranking_tasks']} rollout sets wait for you" if "queue" in made else ""
    console.print(f"Open {chosen.address} and sign in{waiting}.")
    console.print(f"Accounts, all with the password {PASSWORD}:")
    for username, role in PEOPLE.items():
        console.print(f"  {username:<6} {role}")
    console.print("Ctrl-C stops everything.")


if __name__ == "__main__":
    sys.exit(main())
