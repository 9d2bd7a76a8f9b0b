"""What happened in a project: events for programs that follow it, and the audit trail."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api import shapes
from labeling.api.base import paged, user
from labeling.models.records import AuditEntry, OutboxEvent
from labeling.selectors import access


class Events(APIView):
    @extend_schema(responses=shapes.Event(many=True), operation_id="events_list")
    def get(self, request: Request, slug: str) -> Response:
        """Oldest first. Keep the last page's address and ask it again for what is new."""
        project = access.require(user=user(request), slug=slug, action="export").project
        return paged(request, OutboxEvent.objects.filter(project=project), describe_event, ordering="id")


class Audit(APIView):
    @extend_schema(responses=shapes.AuditEntry(many=True), operation_id="audit_list")
    def get(self, request: Request, slug: str) -> Response:
        """Who did what, newest first."""
        project = access.require(user=user(request), slug=slug, action="manage_project").project
        rows = AuditEntry.objects.filter(project=project).select_related("actor")
        return paged(request, rows, describe_entry)


def describe_event(event: OutboxEvent) -> dict[str, Any]:
    return {"id": event.uuid, "kind": event.kind, "payload": event.payload, "created_at": event.created_at}


def describe_entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "actor": entry.actor.username if entry.actor else None,
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
        "created_at": entry.created_at,
    }
