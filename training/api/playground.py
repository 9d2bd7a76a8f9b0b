"""The playground: talk to a checkpoint, and see a conversation as its model sees it.

A worker answers, so both are asked for first and then read, by short polling. A request is its asker's alone.
"""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from labeling.services.text import is_storable
from training.api import playground_shapes as shapes
from training.api.runs import AFTER, checked, offset, user
from training.models.playground import PlaygroundRequest
from training.selectors import access
from training.selectors import playground as reads
from training.services import playground

Kind = PlaygroundRequest.Kind


@extend_schema(request=shapes.NewReply, responses={201: shapes.Reply})
@api_view(["POST"])
def replies(request: Request, checkpoint_id: UUID) -> Response:
    """Ask a checkpoint for its reply to a conversation; read it, while it is written, at `replies/ID`."""
    body = checked(shapes.NewReply, request)
    if body["messages"][-1]["role"] == "assistant":
        raise errors.Invalid(fields={"messages": "the last turn is the assistant's own; end with another role's"})
    body["seed"] = secrets.randbelow(shapes.LARGEST_SEED) if body["seed"] is None else body["seed"]
    return Response(reads.reply(_ask(request, checkpoint_id, Kind.REPLY, body), after=0), status=201)


@extend_schema(parameters=[AFTER], responses=shapes.Reply)
@api_view(["GET"])
def reply(request: Request, request_id: UUID) -> Response:
    """The reply's tokens from number `after` on, and how far it is. Ask again until `finish_reason` or `error`."""
    return Response(reads.reply(_own(request, request_id, Kind.REPLY), after=offset(request, "after")))


@extend_schema(request=None, responses=shapes.Reply)
@api_view(["POST"])
def cancel(request: Request, request_id: UUID) -> Response:
    """Stop a reply; what is written of it stays."""
    found = playground.cancel(_own(request, request_id, Kind.REPLY), now=timezone.now())
    return Response(reads.reply(found, after=0))


@extend_schema(request=shapes.NewInspection, responses={201: shapes.Inspection})
@api_view(["POST"])
def inspections(request: Request, checkpoint_id: UUID) -> Response:
    """Ask for a conversation's tokens as the model sees them, and for the chances of the next one anywhere."""
    body = checked(shapes.NewInspection, request)
    return Response(reads.inspection(_ask(request, checkpoint_id, Kind.INSPECT, body)), status=201)


@extend_schema(responses=shapes.Inspection)
@api_view(["GET"])
def inspection(request: Request, request_id: UUID) -> Response:
    return Response(reads.inspection(_own(request, request_id, Kind.INSPECT)))


def _ask(request: Request, checkpoint_id: UUID, kind: str, body: dict[str, Any]) -> PlaygroundRequest:
    if not all(is_storable(turn["content"]) and is_storable(turn["name"]) for turn in body["messages"]):
        raise errors.Invalid(fields={"messages": "holds a character that cannot be stored"})
    body["messages"] = [dict(turn) for turn in body["messages"]]
    checkpoint = access.checkpoint(user(request), checkpoint_id)
    return playground.ask(checkpoint=checkpoint, kind=kind, body=body, by=user(request), now=timezone.now())


def _own(request: Request, request_id: UUID, kind: str) -> PlaygroundRequest:
    playground.end_lost(now=timezone.now())
    return access.playground_request(user(request), request_id, kind)
