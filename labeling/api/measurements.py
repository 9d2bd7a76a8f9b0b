"""Agreement, reliability and statistics, as last measured; and the request to measure anew."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import measurement_shapes as shapes
from labeling.api.base import found, paged, user
from labeling.api.projects import choice
from labeling.models.measurements import Measurement
from labeling.models.prompts import RolloutSet
from labeling.selectors import access, measured
from labeling.services import measurements

# What to order items by, and the cursor's ordering. Items of which no number is known come only with "newest".
ORDERS = {"newest": ("-id",), "agreement": ("pairwise_agreement", "id")}


class Agreement(APIView):
    @extend_schema(responses=shapes.Agreement, operation_id="agreement")
    def get(self, request: Request, slug: str) -> Response:
        """How far people who ranked the same responses agree, and how sure that is. Null is undefined."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        newest = measured.newest(project=project)
        names = ("agreement", "reliability", "gold", "self_consistency", "anchors")
        return Response(
            {
                **measured.state(project=project, measurement=newest),
                **{name: measured.part(newest, name) for name in names},
            }
        )


class Labelers(APIView):
    @extend_schema(responses=shapes.LabelerQuality(many=True), operation_id="agreement_labelers_list")
    def get(self, request: Request, slug: str) -> Response:
        """Each labeler's agreement with others and reliability. Empty before the first measurement."""
        project = access.require(user=user(request), slug=slug, action="view_people").project
        rows = measured.labelers(measurement=measured.newest(project=project))
        return paged(request, rows, measured.describe_labeler, ordering="id")


class Items(APIView):
    @extend_schema(
        parameters=[choice("order", ORDERS), choice("ambiguous", ["1"])],
        responses=shapes.ItemAgreement(many=True),
        operation_id="agreement_items_list",
    )
    def get(self, request: Request, slug: str) -> Response:
        """Items that several people ranked; `ambiguous=1`: those whose majorities go in a circle."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        order = request.query_params.get("order", "newest")
        if order not in ORDERS:
            raise errors.Invalid(fields={"order": f"must be one of {', '.join(ORDERS)}"})
        rows = measured.items(project=project, ambiguous=request.query_params.get("ambiguous") == "1")
        if order == "agreement":
            rows = rows.filter(pairwise_agreement__isnull=False)
        return paged(request, rows, measured.describe_item, ordering=ORDERS[order])


class Merged(APIView):
    @extend_schema(
        parameters=[choice("weights", ["none", "reliability"])],
        responses=shapes.MergedRanking,
        operation_id="merged_ranking",
    )
    def get(self, request: Request, set_id: UUID) -> Response:
        """All rankings of one item as one; with `weights=reliability`, by how far each labeler can be relied on."""
        rollout_set = found(RolloutSet.objects.select_related("project"), uuid=set_id)
        access.of_project(user=user(request), project=rollout_set.project).require("view_answers")
        weights = request.query_params.get("weights", "none")
        if weights not in ("none", "reliability"):
            raise errors.Invalid(fields={"weights": "must be none or reliability"})
        return Response(measured.merged(rollout_set=rollout_set, weighted=weights == "reliability"))


class Statistics(APIView):
    @extend_schema(responses=shapes.Statistics, operation_id="statistics")
    def get(self, request: Request, slug: str) -> Response:
        """Throughput, time and cost, the queue, and how old the rollouts are that people rank."""
        project = access.require(user=user(request), slug=slug, action="view_people").project
        newest = measured.newest(project=project)
        return Response(
            {
                **measured.state(project=project, measurement=newest),
                "hourly_rate": project.hourly_rate,
                "statistics": measured.part(newest, "statistics"),
            }
        )


class Measurements(APIView):
    @extend_schema(responses=shapes.Measurement(many=True), operation_id="measurements_list")
    def get(self, request: Request, slug: str) -> Response:
        """Newest first; the last hundred are kept."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        rows = Measurement.objects.filter(project=project).select_related("requested_by")
        return paged(request, rows, shapes.describe_measurement)

    @extend_schema(request=None, responses={202: shapes.Measurement})
    def post(self, request: Request, slug: str) -> Response:
        """Measure anew. While one waits or is at work, it is that one."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        row: Any = measurements.request(project=project, by=user(request), now=timezone.now())
        return Response(shapes.describe_measurement(row), status=202)
