"""Inviting people to a project, and joining by a link."""

from typing import Any
from uuid import UUID

from django.contrib.auth import login
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import errors
from labeling.api import invitation_shapes, shapes
from labeling.api.base import found, paged, user
from labeling.api.people import address_of, describe_me, require_own_page
from labeling.models.invitations import Invitation as InvitationRow
from labeling.models.people import User
from labeling.selectors import access
from labeling.services import invitations
from labeling.services.bodies import Body

PAGE = "/invitation"  # the frontend's; the token follows as a fragment, which browsers send to nobody


class Invitations(APIView):
    @extend_schema(responses=invitation_shapes.Invitation(many=True), operation_id="invitations_list")
    def get(self, request: Request, slug: str) -> Response:
        project = access.require(user=user(request), slug=slug, action="manage_members").project
        rows = InvitationRow.objects.filter(project=project).select_related("created_by", "accepted_by")
        return paged(request, rows, describe_invitation)

    @extend_schema(request=invitation_shapes.NewInvitation, responses={201: invitation_shapes.InvitationWithLink})
    def post(self, request: Request, slug: str) -> Response:
        """Make a link by which one person may join. It is mailed too, where an address is given and mail is set up."""
        project = access.require(user=user(request), slug=slug, action="manage_members").project
        body = Body(request.data)
        role, email = body.text("role", most=20, required=True), body.text("email", most=254)
        days = body.whole("days", least=1, most=invitations.LONGEST) or invitations.USUAL
        body.finish()
        invitation, token = invitations.invite(
            project=project, role=role, email=email, days=days, by=user(request), now=timezone.now()
        )
        link = f"{request.build_absolute_uri(PAGE)}#{token}"
        mailed = invitations.mail(invitation=invitation, link=link)
        return Response({**describe_invitation(invitation), "link": link, "mailed": mailed}, status=201)


class Invitation(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        """Take it back."""
        invitation = found(InvitationRow.objects.select_related("project"), uuid=invitation_id)
        access.of_project(user=user(request), project=invitation.project).require("manage_members")
        invitations.revoke(invitation=invitation, by=user(request), now=timezone.now())
        return Response(status=204)


class LookAtInvitation(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        request=invitation_shapes.InvitationToken, responses=invitation_shapes.ShownInvitation,
        operation_id="invitation_look",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """What a link invites to. A POST, so that the token stands in no address and no log."""
        body = Body(request.data)
        token = body.text("token", most=200, required=True)
        body.finish()
        now = timezone.now()
        invitation = invitations.find(token=token, address=address_of(request), now=now)
        invitations.require_open(invitation, now)
        return Response(
            {
                "project": invitation.project.name,
                "role": invitation.role,
                "invited_by": invitation.created_by.get_full_name(),
                "expires_at": invitation.expires_at,
            }
        )


class AcceptInvitation(APIView):
    permission_classes = [AllowAny]

    @extend_schema(request=invitation_shapes.Acceptance, responses=shapes.Me, operation_id="invitation_accept")
    def post(self, request: Request) -> Response:
        """Join: as who is signed in, or with a new account, which is signed in then."""
        body = Body(request.data)
        new = not isinstance(request.user, User)
        username = body.text("username", most=150, required=new)
        password = body.text("password", most=500, required=new)
        name = body.text("name", most=150)
        token = body.text("token", most=200, required=True)
        body.finish()
        if not new and username:
            raise errors.Conflict("Sign out first to make another account.", code="signed_in")
        now = timezone.now()
        invitation = invitations.find(token=token, address=address_of(request), now=now)
        if not new:
            invitations.accept(invitation=invitation, person=user(request), now=now)
            return Response(describe_me(request, user(request)))
        require_own_page(request)
        person = invitations.accept_as_new(
            invitation=invitation, username=username, password=password, name=name, now=now
        )
        login(request._request, person)
        return Response(describe_me(request, person))


def describe_invitation(invitation: InvitationRow) -> dict[str, Any]:
    return {
        "id": invitation.uuid,
        "role": invitation.role,
        "email": invitation.email,
        "state": invitation.state(timezone.now()),
        "invited_by": invitation.created_by.username,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "accepted_by": invitation.accepted_by.username if invitation.accepted_by else None,
        "accepted_at": invitation.accepted_at,
    }
