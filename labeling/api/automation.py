"""What programs steer: webhooks, priorities, anchors, and tasks over responses of models that are not ours."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api import automation_shapes as shapes
from labeling.api.base import as_uuid, found, paged, user
from labeling.models.prompts import RolloutSet
from labeling.models.webhooks import Delivery
from labeling.models.webhooks import Webhook as WebhookRow
from labeling.selectors import access
from labeling.services import anchors, priorities, webhooks
from labeling.services.bodies import Body


class Webhooks(APIView):
    @extend_schema(responses=shapes.Webhook(many=True), operation_id="webhooks_list")
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="manage_project").project
        return paged(request, WebhookRow.objects.filter(project=project), describe_webhook)

    @extend_schema(request=shapes.NewWebhook, responses={201: shapes.WebhookWithSecret}, operation_id="webhooks_create")
    def post(self, request: Request, slug: str) -> Response:
        """Be told of events from now on. The secret is shown this once; it signs as Standard Webhooks say."""
        project = access.require(user=user(request), slug=slug, action="manage_project").project
        webhook = webhooks.create(project=project, plain=request.data, by=user(request), now=timezone.now())
        return Response({**describe_webhook(webhook), "secret": webhook.secret}, status=201)


class Webhook(APIView):
    @extend_schema(request=shapes.WebhookChange, responses=shapes.Webhook, operation_id="webhooks_change")
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        webhook = _webhook(request, webhook_id)
        return Response(
            describe_webhook(webhooks.change(webhook=webhook, plain=request.data, by=user(request), now=timezone.now()))
        )

    @extend_schema(responses={204: None}, operation_id="webhooks_delete")
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        webhooks.delete(webhook=_webhook(request, webhook_id), by=user(request), now=timezone.now())
        return Response(status=204)


class Deliveries(APIView):
    @extend_schema(responses=shapes.Delivery(many=True), operation_id="deliveries_list")
    def get(self, request: Request, webhook_id: UUID) -> Response:
        """What was sent or waits to be, newest first."""
        rows = Delivery.objects.filter(webhook=_webhook(request, webhook_id)).select_related("event")
        return paged(request, rows, describe_delivery)


class Retry(APIView):
    @extend_schema(request=None, responses=shapes.Retried, operation_id="webhooks_retry")
    def post(self, request: Request, webhook_id: UUID) -> Response:
        """Try what has failed again."""
        number = webhooks.retry(webhook=_webhook(request, webhook_id), by=user(request), now=timezone.now())
        return Response({"deliveries": number})


class Priorities(APIView):
    @extend_schema(request=shapes.Priorities, responses=shapes.PrioritiesSet, operation_id="priorities_set")
    def post(self, request: Request, slug: str) -> Response:
        """Order open tasks by how much their ranking would tell: each by its most telling signal's quantile."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        rows, days = priorities.read(request.data)
        priorities.require_known(project, rows)
        number = priorities.inform(project=project, rows=rows, days=days, by=user(request), now=timezone.now())
        return Response({"tasks": number})


class Anchors(APIView):
    @extend_schema(responses=shapes.Anchor(many=True), operation_id="anchors_list")
    def get(self, request: Request, slug: str) -> Response:
        """Items that are ranked again beside each round's new ones."""
        project = access.require(user=user(request), slug=slug, action="view_data").project
        rows = RolloutSet.objects.filter(project=project, anchored_at__isnull=False).select_related("prompt")
        return paged(request, rows, describe_anchor)

    @extend_schema(request=shapes.AnchorsChange, responses=shapes.AnchorsSet, operation_id="anchors_set")
    def post(self, request: Request, slug: str) -> Response:
        """Make anchors of ranking tasks' items, or end that. Without any, the first round to want some draws them."""
        project = access.require(user=user(request), slug=slug, action="add_data").project
        body = Body(request.data)
        named = body.texts("tasks")
        anchored = body.truth("anchored") if body.has("anchored") else True
        ids = [as_uuid(one) for one in named]
        if not named or None in ids or len(named) > anchors.POOL:
            body.problem("tasks", f"must be a list of 1 to {anchors.POOL} ids of tasks")
        body.finish()
        known = [one for one in ids if one is not None]
        number = anchors.mark(project=project, task_ids=known, anchored=anchored, by=user(request), now=timezone.now())
        return Response({"items": number})


def describe_webhook(webhook: WebhookRow) -> dict[str, Any]:
    return {
        "id": webhook.uuid,
        "url": webhook.url,
        "kinds": webhook.kinds,
        "is_active": webhook.is_active,
        "created_at": webhook.created_at,
    }


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "event": delivery.event.uuid,
        "kind": delivery.event.kind,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "status": delivery.status,
        "error": delivery.error,
        "next_at": delivery.next_at,
        "created_at": delivery.created_at,
        "ended_at": delivery.ended_at,
    }


def describe_anchor(row: RolloutSet) -> dict[str, Any]:
    return {
        "id": row.uuid,
        "prompt": {"id": row.prompt.uuid, "last_message": row.prompt.messages[-1]["content"][:200]},
        "run": row.run_id,
        "anchored_at": row.anchored_at,
    }


def _webhook(request: Request, webhook_id: UUID) -> WebhookRow:
    webhook: WebhookRow = found(WebhookRow.objects.select_related("project"), uuid=webhook_id)
    access.of_project(user=user(request), project=webhook.project).require("manage_project")
    return webhook
