"""Who may do what in which project: one table."""

import time
from dataclasses import dataclass

from django.conf import settings

from labeling import errors
from labeling.models.people import Membership, Role, User
from labeling.models.projects import Guideline, Project

EVERYONE = frozenset({Role.LABELER, Role.REVIEWER, Role.ENGINEER, Role.ADMIN})
STAFF = frozenset({Role.REVIEWER, Role.ENGINEER, Role.ADMIN})
ENGINEERS = frozenset({Role.ENGINEER, Role.ADMIN})
REVIEWERS = frozenset({Role.REVIEWER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})

# The roles in a project that may do each thing there. An admin by global role has that role in every project.
ACTIONS: dict[str, frozenset[Role]] = {
    "label": EVERYONE,
    "view_project": EVERYONE,
    "view_answers": STAFF,
    "view_people": STAFF,
    "view_data": STAFF,
    "review": REVIEWERS,
    "add_data": ENGINEERS,
    "export": ENGINEERS,
    "manage_project": ADMINS,
    "manage_members": ADMINS,
}


@dataclass(frozen=True)
class Access:
    """One person in one project."""

    user: User
    project: Project
    role: Role
    guideline: Guideline | None  # the newest; None: the project has none
    membership: Membership | None  # None: an admin by global role, who needs none

    def may(self, action: str) -> bool:
        return self.role in ACTIONS[action]

    @property
    def paused(self) -> bool:
        return self.membership is not None and self.membership.paused_at is not None

    def require(self, action: str) -> "Access":
        if not self.may(action):
            raise errors.Forbidden(f"The role {self.role} may not do this: {action}.")
        return self


# (user, slug) -> (access, monotonic time until which a process trusts it): a change elsewhere counts within seconds.
_cache: dict[tuple[int, str], tuple[Access, float]] = {}
_CACHE_SIZE = 10_000


def of(*, user: User, slug: str) -> Access:
    """The person's access to a project that they belong to; raises `Missing` or `NotAMember`."""
    now = time.monotonic()
    known = _cache.get((user.pk, slug))
    if known and known[1] > now:
        return known[0]
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise errors.Missing("There is no such project.", fields={"project": "is unknown"})
    access = of_project(user=user, project=project)
    if len(_cache) >= _CACHE_SIZE:
        _cache.clear()
    _cache[user.pk, slug] = (access, now + settings.TOKEN_CACHE_SECONDS)
    return access


def of_project(*, user: User, project: Project) -> Access:
    membership = Membership.objects.filter(user=user, project=project).first()
    if user.role == Role.ADMIN:
        role = Role.ADMIN
    elif membership is None:
        raise errors.NotAMember(fields={"project": "is not one of yours"})
    else:
        role = Role(membership.role)
    return Access(user, project, role, Guideline.objects.filter(project=project).first(), membership)


def require(*, user: User, slug: str, action: str) -> Access:
    return of(user=user, slug=slug).require(action)


def require_admin(*, user: User) -> None:
    """For what lies outside projects: people, and making projects."""
    if user.role != Role.ADMIN:
        raise errors.Forbidden("Only an admin may do this.")


def forget() -> None:
    """Drop what this process trusts; other processes drop it within seconds by themselves."""
    _cache.clear()
