"""Runs: kinds, start, cancel, resume, and everything that a run shows of itself."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from labeling.api.paging import Paging
from labeling.models.people import User
from training.api import shapes
from training.selectors import access, archive
from training.selectors import runs as reads
from training.services import outputs, runs

AFTER = OpenApiParameter("after", OpenApiTypes.INT, description="where the last answer's `next` pointed; 0 at first")
CURSOR = OpenApiParameter("cursor", OpenApiTypes.INT, description="the last answer's `next`; 0 at first")
KIND = OpenApiParameter("kind", OpenApiTypes.STR)
STATUS = OpenApiParameter("status", OpenApiTypes.STR)


class NewestFirst(Paging):
    ordering = ("-created_at", "-id")  # type: ignore[assignment]


@extend_schema(responses=shapes.RunKind(many=True))
@api_view(["GET"])
def kinds(request: Request) -> Response:
    """Every kind of run with its inputs and options, ready for a form."""
    return Response(reads.kinds())


@extend_schema(
    methods=["GET"], operation_id="projects_runs_list", parameters=[KIND, STATUS], responses=shapes.Run(many=True)
)
@extend_schema(methods=["POST"], request=shapes.NewRun, responses={201: shapes.Run})
@api_view(["GET", "POST"])
def of_project(request: Request, slug: str) -> Response:
    """The project's runs, newest first; start one. A bad config or input is refused before anything is queued."""
    project = access.project(user(request), slug)
    if request.method == "POST":
        sent = checked(shapes.NewRun, request)
        sent["given"] = sent.pop("inputs")
        run = runs.start(project=project, by=user(request), now=timezone.now(), **sent)
        return Response(reads.describe(run), status=201)
    rows = reads.of_project(
        project, kind=request.query_params.get("kind", ""), status=request.query_params.get("status", "")
    )
    paging = NewestFirst()
    page = paging.paginate_queryset(rows, request)
    return paging.get_paginated_response([reads.describe(run) for run in page or []])


@extend_schema(responses=shapes.Run)
@api_view(["GET"])
def one(request: Request, run_id: UUID) -> Response:
    return Response(reads.describe(access.run(user(request), run_id)))


@extend_schema(request=None, responses=shapes.Run)
@api_view(["POST"])
def cancel(request: Request, run_id: UUID) -> Response:
    """Stop a run: a queued one at once, a running one after it has saved its state."""
    run = runs.cancel(run=access.run(user(request), run_id), now=timezone.now())
    return Response(reads.describe(run))


@extend_schema(request=None, responses=shapes.Run)
@api_view(["POST"])
def resume(request: Request, run_id: UUID) -> Response:
    """Queue a failed or cancelled run again; it goes on from its saved state."""
    run = runs.resume(run=access.run(user(request), run_id), now=timezone.now())
    return Response(reads.describe(run))


@extend_schema(parameters=[AFTER], responses=shapes.MetricPage)
@api_view(["GET"])
def metrics(request: Request, run_id: UUID) -> Response:
    """What is new after `seq` N. A resumed run repeats steps: of two rows of one step the later one counts."""
    return Response(reads.metrics(access.run(user(request), run_id), after=offset(request, "after")))


@extend_schema(parameters=[AFTER], responses=shapes.SamplePage)
@api_view(["GET"])
def samples(request: Request, run_id: UUID) -> Response:
    """Responses that the run showed on its way."""
    return Response(reads.samples(access.run(user(request), run_id), after=offset(request, "after")))


@extend_schema(parameters=[AFTER], responses=shapes.LogPage)
@api_view(["GET"])
def log(request: Request, run_id: UUID) -> Response:
    """The process's output past byte N."""
    return Response(reads.log(access.run(user(request), run_id), after=offset(request, "after")))


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def report(request: Request, run_id: UUID) -> Response:
    """What a person should know of the result; an empty object until the run has succeeded."""
    return Response(access.run(user(request), run_id).report or {})


@extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
@api_view(["GET"])
def output(request: Request, run_id: UUID) -> StreamingHttpResponse:
    """What the run made, as a zip file: a checkpoint, rollouts, or an exported classifier with its model card."""
    run = access.run(user(request), run_id)
    folder = reads.output(run)
    name = f"{run.kind}-{str(run.id)[:8]}"
    response = StreamingHttpResponse(archive.stream(folder, name=name), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response


@extend_schema(parameters=[CURSOR], responses=shapes.RolloutPage)
@api_view(["GET"])
def rollouts(request: Request, run_id: UUID) -> Response:
    """Rollout sets of a `sample` or `evaluate` run, with their prompts."""
    return Response(reads.rollouts(access.run(user(request), run_id), cursor=offset(request, "cursor")))


@extend_schema(request=None, responses=shapes.Compared)
@api_view(["POST"])
def compare(request: Request, run_id: UUID) -> Response:
    """Open blind comparisons of the two policies of an `evaluate` run; again, it opens none twice."""
    opened = outputs.open_comparisons(run=access.run(user(request), run_id), now=timezone.now())
    return Response({"opened": opened})


def user(request: Request) -> User:
    return cast(User, request.user)


def checked(shape: type[Any], request: Request) -> dict[str, Any]:
    """The request's body in this shape, or a 400 that names its fields."""
    known = shape(data=request.data)
    known.is_valid(raise_exception=True)
    unknown = set(request.data) - set(known.fields)
    if unknown:
        taken = ", ".join(known.fields)
        raise errors.Invalid(fields={name: f"unknown field; this takes {taken}" for name in unknown})
    return dict(known.validated_data)


def offset(request: Request, name: str) -> int:
    value = request.query_params.get(name) or "0"
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise errors.Invalid(fields={name: "must be a whole number from 0"})
    return int(value)
