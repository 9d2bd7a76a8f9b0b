"""Import of 1,000,000 short prompts and 200,000 rankings, and export of both, with SQLite.

One JSON line each: direction, format, records, records_per_s, peak_rss_mb, and the CPU-seconds of the process that uses
the database (cpu_s) and of the one that reads ahead of it (reader_cpu_s), which tell on a busy machine what a quiet one
would do. Each runs in a fresh process; the peak is the larger of the two. PROMPTS=1000 RANKINGS=200 make it smaller.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORDS = [
    "soil", "rain", "seed", "leaf", "root", "bloom", "frost", "compost", "shade", "trellis", "water", "prune", "graft",
    "mulch", "hedge", "orchard",
]  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]](*map(Path, sys.argv[2:]))), flush=True)
        return
    with tempfile.TemporaryDirectory(prefix="rankloop-bench-") as folder:
        place = Path(folder)
        environment = os.environ | {"RANKLOOP_VAR": folder, "DATABASE_URL": f"sqlite:///{place / 'bench.sqlite3'}"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        _write(place / "prompts.jsonl", _prompts(int(os.environ.get("PROMPTS", "1000000"))))
        _write(place / "rankings.jsonl", _rankings(int(os.environ.get("RANKINGS", "200000"))))
        for part, path in (
            ("in", place / "prompts.jsonl"),
            ("in", place / "rankings.jsonl"),
            ("out", place / "out-prompts.jsonl"),
            ("out", place / "out-rankings.jsonl"),
        ):
            command = [sys.executable, "-m", "benchmarks.data", part, str(path)]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)


def bring_in(path: Path) -> dict[str, Any]:
    _django()
    from django.utils import timezone

    from labeling.models.projects import Project
    from labeling.services import imports
    from labeling.services.import_options import Options

    now = timezone.now()
    project, _ = Project.objects.get_or_create(slug=path.stem, defaults={"name": path.stem, "created_at": now})
    began = Began()
    report = imports.run(
        project=project, path=path, name=path.name, options=Options(), dry_run=False, by=None, now=now
    )  # fmt: skip
    return began.line("in", path.stem, report.stored)


def bring_out(path: Path) -> dict[str, Any]:
    _django()
    from labeling.models.projects import Project
    from labeling.selectors import exports

    kind = path.stem.removeprefix("out-")
    project = Project.objects.get(slug=kind)
    began = Began()
    rows = 0
    with path.open("wb") as stream:
        for line in exports.lines(project=project, choices=exports.Choices(kind=kind)):
            stream.write(line)
            rows += 1
    return began.line("out", kind, rows)


PARTS = {"in": bring_in, "out": bring_out}


def _django() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()


class Began:
    """When a part began, by the clock and by what the process had spent."""

    def __init__(self) -> None:
        self.at, self.spent = time.perf_counter(), time.process_time()

    def line(self, direction: str, format: str, records: int) -> dict[str, Any]:
        seconds, spent = time.perf_counter() - self.at, time.process_time() - self.spent
        own, reader = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return {
            "direction": direction, "format": format, "records": records, "records_per_s": round(records / seconds),
            "peak_rss_mb": round(max(own.ru_maxrss, reader.ru_maxrss) / 1024), "cpu_s": round(spent, 1),
            "reader_cpu_s": round(reader.ru_utime + reader.ru_stime, 1),
        }  # fmt: skip


def _prompts(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"prompt": f"{_words(number, 6)} in week {number}?"}


def _rankings(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        replies = {"chosen": _words(number + 1, 12), "rejected": _words(number + 2, 12)}
        yield {"prompt": f"{_words(number, 6)} in year {number}?", **replies}


def _words(number: int, count: int) -> str:
    return " ".join(WORDS[(number * 7 + place * (number % 5 + 1)) % len(WORDS)] for place in range(count))


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
