"""The playground's rows: asked by the web, claimed and filled by a worker, each change a compare-and-swap.

The worker's thread that fills them is in `playground_worker.py`.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from labeling.models.people import User
from labeling.services.text import storable
from training import errors
from training.models.checkpoints import Checkpoint
from training.models.playground import PlaygroundRequest
from training.services.storable import storable_json

MOST_WAITING = 4  # requests of one person that are not finished
KEPT = timedelta(days=1)
Status = PlaygroundRequest.Status
ACTIVE = (Status.QUEUED, *PlaygroundRequest.UNDER_WAY)


@transaction.atomic
def ask(*, checkpoint: Checkpoint, kind: str, body: dict[str, Any], by: User, now: datetime) -> PlaygroundRequest:
    """Queue a request; an idle worker sees it within a fraction of a second."""
    if checkpoint.kind not in (Checkpoint.Kind.BASE, Checkpoint.Kind.POLICY):
        raise errors.BadRun(
            "Only a language model answers.", fields={"checkpoint": f"is a {checkpoint.kind}; choose a base or policy"}
        )
    end_lost(now=now)
    if PlaygroundRequest.objects.filter(created_by=by, status__in=ACTIVE).count() >= MOST_WAITING:
        raise errors.PlaygroundBusy
    return PlaygroundRequest.objects.create(
        project=checkpoint.project, checkpoint=checkpoint, created_by=by, kind=kind, body=body, created_at=now
    )


def cancel(request: PlaygroundRequest, *, now: datetime) -> PlaygroundRequest:
    """End a queued request at once, one under way within a token; what it wrote stays."""
    waiting = PlaygroundRequest.objects.filter(id=request.id, status=Status.QUEUED)
    if not waiting.update(status=Status.CANCELLED, finished_at=now):
        PlaygroundRequest.objects.filter(id=request.id, finished_at=None).update(cancel_requested_at=now)
    request.refresh_from_db()
    return request


def end_lost(*, now: datetime) -> int:
    """Fail requests whose worker fell silent. Called when somebody looks, so nothing need sweep."""
    silent = now - timedelta(seconds=settings.RUN_STALE_SECONDS)
    lost = PlaygroundRequest.objects.filter(status__in=PlaygroundRequest.UNDER_WAY, heartbeat_at__lt=silent)
    return lost.update(
        status=Status.FAILED,
        finished_at=now,
        error_code="worker_lost",
        error_sentence="The worker that answered was lost; ask again.",
    )


# The worker's side.


def claim(*, now: datetime) -> PlaygroundRequest | None:
    """Take the oldest queued request, or None."""
    for request in PlaygroundRequest.objects.filter(status=Status.QUEUED).order_by("created_at")[:4]:
        mine = uuid.uuid4()
        taken = PlaygroundRequest.objects.filter(id=request.id, status=Status.QUEUED)
        if taken.update(status=Status.RUNNING, claim=mine, heartbeat_at=now):
            return PlaygroundRequest.objects.select_related("checkpoint").get(id=request.id)
    return None


def write(request: PlaygroundRequest, *, stage: str, tokens: list[Any], now: datetime) -> bool | None:
    """Show how far it is and say that its worker lives. True where a cancel is asked for, None where it is lost."""
    status = Status.LOADING if stage == "loading" else Status.RUNNING
    held = PlaygroundRequest.objects.filter(id=request.id, claim=request.claim, finished_at=None)
    if not held.update(status=status, tokens=storable_json(tokens), heartbeat_at=now):
        return None
    return held.filter(cancel_requested_at__isnull=False).exists()


def finish(request: PlaygroundRequest, *, tokens: list[Any], result: dict[str, Any], now: datetime) -> bool:
    status = Status.CANCELLED if result.get("finish_reason") == "cancelled" else Status.SUCCEEDED
    return _end(request, status=status, tokens=storable_json(tokens), result=storable_json(result), finished_at=now)


def fail(request: PlaygroundRequest, *, code: str, sentence: str, now: datetime) -> bool:
    return _end(
        request,
        status=Status.FAILED,
        error_code=code[:64] or "failed",
        error_sentence=storable(sentence) or "The request failed without saying why.",
        finished_at=now,
    )


def give_back(request: PlaygroundRequest) -> bool:
    """Queue a request again that its worker, which shuts down, has not answered."""
    return _end(request, status=Status.QUEUED, claim=None, heartbeat_at=None, tokens=[])


def forget_old(*, now: datetime) -> int:
    return PlaygroundRequest.objects.filter(finished_at__lt=now - KEPT).delete()[0]


def _end(request: PlaygroundRequest, **values: Any) -> bool:
    return PlaygroundRequest.objects.filter(id=request.id, claim=request.claim, finished_at=None).update(**values) == 1
