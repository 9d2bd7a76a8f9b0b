"""A worker's thread that has projects measured, each in a process of its own: that loads NumPy and may take minutes."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from labeling.services import measurements
from training.services.supervisor import stopping

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between looks for what was asked for
COMMAND = [sys.executable, "manage.py", "measure"]


def watch_until_stopping() -> None:
    """Asks for what is due, and starts a process for what waits, one at a time."""
    due_at = timezone.now()
    try:
        while not stopping.wait(LOOK_SECONDS):
            now = timezone.now()
            try:
                if now >= due_at:
                    every = timedelta(seconds=settings.MEASURE_SECONDS)
                    measurements.request_due(every=every, now=now)
                    due_at = now + min(every / 10, timedelta(seconds=30))
                if measurements.waiting(now=now):
                    _measure()
            except DatabaseError as error:
                log.warning("measuring waits for the database: %s", error)
            close_old_connections()
    finally:
        connection.close()


def _measure() -> None:
    """Below everything else in priority: nobody waits for it."""
    child = subprocess.Popen(["nice", *COMMAND], cwd=settings.ROOT, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        if stopping.wait(LOOK_SECONDS / 5):
            child.terminate()
    if child.returncode and not stopping.is_set():
        log.warning("measuring ended with status %s", child.returncode)
        stopping.wait(60)
