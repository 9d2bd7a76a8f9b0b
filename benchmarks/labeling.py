"""Hand-out under load: M labelers lease and rank over HTTP against a freshly started server, without think time.

One JSON line per run. The server is the embedded default's (granian, SQLite), and PostgreSQL's where DATABASE_URL
names an empty database. LABELERS="1 8 32" and SECONDS=5 change the runs. `SCALE=1` measures the latency of next-task
and of the lists with 1,000 and with 1,000,000 open slots instead (SLOTS="1000 1000000").
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
K, WORDS = 5, 120
WORKERS = 2
LISTS = ("tasks", "prompts", "answers", "audit", "events")
WHOLE = 20_000  # tasks with texts of their own; a larger backlog repeats the last of them, with one response


class Labeler:
    """One keep-alive connection that leases and ranks in turn; no more HTTP than this needs."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self.received = b""
        self.began = 0.0
        self.sending: tuple[str, dict[str, int]] | None = None  # what a submission under way says; None: it asks
        self.cycles: list[float] = []
        self.nexts: list[float] = []
        self.sent: dict[str, dict[str, int]] = {}
        self.tokens: list[str] = []
        self.wasted = self.errors = 0

    def ask(self) -> None:
        self.began, self.sending = time.perf_counter(), None
        self._post("projects/bench/next", b"{}")

    def read(self) -> bool:
        """Take what came, and answer it when it is whole. False: nothing waits any more."""
        self.received += self.socket.recv(1 << 16)
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return True
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return True
        self.received = b""
        return self._handle(int(head.split(b" ", 2)[1]), body)

    def _handle(self, status: int, body: bytes) -> bool:
        if self.sending is None:
            self.nexts.append(time.perf_counter() - self.began)
            if status == 204:
                return False
            if status == 200:
                self._rank(json.loads(body))
                return True
        elif status == 201:
            key, ranks = self.sending
            self.sent[key] = ranks
            self.wasted += b'"late":true' in body
            self.cycles.append(time.perf_counter() - self.began)
            self.ask()
            return True
        self.errors += 1
        self.ask()
        return True

    def _rank(self, lease: dict[str, Any]) -> None:
        self.tokens.append(lease["token"])
        ranks = {response["id"]: place for place, response in enumerate(lease["task"]["responses"], start=1)}
        self.sending = uuid.uuid4().hex, ranks
        body = json.dumps({"idempotency_key": self.sending[0], "ranks": ranks, "active_ms": 1000}).encode()
        self._post(f"leases/{lease['token']}/ranking", body)

    def _post(self, route: str, body: bytes) -> None:
        request = f"POST /api/v1/{route} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(request.encode() + body)


def work(people: list[Labeler], seconds: float) -> float:
    """All at once, in one thread; returns the seconds it took. Answers under way at the end are waited for."""
    selector = selectors.DefaultSelector()
    for person in people:
        selector.register(person.socket, selectors.EVENT_READ, person)
    began = time.perf_counter()
    for person in people:
        person.ask()
    while selector.get_map() and time.perf_counter() - began < seconds:
        for ready, _ in selector.select(timeout=1):
            if not ready.data.read():
                selector.unregister(ready.fileobj)
    elapsed = time.perf_counter() - began
    for person in people:
        while person.sending and len(person.cycles) + person.errors < len(person.tokens) and person.read():
            pass
    return elapsed


def main() -> None:
    seconds = float(os.environ.get("SECONDS", "5"))
    if os.environ.get("SCALE") == "1":
        for slots in map(int, os.environ.get("SLOTS", "1000 1000000").split()):
            print(json.dumps(measure_scale(slots)), flush=True)
        return
    for labelers in map(int, os.environ.get("LABELERS", "1 8 32").split()):
        print(json.dumps(measure(labelers, seconds)), flush=True)


def measure(labelers: int, seconds: float) -> dict[str, Any]:
    with system(tasks=int(seconds * 1_500), labelers=labelers) as (port, tokens, server):
        people, elapsed, cpu = drive(port, tokens, server, seconds)
        cycles = sorted(cycle for person in people for cycle in person.cycles)
        lost, altered, doubled = verify(people)
        return {
            "database": django_vendor(),
            "labelers": labelers,
            "cycles_per_s": round(len(cycles) / elapsed, 1),
            **{f"p{share}_ms": round(cycles[int(len(cycles) * share / 100)] * 1000, 2) for share in (50, 95, 99)},
            "cpu_ms_per_cycle": round(cpu * 1000 / len(cycles), 2),
            "lost": lost,
            "altered": altered,
            "double_handouts": doubled,
            "wasted": sum(person.wasted for person in people),
            "errors": sum(person.errors for person in people),
        }


def measure_scale(slots: int) -> dict[str, Any]:
    """Latency of next-task for one labeler, and of each list's first page, with a backlog of `slots`."""
    with system(tasks=slots, labelers=1) as (port, tokens, server):
        (person,), _, _ = drive(port, tokens, server, 5.0)
        nexts = sorted(person.nexts)
        return {
            "database": django_vendor(),
            "open_slots": slots,
            "next_p50_ms": round(nexts[len(nexts) // 2] * 1000, 3),
            "next_p99_ms": round(nexts[int(len(nexts) * 0.99)] * 1000, 3),
            **{f"{name}_p50_ms": round(list_latency(port, tokens[0], name) * 1000, 2) for name in LISTS},
        }


def list_latency(port: int, token: str, name: str) -> float:
    """Median seconds of the first page, over 15 requests."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/projects/bench/{name}",
        headers={"Host": "localhost", "Authorization": f"Bearer {token}"},
    )
    taken = []
    for _ in range(15):
        began = time.perf_counter()
        with urllib.request.urlopen(request) as response:
            response.read()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[len(taken) // 2]


def drive(port: int, tokens: list[str], server: psutil.Process, seconds: float) -> tuple[list[Labeler], float, float]:
    """Labelers at work after a short warm-up. Returns them, the time and the server's CPU seconds."""
    work([Labeler(port, token) for token in tokens], 0.5)
    people = [Labeler(port, token) for token in tokens]
    before = cpu_seconds(server)
    elapsed = work(people, seconds)
    return people, elapsed, cpu_seconds(server) - before


def cpu_seconds(server: psutil.Process) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in [server, *server.children(recursive=True)])


def verify(people: list[Labeler]) -> tuple[int, int, int]:
    """Answers that the server took and does not have, that differ from what was sent, and promises broken."""
    from labeling.models.answers import RankedResponse
    from labeling.selectors import invariants

    stored: dict[str, dict[str, int | None]] = {}
    rows = RankedResponse.objects.values_list("answer__idempotency_key", "response__uuid", "rank")
    for key, response, rank in rows.iterator():
        stored.setdefault(key, {})[str(response)] = rank
    sent = {key: ranks for person in people for key, ranks in person.sent.items()}
    lost = sum(key not in stored for key in sent)
    altered = sum(key in stored and stored[key] != ranks for key, ranks in sent.items())
    leases = [token for person in people for token in person.tokens]
    return lost, altered, len(leases) - len(set(leases)) + sum(invariants.violations().values())


def django_vendor() -> str:
    from django.db import connection

    return connection.vendor


@contextmanager
def system(*, tasks: int, labelers: int) -> Iterator[tuple[int, list[str], psutil.Process]]:
    """A fresh database with `tasks` tasks, and a server on it: its port, the labelers' tokens, its process."""
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
        os.environ.update(RANKLOOP_VAR=folder, RANKLOOP_HOSTS="localhost", RANKLOOP_LOG_LEVEL="ERROR")
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
        set_up = [sys.executable, "-m", "benchmarks.labeling", "--set-up", str(tasks), str(labelers)]
        tokens = json.loads(subprocess.run(set_up, cwd=ROOT, env=environment, check=True, capture_output=True).stdout)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"--interface wsgi --port {port} --workers {WORKERS} --blocking-threads 1 --no-ws --log-level error"
        command = [str(Path(sys.executable).parent / "granian"), *options.split(), "config.wsgi:application"]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            connect(folder)
            yield port, tokens, psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(timeout=20)


def connect(folder: str) -> None:
    """Point this process' Django at the run's database."""
    import django
    from django.conf import settings
    from django.db import connections

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    if not settings.configured or not hasattr(django, "_rankloop_bench"):
        django.setup()
        django._rankloop_bench = True  # type: ignore[attr-defined]
    if "sqlite" in connections.databases["default"]["ENGINE"]:
        connections["default"].close()
        connections.databases["default"]["NAME"] = str(Path(folder) / "rankloop.sqlite3")
        del connections["default"]


def set_up(tasks: int, labelers: int) -> list[str]:
    """Make the database's content; runs in a process of its own."""
    import random

    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    from benchmarks import backlog
    from labeling.models.people import Membership, User
    from labeling.models.projects import Project
    from labeling.models.prompts import Prompt, Response, RolloutSet
    from labeling.models.work import Kind
    from labeling.services import people, sources
    from labeling.services import tasks as opening

    call_command("migrate", verbosity=0)
    call_command("flush", verbosity=0, interactive=False)
    now, generator = timezone.now(), random.Random(0)
    project = Project.objects.create(slug="bench", name="Bench", created_at=now, k=K, overlap=1)
    source = sources.register(project=project, kind="outside", name="bench", reference="bench", now=now)
    tokens = []
    for number in range(labelers):
        user = User.objects.create(username=f"labeler{number}", password="!")
        Membership.objects.create(project=project, user=user, role="admin")
        tokens.append(people.make_token(person=user, name="bench", now=now)[1])
    words = ["soil", "water", "garden", "season", "harvest", "patience", "green", "light"]
    texts = [" ".join(generator.choices(words, k=WORDS)) for _ in range(50)]
    whole = min(tasks, max(WHOLE, 100_000 if tasks <= 100_000 else 0))
    for start in range(0, whole, 5_000):
        numbers = range(start, min(start + 5_000, whole))
        prompts = Prompt.objects.bulk_create(
            Prompt(project=project, content_hash=str(n), split="train", created_at=now,
                   messages=[{"role": "user", "content": f"Question {n}?", "name": ""}])
            for n in numbers
        )  # fmt: skip
        sets = RolloutSet.objects.bulk_create(
            RolloutSet(project=project, prompt=prompt, content_hash=prompt.content_hash, created_at=now)
            for prompt in prompts
        )
        Response.objects.bulk_create(
            Response(rollout_set=row, index=index, text=generator.choice(texts), source=source, tokens=WORDS)
            for row in sets
            for index in range(K)
        )
        opening.open_for_sets(project=project, kind=Kind.RANKING, rollout_sets=sets, priority=0.0, now=now)
    if tasks > whole:
        backlog.repeat_last_task(tasks - whole)
    return tokens


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    if sys.argv[1:2] == ["--set-up"]:
        print(json.dumps(set_up(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
