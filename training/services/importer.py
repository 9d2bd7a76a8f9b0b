"""The worker's thread for imports: they wait for no run, and no run waits for them.

The database is the queue; there is no message. An import whose worker dies goes on with its next batch elsewhere.
"""

import logging
import time
from typing import Any

from django.db import OperationalError, close_old_connections, connection
from django.utils import timezone

from labeling.services import uploads
from training.services import supervisor

SWEEP_SECONDS = 3600  # between looks for uploads that nobody finished
log = logging.getLogger(__name__)


def import_until_stopping(*, every: float) -> Any:
    next_sweep = 0.0
    try:
        while not supervisor.stopping.wait(every):
            try:
                if time.monotonic() > next_sweep:
                    uploads.sweep(now=timezone.now())
                    next_sweep = time.monotonic() + SWEEP_SECONDS
                for identity in uploads.waiting(now=timezone.now()):
                    uploads.work(identity, now=timezone.now())
            except OperationalError as error:
                log.warning("imports wait for the database: %s", error)
            except Exception:
                # One bad import must not silence the others; its row says that it failed.
                log.exception("an import failed")
            close_old_connections()
    finally:
        connection.close()
