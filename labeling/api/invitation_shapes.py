"""The forms of invitations, for the OpenAPI schema."""

from rest_framework import serializers as s

from labeling.models.invitations import Invitation as InvitationRow
from labeling.models.people import Role
from labeling.services import invitations


class Invitation(s.Serializer):
    id = s.UUIDField()
    role = s.ChoiceField(Role.values)
    email = s.CharField(help_text="whom it is meant for; empty: nobody said")
    state = s.ChoiceField(InvitationRow.State.values)
    invited_by = s.CharField()
    created_at = s.DateTimeField()
    expires_at = s.DateTimeField()
    accepted_by = s.CharField(allow_null=True)
    accepted_at = s.DateTimeField(allow_null=True)


class NewInvitation(s.Serializer):
    role = s.ChoiceField(Role.values)
    email = s.CharField(required=False)
    days = s.IntegerField(min_value=1, max_value=invitations.LONGEST, required=False)


class InvitationWithLink(Invitation):
    link = s.CharField(help_text="whoever opens it may join, once; not shown again")
    mailed = s.BooleanField(allow_null=True, help_text="null: no address was given, or no mail server is set up")


class InvitationToken(s.Serializer):
    token = s.CharField(help_text="what follows # in the link")


class ShownInvitation(s.Serializer):
    project = s.CharField()
    role = s.ChoiceField(Role.values)
    invited_by = s.CharField()
    expires_at = s.DateTimeField()


class Acceptance(InvitationToken):
    username = s.CharField(required=False, help_text="of a new account; left out: the one that is signed in joins")
    password = s.CharField(required=False)
    name = s.CharField(required=False)
