"""Export a project's prompts, demonstrations, rankings or judgments."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling import errors
from labeling.formats.items import Unreadable
from labeling.models.projects import Project
from labeling.selectors import exports
from labeling.services import exporting


class Command(BaseCommand):
    help = "Write annotations in a format of the field: lines, or with --package a folder with a card and a manifest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True)
        parser.add_argument("--kind", required=True, choices=exports.KINDS)
        parser.add_argument("--format", default="rankloop", choices=exports.FORMATS)
        parser.add_argument("--filters", default="{}", help='JSON, such as \'{"split": "train"}\'')
        parser.add_argument("--pseudonyms", action="store_true", help="labelers under other names, always the same")
        parser.add_argument("--output", type=Path, help="a file instead of standard output")
        parser.add_argument("--package", type=Path, help="a folder to make: files by split, README.md, manifest.json")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        try:
            choices = exports.Choices(
                kind=options["kind"], format=options["format"], filters=json.loads(options["filters"]),
                pseudonyms=options["pseudonyms"],
            )  # fmt: skip
            if options["package"]:
                self._package(project, choices, options["package"])
                return
            lines = exports.lines(project=project, choices=choices)
        except (ValueError, AttributeError) as error:
            raise CommandError(f"--filters is not a JSON object: {error}") from None
        except (errors.Refused, Unreadable) as error:
            raise CommandError(f"{error} {getattr(error, 'fields', '')}") from None
        if options["output"]:
            with options["output"].open("wb") as stream:
                stream.writelines(lines)
        else:
            sys.stdout.buffer.writelines(lines)

    def _package(self, project: Project, choices: exports.Choices, folder: Path) -> None:
        if folder.exists():
            raise CommandError(f"{folder} is there already.")
        manifest = exporting.write(project=project, choices=choices, folder=folder, by=None, now=timezone.now())
        self.stdout.write(f"{folder}: {manifest['records']} records, sha256 {manifest['sha256']}")
