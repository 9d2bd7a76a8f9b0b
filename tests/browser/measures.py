"""How fast the pages are, in headless Chromium: first paint, bytes of the first load, and frames while dragging.

    python -m tests.browser.measures     one JSON line, on a server of its own

Dragging is measured where it is hardest: nine responses of 2,000 words each. A frame's time is from one animation
frame to the next while the mouse moves; the input delay is what the browser's event timing says of each move.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, PASSWORD, Stage, executable, running

RESPONSES, WORDS = 9, 2_000
WATCH = """() => {
    window.frames_seen = []; window.delays = [];
    let last = performance.now();
    const tick = (now) => { window.frames_seen.push(now - last); last = now; window.watching = requestAnimationFrame(tick); };
    window.watching = requestAnimationFrame(tick);
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.delays.push(entry.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: false });
}"""


def main() -> int:
    with tempfile.TemporaryDirectory() as var, running(Path(var)) as stage, sync_playwright() as playwright:
        slug = stage.project("long", questions=["What is best?"], texts="long", k=RESPONSES)
        chromium = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = chromium.new_page(base_url=stage.address, viewport={"width": 1440, "height": 900})
        sys.stdout.write(json.dumps({**first_load(page, stage), **dragging(page, slug)}) + "\n")
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
