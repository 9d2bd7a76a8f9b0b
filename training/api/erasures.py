"""Erasing a labeler or a prompt, with a report of what used it. For admins of the project."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import errors
from labeling.models.people import User
from labeling.models.prompts import Prompt
from labeling.selectors import access
from labeling.services.bodies import Body
from training.api import shapes
from training.api.runs import user
from training.services import erasure


@extend_schema(request=shapes.NewErasure, responses=shapes.ErasureReport)
@api_view(["POST"])
def of_project(request: Request, slug: str) -> Response:
    """Erase one labeler or one prompt for good; with `dry_run`, only say what used it."""
    person = user(request)
    project = access.require(user=person, slug=slug, action="manage_project").project
    body = Body(request.data)
    labeler, prompt = body.text("labeler", most=150), body.text("prompt", most=40)
    answers, dry_run = body.truth("answers"), body.truth("dry_run")
    if bool(labeler) == bool(prompt):
        body.problem("labeler", "name one labeler, or one prompt", code="missing")
    body.finish()
    now = timezone.now()
    if labeler:
        whom = User.objects.filter(username=labeler, memberships__project=project).first()
        if whom is None:
            raise errors.Missing("The project has no such labeler.")
        report = erasure.labeler(project=project, person=whom, answers=answers, dry_run=dry_run, by=person, now=now)
    else:
        row = Prompt.objects.filter(project=project, uuid=_identity(prompt)).first()
        if row is None:
            raise errors.Missing("The project has no such prompt.")
        report = erasure.prompt(project=project, row=row, dry_run=dry_run, by=person, now=now)
    return Response(report)


def _identity(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise errors.Invalid(fields={"prompt": "must be a prompt's id"}) from None
