"""The next task: fetched while its labeler works on the one before, on the screen at once, and nobody's twice."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_labeler import open_work, press

pytestmark = pytest.mark.browser
RANK_ALL = "1 9 2 9 3 9 4 9"


def shown(page: Page) -> str:
    return page.locator(".turn-user .prose").inner_text()


def slots(stage, slug: str) -> list[dict]:
    return [task["slots"] for task in stage.api("GET", f"projects/{slug}/tasks")["results"]]


def test_the_next_task_is_on_the_screen_while_the_network_still_waits(stage, sign_in):
    questions = [f"What is {n} and {n}?" for n in ("one", "two", "three", "four")]
    slug = stage.project("ahead", questions=questions, overlap=1)
    page = sign_in("alice")
    with page.expect_response(lambda response: "ahead" in (response.request.post_data or "")):
        open_work(page, slug, "Rank")
    first = shown(page)
    press(page, RANK_ALL)
    expect(page.get_by_text("Draft saved")).to_be_visible()

    held: list = []
    page.route("**/next", lambda route: route.continue_() if held else held.append(route))
    press(page, "Enter")
    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    expect(page.get_by_text("0 of 4 decided")).to_be_visible()
    second = shown(page)
    assert second != first
    assert len(held) == 1, "the server's word has not come: the task on the screen was fetched before"
    # One begins at once.
    press(page, "1 1")
    expect(page.get_by_text("1 of 4 decided")).to_be_visible()
    with page.expect_response(lambda response: "ahead" in (response.request.post_data or "")) as fetched:
        held[0].continue_()
    third = fetched.value.json()["task"]["prompt"]["messages"][0]["content"]
    expect(page.get_by_text("1 of 4 decided")).to_be_visible()
    assert shown(page) == second
    assert sum(states["leased"] for states in slots(stage, slug)) == 2

    # Another person gets neither what she works on nor what she has fetched; when she leaves, only the latter is free.
    other = sign_in("bob")
    other.goto(f"/p/{slug}/work?kind=ranking")
    expect(other.get_by_text("0 of 4 decided")).to_be_visible()
    assert {first, second, third, shown(other)} == set(questions)
    with page.expect_response("**/give-back"):
        page.get_by_role("link", name="Rankloop").first.click()
    press(other, f"{RANK_ALL} Enter")
    expect(other.locator(".turn-user .prose")).to_have_text(third)


def test_a_task_fetched_ahead_that_went_to_another_is_replaced_before_a_word_is_written(stage, sign_in):
    questions = ["What is one and one?", "What is two and two?", "What is three and three?"]
    slug = stage.project("swapped", questions=questions, overlap=1, lease_seconds=3)
    page = sign_in("alice")
    with page.expect_response(lambda response: "ahead" in (response.request.post_data or "")) as fetched:
        open_work(page, slug, "Rank")
    ahead = fetched.value.json()["task"]["prompt"]["messages"][0]["content"]
    stage.api("PATCH", f"tasks/{fetched.value.json()['task']['id']}", {"state": "closed"})
    press(page, f"{RANK_ALL} Enter")
    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    expect(page.locator(".turn-user .prose")).not_to_have_text(ahead)
    expect(page.get_by_text("0 of 4 decided")).to_be_visible()


def test_tasks_come_one_after_another_without_a_gap(stage, sign_in):
    questions = [f"What is {n} and {n}?" for n in range(6)]
    slug = stage.project("stream", questions=questions, overlap=1)
    pages = [sign_in(name) for name in ("alice", "bob")]
    for page in pages:
        open_work(page, slug, "Rank")
    seen: list[str] = []
    busy = list(pages)
    while busy:
        for page in list(busy):
            page.get_by_text("0 of 4 decided").or_(page.get_by_role("heading", name="Nothing waits")).first.wait_for()
            if page.get_by_role("heading", name="Nothing waits").is_visible():
                busy.remove(page)
                continue
            seen.append(shown(page))
            press(page, f"{RANK_ALL} Enter")
            expect(page.get_by_text("4 of 4 decided")).to_have_count(0)
    assert sorted(seen) == sorted(questions), "each question once, whoever had it"
    answers = stage.answers(slug)
    assert len(answers) == len(questions) and not any(answer["late"] for answer in answers)
