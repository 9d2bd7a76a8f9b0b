"""The line is cut for a minute: what was written and handed in stays, is shown to wait, and is stored once."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_labeler import open_work, press

pytestmark = pytest.mark.browser
MINUTE = 60_000  # of the page's own clock, which runs ahead of the real one
TEXT = "Peas and beans, in the row beside the wall."


def test_a_minute_without_a_line_loses_nothing(stage, sign_in):
    questions = ["What grows in May?", "What grows in June?", "What grows in July?"]
    slug = stage.project("minute", questions=questions, demonstrations=True, overlap=1)
    page = sign_in("alice")
    page.clock.install()
    with page.expect_response(lambda response: "ahead" in (response.request.post_data or "")):
        open_work(page, slug, "Write")
    first = page.locator(".turn-user .prose").inner_text()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/demonstration") else None)

    page.context.set_offline(True)
    page.get_by_label("Your reply").fill(TEXT)
    page.clock.run_for(MINUTE // 2)
    expect(page.get_by_text("Kept in this browser")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("No connection. Your answer is kept here")).to_be_visible()
    for _ in range(6):
        page.clock.run_for(MINUTE // 6)
    expect(page.get_by_text("No connection. Your answer is kept here")).to_be_visible()
    expect(page.get_by_label("Your reply")).to_have_value(TEXT)
    assert len(sent) >= 4, "it is sent again and again"
    assert stage.answers(slug) == []

    page.context.set_offline(False)
    page.clock.run_for(1_000)
    expect(page.get_by_text("Demonstration stored.")).to_be_visible()
    (answer,) = stage.answers(slug)
    assert answer["reply"][-1]["content"] == TEXT and not answer["late"]
    # The other task was fetched before the cut.
    expect(page.locator(".turn-user .prose")).not_to_have_text(first)
    expect(page.get_by_label("Your reply")).to_have_value("")


def test_work_goes_on_offline_with_the_task_fetched_ahead(stage, sign_in):
    """The answer is stored and the line is cut at that moment: the next task is there, and its work reaches the server."""
    questions = ["What is one and one?", "What is two and two?", "What is three and three?"]
    slug = stage.project("cut", questions=questions, overlap=1)
    page = sign_in("alice")
    with page.expect_response(lambda response: "ahead" in (response.request.post_data or "")):
        open_work(page, slug, "Rank")
    cut: list[bool] = []

    def on_next(route):
        """Nothing that asks for work gets through until the line is back."""
        route.abort() if cut else route.continue_()

    page.route("**/next", on_next)
    cut.append(True)
    press(page, "1 9 2 9 3 9 4 9 Enter")
    expect(page.get_by_text("Ranking stored.")).to_be_visible()
    expect(page.get_by_text("0 of 4 decided")).to_be_visible()
    page.context.set_offline(True)
    press(page, "1 9 2 9 3 9 4 9 Enter")
    expect(page.get_by_text("No connection. Your answer is kept here")).to_be_visible()
    page.context.set_offline(False)
    cut.clear()
    expect(page.get_by_text("0 of 4 decided")).to_be_visible()
    answers = stage.answers(slug)
    assert len(answers) == 2 and not any(answer["late"] for answer in answers)
