"""Export a project's prompts, demonstrations or rankings as JSONL."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import errors
from labeling.models.projects import Project
from labeling.selectors import exports


class Command(BaseCommand):
    help = "Write a project's prompts, demonstrations or rankings as JSONL, which import_data takes back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True)
        parser.add_argument("--kind", required=True, choices=exports.KINDS)
        parser.add_argument("--filters", default="{}", help='JSON, such as \'{"split": "train"}\'')
        parser.add_argument("--output", type=Path, help="a file instead of standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        try:
            filters = json.loads(options["filters"])
            lines = exports.lines(project=project, kind=options["kind"], filters=filters)
        except ValueError as error:
            raise CommandError(f"--filters is not JSON: {error}") from None
        except errors.Refused as error:
            raise CommandError(f"{error.detail} {error.fields}") from None
        if options["output"]:
            with options["output"].open("w", encoding="utf-8", newline="\n") as stream:
                stream.writelines(lines)
        else:
            for line in lines:
                sys.stdout.buffer.write(line.encode())
