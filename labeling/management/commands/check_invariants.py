"""Check the promises of hand-out against the database."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.selectors import invariants


class Command(BaseCommand):
    help = "Count what breaks each promise of hand-out. Exit status 1 where anything does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        found = invariants.violations()
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            for name, number in found.items():
                self.stdout.write(f"{number:8}  {name.replace('_', ' ')}")
        if any(found.values()):
            raise CommandError("A promise is broken.")
