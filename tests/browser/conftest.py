"""A server process with a database of its own, the cast in it, and a browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.services import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long password"
CAST = {"alice": "labeler", "bob": "labeler", "erin": "engineer"}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Api:
    """The public API, as a program uses it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.token = ""

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as response:
            content = response.read()
        return json.loads(content) if content else None

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        self.token = self("POST", "auth/token", {"username": username, "password": password})["token"]


class Stage:
    """A running server. Each test takes a project of its own."""

    def __init__(self, address: str, environment: dict[str, str]) -> None:
        self.address = address
        self.environment = environment
        self.api = Api(address)

    def project(
        self, slug: str, *, questions: list[str], demonstrations: bool = False, texts: str = "plain", **settings: Any
    ) -> str:
        """Makes a project with the cast in it; its questions are ranked, or written where `demonstrations`."""
        self.api("POST", "projects", {"slug": slug, "name": slug.title(), "k": 4, "random_share": 0, **settings})
        for username, role in CAST.items():
            self.api("POST", f"projects/{slug}/members", {"user": username, "role": role})
        prompts = [{"messages": [{"role": "user", "content": question}]} for question in questions]
        if prompts:
            body = {"prompts": prompts, "open_demonstrations": demonstrations}
            self.api("POST", f"projects/{slug}/prompts", body)
        if prompts and not demonstrations:
            self.program("-m", "tests.browser.stage", slug, texts)
        return slug

    def answers(self, slug: str) -> list[dict[str, Any]]:
        return self.api("GET", f"projects/{slug}/answers")["results"]

    def program(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, env=self.environment, check=True)


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if not (ROOT / "frontend" / "dist" / "index.html").is_file():
        pytest.fail("the frontend is not built; run: make build")
    with running(tmp_path_factory.mktemp("var")) as found:
        yield found


@contextmanager
def running(var: Path) -> Iterator[Stage]:
    """A server of its own, with the cast in it."""
    port = free_port()
    environment = {
        **os.environ,
        "RANKLOOP_VAR": str(var),
        "RANKLOOP_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("DATABASE_URL", None)
    found = Stage(f"http://127.0.0.1:{port}", environment)
    found.program("manage.py", "migrate", "--verbosity", "0")
    found.program("manage.py", "create_admin", "--username", "ada", "--password", PASSWORD, "--name", "Ada")
    command = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [sys.executable, *command, "--blocking-threads", "4", "config.wsgi:application"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_up(found.address, server)
        found.api.sign_in("ada")
        for username, role in CAST.items():
            person = {"username": username, "password": PASSWORD, "role": role, "name": username.title()}
            found.api("POST", "people", person)
        yield found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


def _wait_until_up(address: str, server: subprocess.Popen, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended at once"
        try:
            urllib.request.urlopen(f"{address}/api/v1/health", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"nothing answers at {address} after {seconds} s")


@pytest.fixture(scope="module")
def worker(stage: Stage) -> Iterator[None]:
    """Takes imports and runs from the queue, as `make run` has it do."""
    command = ["-m", "celery", "-A", "config", "worker", "-P", "threads", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=stage.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def executable() -> str | None:
    return os.environ.get("RANKLOOP_CHROMIUM") or shutil.which("chromium")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed after this package: while it is open its event loop runs in this thread, and Django refuses to work."""
    if executable() is None:
        pytest.skip("no chromium on this machine and RANKLOOP_CHROMIUM is not set")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(stage: Stage, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address in a browser of its own, signed in as nobody. A page error or a refused resource fails the test."""
    contexts = []
    problems: list[str] = []

    def open_at(address: str) -> Page:
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, base_url=stage.address, locale="en-GB", timezone_id="UTC"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        page.add_init_script("localStorage.setItem('rankloop.tour', 'seen')")
        page.goto(address)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def sign_in(visit: Callable[[str], Page]) -> Callable[[str], Page]:
    """Opens a browser of a person's own, signed in by hand."""

    def arrive(username: str, heading: str = "Good to see you") -> Page:
        page = visit("/")
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name=heading).wait_for()
        return page

    return arrive
