"""The rollout browser: what policies have written, by policy version, by reward, by disagreement with people."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import rollout_shapes as shapes
from labeling.api.base import paged, user
from labeling.api.paging import Paging
from labeling.api.projects import choice
from labeling.models.projects import Project
from labeling.models.prompts import Source
from labeling.selectors import access, browsing

POLICY = OpenApiParameter("policy", OpenApiTypes.UUID, description="one of the project's policies")


class Rollouts(APIView):
    @extend_schema(
        parameters=[choice("order", browsing.ORDERS), POLICY], responses=shapes.BrowsedSet(many=True),
        operation_id="rollouts_list",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> Response:
        """Rollout sets: `newest`; `best` and `worst` by score; `disagreement`, where scores and people differ most.

        Sets without a score stand in `newest` only. Disagreement orders by the newest measurement.
        """
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        order = request.query_params.get("order") or "newest"
        if order not in browsing.ORDERS:
            raise errors.Invalid(fields={"order": f"must be one of {', '.join(browsing.ORDERS)}"})
        rows = browsing.sets(project=project, order=order, policy=_policy(project, request))
        paging = _Page()
        paging.ordering = browsing.ORDERS[order][0]  # type: ignore[assignment]
        page: list[Any] = paging.paginate_queryset(rows, request) or []
        return paging.get_paginated_response(browsing.describe(page))


class Policies(APIView):
    @extend_schema(responses=shapes.Policy(many=True), operation_id="policies_list")
    def get(self, request: Request, slug: str) -> Response:
        """The checkpoints whose rollouts the project has, newest first."""
        project = access.require(user=user(request), slug=slug, action="view_answers").project
        return paged(request, browsing.policies(project=project), browsing.describe_policy)


class _Page(Paging):
    page_size = 20
    max_page_size = 100


def _policy(project: Project, request: Request) -> Source | None:
    named = request.query_params.get("policy")
    if not named:
        return None
    try:
        found = browsing.policies(project=project).filter(uuid=UUID(named)).first()
    except ValueError:
        found = None
    if found is None:
        raise errors.Invalid(fields={"policy": "is no policy of this project"})
    return found
