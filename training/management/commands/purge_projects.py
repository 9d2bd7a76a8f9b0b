"""`manage.py purge_projects [--dry-run] [--json]`: delete archived projects whose retention time is over."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from labeling.services import retention
from training.services import purging


class Command(BaseCommand):
    help = "Delete what is archived for longer than its project keeps it, runs and files included, and report it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would go, and keep it")
        parser.add_argument("--json", action="store_true", help="one JSON object a project, and nothing else")

    def handle(self, *_: Any, **options: Any) -> None:
        now, failed = timezone.now(), False
        for project in retention.due(now=now):
            if reason := purging.obstacle(project):
                failed = True
                self._say(options["json"], {"project": project.slug, "error": reason}, f"{project.slug}: {reason}")
                continue
            if options["dry_run"]:
                rows = {**purging.count(project), **retention.count(project)}
                report: dict[str, Any] = {"project": project.slug, "rows": rows, "bytes": 0, "dry_run": True}
            else:
                folders = purging.folders(project)
                report = retention.purge(project=project, now=now, before=purging.delete_rows)
                report["bytes"] += purging.remove(folders)
            shown = ", ".join(f"{number} {name}" for name, number in report["rows"].items() if number)
            self._say(
                options["json"], report, f"{project.slug}: {shown or 'nothing'}; {report['bytes']} bytes of files"
            )
        if failed:
            raise CommandError("Something was kept.")

    def _say(self, as_json: bool, row: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(row) if as_json else sentence)
