"""An admin invites by a link; people join by it with the keyboard alone, with a new account and with an old one."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD
from tests.browser.rules import broken

pytestmark = pytest.mark.browser


def test_a_person_joins_by_a_copied_link(stage, sign_in, visit):
    slug = stage.project("orchard", questions=["What is one and one?"])
    admin = sign_in("ada")
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.goto(f"/p/{slug}/settings")
    panel = admin.get_by_role("region", name="Invitations")
    expect(panel.get_by_text("Nobody has been invited")).to_be_visible()
    first = invite(admin, role="reviewer", email="zoe@example.org", check=True)
    second = invite(admin, role="engineer")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    expect(panel.get_by_role("listitem").last).to_contain_text("zoe@example.org")

    zoe = visit(first)
    expect(zoe.get_by_text("Ada invites you to the project “Orchard”. Your role there: Reviewer.")).to_be_visible()
    assert broken(zoe, "invitation") == []
    type_at(zoe, "User name", "zoe")
    type_at(zoe, "Name", "Zoe")
    type_at(zoe, "Password", "a long password")
    zoe.keyboard.press("Enter")
    expect(zoe.get_by_role("heading", name="Good to see you, Zoe")).to_be_visible()
    assert "#" not in zoe.url
    expect(zoe.get_by_role("link", name="Quality")).to_be_visible()
    expect(zoe.get_by_role("link", name="Models")).to_have_count(0)

    late = visit(first)
    expect(late.get_by_role("alert")).to_contain_text("This invitation was used.")
    assert broken(late, "invitation used") == []

    bob = visit(second)
    stage.api("DELETE", f"projects/{slug}/members/{person(stage, 'bob')}")
    bob.get_by_role("button", name="I have an account already").press("Enter")
    assert broken(bob, "invitation with an account") == []
    type_at(bob, "User name", "bob")
    type_at(bob, "Password", "not it, surely")
    bob.keyboard.press("Enter")
    expect(bob.get_by_role("alert")).to_contain_text("wrong")
    bob.get_by_label("Password").fill(PASSWORD)
    bob.keyboard.press("Enter")
    expect(bob.get_by_role("heading", name="Good to see you, Bob")).to_be_visible()
    roles = {member["username"]: member["role"] for member in stage.api("GET", f"projects/{slug}/members")["results"]}
    assert (roles["zoe"], roles["bob"]) == ("reviewer", "engineer")
    admin.reload()
    expect(panel.get_by_text(re.compile("^zoe joined"))).to_be_visible()


def test_who_is_signed_in_joins_by_one_press_and_a_revoked_link_opens_nothing(stage, sign_in, visit):
    slug = stage.project("meadows", questions=[])
    stage.api("DELETE", f"projects/{slug}/members/{person(stage, 'alice')}")
    admin = sign_in("ada")
    admin.goto("/people")
    admin.get_by_label("Project").select_option("Meadows")
    link, other = invite(admin, role="labeler"), invite(admin, role="admin", email="eve@example.org")
    admin.get_by_role("button", name="Revoke the invitation of eve@example.org").press("Enter")
    expect(admin.get_by_text("revoked", exact=True)).to_be_visible()

    alice = sign_in("alice")
    alice.goto(link)
    assert broken(alice, "invitation signed in") == []
    alice.get_by_role("button", name="Join as Alice").press("Enter")
    expect(alice.get_by_role("heading", name="Good to see you, Alice")).to_be_visible()
    expect(alice.get_by_role("heading", name="Meadows")).to_be_visible()
    refused = visit(other)
    expect(refused.get_by_role("alert")).to_contain_text("This invitation was taken back.")


def test_a_changed_role_reaches_the_page_that_somebody_has_open(stage, sign_in):
    slug = stage.project("roles", questions=["What is one and one?"])
    bob = sign_in("bob")
    bob.clock.install()
    bob.goto("/")
    expect(bob.get_by_role("heading", name="Roles")).to_be_visible()
    before = bob.get_by_role("link", name="Quality").count()

    admin = sign_in("ada")
    admin.goto(f"/p/{slug}/settings")
    role = admin.get_by_role("region", name="Members").get_by_label("Role of bob")
    expect(role).to_have_value("labeler")
    role.select_option("reviewer")
    expect(role).to_be_enabled()
    bob.clock.fast_forward("01:05")
    expect(bob.get_by_role("link", name="Quality")).to_be_visible()
    bob.goto(f"/p/{slug}/review")
    expect(bob.get_by_role("heading", name="Review")).to_be_visible()
    expect(bob.get_by_role("alert")).to_have_count(0)

    role.select_option("labeler")
    expect(role).to_be_enabled()
    bob.clock.fast_forward("01:05")
    expect(bob.get_by_text("Your role does not open this page.")).to_be_visible()
    bob.goto("/")
    expect(bob.get_by_role("link", name="Quality")).to_have_count(before)


def invite(admin: Page, *, role: str, email: str = "", check: bool = False) -> str:
    """Make an invitation in the dialog, by keyboard; the link that is in the clipboard then."""
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.get_by_role("button", name="Invite somebody").press("Enter")
    dialog = admin.get_by_role("dialog", name="Invite somebody")
    dialog.get_by_label("Role").select_option(role)
    dialog.get_by_label("E-mail address").fill(email)
    found = broken(admin, "invite dialog") if check else []
    dialog.get_by_role("button", name="Make the link").press("Enter")
    link = dialog.get_by_label("The link").input_value()
    found += broken(admin, "invite dialog with the link") if check else []
    assert found == []
    dialog.get_by_role("button", name="Copy").press("Enter")
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    assert admin.evaluate("navigator.clipboard.readText()") == link
    admin.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    return link


def type_at(page: Page, label: str, text: str) -> None:
    """Go to a field by Tab alone, and type."""
    field = page.get_by_label(label, exact=True)
    for _ in range(20):
        if field.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type(text)


def person(stage, username: str) -> str:
    return next(each["id"] for each in stage.api("GET", "people")["results"] if each["username"] == username)
