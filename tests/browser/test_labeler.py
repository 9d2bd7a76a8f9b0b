"""The labeler's path: sign in, rank, write; by keyboard, by drag, side by side with others, and offline."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stage import TEXTS

pytestmark = pytest.mark.browser
BEST = "Five flowers, because two plus three is five."


def open_work(page: Page, slug: str, button: str) -> None:
    page.get_by_role("region", name=slug.title()).get_by_role("link", name=button).click()


def card(page: Page, text: str) -> Locator:
    return page.locator("article[data-response]").filter(has=page.get_by_text(text, exact=True))


def number_of(page: Page, text: str) -> str:
    return (card(page, text).get_attribute("aria-label") or "").removeprefix("Response ")


def id_of(page: Page, text: str) -> str:
    return card(page, text).get_attribute("data-response") or ""


def press(page: Page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def test_wrong_password_is_refused_in_words(stage, browser):
    page = browser.new_page(base_url=stage.address)
    page.goto("/")
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill("a wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.close()


def test_labeler_ranks_by_keyboard_with_a_tie(stage, sign_in):
    slug = stage.project("keys", questions=["How many flowers are two and three flowers?"])
    page = sign_in("alice")
    open_work(page, slug, "Rank")
    expect(page.get_by_text("0 of 4 decided")).to_be_visible()
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()
    ids = {text: id_of(page, text) for text in TEXTS}
    number = {text: number_of(page, text) for text in TEXTS}

    press(page, f"{number[BEST]} 1 {number['Five flowers.']} 2 =")
    press(page, f"{number['Seven flowers.']} 0 {number['I would rather not say.']} 0 u")
    expect(page.get_by_text("3 of 4 decided")).to_be_visible()
    press(page, "Enter")
    expect(page.get_by_text("3 of 4 decided")).to_be_visible()
    press(page, f"{number['I would rather not say.']} 9")
    expect(page.get_by_text("4 of 4 decided")).to_be_visible()
    press(page, "Enter")

    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    (answer,) = stage.answers(slug)
    assert answer["labeler"] == "alice"
    assert answer["ranks"] == {
        ids[BEST]: 1,
        ids["Five flowers."]: 1,
        ids["I would rather not say."]: 2,
        ids["Seven flowers."]: None,
    }
    assert answer["unacceptable"] == [ids["Seven flowers."]]
    assert answer["active_ms"] > 0
    assert sorted(answer["order_shown"], key=list(ids.values()).index) == list(ids.values())


def test_labeler_ranks_by_drag(stage, sign_in):
    slug = stage.project("drags", questions=["What are two and three?"], allow_unacceptable=True)
    page = sign_in("alice")
    open_work(page, slug, "Rank")
    ids = {text: id_of(page, text) for text in TEXTS}

    drag(page, "Seven flowers.", page.locator("[data-zone=ranked]"))
    drag(page, BEST, page.locator("[data-tier='1']"), at=0.05)
    drag(page, "Five flowers.", page.locator("[data-tier='1']"), at=0.5)
    drag(page, "I would rather not say.", page.locator("[data-zone=unacceptable]"))
    expect(page.get_by_text("4 of 4 decided")).to_be_visible()
    page.get_by_role("button", name="Submit").click()

    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    (answer,) = stage.answers(slug)
    assert answer["ranks"] == {
        ids[BEST]: 1,
        ids["Five flowers."]: 1,
        ids["Seven flowers."]: 2,
        ids["I would rather not say."]: None,
    }


def drag(page: Page, text: str, target: Locator, *, at: float = 0.5) -> None:
    """Drags a response by its header to a height of the target, as a hand does: press, move, move, let go."""
    grip = card(page, text).locator(".card-head")
    target.scroll_into_view_if_needed()
    grip.scroll_into_view_if_needed()
    start, end = grip.bounding_box(), target.bounding_box()
    assert start is not None and end is not None
    page.mouse.move(start["x"] + 15, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + 40, start["y"] + start["height"] / 2 + 10, steps=4)
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] * at, steps=12)
    page.wait_for_timeout(150)
    page.mouse.up()
    # For a moment after a drop a click is taken for its end.
    page.wait_for_timeout(100)


def test_draft_survives_leaving_the_page(stage, sign_in):
    slug = stage.project("drafts", questions=["Which is it?"])
    page = sign_in("alice")
    open_work(page, slug, "Rank")
    press(page, f"{number_of(page, BEST)} 1 {number_of(page, 'Seven flowers.')} 0")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.get_by_text("2 of 4 decided")).to_be_visible()
    expect(page.locator("[data-tier='1']").get_by_text(BEST)).to_be_visible()


def test_answer_waits_for_the_connection(stage, sign_in):
    slug = stage.project("offline", questions=["What if the line is cut?"])
    page = sign_in("alice")
    open_work(page, slug, "Rank")
    numbers = [number_of(page, text) for text in TEXTS]
    press(page, " ".join(f"{number} 9" for number in numbers))
    expect(page.get_by_text("Draft saved")).to_be_visible()
    page.context.set_offline(True)
    press(page, "Enter")
    expect(page.get_by_text("No connection. Your answer is kept here")).to_be_visible()
    assert stage.answers(slug) == []
    page.context.set_offline(False)
    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    assert len(stage.answers(slug)) == 1


def test_late_answer_is_kept_and_its_labeler_told(stage, sign_in):
    slug = stage.project("late", questions=["Who is slow?"], overlap=1, lease_seconds=1)
    slow = sign_in("alice")
    open_work(slow, slug, "Rank")
    expect(slow.get_by_text("0 of 4 decided")).to_be_visible()
    slow.wait_for_timeout(1_500)
    quick = sign_in("bob")
    open_work(quick, slug, "Rank")
    expect(quick.get_by_text("0 of 4 decided")).to_be_visible()
    press(quick, "1 9 2 9 3 9 4 9 Enter")
    expect(quick.get_by_text("Ranking stored.")).to_be_visible()

    press(slow, "1 9 2 9 3 9 4 9")
    expect(slow.get_by_text("Your hold on this task has ended.")).to_be_visible()
    press(slow, "Enter")
    expect(slow.get_by_text("Stored, and marked as late")).to_be_visible()
    assert {answer["labeler"]: answer["late"] for answer in stage.answers(slug)} == {"alice": True, "bob": False}


def test_task_answered_in_another_tab_keeps_the_text(stage, sign_in):
    slug = stage.project("tabs", questions=["Which tab?"], demonstrations=True)
    first = sign_in("alice")
    open_work(first, slug, "Write")
    expect(first.get_by_text("Which tab?")).to_be_visible()
    second = first.context.new_page()
    second.goto(first.url)
    second.get_by_label("Your reply").fill("The second.")
    second.get_by_role("button", name="Submit").click()
    expect(second.get_by_text("Demonstration stored.")).to_be_visible()

    first.get_by_label("Your reply").fill("A long reply in the first.")
    first.get_by_role("button", name="Submit").click()
    expect(first.get_by_role("heading", name="This task is closed for you")).to_be_visible()
    expect(first.get_by_label("Your work")).to_have_value("A long reply in the first.")
    first.get_by_role("button", name="Next task").click()
    expect(first.get_by_role("heading", name="Nothing waits")).to_be_visible()
    assert [answer["reply"][-1]["content"] for answer in stage.answers(slug)] == ["The second."]


def test_two_labelers_at_once_get_different_tasks(stage, sign_in):
    questions = ["What is one and four?", "What is two and five?"]
    slug = stage.project("pair", questions=questions, overlap=1)
    shown = []
    for username in ("alice", "bob"):
        page = sign_in(username)
        open_work(page, slug, "Rank")
        shown.append(page.locator(".turn-user .prose").inner_text())
    assert sorted(shown) == questions


def test_labeler_writes_a_demonstration(stage, sign_in):
    slug = stage.project("writes", questions=["Where do flowers grow?"], demonstrations=True)
    page = sign_in("bob")
    open_work(page, slug, "Write")
    expect(page.get_by_text("Where do flowers grow?")).to_be_visible()
    page.get_by_label("Your reply").fill("In the garden.\n\nThey need light.")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Demonstration stored.")).to_be_visible()
    (answer,) = stage.answers(slug)
    assert answer["kind"] == "demonstration"
    assert answer["reply"][-1]["content"] == "In the garden.\n\nThey need light."


def test_skip_carries_a_reason(stage, sign_in):
    slug = stage.project("skips", questions=["Is it?"])
    page = sign_in("bob")
    open_work(page, slug, "Rank")
    page.get_by_role("button", name="Skip").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("The prompt is unclear").check()
    dialog.get_by_role("button", name="Skip").click()
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()


def test_text_of_models_runs_nothing_and_hides_nothing(stage, sign_in):
    question = "<img src=x onerror=\"document.title='owned'\"> [a link](https://example.org) pay\u200bpal"
    slug = stage.project("hostile", questions=[question])
    page = sign_in("alice")
    open_work(page, slug, "Rank")
    turn = page.locator(".turn-user")
    expect(turn).to_contain_text("<img src=x")
    expect(turn).to_contain_text("payU+200Bpal")
    assert turn.locator("img, a").count() == 0
    turn.get_by_role("button", name="a link").click()
    expect(page.get_by_role("dialog")).to_contain_text("https://example.org")
    assert page.title() == "Rankloop"


def test_a_morning_by_keyboard_alone(stage, browser):
    """From the sign-in page to the last ranking, a skipped task and a corrected answer: no mouse."""
    questions = [f"What is {n} and {n + 1}?" for n in range(1, 6)]
    slug = stage.project("morning", questions=questions, overlap=1)
    page = browser.new_page(base_url=stage.address, locale="en-GB")
    page.set_default_timeout(15_000)
    page.goto("/")
    expect(page.get_by_label("User name")).to_be_visible()
    tab_to(page, "User name")
    page.keyboard.type("alice")
    press(page, "Tab")
    page.keyboard.type("a long password")
    press(page, "Enter")
    for step in ("Read the guideline", "Rank by hand or by keys", "Nothing is lost"):
        expect(page.get_by_role("dialog", name=step)).to_be_visible()
        tab_to(page, "Start" if step == "Nothing is lost" else "Next")
        press(page, "Enter")
    page.goto("/")
    expect(page.get_by_role("region", name="Morning").get_by_role("link", name="Rank")).to_be_visible()
    page.evaluate("slug => document.querySelector(`[aria-labelledby='project-${slug}'] button`).focus()", slug)
    press(page, "Tab Enter")

    for _ in range(4):
        expect(page.get_by_text("0 of 4 decided")).to_be_visible()
        press(page, "1 1 2 2 3 3 = 4 0 u 4 0 Enter")
        expect(page.get_by_text("Ranking stored.").or_(page.get_by_text("0 of 4 decided")).first).to_be_visible()
        expect(page.get_by_text("4 of 4 decided")).to_have_count(0)
    tab_to(page, "Skip", exact=True)
    press(page, "Enter")
    tab_to(page, "The prompt is unclear")
    press(page, "Space")
    tab_to(page, "Skip", exact=True)
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()

    tab_to(page, "My answers")
    press(page, "Enter")
    expect(page.locator("tbody tr")).to_have_count(4)
    tab_to(page, "What is")
    press(page, "Enter")
    tab_to(page, "Edit")
    press(page, "Enter")
    expect(page.get_by_text("4 of 4 decided")).to_be_visible()
    press(page, "4 1 Enter")
    expect(page.get_by_text("1st").first).to_be_visible()
    expect(page.get_by_role("link", name="Edit")).to_be_visible()
    page.close()
    answers = stage.answers(slug)
    assert sorted(answer["revision"] for answer in answers) == [1, 1, 1, 1, 2]
    (revised,) = (answer for answer in answers if answer["revision"] == 2)
    assert revised["unacceptable"] == [] and revised["ranks"][revised["order_shown"][3]] == 1


def tab_to(page: Page, name: str, *, exact: bool = False) -> None:
    """Tab until what has the focus is called `name`, or begins with it."""
    called = """() => { const e = document.activeElement, own = e.labels && e.labels[0];
        return (e.getAttribute("aria-label") || (own || e).innerText || "").trim() }"""
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(called)
        if found == name or (found.startswith(name) and not exact):
            return
    raise AssertionError(f"the keyboard does not reach {name!r}")


def test_a_hold_that_ends_in_the_middle_of_writing_loses_no_word(stage, sign_in):
    slug = stage.project("paused", questions=["What grows in May?"], demonstrations=True, overlap=1, lease_seconds=1)
    page = sign_in("alice")
    open_work(page, slug, "Write")
    page.get_by_label("Your reply").fill("Peas")
    page.wait_for_timeout(1_200)
    other = sign_in("bob")
    open_work(other, slug, "Write")
    other.get_by_label("Your reply").fill("Beans.")
    other.get_by_role("button", name="Submit").click()
    expect(other.get_by_text("Demonstration stored.")).to_be_visible()

    page.get_by_label("Your reply").press_sequentially(" and beans.")
    expect(page.get_by_text("Your hold on this task has ended.")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value("Peas and beans.")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Stored, and marked as late")).to_be_visible()
    replies = {answer["labeler"]: answer["reply"][-1]["content"] for answer in stage.answers(slug)}
    assert replies == {"alice": "Peas and beans.", "bob": "Beans."}


def test_a_whole_conversation_is_a_demonstration(stage, sign_in):
    slug = stage.project("turns", questions=["How do I sow beans?"], demonstrations=True)
    page = sign_in("alice")
    open_work(page, slug, "Write")
    page.get_by_label("Your reply", exact=True).fill("In May.")
    page.get_by_role("button", name="Go on with the conversation").click()
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()
    page.get_by_label("What the user says then").fill("How deep?")
    page.get_by_label("Your reply to that").fill("Three centimetres.")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Demonstration stored.")).to_be_visible()
    (answer,) = stage.answers(slug)
    assert [(turn["role"], turn["content"]) for turn in answer["reply"]] == [
        ("assistant", "In May."),
        ("user", "How deep?"),
        ("assistant", "Three centimetres."),
    ]


def test_the_pages_speak_german(stage, browser):
    page = browser.new_page(base_url=stage.address, locale="de-DE")
    page.goto("/")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.get_by_label("Benutzername").fill("alice")
    page.get_by_label("Passwort").fill("a long password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Schön, dass Sie da sind, Alice")).to_be_visible()
    page.close()
