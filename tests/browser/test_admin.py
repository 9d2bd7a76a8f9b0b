"""The admin's path: people, a project, an import with its counts."""

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_admin_creates_a_person(stage, sign_in):
    page = sign_in("ada")
    page.get_by_role("link", name="People").click()
    form = page.get_by_role("form", name="Add a person")
    form.get_by_label("User name").fill("nora")
    form.get_by_label("Password").fill("short")
    form.get_by_label("Role").select_option("reviewer")
    form.get_by_role("button", name="Create the account").click()
    expect(form.locator(".field-error")).to_be_visible()

    form.get_by_label("Password").fill("a longer password")
    form.get_by_role("button", name="Create the account").click()
    expect(page.get_by_text("nora can sign in now.")).to_be_visible()
    expect(page.get_by_label("Role of nora")).to_have_value("reviewer")
    people = {person["username"]: person for person in stage.api("GET", "people")["results"]}
    assert people["nora"]["role"] == "reviewer"


def test_admin_creates_and_changes_a_project_and_imports_into_it(stage, sign_in, tmp_path):
    page = sign_in("ada")
    page.get_by_role("link", name="Projects").click()
    form = page.get_by_role("form", name="Add a project")
    form.get_by_label("Name").fill("Kitchen Garden")
    form.get_by_role("button", name="Create the project").click()
    expect(page.get_by_role("heading", name="Kitchen Garden")).to_be_visible()

    settings = page.get_by_role("form", name="Settings")
    settings.get_by_label("Labelers a task").fill("0")
    settings.get_by_role("button", name="Save settings").click()
    expect(settings.locator(".field-error")).to_be_visible()
    settings.get_by_label("Labelers a task").fill("2")
    settings.get_by_role("button", name="Save settings").click()
    expect(settings.get_by_text("Saved")).to_be_visible()
    assert stage.api("GET", "projects/kitchen-garden")["overlap"] == 2

    rows = [{"prompt": f"Question {n}?", "chosen": "Yes.", "rejected": "No."} for n in (1, 2, 2)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    imports = page.get_by_role("form", name="Import")
    imports.get_by_label("File").set_input_files(file)
    imports.get_by_role("button", name="Import").click()
    expect(imports.get_by_role("status")).to_contain_text("1 known already")


def test_files_of_an_older_build_are_missing_and_not_a_page(stage):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{stage.address}/assets/index-of-yesterday.js", timeout=10)
    assert refused.value.code == 404
    with urllib.request.urlopen(f"{stage.address}/p/any/runs", timeout=10) as page:
        assert b'<div id="root">' in page.read()
