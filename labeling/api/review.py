"""Gold items, and the queue of items that wait for a reviewer."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import review_shapes as shapes
from labeling.api.base import as_uuid, found, paged, user
from labeling.api.projects import choice
from labeling.models.quality import GoldItem as GoldRow
from labeling.models.quality import ReviewCase as CaseRow
from labeling.models.work import LabelingTask
from labeling.selectors import access, review
from labeling.services import gold
from labeling.services import review as reviewing


class Gold(APIView):
    @extend_schema(responses=shapes.GoldItem(many=True), operation_id="gold_list")
    def get(self, request: Request, slug: str) -> Response:
        """Items of known order, newest first. Labelers never see this."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        rows = GoldRow.objects.filter(project=project).select_related("task__prompt", "created_by")
        return paged(request, rows, describe_gold)

    @extend_schema(request=shapes.NewGoldItem, responses={201: shapes.GoldItem}, operation_id="gold_create")
    def post(self, request: Request, slug: str) -> Response:
        """Give a ranking task's responses a known order. From then on each labeler gets it once, silently."""
        project = access.require(user=user(request), slug=slug, action="review").project
        plain = dict(request.data) if isinstance(request.data, dict) else {}
        identity = as_uuid(str(plain.pop("task", "")))
        task = LabelingTask.objects.filter(project=project, uuid=identity).first() if identity else None
        if task is None:
            raise errors.Invalid(fields={"task": "is no task of this project"}, code="unknown_task")
        ranks, reason = gold.read(plain, task)
        item = gold.make(task=task, ranks=ranks, reason=reason, by=user(request), now=timezone.now())
        return Response(describe_gold(item), status=201)


class RetireGold(APIView):
    @extend_schema(request=None, responses=shapes.GoldItem, operation_id="gold_retire")
    def post(self, request: Request, gold_id: UUID) -> Response:
        """Hand it out no more. What was scored by it stays."""
        item = found(GoldRow.objects.select_related("project", "task__prompt", "created_by"), uuid=gold_id)
        access.of_project(user=user(request), project=item.project).require("review")
        return Response(describe_gold(gold.retire(item=item, by=user(request), now=timezone.now())))


class Review(APIView):
    @extend_schema(
        parameters=[choice("state", CaseRow.State.values), choice("why", CaseRow.Why.values)],
        responses=shapes.Case(many=True),
        operation_id="review_list",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Items that wait for a reviewer, newest first; closed ones with `state`."""
        project = access.require(user=user(request), slug=slug, action="review").project
        rows = review.queue(project=project).filter(state=request.query_params.get("state") or CaseRow.State.OPEN)
        if why := request.query_params.get("why"):
            rows = rows.filter(why=why)
        return paged(request, rows, review.describe)


class Case(APIView):
    @extend_schema(responses=shapes.CaseDetail, operation_id="review_detail")
    def get(self, request: Request, case_id: UUID) -> Response:
        """The item, everybody's answers and skips, and the labelers' rankings merged."""
        return Response(review.detail(self._case(request, case_id)))

    @extend_schema(request=shapes.Settlement, responses=shapes.Case, operation_id="review_settle")
    def post(self, request: Request, case_id: UUID) -> Response:
        """Close the case: by `ranking` or the `merged` one, which count from then on; `reopen`, `discard`, `leave`."""
        case = reviewing.settle(
            case=self._case(request, case_id), plain=request.data, by=user(request), now=timezone.now()
        )
        return Response(review.describe(review.queue(project=case.project).get(pk=case.pk)))

    def _case(self, request: Request, case_id: UUID) -> CaseRow:
        rows = CaseRow.objects.select_related("project", "task__prompt", "task__rollout_set", "closed_by", "settlement")
        case: CaseRow = found(rows, uuid=case_id)
        access.of_project(user=user(request), project=case.project).require("review")
        return case


def describe_gold(item: GoldRow) -> dict[str, Any]:
    return {
        "id": item.uuid,
        "task": item.task.uuid,
        "kind": item.kind,
        "prompt": {"id": item.task.prompt.uuid, "last_message": item.task.prompt.messages[-1]["content"][:200]},
        "ranks": item.ranks,
        "reason": item.reason,
        "created_by": item.created_by.username if item.created_by else None,
        "created_at": item.created_at,
        "retired_at": item.retired_at,
    }
