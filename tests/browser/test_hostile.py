"""Text that attacks, in every place where text is shown: none of it runs, loads or becomes an element."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
OWNED = "window.owned=(window.owned||0)+1"
PAYLOADS = [
    f"<script>{OWNED}</script>",
    f'<img src=x onerror="{OWNED}">',
    f"<svg/onload={OWNED}>",
    f'<iframe srcdoc="<script>parent.{OWNED}</script>"></iframe>',
    f"<details open ontoggle={OWNED}>",
    f"[a](javascript:{OWNED})",
    f"[b]( java&#x0A;script:{OWNED})",
    f"<javascript:{OWNED}>",
    "[c](data:text/html;base64,PHNjcmlwdD5vd25lZD0xPC9zY3JpcHQ+)",
    '![d](x"onerror="' + OWNED + ")",
    "![e](http://127.0.0.1:9/beacon.png)",
    f"[ref]\n\n[ref]: javascript:{OWNED}",
    f"$\\href{{javascript:{OWNED}}}{{x}}$ $\\htmlData{{a=b}}{{x}}$ $$\\def\\a{{\\a\\a}}\\a$$",
    f"```html\n<script>{OWNED}</script>\n```",
    f"<style>@import 'http://127.0.0.1:9/x.css'</style><a href=x style='position:fixed' onclick={OWNED}>x</a>",
    f"</textarea></title><script>{OWNED}</script>",
    "<form action=http://127.0.0.1:9><input name=q autofocus onfocus=" + OWNED + "></form>",
    "{{constructor.constructor('" + OWNED + "')()}} ${" + OWNED + "} <%= 1 %>",
    f'<math><mtext><img src=x onerror="{OWNED}"></mtext></math>',
]
ALL = "\n\n".join(PAYLOADS)
FORBIDDEN = "script:not([src^='/assets/']), iframe, object, embed, form[action], [onerror], [onload], [onclick]"
HREFS = "a[href^='javascript'], a[href^='data'], a[href^='http'], img[src^='http'], math a, math [href]"


def test_nothing_of_a_hostile_text_runs_anywhere(stage, sign_in, tmp_path: Path):
    slug = stage.project("attacked", questions=[ALL], texts="hostile", ask_rationale=True)
    stage.api("PATCH", f"projects/{slug}", {"name": PAYLOADS[1], "description": PAYLOADS[0]})
    stage.api("POST", f"projects/{slug}/guidelines", {"text": ALL})
    mallory = {"username": "mallory", "password": "a long password", "role": "labeler", "name": PAYLOADS[2]}
    stage.api("POST", "people", mallory)
    stage.api("POST", f"projects/{slug}/members", {"user": "mallory", "role": "labeler"})
    page = sign_in("mallory", heading=PAYLOADS[2])
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.get_by_role("button", name="Guideline").click()
    page.get_by_role("dialog").get_by_text("<script>").first.wait_for()
    assert_nothing_ran(page)
    page.goto(f"/p/{slug}/work?kind=ranking")
    page.get_by_label("Why this order?").fill(ALL)
    for key in ["1", "9", "2", "9", "3", "9", "4", "9"]:
        page.locator("article").first.press(key)
    page.get_by_role("button", name="Compare two").click()
    page.get_by_role("dialog").locator(".diff").wait_for()
    assert_nothing_ran(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("Ranking stored.").wait_for()
    (answer,) = stage.answers(slug)

    admin = sign_in("ada")
    admin.on("request", lambda request: requests.append(request.url))
    for path in ("/projects", "/people", *(f"/p/{slug}/{each}" for each in ("settings", "audit", "quality", "data"))):
        admin.goto(path)
        admin.wait_for_load_state("networkidle")
        assert_nothing_ran(admin)
    admin.goto(f"/p/{slug}/answers/{answer['id']}")
    admin.get_by_text("<script>").first.wait_for()
    assert_nothing_ran(admin)
    file = tmp_path / f"{PAYLOADS[2].replace('/', '')}.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": each, "chosen": each, "rejected": "no"}) for each in PAYLOADS))
    admin.goto(f"/p/{slug}/data")
    admin.get_by_label("File", exact=True).set_input_files(file)
    admin.get_by_text("The first").click()
    admin.get_by_text("<script>").first.wait_for()
    assert_nothing_ran(admin)
    assert [url for url in requests if not url.startswith(stage.address)] == []


def test_nothing_of_a_hostile_text_runs_on_the_screens_of_staff_and_guests(stage, sign_in, visit):
    slug = stage.project("besieged", questions=[ALL], texts="hostile", skips_to_halt=1)
    stage.api("PATCH", f"projects/{slug}", {"name": f"{PAYLOADS[1]} too", "description": ALL})
    item = {
        "messages": [{"role": "system", "content": ALL}, {"role": "user", "content": ALL, "name": PAYLOADS[2]}],
        "responses": [{"source": PAYLOADS[0], "text": ALL}, {"source": PAYLOADS[1], "text": PAYLOADS[12]}],
    }
    stage.api("POST", f"projects/{slug}/tasks", {"kind": "comparison", "items": [item]})
    bare = {"messages": [{"role": "user", "content": f"{ALL} again"}]}
    stage.api("POST", f"projects/{slug}/prompts", {"prompts": [bare], "open_demonstrations": True})
    stage.api("POST", f"projects/{slug}/corpora", {"name": PAYLOADS[1], "text": "a b"})
    run = stage.api("POST", f"projects/{slug}/runs", {"kind": "pretrain", "name": PAYLOADS[1], "config": {"steps": 9}})
    stage.api("POST", f"runs/{run['id']}/cancel")
    stage.program("-m", "tests.browser.metrics", run["id"], ALL)
    stage.program("-m", "tests.browser.stage", slug, "hostile", run["id"])
    link = stage.api("POST", f"projects/{slug}/invitations", {"role": "reviewer"})["link"]
    admin = stage.api.token
    stage.api.sign_in("bob")
    lease = stage.api("POST", f"projects/{slug}/next", {"kinds": ["ranking"]})
    stage.api("POST", f"leases/{lease['token']}/skip", {"reason": "other", "comment": ALL})
    stage.api.token = admin
    (case,) = stage.api("GET", f"projects/{slug}/review")["results"]

    requests: list[str] = []

    def look(page: Page, path: str, shows: str) -> None:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.get_by_text(shows).first.wait_for(state="attached")
        assert_nothing_ran(page)

    guest = visit(link)
    guest.on("request", lambda request: requests.append(request.url))
    look(guest, link, "onerror=")
    labeler = sign_in("alice")
    labeler.on("request", lambda request: requests.append(request.url))
    for path, shows in (
        ("/", "onerror="),
        ("work?kind=comparison", "<script>"),
        ("work?kind=demonstration", "<script>"),
    ):
        look(labeler, path if path == "/" else f"/p/{slug}/{path}", shows)
    labeler.get_by_label("Your reply").fill(ALL)
    labeler.get_by_label("Show how it reads").check()
    assert_nothing_ran(labeler)
    labeler.get_by_role("button", name="Submit").click()
    labeler.get_by_text("Demonstration stored.").wait_for()
    look(labeler, f"/p/{slug}/mine", "<script>")

    desk = sign_in("ada")
    desk.on("request", lambda request: requests.append(request.url))
    pages = (f"review/{case['id']}", "review", "runs", f"runs/{run['id']}", f"rollouts?run={run['id']}", "settings")
    for page in pages:
        look(desk, f"/p/{slug}/{page}", "onerror=")
    look(desk, "/projects", "onerror=")
    (answer,) = (each for each in stage.answers(slug) if each["kind"] == "demonstration")
    look(desk, f"/p/{slug}/answers/{answer['id']}", "<script>")
    assert [url for url in requests if not url.startswith(stage.address)] == []


def test_characters_that_hide_or_turn_text_are_seen_in_names(stage, sign_in):
    slug = stage.project("turned", questions=[])
    stage.api("PATCH", f"projects/{slug}", {"name": "safe\u202egnp.exe"})
    page = sign_in("alice")
    heading = page.get_by_role("heading", name="safe⟨U+202E⟩gnp.exe")
    heading.wait_for()
    admin = sign_in("ada")
    admin.goto("/projects")
    admin.get_by_role("link", name="safe⟨U+202E⟩gnp.exe").click()
    admin.get_by_role("heading", name="safe⟨U+202E⟩gnp.exe").wait_for()


def assert_nothing_ran(page: Page) -> None:
    page.wait_for_timeout(100)
    assert page.evaluate("window.owned") is None
    assert page.locator(FORBIDDEN).count() == 0
    assert page.locator(HREFS).count() == 0
    assert page.title() == "Rankloop"
