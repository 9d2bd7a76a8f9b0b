"""Telling others of a project's events, signed in the manner of Standard Webhooks, until each telling arrives.

Events lie in the outbox, committed with what they tell of. A delivery is claimed by compare-and-swap and sent outside
any transaction, so it may arrive twice, with the same id, and is never lost.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import logging
import random
import secrets
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Exists, F, Max, OuterRef
from django.utils import timezone

from labeling import errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import OutboxEvent
from labeling.models.webhooks import Delivery, Webhook
from labeling.services import audit
from labeling.services.bodies import Body

# Seconds before each further attempt; after the last one the delivery has failed. The specification's own schedule.
DELAYS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
TIMEOUT = 10.0  # seconds for one attempt
CLAIMED = timedelta(seconds=60)  # how long an attempt under way is waited for
# Keys are given before their transactions commit, so for this long an event may still appear among older ones.
SETTLING = timedelta(seconds=60)
BATCH = 200
MOST = 20  # webhooks a project
log = logging.getLogger(__name__)


def sign(*, secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: HMAC-SHA256 of "id.timestamp.body" under the decoded secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@transaction.atomic
def create(*, project: Project, plain: Any, by: User, now: datetime) -> Webhook:
    """A webhook that is told of what happens from now on. Its secret is made here."""
    body = Body(plain)
    url, kinds = _url(body, required=True), _kinds(body)
    body.finish()
    if Webhook.objects.filter(project=project).count() >= MOST:
        raise errors.Conflict(f"A project has {MOST} webhooks at most.", code="too_many_webhooks")
    newest = OutboxEvent.objects.filter(project=project).aggregate(last=Max("id"))["last"] or 0
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    webhook = Webhook.objects.create(
        project=project, url=url, secret=secret, kinds=kinds or [], after=newest, created_by=by, created_at=now
    )
    audit.note(project=project, actor=by, action="webhook_created", subject=f"webhook:{webhook.uuid}",
               details={"url": url}, now=now)  # fmt: skip
    return webhook


@transaction.atomic
def change(*, webhook: Webhook, plain: Any, by: User, now: datetime) -> Webhook:
    body = Body(plain)
    if url := _url(body, required=False):
        webhook.url = url
    if body.has("kinds"):
        webhook.kinds = _kinds(body)
    if body.has("is_active"):
        webhook.is_active = body.truth("is_active")
    body.finish()
    webhook.save(update_fields=["url", "kinds", "is_active"])
    audit.note(project=webhook.project, actor=by, action="webhook_changed", subject=f"webhook:{webhook.uuid}", now=now)
    return webhook


@transaction.atomic
def delete(*, webhook: Webhook, by: User, now: datetime) -> None:
    audit.note(project=webhook.project, actor=by, action="webhook_deleted", subject=f"webhook:{webhook.uuid}",
               details={"url": webhook.url}, now=now)  # fmt: skip
    webhook.delete()


@transaction.atomic
def retry(*, webhook: Webhook, by: User, now: datetime) -> int:
    """Try again what has failed; returns how much that is."""
    failed = Delivery.objects.filter(webhook=webhook, state=Delivery.State.FAILED)
    number = failed.update(state=Delivery.State.PENDING, next_at=now, ended_at=None, attempts=0)
    audit.note(project=webhook.project, actor=by, action="webhook_retried", subject=f"webhook:{webhook.uuid}",
               details={"deliveries": number}, now=now)  # fmt: skip
    return number


def deliver(*, now: datetime, client: httpx.Client) -> int:
    """Send what is due; returns how many attempts that took."""
    for webhook in Webhook.objects.filter(is_active=True):
        _fan_out(webhook, now)
    due = Delivery.objects.filter(state=Delivery.State.PENDING, next_at__lte=now, webhook__is_active=True)
    sent = 0
    for delivery in due.order_by("next_at", "id").select_related("webhook__project", "event")[:BATCH]:
        # Another worker may see the same row: the first to move its time on has it.
        claimed = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING, next_at=delivery.next_at)
        if claimed.update(next_at=now + CLAIMED, attempts=F("attempts") + 1):
            delivery.attempts += 1
            _settle(delivery, *_send(delivery, client, now), now=now)
            sent += 1
    return sent


def deliver_until_stopping(*, stopping: Event, every: float) -> None:
    """The loop of a worker's thread."""
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
            while not stopping.is_set():
                try:
                    busy = deliver(now=timezone.now(), client=client)
                except DatabaseError as error:
                    log.warning("webhooks wait for the database: %s", error)
                    busy = 0
                close_old_connections()
                if busy < BATCH:
                    stopping.wait(every)
    finally:
        connection.close()


@transaction.atomic
def _fan_out(webhook: Webhook, now: datetime) -> None:
    """Make deliveries of the events that have none yet, and move `after` past those that are all accounted for."""
    there = Delivery.objects.filter(webhook=webhook, event=OuterRef("pk"))
    events = OutboxEvent.objects.filter(project=webhook.project_id, id__gt=webhook.after)
    wanted = events.filter(kind__in=webhook.kinds) if webhook.kinds else events
    keys = list(wanted.filter(~Exists(there)).order_by("id").values_list("id", flat=True)[:BATCH])
    Delivery.objects.bulk_create(
        [Delivery(webhook=webhook, event_id=key, next_at=now, created_at=now) for key in keys], ignore_conflicts=True
    )
    if len(keys) < BATCH:
        settled = events.filter(created_at__lt=now - SETTLING).aggregate(last=Max("id"))["last"]
        if settled is not None:
            Webhook.objects.filter(pk=webhook.pk, after__lt=settled).update(after=settled)


def _send(delivery: Delivery, client: httpx.Client, now: datetime) -> tuple[int | None, str]:
    """(HTTP status, what went wrong); no status where nobody answered."""
    event, webhook = delivery.event, delivery.webhook
    payload = {
        "type": event.kind,
        "timestamp": event.created_at,
        "data": {**event.payload, "project": webhook.project.slug},
    }
    body = orjson.dumps(payload, option=orjson.OPT_UTC_Z)
    timestamp = int(now.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": "Rankloop",
        "webhook-id": str(event.uuid),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret=webhook.secret, id=str(event.uuid), timestamp=timestamp, body=body),
    }
    try:
        with client.stream("POST", webhook.url, content=body, headers=headers) as response:
            status = response.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"[:300].replace("\x00", "")
    return status, "" if 200 <= status < 300 else f"answered {status}"


def _settle(delivery: Delivery, status: int | None, error: str, *, now: datetime) -> None:
    """Fenced by the attempt: who took longer than its time does not overwrite the next one's outcome."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING, attempts=delivery.attempts)
    told = {"status": status, "error": error}
    if not error:
        mine.update(state=Delivery.State.DELIVERED, next_at=None, ended_at=now, **told)
    elif status == 410 or delivery.attempts > len(DELAYS):
        mine.update(state=Delivery.State.FAILED, next_at=None, ended_at=now, **told)
        if status == 410:
            # Gone: the receiver asks for no more.
            Webhook.objects.filter(pk=delivery.webhook_id).update(is_active=False)
    else:
        wait = DELAYS[delivery.attempts - 1] * random.uniform(0.9, 1.1)
        mine.update(next_at=now + timedelta(seconds=wait), **told)


def _url(body: Body, *, required: bool) -> str:
    url = body.text("url", most=500, required=required)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or any(letter <= " " for letter in url):
        body.problem("url", "must be an http or https address")
    return url


def _kinds(body: Body) -> list[str]:
    kinds = body.texts("kinds")
    if len(kinds) > 50 or not all(0 < len(kind) <= 60 for kind in kinds):
        body.problem("kinds", "must be at most 50 names of events")
    return sorted(set(kinds))
