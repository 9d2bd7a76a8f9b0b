"""Measure agreement, reliability and statistics of projects."""

import logging
import signal
import sys
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from django.utils import timezone

from labeling.models.measurements import Measurement
from labeling.models.projects import Project
from labeling.services import measurements

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Measure the projects named, or what was asked for; with --every, also what is due, and go on for ever."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("projects", nargs="*", metavar="SLUG")
        parser.add_argument("--every", type=int, metavar="SECONDS", help="look for what is due so often")

    def handle(self, *args: Any, **options: Any) -> None:
        for slug in options["projects"]:
            project = Project.objects.filter(slug=slug).first()
            if project is None:
                raise CommandError(f"There is no project {slug}.")
            measurements.request(project=project, by=None, now=timezone.now())
        done = self._work()
        while options["every"]:
            measurements.request_due(every=timedelta(seconds=settings.MEASURE_SECONDS), now=timezone.now())
            done += self._work()
            close_old_connections()
            time.sleep(options["every"])
        self.stdout.write(f"{done} measured")

    def _work(self) -> int:
        """Measure all that waits. One that fails says why in its row, and the others go on."""
        done = 0
        while measurement := measurements.waiting(now=timezone.now()):
            if measurements.claim(measurement=measurement, now=timezone.now()):
                done += _measure(measurement)
        return done


def _measure(measurement: Measurement) -> bool:
    from labeling.services import measuring  # loads NumPy, which a look that finds nothing needs not

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = measuring.measure(project=measurement.project, now=timezone.now())
        return measurements.finish(measurement=measurement, **vars(found), now=timezone.now())
    except (SystemExit, KeyboardInterrupt):
        measurements.release(measurement=measurement)
        raise
    except Exception as error:
        log.exception("measuring %s failed", measurement.project.slug)
        measurements.fail(measurement=measurement, error=f"{type(error).__name__}: {error}", now=timezone.now())
        return False
