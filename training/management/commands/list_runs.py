"""`manage.py list_runs [--project SLUG] [--json]`: what runs there are, newest first."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from training.models.runs import Run
from training.selectors import runs as reads


class Command(BaseCommand):
    help = "List runs with their status, progress and, where they failed, the cause."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", default="", help="a project's slug; all where it is left out")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, as the API shows runs")

    def handle(self, *_: Any, **options: Any) -> None:
        rows = Run.objects.select_related("created_by", "checkpoint", "project").order_by("-created_at")
        if options["project"]:
            rows = rows.filter(project__slug=options["project"])
        for run in rows:
            if options["json"]:
                self.stdout.write(json.dumps(reads.describe(run), cls=DjangoJSONEncoder))
                continue
            done = reads.progress(run)
            line = f"{run.id}  {run.project.slug}  {run.name}  {run.status}  {done['done']}/{done['total']}"
            self.stdout.write(f"{line}  {run.error_sentence}".rstrip())
