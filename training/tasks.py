"""The only door from Celery: a task that supervises one run, and the worker's own threads.

The task is acknowledged before it starts and never retried by Celery: the claim decides who runs, so a
message that comes twice does nothing, and one that is lost is sent again by the reaper.
"""

import threading
import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings

from labeling.services import webhooks
from training.services import importer, measurer, messages, playground_worker, supervisor


@shared_task(name=messages.TASK, ignore_result=True, acks_late=False)
def run(run_id: str) -> None:
    supervisor.supervise(uuid.UUID(run_id))


@worker_ready.connect
def start_threads(sender: Any, **_: Any) -> None:
    """The reaper, which works without beat: each worker looks after its queues; playground, measurer, webhooks."""
    queues = set(sender.app.amqp.queues.consume_from)
    slots = sender.pool.limit or settings.CELERY_WORKER_CONCURRENCY
    arguments = {"queues": queues, "slots": slots, "every": settings.RUN_REAP_SECONDS}
    threading.Thread(target=supervisor.reap_until_stopping, kwargs=arguments, name="reaper", daemon=True).start()
    for number in range(settings.PLAYGROUND_PROCESSES):
        name = f"playground-{number}"
        threading.Thread(target=playground_worker.serve_until_stopping, name=name, daemon=True).start()
    threading.Thread(target=measurer.watch_until_stopping, name="measurer", daemon=True).start()
    every = {"every": settings.RUN_REAP_SECONDS}
    threading.Thread(target=importer.import_until_stopping, kwargs=every, name="importer", daemon=True).start()
    arguments = {"stopping": supervisor.stopping, "every": settings.WEBHOOK_SECONDS}
    threading.Thread(target=webhooks.deliver_until_stopping, kwargs=arguments, name="webhooks", daemon=True).start()


@worker_shutting_down.connect
def stop_runs(**_: Any) -> None:
    """Runs save their state and are queued again, so a worker stops in seconds and loses nothing."""
    supervisor.stopping.set()
