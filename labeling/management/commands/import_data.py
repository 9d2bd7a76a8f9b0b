"""Import files of prompts, demonstrations and preferences into a project."""

import json
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling.formats import reading
from labeling.formats.items import Unreadable
from labeling.models.projects import Project
from labeling.services import imports

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Import files into a project; the format is told from the content. "
        "Exit status: 0 all stored or known, 1 some records refused, 2 a file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files", nargs="+", metavar="FILE", type=Path, help="JSONL, JSON array or text; gzip or not"
        )
        parser.add_argument("--project", required=True, help="the project's slug; made where there is none")
        parser.add_argument("--format", default="", choices=["", *reading.FORMATS], help="instead of telling it")
        parser.add_argument("--dry-run", action="store_true", help="count and check, but store nothing")
        parser.add_argument("--open-demonstrations", action="store_true", help="open a task for each bare prompt")
        parser.add_argument("--json", action="store_true", help="print one JSON line per file, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", options["project"]):
            raise CommandError("A project's slug is of small letters, digits and hyphens.", returncode=2)
        project, _ = Project.objects.get_or_create(
            slug=options["project"], defaults={"name": options["project"], "created_at": now}
        )
        status = 0
        for path in options["files"]:
            try:
                report = imports.run(
                    project=project, path=path, name=path.name, format=options["format"], dry_run=options["dry_run"],
                    open_demonstrations=options["open_demonstrations"], by=None, now=timezone.now(),
                )  # fmt: skip
            except Unreadable as error:
                status = 2
                self._say(options["json"], {"file": str(path), "error": str(error)}, f"{path}: {error}")
                continue
            if report.refused:
                status = max(status, 1)
            self._say(options["json"], {"file": str(path), **vars(report)}, _sentence(path, report))
        if status:
            raise CommandError(
                "Some records were refused." if status == 1 else "A file could not be read.", returncode=status
            )

    def _say(self, as_json: bool, row: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(row, ensure_ascii=False) if as_json else sentence)


def _sentence(path: Path, report: imports.Report) -> str:
    parts = [
        f"{path.name} ({report.format}): {report.stored} stored ({report.prompts} prompts, "
        f"{report.demonstrations} demonstrations, {report.rankings} rankings), {report.duplicates} known, "
        f"{report.refused} refused"
    ]
    parts += [f"  line {one['line']}: {one['reason']}" for one in report.reasons[:SHOWN]]
    if report.refused > SHOWN:
        parts.append(f"  … and {report.refused - SHOWN} more; --json lists them")
    return "\n".join(parts)
