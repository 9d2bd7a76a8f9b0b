"""Import files of prompts, demonstrations and preferences into a project."""

import json
import re
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from labeling import errors
from labeling.formats import hub, reading
from labeling.formats.items import Unreadable
from labeling.models.projects import Project
from labeling.services import imports
from labeling.services.batches import Report
from labeling.services.import_options import Options

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Import files into a project; the format is told from the content. "
        "Exit status: 0 all stored or known, 1 some records refused, 2 a file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files", nargs="+", metavar="FILE",
            help="JSONL, JSON, text, CSV, TSV, XLSX, Parquet, gzip or zip of these, a folder that datasets saved, "
            "or hub:OWNER/NAME with --allow-hub",
        )  # fmt: skip
        parser.add_argument("--project", required=True, help="the project's slug; made where there is none")
        parser.add_argument("--format", default="", choices=["", *reading.FORMATS], help="instead of telling it")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=NAME",
            help="read the file's FIELD as the format's NAME",
        )
        parser.add_argument("--dry-run", action="store_true", help="count and check, but store nothing")
        parser.add_argument("--open-demonstrations", action="store_true", help="open a task for each bare prompt")
        parser.add_argument(
            "--open-rankings", action="store_true", help="open a task for each prompt with responses that nobody ranked"
        )
        parser.add_argument(
            "--cleaning", default="{}", help='JSON, such as \'{"near_duplicates": true, "pii": "mask"}\''
        )
        parser.add_argument("--evaluation-set", default="", help="the prompts are this set's: no labeler, no training")
        parser.add_argument("--allow-hub", action="store_true", help="let hub:OWNER/NAME be fetched over the network")
        parser.add_argument("--json", action="store_true", help="print one JSON line per file, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project, wanted = _project(options["project"]), _wanted(options)
        status = 0
        for name in options["files"]:
            try:
                path = hub.fetch(name, allowed=options["allow_hub"]) if hub.is_name(name) else Path(name)
                report = imports.run(
                    project=project, path=path, name=path.name, options=wanted, dry_run=options["dry_run"], by=None,
                    now=timezone.now(),
                )  # fmt: skip
            except (Unreadable, errors.Refused) as error:
                status = 2
                row = {"file": name, "stored": 0, "duplicates": 0, "refused": 0, "reasons": {}, "error": str(error)}
                self._say(options["json"], {**row, **getattr(error, "counts", {})}, f"{name}: {error}")
                continue
            if report.refused:
                status = max(status, 1)
            self._say(options["json"], {"file": name, **asdict(report)}, _sentence(path, report))
        if status:
            raise CommandError(
                "Some records were refused." if status == 1 else "A file could not be read.", returncode=status
            )

    def _say(self, as_json: bool, row: dict[str, Any], sentence: str) -> None:
        self.stdout.write(json.dumps(row, ensure_ascii=False) if as_json else sentence)


def _project(slug: str) -> Project:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", slug):
        raise CommandError("A project's slug is of small letters, digits and hyphens.", returncode=2)
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug, "created_at": timezone.now()})
    return project


def _wanted(options: dict[str, Any]) -> Options:
    try:
        return Options.from_plain(
            {
                "format": options["format"],
                "mapping": dict(pair.split("=", 1) for pair in options["map"]),
                "open_demonstrations": options["open_demonstrations"],
                "open_rankings": options["open_rankings"],
                "evaluation_set": options["evaluation_set"],
                "cleaning": json.loads(options["cleaning"]),
            }
        )
    except ValueError:
        raise CommandError("--map is FIELD=NAME, and --cleaning is JSON.", returncode=2) from None
    except errors.Invalid as error:
        raise CommandError(f"{error.detail} {error.fields}", returncode=2) from None


def _sentence(path: Path, report: Report) -> str:
    kinds = ("prompts", "demonstrations", "rankings", "judgments", "responses", "documents")
    stored = ", ".join(f"{getattr(report, kind)} {kind}" for kind in kinds if getattr(report, kind))
    parts = [
        f"{path.name} ({report.format}): {report.stored} stored ({stored or 'nothing new'}), "
        f"{report.duplicates} known, {report.refused} refused"
    ]
    parts += [f"  cleaning: {count} {name}" for name, count in report.cleaned.items()]
    parts += [f"  {one['file']}, line {one['line']}: {one['reason']}" for one in report.refusals[:SHOWN]]
    if report.refused > SHOWN:
        parts.append(f"  … and {report.refused - SHOWN} more; --json lists them")
    return "\n".join(parts)
