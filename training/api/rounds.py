"""Rounds: open one, look at it, take its next step."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from training.api import shapes
from training.api.runs import NewestFirst, checked, user
from training.models.checkpoints import Checkpoint
from training.selectors import access
from training.selectors import rounds as reads
from training.services import rounds


@extend_schema(methods=["GET"], responses=shapes.RoundPage)
@extend_schema(methods=["POST"], request=shapes.NewRound, responses={201: shapes.Round})
@api_view(["GET", "POST"])
def of_project(request: Request, slug: str) -> Response:
    """The project's rounds, newest first; open one that starts from a policy."""
    project = access.project(user(request), slug)
    if request.method == "POST":
        wanted = checked(shapes.NewRound, request)["policy"]
        policy = Checkpoint.objects.filter(project=project, id=wanted, kind=Checkpoint.Kind.POLICY).first()
        if policy is None:
            raise errors.Invalid(fields={"policy": f"this project has no policy {wanted}"})
        round = rounds.open_round(project=project, policy=policy, by=user(request), now=timezone.now())
        return Response(reads.describe(round), status=201)
    paging = NewestFirst()
    page = paging.paginate_queryset(reads.of_project(project), request)
    return paging.get_paginated_response([reads.describe(round) for round in page or []])


@extend_schema(responses=shapes.Round)
@api_view(["GET"])
def one(request: Request, round_id: UUID) -> Response:
    return Response(reads.describe(access.round(user(request), round_id)))


@extend_schema(request=shapes.Advance, responses=shapes.Round)
@api_view(["POST"])
def advance(request: Request, round_id: UUID) -> Response:
    """Take the round's next step, or, with `accept` false at a gate, send it back to collecting."""
    sent = checked(shapes.Advance, request)
    round = access.round(user(request), round_id)
    return Response(reads.describe(rounds.advance(round=round, by=user(request), now=timezone.now(), **sent)))
