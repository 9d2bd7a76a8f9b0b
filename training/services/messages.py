"""Tells workers to look at a run. The message carries an id and nothing else: the row is the truth."""

from __future__ import annotations

import logging
import uuid
from functools import cache

from celery import Celery
from kombu.exceptions import OperationalError

TASK = "training.run"
log = logging.getLogger(__name__)


def send(run_id: uuid.UUID, *, queue: str) -> bool:
    """False where the broker cannot be reached; the run stays queued and an idle worker finds it."""
    try:
        _sender().send_task(TASK, args=[str(run_id)], queue=queue, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("run %s is queued, but the broker cannot be reached: %s", run_id, error)
        return False
    return True


@cache
def _sender() -> Celery:
    app = Celery("rankloop-sender", set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app
