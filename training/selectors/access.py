"""Who may see and change runs: engineers and admins of the project, and admins of the installation."""

from __future__ import annotations

import uuid

from labeling import errors as labeling_errors
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.selectors import access as people
from training import errors
from training.models.checkpoints import Checkpoint
from training.models.playground import PlaygroundRequest
from training.models.rounds import Round
from training.models.runs import Run


def project(user: User, slug: str) -> Project:
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        raise labeling_errors.Missing("There is no such project.")
    _require(user, found)
    return found


def run(user: User, run_id: uuid.UUID) -> Run:
    found = Run.objects.select_related("project", "created_by", "checkpoint", "round").filter(id=run_id).first()
    if found is None:
        raise errors.RunNotFound
    _require(user, found.project)
    return found


def checkpoint(user: User, checkpoint_id: uuid.UUID) -> Checkpoint:
    found = Checkpoint.objects.select_related("project", "run").filter(id=checkpoint_id).first()
    if found is None:
        raise errors.CheckpointNotFound
    _require(user, found.project)
    return found


def round(user: User, round_id: uuid.UUID) -> Round:
    related = Round.objects.select_related("project", "policy", "current_run", "created_by")
    found = related.filter(id=round_id).first()
    if found is None:
        raise errors.RoundNotFound
    _require(user, found.project)
    return found


def playground_request(user: User, request_id: uuid.UUID, kind: str) -> PlaygroundRequest:
    """A person's own request; another's is as good as none."""
    found = (
        PlaygroundRequest.objects.select_related("project").filter(id=request_id, kind=kind, created_by=user).first()
    )
    if found is None:
        raise errors.PlaygroundRequestNotFound
    _require(user, found.project)
    return found


def _require(user: User, project: Project) -> None:
    role = people.of_project(user=user, project=project).role
    if role not in people.ENGINEERS:
        raise labeling_errors.Forbidden(f"The role {role} may not see or start runs.")
