"""The engineer's path: see runs, start one, be told at the field what is wrong."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
CORPUS = "\n\n".join(f"The garden has {n} flowers." for n in range(200))


def test_engineer_starts_a_run_and_sees_a_bad_value_at_its_field(stage, sign_in):
    slug = stage.project("lab", questions=[])
    stage.api("POST", f"projects/{slug}/corpora", {"name": "corpus.txt", "text": CORPUS})
    page = sign_in("erin")
    page.goto(f"/p/{slug}/runs")
    expect(page.get_by_text("No runs yet.")).to_be_visible()
    page.get_by_role("link", name="Start a run").click()

    rate = page.get_by_label("Learning rate")
    rate.fill("-1")
    page.get_by_label("Steps", exact=True).fill("many")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_text("must be above 0, found -1")).to_be_visible()
    expect(page.get_by_text("expected int, found str")).to_be_visible()
    expect(rate).to_have_attribute("aria-invalid", "true")
    assert stage.api("GET", f"projects/{slug}/runs")["results"] == []

    rate.fill("0.001")
    page.get_by_label("Steps", exact=True).fill("20")
    page.get_by_label("Seed", exact=True).fill("7")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", name="pretrain 1")).to_be_visible()
    (run,) = stage.api("GET", f"projects/{slug}/runs")["results"]
    assert (run["seed"], run["config"]["learning_rate"], run["config"]["steps"]) == (7, 0.001, 20)

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled")).to_be_visible()
    page.get_by_role("link", name="All runs").click()
    expect(page.get_by_role("link", name="pretrain 1")).to_be_visible()


def test_labeler_is_kept_out_of_runs(stage, sign_in):
    page = sign_in("alice")
    expect(page.get_by_role("link", name="Models")).to_have_count(0)
    page.goto("/runs")
    expect(page.get_by_text("Your role does not open this page.")).to_be_visible()
