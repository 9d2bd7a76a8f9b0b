"""Role x endpoint x own or another project, as one table, tested cell by cell."""

import uuid
from datetime import timedelta

import pytest

from labeling.models.imports import Import
from labeling.models.invitations import Invitation
from labeling.models.people import Membership
from labeling.models.projects import Project
from labeling.models.quality import GoldItem, ReviewCase
from labeling.models.webhooks import Webhook

ROLES = ("labeler", "reviewer", "engineer", "admin")
# "admin" is an admin of the project by membership only; "ada" is one by global role; "outsider" belongs to another project.
PEOPLE = ("nobody", "outsider", *ROLES, "ada")

NO_ONE: tuple = ()
EVERY = ("labeler", "reviewer", "engineer", "admin", "ada")
STAFF = ("reviewer", "engineer", "admin", "ada")
REVIEWERS = ("reviewer", "admin", "ada")
ENGINEERS = ("engineer", "admin", "ada")
ADMINS = ("admin", "ada")
ADA = ("ada",)
SIGNED_IN = ("outsider", *EVERY)
ANYONE = ("nobody", *SIGNED_IN)

P = "projects/garden"
TABLE = {
    ("get", "auth/me"): SIGNED_IN,
    ("post", "auth/logout"): SIGNED_IN,
    ("get", "tokens"): SIGNED_IN,
    ("post", "tokens"): SIGNED_IN,
    ("get", "projects"): SIGNED_IN,
    ("post", "projects"): ADA,
    ("get", "people"): ADA,
    ("post", "people"): ADA,
    ("patch", "people/{person}"): ADA,
    ("get", P): EVERY,
    ("patch", P): ADMINS,
    ("get", f"{P}/guidelines"): EVERY,
    ("post", f"{P}/guidelines"): ADMINS,
    ("get", f"{P}/progress"): EVERY,
    ("post", f"{P}/next"): EVERY,
    ("get", f"{P}/standing"): EVERY,
    ("post", f"{P}/tasks"): ENGINEERS,
    ("post", f"{P}/priorities"): ENGINEERS,
    ("get", f"{P}/anchors"): STAFF,
    ("post", f"{P}/anchors"): ENGINEERS,
    ("get", f"{P}/webhooks"): ADMINS,
    ("post", f"{P}/webhooks"): ADMINS,
    ("patch", "webhooks/{hook}"): ADMINS,
    ("get", "webhooks/{hook}/deliveries"): ADMINS,
    ("post", "webhooks/{hook}/retry"): ADMINS,
    ("delete", "webhooks/{hook}"): ADMINS,
    ("get", f"{P}/answers?mine=1"): EVERY,
    ("get", f"{P}/answers"): STAFF,
    ("get", f"{P}/tasks"): STAFF,
    ("patch", "tasks/{task}"): REVIEWERS,
    ("get", f"{P}/gold"): STAFF,
    ("post", f"{P}/gold"): REVIEWERS,
    ("post", "gold/{gold}/retire"): REVIEWERS,
    ("get", f"{P}/review"): REVIEWERS,
    ("get", "review/{case}"): REVIEWERS,
    ("post", "review/{case}"): REVIEWERS,
    ("get", f"{P}/prompts"): STAFF,
    ("post", f"{P}/prompts"): ENGINEERS,
    ("post", f"{P}/import"): ENGINEERS,
    ("get", f"{P}/imports"): STAFF,
    ("post", f"{P}/imports"): ENGINEERS,
    ("get", "imports/{upload}"): STAFF,
    ("put", "imports/{upload}/content"): ENGINEERS,
    ("post", "imports/{upload}/preview"): ENGINEERS,
    ("post", "imports/{upload}/start"): ENGINEERS,
    ("delete", "imports/{upload}"): ENGINEERS,
    ("get", f"{P}/export?kind=prompts"): ENGINEERS,
    ("get", f"{P}/corpora"): STAFF,
    ("post", f"{P}/corpora"): ENGINEERS,
    ("get", f"{P}/snapshots"): STAFF,
    ("post", f"{P}/snapshots"): ENGINEERS,
    ("get", f"{P}/agreement"): STAFF,
    ("get", f"{P}/agreement/labelers"): STAFF,
    ("get", f"{P}/agreement/items"): STAFF,
    ("get", f"{P}/rollouts"): STAFF,
    ("get", f"{P}/policies"): STAFF,
    ("get", "rollout-sets/{set}/merged"): STAFF,
    ("get", f"{P}/statistics"): STAFF,
    ("get", f"{P}/measurements"): STAFF,
    ("post", f"{P}/measurements"): STAFF,
    ("get", f"{P}/events"): ENGINEERS,
    ("get", f"{P}/audit"): ADMINS,
    ("get", f"{P}/members"): STAFF,
    ("post", f"{P}/members"): ADMINS,
    ("patch", f"{P}/members/{{person}}"): ADMINS,
    ("delete", f"{P}/members/{{person}}"): ADMINS,
    ("post", f"{P}/members/{{person}}/pause"): ADMINS,
    ("post", f"{P}/members/{{person}}/lift"): ADMINS,
    ("get", f"{P}/invitations"): ADMINS,
    ("post", f"{P}/invitations"): ADMINS,
    ("delete", "invitations/{invitation}"): ADMINS,
    ("get", "health"): ANYONE,
    ("get", "schema"): ANYONE,
    ("get", "docs"): ANYONE,
}


@pytest.fixture
def people(person, project, ada, now):
    """Everybody of PEOPLE by name, and dora, who labels in the project and is worked on."""
    other = Project.objects.create(slug="meadow", name="Meadow", created_at=now)
    outsider = person("outsider", "engineer")
    Membership.objects.create(project=other, user=outsider, role="admin")
    found = {"nobody": None, "outsider": outsider, "ada": ada}
    for role in ROLES:
        found[role] = person(f"the-{role}", "labeler")
        Membership.objects.create(project=project, user=found[role], role=role)
    found["dora"] = person("dora")
    Membership.objects.create(project=project, user=found["dora"], role="labeler")
    return found


@pytest.mark.parametrize(("method", "route"), list(TABLE), ids=[f"{method} {route}" for method, route in TABLE])
def test_only_the_roles_of_the_table_may(method, route, people, publish, caller, now):
    task, known = publish(2)
    gold = GoldItem.objects.create(task=known, project=task.project, kind="ranking", ranks={}, created_at=now)
    case = ReviewCase.objects.create(task=task, project=task.project, why="skips", opened_at=now)
    hook = Webhook.objects.create(
        project=task.project, url="http://localhost/", secret="whsec_", after=0, created_at=now
    )
    upload = Import.objects.create(project=task.project, name="a.jsonl", bytes=2, state="uploading", created_at=now)
    invitation = Invitation.objects.create(
        project=task.project, role="labeler", digest="", created_by=people["ada"], created_at=now,
        expires_at=now + timedelta(days=1),
    )  # fmt: skip
    path = route.format(
        invitation=invitation.uuid,
        upload=upload.uuid,
        hook=hook.uuid,
        person=people["dora"].uuid,
        task=task.uuid,
        gold=gold.uuid,
        case=case.uuid,
        set=task.rollout_set.uuid,
    )
    may = set()
    for name in PEOPLE:
        client = caller(people[name])
        if method == "get":
            path_only, _, query = path.partition("?")
            answer = client.get(path_only, **dict(pair.split("=") for pair in query.split("&") if pair))
        elif method == "delete":
            answer = client.delete(path)
            Membership.objects.get_or_create(project=task.project, user=people["dora"], role="labeler")
            Webhook.objects.get_or_create(
                uuid=hook.uuid, defaults={"project": task.project, "after": 0, "created_at": now}
            )
        elif path.endswith("/import"):
            answer = client.upload(path)
        else:
            answer = getattr(client, method)(path, {})
        assert answer.status_code < 500
        if answer.status_code == 401:
            assert name == "nobody"
        elif answer.status_code == 403:
            owned = ("garden", "tasks/", "rollout-sets/", "gold/", "review/", "webhooks/", "imports/", "invitations/")
            in_project = any(part in path for part in owned)
            expected = "not_a_member" if name == "outsider" and in_project else "forbidden"
            assert answer.json()["code"] == expected
        else:
            may.add(name)
    assert may == set(TABLE[method, route])


def test_every_route_is_in_the_table_or_named_here(people):
    from labeling.api import urls

    elsewhere = {
        "auth/login", "auth/token",  # how one signs in
        "invitations/look", "invitations/accept",  # by who holds the link: test_invitations
        "tokens/<uuid:token_id>",  # one's own tokens only: below
        "leases/<uuid:token>/renew", "leases/<uuid:token>/give-back", "leases/<uuid:token>/draft",
        "leases/<uuid:token>/ranking", "leases/<uuid:token>/demonstration", "leases/<uuid:token>/comparison",
        "leases/<uuid:token>/skip",
        "answers/<uuid:answer_id>",  # by who holds the lease or wrote the answer: test_bad_input, test_api
    }  # fmt: skip
    listed = {route.partition("?")[0].replace("garden", "<slug:slug>") for _, route in TABLE}
    names = {
        "task": "task_id",
        "person": "user_id",
        "gold": "gold_id",
        "case": "case_id",
        "set": "set_id",
        "hook": "webhook_id",
        "upload": "import_id",
        "invitation": "invitation_id",
    }
    for name, argument in names.items():
        listed = {route.replace(f"{{{name}}}", f"<uuid:{argument}>") for route in listed}
    assert {str(pattern.pattern) for pattern in urls.urlpatterns} == listed | elsewhere


def test_nobody_revokes_the_token_of_another(people, caller):
    from labeling.models.people import ApiToken

    caller(people["dora"])
    token = ApiToken.objects.get(user=people["dora"])
    assert caller(people["ada"]).delete(f"tokens/{token.uuid}").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_project_of_no_membership_is_in_no_list(people, caller):
    assert [row["slug"] for row in caller(people["outsider"]).get("projects").json()["results"]] == ["meadow"]
    assert [row["slug"] for row in caller(people["labeler"]).get("projects").json()["results"]] == ["garden"]
    assert {row["slug"] for row in caller(people["ada"]).get("projects").json()["results"]} == {"garden", "meadow"}
    assert [row["slug"] for row in caller(people["labeler"]).get("auth/me").json()["projects"]] == ["garden"]


def test_labelers_do_not_see_who_did_what(people, caller):
    assert caller(people["labeler"]).get("projects/garden/progress").json()["labelers"] == []


def test_a_membership_that_ends_ends_within_seconds(settings, people, caller):
    settings.TOKEN_CACHE_SECONDS = 0
    client = caller(people["labeler"])
    assert client.get("projects/garden").status_code == 200
    Membership.objects.filter(user=people["labeler"]).delete()
    assert client.get("projects/garden").status_code == 403


def test_login_needs_the_right_password_and_the_web_needs_csrf(people, caller):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    wrong = client.post("/api/v1/auth/login", {"username": "dora", "password": "no"}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "wrong_password")
    good = {"username": "dora", "password": "a long password"}
    assert (
        client.post(
            "/api/v1/auth/login", good, content_type="application/json", headers={"Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 403
    )
    me = client.post("/api/v1/auth/login", good, content_type="application/json")
    assert me.status_code == 200
    body = {"content_type": "application/json", "data": {}}
    refused = client.post("/api/v1/projects/garden/next", **body)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    token = {"X-CSRFToken": me.json()["csrf_token"]}
    assert client.post("/api/v1/projects/garden/next", **body, headers=token).status_code == 204
    refused = client.post("/api/v1/tokens", **body)
    assert refused.status_code == 403
    assert client.post("/api/v1/auth/logout", **body, headers=token).status_code == 204
    assert client.get("/api/v1/auth/me").status_code == 401


def test_an_inactive_person_is_nobody(settings, people, caller, ada):
    settings.TOKEN_CACHE_SECONDS = 0
    client = caller(people["dora"])
    assert client.get("auth/me").status_code == 200
    assert caller(ada).patch(f"people/{people['dora'].uuid}", {"is_active": False}).status_code == 200
    assert client.get("auth/me").status_code == 401
    answer = caller(None).post("auth/token", {"username": "dora", "password": "a long password"})
    assert answer.status_code == 401


def test_somebody_stays_admin(people, caller, ada):
    answer = caller(ada).patch(f"people/{ada.uuid}", {"role": "labeler"})
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert caller(ada).patch(f"people/{uuid.uuid4()}", {"role": "labeler"}).status_code == 404
