"""axe's rules on what a page shows only at times: dialogs, the tour, a lost hold, charts, a case under review."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.rules import broken

pytestmark = pytest.mark.browser
ASKED = {"likert_points": 7, "flags": ["harmful"], "ask_rationale": True, "ask_confidence": True}


def test_signing_in_and_the_tour(stage, visit):
    page = visit("/")
    found = broken(page, "sign-in")
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill("not it, surely")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    found += broken(page, "sign-in refused")
    page.add_init_script("localStorage.removeItem('rankloop.tour')")
    page.reload()
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill("a long password")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    for step in range(3):
        expect(dialog).to_contain_text(f"Step {step + 1} of 3")
        found += broken(page, f"tour {step + 1}")
        page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert found == []


def test_dialogs_of_a_labeler(stage, sign_in):
    slug = stage.project("dialogs", questions=["What is one and one?"], texts="rich", **ASKED)
    stage.api("POST", f"projects/{slug}/guidelines", {"text": "# What is good\n\nRight *and* polite: $a^2$."})
    page = sign_in("alice")
    page.goto(f"/p/{slug}/work?kind=ranking")
    page.locator("article").first.press("1")
    page.keyboard.press("1")
    found = broken(page, "ranking begun")
    for name in ("Guideline", "Compare two", "Skip", "Keys"):
        found += opened(page, page.get_by_role("button", name=name).first, name)
    found += opened(page, page.get_by_text("this shop").first, "link")
    body = {"kind": "comparison", "items": [comparison()]}
    stage.api("POST", f"projects/{slug}/tasks", body)
    page.goto(f"/p/{slug}/work?kind=comparison")
    page.get_by_role("article").first.wait_for()
    found += broken(page, "comparison")
    found += opened(page, page.get_by_role("button", name="Keys"), "keys of a comparison")
    assert found == []


def test_a_lost_hold(stage, sign_in):
    slug = stage.project("gone", questions=["Who is slow?"], demonstrations=True, overlap=1, lease_seconds=1)
    page = sign_in("alice")
    page.goto(f"/p/{slug}/work?kind=demonstration")
    reply = page.get_by_label("Your reply")
    reply.fill("Slow words.")
    page.route("**/leases/*/*", lambda route: route.fulfill(status=409, json=LOST))
    reply.fill("Slow words are words, too.")
    page.get_by_text("Your hold on this task has ended.").wait_for()
    found = broken(page, "hold ended")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_label("Your work")).to_have_value("Slow words are words, too.")
    assert found + broken(page, "lost") == []


def test_charts_and_overlays(stage, sign_in):
    slug = stage.project("charts", questions=[])
    corpus = {"name": "corpus.txt", "text": "\n\n".join(f"The garden has {n} flowers." for n in range(200))}
    stage.api("POST", f"projects/{slug}/corpora", corpus)
    runs = []
    for steps in (20, 30):
        run = stage.api("POST", f"projects/{slug}/runs", {"kind": "pretrain", "config": {"steps": steps}})
        stage.api("POST", f"runs/{run['id']}/cancel")
        stage.program("-m", "tests.browser.metrics", run["id"])
        runs.append(run["id"])
    page = sign_in("erin")
    page.goto(f"/p/{slug}/runs/{runs[0]}")
    page.locator("canvas").first.wait_for()
    found = broken(page, "charts")
    page.goto(f"/p/{slug}/runs/overlay?run={runs[0]}&run={runs[1]}")
    page.locator("canvas").first.wait_for()
    found += broken(page, "overlay")
    page.goto(f"/p/{slug}/runs")
    page.get_by_role("checkbox").first.check()
    assert found + broken(page, "runs chosen") == []


def test_a_case_under_review_and_a_pause(stage, sign_in):
    slug = stage.project("halted", questions=["What is one and one?"], skips_to_halt=1)
    admin = stage.api.token
    stage.api.sign_in("bob")
    lease = stage.api("POST", f"projects/{slug}/next", {"kinds": ["ranking"]})
    stage.api("POST", f"leases/{lease['token']}/skip", {"reason": "unclear_prompt", "comment": "**What** is one?"})
    stage.api.token = admin
    (case,) = stage.api("GET", f"projects/{slug}/review")["results"]
    page = sign_in("ada")
    page.goto(f"/p/{slug}/review/{case['id']}")
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")
    found = broken(page, "case")
    page.goto(f"/p/{slug}/quality")
    found += opened(page, page.get_by_role("button", name="Pause").first, "pause")
    assert found == []


LOST = {"code": "lease_lost", "detail": "Somebody else has this task now.", "fields": {}}


def comparison() -> dict:
    responses = [{"source": f"model {name}", "text": f"**Five** {name}."} for name in ("a", "b")]
    return {"messages": [{"role": "user", "content": "How many flowers?"}], "responses": responses}


def opened(page: Page, button, where: str) -> list[str]:
    """What is broken while the button's dialog is open; it is closed again."""
    button.click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    found = broken(page, f"dialog: {where}")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    return found
