"""Signing in, tokens, people and members."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import login, logout
from django.middleware.csrf import get_token
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import auth, shapes
from labeling.api.base import as_uuid, found, paged, user
from labeling.models.people import ApiToken, Membership, Role, User
from labeling.models.projects import Project
from labeling.selectors import access
from labeling.services import people, projects, quality
from labeling.services.bodies import Body


class Login(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(request=shapes.Credentials, responses=shapes.Me, operation_id="login")
    def post(self, request: Request) -> Response:
        """Begin a session. Other sites' pages cannot."""
        require_own_page(request)
        username, password, _ = _credentials(request.data)
        person = people.check_password(
            username=username, password=password, address=address_of(request), now=timezone.now()
        )
        login(request._request, person)
        return Response(describe_me(request, person))


class Logout(APIView):
    @extend_schema(request=None, responses={204: None}, operation_id="logout")
    def post(self, request: Request) -> Response:
        logout(request._request)
        return Response(status=204)


class Me(APIView):
    permission_classes = [AllowAny]

    @extend_schema(responses=shapes.Me, operation_id="me")
    def get(self, request: Request) -> Response:
        """Who is signed in; 401 `not_authenticated` where nobody is."""
        if not isinstance(request.user, User):
            get_token(request._request)
            raise errors.Unauthenticated
        return Response(describe_me(request, request.user))


class TokenFromPassword(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(request=shapes.TokenRequest, responses={201: shapes.NewToken}, operation_id="token_from_password")
    def post(self, request: Request) -> Response:
        """A program's way in."""
        username, password, name = _credentials(request.data)
        person = people.check_password(
            username=username, password=password, address=address_of(request), now=timezone.now()
        )
        token, text = people.make_token(person=person, name=name, now=timezone.now())
        return Response({"id": token.uuid, "token": text}, status=201)


class Tokens(APIView):
    @extend_schema(responses=shapes.Token(many=True), operation_id="tokens_list")
    def get(self, request: Request) -> Response:
        """Your tokens that work."""
        rows = ApiToken.objects.filter(user=user(request), revoked_at=None)
        return paged(request, rows, lambda row: {"id": row.uuid, "name": row.name, "created_at": row.created_at})

    @extend_schema(request=shapes.TokenName, responses={201: shapes.NewToken})
    def post(self, request: Request) -> Response:
        body = Body(request.data)
        name = body.text("name", most=100)
        body.finish()
        token, text = people.make_token(person=user(request), name=name, now=timezone.now())
        return Response({"id": token.uuid, "token": text}, status=201)


class Token(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, token_id: UUID) -> Response:
        token = found(ApiToken.objects.filter(user=user(request), revoked_at=None), uuid=token_id)
        people.revoke(token=token, now=timezone.now())
        auth.forget()
        return Response(status=204)


class People(APIView):
    @extend_schema(responses=shapes.Person(many=True), operation_id="people_list")
    def get(self, request: Request) -> Response:
        access.require_admin(user=user(request))
        return paged(request, User.objects.all(), describe_person)

    @extend_schema(request=shapes.NewPerson, responses={201: shapes.Person})
    def post(self, request: Request) -> Response:
        access.require_admin(user=user(request))
        body = Body(request.data)
        username, password = (
            body.text("username", most=150, required=True),
            body.text("password", most=500, required=True),
        )
        role, name = body.text("role", most=20) or Role.LABELER, body.text("name", most=150)
        body.finish()
        person = people.create(
            username=username, password=password, role=role, name=name, by=user(request), now=timezone.now()
        )
        return Response(describe_person(person), status=201)


class Person(APIView):
    @extend_schema(request=shapes.PersonChange, responses=shapes.Person)
    def patch(self, request: Request, user_id: UUID) -> Response:
        access.require_admin(user=user(request))
        person = found(User.objects.all(), uuid=user_id)
        body = Body(request.data)
        changes: dict[str, Any] = {}
        for name, most in (("role", 20), ("name", 150), ("password", 500)):
            if body.has(name):
                changes[name] = body.text(name, most=most)
        if body.has("is_active"):
            changes["is_active"] = body.truth("is_active")
        body.finish()
        person = people.change(person=person, by=user(request), now=timezone.now(), **changes)
        auth.forget()
        access.forget()
        return Response(describe_person(person))


class Members(APIView):
    @extend_schema(responses=shapes.Member(many=True), operation_id="members_list")
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="view_people").project
        return paged(request, Membership.objects.filter(project=project).select_related("user"), describe_member)

    @extend_schema(request=shapes.NewMember, responses={201: shapes.Member})
    def post(self, request: Request, slug: str) -> Response:
        """Add somebody, by id or username, or change their role."""
        project = access.require(user=user(request), slug=slug, action="manage_members").project
        body = Body(request.data)
        name, role = body.text("user", most=150, required=True), body.text("role", most=20, required=True)
        body.finish()
        identity = as_uuid(name)
        person = User.objects.filter(uuid=identity).first() if identity else None
        person = person or User.objects.filter(username=name).first()
        if person is None:
            raise errors.Invalid(fields={"user": "is nobody here"}, code="unknown_user")
        membership = projects.set_member(
            project=project, person=person, role=role, by=user(request), now=timezone.now()
        )
        access.forget()
        return Response(describe_member(membership), status=201)


class Member(APIView):
    @extend_schema(request=shapes.RoleChange, responses=shapes.Member)
    def patch(self, request: Request, slug: str, user_id: UUID) -> Response:
        project = access.require(user=user(request), slug=slug, action="manage_members").project
        person = _member(project, user_id)
        body = Body(request.data)
        role = body.text("role", most=20, required=True)
        body.finish()
        membership = projects.set_member(
            project=project, person=person, role=role, by=user(request), now=timezone.now()
        )
        access.forget()
        return Response(describe_member(membership))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, user_id: UUID) -> Response:
        project = access.require(user=user(request), slug=slug, action="manage_members").project
        projects.remove_member(project=project, person=_member(project, user_id), by=user(request), now=timezone.now())
        access.forget()
        return Response(status=204)


class Pause(APIView):
    @extend_schema(request=shapes.Reason, responses=shapes.Member, operation_id="member_pause")
    def post(self, request: Request, slug: str, user_id: UUID) -> Response:
        """Hand this member nothing more. What they hold can be finished."""
        return Response(_stand(request, slug, user_id, quality.pause))


class Lift(APIView):
    @extend_schema(request=shapes.Reason, responses=shapes.Member, operation_id="member_lift")
    def post(self, request: Request, slug: str, user_id: UUID) -> Response:
        """End a member's pause or warning. Work before this counts against them no more."""
        return Response(_stand(request, slug, user_id, quality.lift))


def _stand(request: Request, slug: str, user_id: UUID, change: Any) -> dict[str, Any]:
    project = access.require(user=user(request), slug=slug, action="manage_members").project
    member = found(Membership.objects.filter(project=project).select_related("user", "project"), user__uuid=user_id)
    body = Body(request.data)
    reason = body.text("reason", most=1_000, required=True)
    body.finish()
    change(member=member, by=user(request), reason=reason, now=timezone.now())
    access.forget()
    return describe_member(member)


def describe_person(person: User) -> dict[str, Any]:
    return {
        "id": person.uuid,
        "username": person.username,
        "name": person.name,
        "role": person.role,
        "is_active": person.is_active,
        "date_joined": person.date_joined,
    }


def describe_member(membership: Membership) -> dict[str, Any]:
    person = membership.user
    return {
        "id": person.uuid,
        "username": person.username,
        "name": person.name,
        "role": membership.role,
        "standing": quality.standing(membership),
        "reasons": membership.reasons,
        "warned_at": membership.warned_at,
        "paused_at": membership.paused_at,
    }


def describe_me(request: Request, person: User) -> dict[str, Any]:
    if person.role == Role.ADMIN:
        mine = [(slug, name, Role.ADMIN.value) for slug, name in _open_projects().values_list("slug", "name")]
    else:
        rows = Membership.objects.filter(user=person).exclude(project__status=Project.Status.ARCHIVED)
        mine = list(rows.order_by("project_id").values_list("project__slug", "project__name", "role"))
    return {
        "id": person.uuid,
        "username": person.username,
        "name": person.name,
        "role": person.role,
        "csrf_token": get_token(request._request),
        "projects": [{"slug": slug, "name": name, "role": role} for slug, name, role in mine],
    }


def _open_projects() -> Any:
    return Project.objects.exclude(status=Project.Status.ARCHIVED).order_by("id")


def _member(project: Project, user_id: UUID) -> User:
    return found(Membership.objects.filter(project=project), user__uuid=user_id).user


def require_own_page(request: Request) -> None:
    """For what begins a session: there is no CSRF token before one, but browsers say where a request comes from."""
    if request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
        raise errors.Forbidden("Sign in from this site's own page.", code="cross_site")


def address_of(request: Request) -> str:
    """Where the request comes from: behind our own proxy, what that wrote last."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.BEHIND_TLS else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


def _credentials(plain: Any) -> tuple[str, str, str]:
    body = Body(plain)
    username, password = body.text("username", most=150, required=True), body.text("password", most=500, required=True)
    name = body.text("name", most=100)
    body.finish()
    return username, password, name
