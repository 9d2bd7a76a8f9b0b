"""The admin's path: people, a project, an import with its counts."""

import json
import urllib.error
import urllib.request
import zipfile

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


def test_admin_creates_and_changes_a_project_and_imports_into_it(stage, worker, sign_in, tmp_path):
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
    page.get_by_role("link", name="Import and export").click()
    wizard = page.get_by_role("region", name="Import", exact=True)
    wizard.get_by_label("File", exact=True).set_input_files(file)
    expect(wizard.get_by_role("status")).to_contain_text("Nothing is stored yet.")
    assert stage.api("GET", "projects/kitchen-garden/prompts")["results"] == []
    wizard.get_by_role("button", name="Store 2 new records").click()
    expect(wizard.get_by_role("status")).to_contain_text("A worker is importing it.")
    imports = page.get_by_role("region", name="Imports")
    expect(imports.get_by_text("2 new, 1 known already, 0 refused")).to_be_visible(timeout=30_000)
    assert len(stage.api("GET", "projects/kitchen-garden/prompts")["results"]) == 2

    export = page.get_by_role("region", name="Export")
    export.get_by_role("button", name="Preview").click()
    expect(export.get_by_label("Record 1")).to_contain_text("Question")
    with page.expect_download() as download:
        export.get_by_role("link", name="Download").click()
    rows = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert len(rows) == 2

    export.get_by_label("Format").select_option("trl")
    export.get_by_label("At most so many records").fill("1")
    expect(export.get_by_label("Record 1")).to_contain_text('"chosen"')
    expect(export.get_by_label("Record 2")).to_have_count(0)
    export.get_by_label("As a package").check()
    with page.expect_download() as download:
        export.get_by_role("link", name="Download the zip file").click()
    assert download.value.suggested_filename == "kitchen-garden-rankings.zip"
    with zipfile.ZipFile(download.value.path()) as package:
        manifest = json.loads(package.read("manifest.json"))
        assert {"README.md", "manifest.json"} < set(package.namelist())
    assert (manifest["format"], manifest["records"], manifest["filters"]) == ("trl", 1, {"limit": 1})

    export.get_by_label("Whose").select_option("of people here")
    expect(export.get_by_text("There is nothing of this kind yet.")).to_be_visible()
    export.get_by_label("Least agreement").fill("2")
    expect(export.get_by_role("alert")).to_be_visible()
    expect(export.get_by_text("must be from 0 to 1")).to_be_visible()
    expect(export.get_by_role("link", name="Download")).to_have_count(0)


def test_files_of_an_older_build_are_missing_and_not_a_page(stage):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{stage.address}/assets/index-of-yesterday.js", timeout=10)
    assert refused.value.code == 404
    with urllib.request.urlopen(f"{stage.address}/p/any/runs", timeout=10) as page:
        assert b'<div id="root">' in page.read()
