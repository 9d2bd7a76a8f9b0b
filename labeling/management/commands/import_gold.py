"""Import rankings as gold: items of known order, which labelers get silently."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling import errors
from labeling.formats import reading
from labeling.formats.items import Unreadable
from labeling.models.projects import Project
from labeling.services import gold_import


class Command(BaseCommand):
    help = "Make a gold item of each ranking. Exit status: 0 all stored or known, 1 some refused, 2 unreadable."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="rankings in any format that import_data takes")
        parser.add_argument("--project", required=True)
        parser.add_argument("--format", default="", choices=["", *reading.FORMATS], help="instead of telling it")
        parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.", returncode=2)
        try:
            report = gold_import.run(
                project=project, path=options["file"], format=options["format"], by=None, now=timezone.now()
            )
        except Unreadable as error:
            raise CommandError(f"{options['file']}: {error}", returncode=2) from None
        except errors.Refused as error:
            raise CommandError(error.detail, returncode=1) from None
        if options["json"]:
            self.stdout.write(json.dumps(report.plain(), ensure_ascii=False))
        else:
            self.stdout.write(f"{report.stored} stored, {report.duplicates} known, {report.refused} refused")
            for one in report.reasons:
                self.stdout.write(f"  line {one['line']}: {one['reason']}")
        if report.refused:
            raise CommandError("Some records were refused.", returncode=1)
