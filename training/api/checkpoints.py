"""Checkpoints and lineage."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from training.api import shapes
from training.api.runs import KIND, NewestFirst, user
from training.models.checkpoints import Checkpoint
from training.selectors import access, lineage

LABELER = OpenApiParameter("labeler", OpenApiTypes.STR, description="a username")
ANSWER = OpenApiParameter("answer", OpenApiTypes.UUID, description="an answer's id")


@extend_schema(parameters=[KIND], responses=shapes.CheckpointPage)
@api_view(["GET"])
def of_project(request: Request, slug: str) -> Response:
    """The project's checkpoints, newest first."""
    rows = Checkpoint.objects.filter(project=access.project(user(request), slug)).prefetch_related("parents")
    if kind := request.query_params.get("kind"):
        rows = rows.filter(kind=kind)
    paging = NewestFirst()
    page = paging.paginate_queryset(rows, request)
    return paging.get_paginated_response([describe(checkpoint) for checkpoint in page or []])


@extend_schema(responses=shapes.Checkpoint)
@api_view(["GET"])
def one(request: Request, checkpoint_id: UUID) -> Response:
    return Response(describe(access.checkpoint(user(request), checkpoint_id)))


@extend_schema(responses=shapes.Lineage)
@api_view(["GET"])
def of_checkpoint(request: Request, checkpoint_id: UUID) -> Response:
    """What the checkpoint came from, down to the labelers, and what was made of it."""
    return Response(lineage.of_checkpoint(access.checkpoint(user(request), checkpoint_id)))


@extend_schema(parameters=[LABELER, ANSWER], responses=shapes.Lineage)
@api_view(["GET"])
def of_answers(request: Request, slug: str) -> Response:
    """Where a labeler's answers went, or one answer: snapshots, runs, checkpoints."""
    project = access.project(user(request), slug)
    labeler, answer = request.query_params.get("labeler", ""), request.query_params.get("answer", "")
    if not labeler and not answer:
        raise errors.Invalid(fields={"labeler": "name a labeler, or an answer"})
    try:
        identity = UUID(answer) if answer else None
    except ValueError:
        raise errors.Invalid(fields={"answer": "must be an answer's id"}) from None
    return Response(lineage.of_answers(project, labeler=labeler, answer=identity))


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "id": checkpoint.id,
        "name": checkpoint.name,
        "kind": checkpoint.kind,
        "run": checkpoint.run_id,
        "manifest_sha256": checkpoint.manifest_sha256,
        "created_at": checkpoint.created_at,
        "parents": [parent.id for parent in checkpoint.parents.all()],
    }
