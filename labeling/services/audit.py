"""The audit trail and the outbox, written in the transaction of the change itself."""

from datetime import datetime
from typing import Any

from labeling.models import sql
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.records import AuditEntry, OutboxEvent


def note(
    *,
    project: Project | None,
    actor: User | None,
    action: str,
    subject: str,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    sql.add(
        AuditEntry,
        project_id=project.pk if project else None,
        actor_id=actor.pk if actor else None,
        action=action,
        subject=subject,
        details=details or {},
        created_at=now,
    )


def announce(*, project: Project, kind: str, payload: dict[str, Any], now: datetime) -> None:
    """Leave an event for whoever follows the project's events."""
    sql.add(OutboxEvent, project_id=project.pk, kind=kind, payload=payload, created_at=now)
