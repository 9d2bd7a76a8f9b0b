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
    admin.get_by_label("File").set_input_files(file)
    admin.get_by_text("The first").click()
    admin.get_by_text("<script>").first.wait_for()
    assert_nothing_ran(admin)
    assert [url for url in requests if not url.startswith(stage.address)] == []


def assert_nothing_ran(page: Page) -> None:
    page.wait_for_timeout(100)
    assert page.evaluate("window.owned") is None
    assert page.locator(FORBIDDEN).count() == 0
    assert page.locator(HREFS).count() == 0
    assert page.title() == "Rankloop"
