"""Invitations: a link works once, for a while, for whoever holds it; on both databases."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from labeling import errors
from labeling.api import auth
from labeling.models.invitations import Invitation
from labeling.models.people import Membership, Role, User
from labeling.models.projects import Project
from labeling.models.records import AuditEntry
from labeling.selectors import access
from labeling.services import erasure, invitations
from tests.conftest import PASSWORD
from tests.labeling.test_concurrency import in_threads
from tests.services import free_port

ROUTE = "projects/garden/invitations"
NORA = {"username": "nora", "password": PASSWORD, "name": "Nora"}


@pytest.fixture
def garden(shared_database, settings, now):
    """A project with ada, its admin."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    auth.forget()
    access.forget()
    project = Project.objects.create(slug="garden", name="Garden", created_at=now)
    ada = User.objects.create_user("ada", password=PASSWORD, name="Ada")
    Membership.objects.create(project=project, user=ada, role=Role.ADMIN)
    return project


@pytest.fixture
def ada(garden):
    return User.objects.get(username="ada")


@pytest.fixture
def invite(ada, caller):
    """invite(role="reviewer") is the answer to a new invitation, with the link's token."""

    def invite(**body):
        answer = caller(ada).post(ROUTE, {"role": "labeler", **body}).json()
        return {**answer, "token": answer["link"].partition("#")[2]}

    return invite


def row(invitation):
    return Invitation.objects.get(uuid=invitation["id"])


def test_a_new_person_joins_by_a_link_and_is_signed_in(invite, caller, ada, garden):
    made = invite(role="reviewer", email="nora@example.org", days=3)
    assert made["link"].startswith("http://testserver/invitation#")
    assert (made["state"], made["invited_by"], made["mailed"]) == ("open", "ada", None)
    shown = caller(None).post("invitations/look", {"token": made["token"]}).json()
    assert shown == {"project": "Garden", "role": "reviewer", "invited_by": "Ada", "expires_at": made["expires_at"]}

    browser = Client()
    body = {"token": made["token"], **NORA}
    accepted = browser.post("/api/v1/invitations/accept", body, content_type="application/json")
    assert accepted.status_code == 200
    assert accepted.json()["projects"] == [{"slug": "garden", "name": "Garden", "role": "reviewer"}]
    assert browser.get("/api/v1/auth/me").json()["username"] == "nora"
    nora = User.objects.get(username="nora")
    assert (nora.role, nora.name, nora.check_password(PASSWORD)) == (Role.LABELER, "Nora", True)
    assert row(made).accepted_by == nora
    (listed,) = caller(ada).get(ROUTE).json()["results"]
    assert (listed["state"], listed["accepted_by"], listed["email"]) == ("accepted", "nora", "nora@example.org")
    assert {"link", "token", "digest"}.isdisjoint(listed)
    again = caller(None).post("invitations/accept", {"token": made["token"], **NORA, "username": "other"})
    assert (again.status_code, again.json()["code"]) == (409, "invitation_used")
    assert not User.objects.filter(username="other").exists()


def test_who_has_an_account_joins_with_it_and_twice_is_once(invite, caller, garden):
    bob = User.objects.create_user("bob", password=PASSWORD)
    made = invite(role="engineer")
    first, second = (caller(bob).post("invitations/accept", {"token": made["token"]}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["projects"] == second.json()["projects"]
    assert Membership.objects.get(project=garden, user=bob).role == Role.ENGINEER
    assert AuditEntry.objects.filter(action="invitation_accepted", actor=bob).count() == 1


def test_no_token_is_stored_or_told_again(invite, ada, garden):
    made = invite(email="nora@example.org")
    values = [str(value) for each in Invitation.objects.values() for value in each.values()]
    values += [str(each) for each in AuditEntry.objects.values("subject", "details")]
    assert not any(made["token"] in value for value in values)


def test_every_step_is_in_the_audit_log(invite, caller, ada, garden):
    accepted, revoked = invite(role="reviewer"), invite()
    caller(None).post("invitations/accept", {"token": accepted["token"], **NORA})
    assert caller(ada).delete(f"invitations/{revoked['id']}").status_code == 204
    assert caller(ada).delete(f"invitations/{revoked['id']}").status_code == 204
    steps = AuditEntry.objects.filter(project=garden).order_by("id").values_list("actor__username", "action", "subject")
    assert list(steps) == [
        ("ada", "invitation_made", f"invitation:{accepted['id']}"),
        ("ada", "invitation_made", f"invitation:{revoked['id']}"),
        ("nora", "invitation_accepted", f"invitation:{accepted['id']}"),
        ("ada", "invitation_revoked", f"invitation:{revoked['id']}"),
    ]
    refused = caller(ada).delete(f"invitations/{accepted['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "invitation_used")


def expire(invitation, ada):
    Invitation.objects.filter(uuid=invitation["id"]).update(expires_at=timezone.now() - timedelta(seconds=1))


def revoke(invitation, ada):
    invitations.revoke(invitation=row(invitation), by=ada, now=timezone.now())


def deactivate_the_inviter(invitation, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)


def demote_the_inviter(invitation, ada):
    Membership.objects.filter(user=ada).update(role=Role.ENGINEER)


def archive(invitation, ada):
    Project.objects.update(status=Project.Status.ARCHIVED, archived_at=timezone.now())


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (expire, "invitation_expired"),
        (revoke, "invitation_revoked"),
        (deactivate_the_inviter, "invitation_revoked"),
        (demote_the_inviter, "invitation_revoked"),
        (archive, "project_archived"),
    ],
)
def test_nobody_joins_by_what_has_ended(end, code, invite, caller, ada, garden):
    made = invite()
    end(made, ada)
    bob = User.objects.create_user("bob", password=PASSWORD)
    for client, route, body in [
        (caller(None), "invitations/look", {}),
        (caller(None), "invitations/accept", NORA),
        (caller(bob), "invitations/accept", {}),
    ]:
        refused = client.post(route, {"token": made["token"], **body})
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert not User.objects.filter(username="nora").exists()
    assert Membership.objects.filter(project=garden).count() == 1
    assert row(made).accepted_at is None


def test_two_people_at_once_are_one_member(invite, garden):
    made = invite()
    people = [User.objects.create_user(f"p{number}", password="!") for number in range(6)]
    outcomes = []

    def join(number: int) -> None:
        try:
            invitations.accept(invitation=row(made), person=people[number], now=timezone.now())
            outcomes.append("joined")
        except errors.InvitationOver as error:
            outcomes.append(error.code)

    in_threads(6, join)
    assert sorted(outcomes) == ["invitation_used"] * 5 + ["joined"]
    assert Membership.objects.filter(project=garden, role=Role.LABELER).count() == 1


def test_one_person_in_many_tabs_is_one_member(invite, garden):
    made, bob = invite(), User.objects.create_user("bob", password="!")
    in_threads(6, lambda _: invitations.accept(invitation=row(made), person=bob, now=timezone.now()))
    assert Membership.objects.get(user=bob).role == Role.LABELER
    assert AuditEntry.objects.filter(action="invitation_accepted").count() == 1


def test_a_revocation_and_an_acceptance_at_once_are_one_of_both(invite, ada, garden):
    made, bob = invite(), User.objects.create_user("bob", password="!")

    def act(number: int) -> None:
        try:
            if number:
                invitations.accept(invitation=row(made), person=bob, now=timezone.now())
            else:
                invitations.revoke(invitation=row(made), by=ada, now=timezone.now())
        except errors.InvitationOver:
            pass

    in_threads(2, act)
    after = row(made)
    assert (after.accepted_at is None) != (after.revoked_at is None)
    assert Membership.objects.filter(user=bob).exists() == (after.accepted_at is not None)


def test_a_refused_account_leaves_the_invitation_open(invite, caller, garden):
    made = invite()
    for change, status, code in [
        ({"password": "short"}, 400, "weak_password"),
        ({"username": "ada"}, 409, "username_taken"),
        ({"username": "no spaces here"}, 400, "invalid"),
        ({"username": ""}, 400, "missing"),
        ({"role": "admin"}, 400, "unknown_field"),
    ]:
        refused = caller(None).post("invitations/accept", {"token": made["token"], **NORA, **change})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.json()["fields"]
    assert caller(None).post("invitations/accept", {"token": made["token"], **NORA}).status_code == 200


def test_members_keep_the_role_they_have(invite, caller, ada, garden):
    made = invite(role="labeler")
    refused = caller(ada).post("invitations/accept", {"token": made["token"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_a_member")
    assert Membership.objects.get(user=ada).role == Role.ADMIN
    assert row(made).state(timezone.now()) == "open"
    refused = caller(ada).post("invitations/accept", {"token": made["token"], **NORA})
    assert (refused.status_code, refused.json()["code"]) == (409, "signed_in")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "role"),
        ({"role": "owner"}, "role"),
        ({"role": "labeler", "email": "nobody"}, "email"),
        ({"role": "labeler", "email": "a@example.org\nBcc: b@example.org"}, "email"),
        ({"role": "labeler", "days": 0}, "days"),
        ({"role": "labeler", "days": 91}, "days"),
        ({"role": "labeler", "project": "meadow"}, "project"),
    ],
)
def test_a_bad_invitation_is_told_at_its_field(body, field, caller, ada):
    refused = caller(ada).post(ROUTE, body)
    assert refused.status_code == 400
    assert list(refused.json()["fields"]) == [field]
    assert not Invitation.objects.exists()


def test_guessing_links_gets_slower_from_one_address_alone(invite, caller):
    made, guess = invite(), {"token": "x" * 43}
    nobody = caller(None)
    for _ in range(20):
        missing = nobody.post("invitations/look", guess)
        assert (missing.status_code, missing.json()["code"]) == (404, "invitation_unknown")
    for route in ("look", "accept"):
        refused = nobody.post(f"invitations/{route}", {"token": made["token"], **(NORA if route == "accept" else {})})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    elsewhere = Client(REMOTE_ADDR="10.0.0.7")
    body = {"token": made["token"]}
    assert elsewhere.post("/api/v1/invitations/look", body, content_type="application/json").status_code == 200


def test_other_sites_cannot_make_a_browser_join(invite, caller):
    made = invite()
    browser = Client(enforce_csrf_checks=True, headers={"Sec-Fetch-Site": "cross-site"})
    body = {"token": made["token"], **NORA}
    refused = browser.post("/api/v1/invitations/accept", body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "cross_site")
    User.objects.create_user("bob", password=PASSWORD)
    browser.login(username="bob", password=PASSWORD)
    refused = browser.post("/api/v1/invitations/accept", {"token": made["token"]}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_a_link_is_mailed_where_a_mail_server_is_set_up(settings, invite, garden):
    settings.EMAIL_HOST = "mail.example.org"
    Project.objects.update(name="Garden\nBcc: all@example.org")
    made = invite(role="reviewer", email="nora@example.org")
    assert made["mailed"] is True
    (message,) = mail.outbox
    assert message.to == ["nora@example.org"]
    assert message.subject == "Invitation to Garden Bcc: all@example.org"
    assert made["link"] in message.body
    assert "as reviewer" in message.body


def test_a_mail_server_that_fails_loses_no_invitation(settings, invite):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    made = invite(email="nora@example.org")
    assert (made["mailed"], made["state"]) == (False, "open")


def test_erasing_a_person_erases_where_they_were_invited(invite, caller, garden, ada):
    made = invite(email="nora@example.org")
    caller(None).post("invitations/accept", {"token": made["token"], **NORA})
    nora = User.objects.get(username="nora")
    erasure.labeler(person=nora, project=garden, answers=False, by=ada, now=timezone.now())
    assert row(made).email == ""


def test_mail_servers_are_named_by_address():
    from django.core.exceptions import ImproperlyConfigured

    from config.settings import mail_server

    assert mail_server("") == ("", 25, "", "", False, False)
    assert mail_server("smtps://a:b%40c@mail.example.org") == ("mail.example.org", 465, "a", "b@c", True, False)
    assert mail_server("smtp+starttls://m:2525") == ("m", 2525, "", "", False, True)
    with pytest.raises(ImproperlyConfigured):
        mail_server("mail.example.org")
