"""How fast the pages are, in headless Chromium: first paint, bytes of the first load, the next task, frames dragging.

    python -m tests.browser.measures     one JSON line, on a server of its own

Dragging is measured where it is hardest: nine responses of 2,000 words each. A frame's time is from one animation
frame to the next while the mouse moves; the input delay is what the browser's event timing says of each move.
The next task's time is from pressing Enter to the frame that shows it, its answer stored in between.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, PASSWORD, Stage, executable, running

RESPONSES, WORDS, TASKS = 9, 2_000, 12
WATCH = """() => {
    window.frames_seen = []; window.delays = [];
    let last = performance.now();
    const tick = (now) => { window.frames_seen.push(now - last); last = now; window.watching = requestAnimationFrame(tick); };
    window.watching = requestAnimationFrame(tick);
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.delays.push(entry.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: false });
}"""

SWITCH = """() => {
    window.switches = [];
    const question = () => document.querySelector(".turn-user .prose")?.textContent;
    addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        const pressed = performance.now(), before = question();
        const look = () => {
            const now = question();
            if (now === undefined || now === before) requestAnimationFrame(look);
            else requestAnimationFrame(() => window.switches.push(performance.now() - pressed));
        };
        look();
    }, { capture: true });
}"""


def main() -> int:
    with tempfile.TemporaryDirectory() as var, running(Path(var)) as stage, sync_playwright() as playwright:
        slug = stage.project("long", questions=["What is best?"], texts="long", k=RESPONSES)
        chromium = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = chromium.new_page(base_url=stage.address, viewport={"width": 1440, "height": 900})
        found = {**first_load(page, stage), **switching(page, stage), **dragging(page, slug)}
        sys.stdout.write(json.dumps(found) + "\n")
        chromium.close()
    return 0


def first_load(page: Page, stage: Stage) -> dict[str, Any]:
    """The sign-in page with nothing cached, then what the labeler's start page and first task add."""
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(transferred(response)))
    page.goto("/")
    page.get_by_label("User name").wait_for()
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.evaluate("localStorage.setItem('rankloop.tour', 'seen')")
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Good to see you").wait_for()
    page.wait_for_load_state("networkidle")
    return {"first_contentful_paint_ms": round(paint), "script_kb_compressed": round(sum(sizes) / 1000)}


def switching(page: Page, stage: Stage) -> dict[str, Any]:
    """From one task to the next, each fetched ahead; its four responses hold a formula, a table and code."""
    slug = stage.project("stream", questions=[f"How much compost for bed {n}?" for n in range(TASKS)], texts="rich")
    with page.expect_response(is_ahead):
        page.goto(f"/p/{slug}/work?kind=ranking")
    page.get_by_text("0 of 4 decided").wait_for()
    page.evaluate(SWITCH)
    for turn in range(1, TASKS):
        with page.expect_response(is_ahead):
            for key in "19293949":
                page.keyboard.press(key)
            page.wait_for_timeout(1_000)
            page.keyboard.press("Enter")
        page.wait_for_function("n => window.switches.length === n", arg=turn)
    times = sorted(page.evaluate("window.switches"))
    return {"next_task_ms_p50": round(times[len(times) // 2], 1), "next_task_ms_most": round(times[-1], 1)}


def is_ahead(response: Any) -> bool:
    return response.url.endswith("/next") and "ahead" in (response.request.post_data or "")


def transferred(response: Any) -> int:
    if "/assets/" not in response.url or not response.url.endswith(".js"):
        return 0
    return int(response.request.sizes()["responseBodySize"])


def dragging(page: Page, slug: str) -> dict[str, Any]:
    page.goto(f"/p/{slug}/work?kind=ranking")
    cards = page.locator("article[data-response]")
    cards.nth(RESPONSES - 1).wait_for()
    for key in ["1", "1", "2", "2", "3", "3"]:
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    page.evaluate("window.scrollTo(0, 0)")
    grip = cards.first.locator(".card-head").bounding_box()
    assert grip is not None
    page.mouse.move(grip["x"] + 15, grip["y"] + 10)
    page.mouse.down()
    page.mouse.move(grip["x"] + 40, grip["y"] + 30, steps=4)
    page.evaluate(WATCH)
    for turn in range(4):
        page.mouse.move(grip["x"] + 200, 850 if turn % 2 == 0 else 150, steps=40)
    seen = page.evaluate("() => { cancelAnimationFrame(window.watching); return [window.frames_seen, window.delays] }")
    page.mouse.up()
    frames, delays = (sorted(each) for each in seen)
    return {
        "responses": RESPONSES,
        "words_each": WORDS,
        "drag_frames": len(frames),
        "drag_frame_ms_p50": round(frames[len(frames) // 2], 1),
        "drag_frame_ms_p95": round(frames[int(len(frames) * 0.95)], 1),
        "drag_events_over_16_ms": len(delays),
        "drag_event_ms_p95": round(delays[int(len(delays) * 0.95)], 1) if delays else 0,
    }


if __name__ == "__main__":
    sys.exit(main())
