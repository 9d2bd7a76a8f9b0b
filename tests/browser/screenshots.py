"""Photographs of every screen, by `make screenshots`: three widths, light and dark.

Plays a round of the small world first, unless `RANKLOOP_VAR` names a folder in which one has been played. All of
them go to `var/screens/`; what the documentation shows goes to `docs/screens/` too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from demo import seeding
from demo.seeding import PASSWORD
from tests.browser.conftest import FLAGS, ROOT, Stage
from tests.browser.stage import press_through
from tests.services import free_port

SIZES = {"wide": (1440, 900), "medium": (1024, 768), "phone": (390, 844)}
THEMES = ("light", "dark")
# What the documentation shows, by size and theme; taken first.
DOCUMENTED = {
    ("wide", "light"): tuple(
        [
            "sign-in",
            "home",
            "ranking",
            "demonstration",
            "comparison",
            "invitation",
            "answers",
            "runs",
            "new-run",
            "run-ppo",
            "run-reward-model",
            "overlay",
            "rounds",
            "checkpoint",
            "rollouts",
            "playground",
            "tokens",
            "quality",
            "statistics",
            "review",
            "case",
            "data",
            "settings",
            "audit",
            "people",
            "invite",
        ]
    ),
    ("wide", "dark"): ("ranking", "run-ppo", "quality"),
    ("phone", "dark"): ("home", "ranking", "demonstration", "answers", "runs", "quality"),
}
GARDEN = "kitchen-garden"


@dataclass(frozen=True)
class Screen:
    name: str
    person: str
    path: str
    press: str = ""  # keys, one after another
    open: str = ""  # a button that is pressed first


@dataclass(frozen=True)
class World:
    slug: str
    runs: dict[str, str]
    policy: str
    start: str
    case: str
    invitation: str  # the address of one


def screens(world: World) -> list[Screen]:
    """Every screen there is, with whoever looks at it."""
    p, runs = f"/p/{world.slug}", world.runs
    return [
        Screen("sign-in", "", "/"),
        Screen("home", "nora", "/"),
        Screen("ranking", "nora", f"/p/{GARDEN}/work?kind=ranking", press="2 1 1 2 4 0 3"),
        Screen("demonstration", "nora", f"/p/{GARDEN}/work?kind=demonstration"),
        Screen("answers", "nora", f"/p/{GARDEN}/mine"),
        Screen("account", "nora", "/account"),
        Screen("comparison", "nora", f"/p/{GARDEN}/work?kind=comparison"),
        Screen("keys", "nora", f"/p/{GARDEN}/work?kind=ranking", press="?"),
        Screen("skip", "nora", f"/p/{GARDEN}/work?kind=ranking", open="Skip"),
        Screen("invitation", "", world.invitation),
        Screen("runs", "erin", f"{p}/runs"),
        Screen("new-run", "erin", f"{p}/runs/new?kind=reward_model"),
        Screen("run-ppo", "erin", f"{p}/runs/{runs['ppo']}"),
        Screen("run-reward-model", "erin", f"{p}/runs/{runs['reward_model']}"),
        Screen("overlay", "erin", f"{p}/runs/overlay?run={runs['sft']}&run={runs['pretrain']}"),
        Screen("rounds", "erin", f"{p}/rounds"),
        Screen("checkpoints", "erin", f"{p}/checkpoints"),
        Screen("checkpoint", "erin", f"{p}/checkpoints/{world.policy}"),
        Screen("rollouts", "erin", f"{p}/rollouts"),
        Screen("playground", "erin", f"{p}/playground?a={world.policy}&b={world.start}"),
        Screen("tokens", "erin", f"{p}/tokens"),
        Screen("quality", "rita", f"{p}/quality"),
        Screen("statistics", "rita", f"{p}/statistics"),
        Screen("review", "rita", f"{p}/review"),
        Screen("case", "rita", f"{p}/review/{world.case}"),
        Screen("data", "erin", f"{p}/data"),
        Screen("projects", "ada", "/projects"),
        Screen("settings", "ada", f"/p/{GARDEN}/settings"),
        Screen("audit", "ada", f"{p}/audit"),
        Screen("people", "ada", "/people"),
        Screen("invite", "ada", f"/p/{GARDEN}/settings", open="Invite somebody"),
    ]


def main() -> int:
    var = os.environ.get("RANKLOOP_VAR")
    folder = Path(var) if var else ROOT / "var" / "screens" / "world"
    environment = {**os.environ, "RANKLOOP_VAR": str(folder), "PYTHONPATH": str(ROOT)}
    if not (folder / "demo" / "report.json").is_file():
        played = {**environment, "EXIT": "1", "PORT": str(free_port())}
        subprocess.run([sys.executable, "-m", "demo.up"], cwd=ROOT, env=played, check=True)
    with server(environment) as stage, sync_playwright() as playwright:
        world = prepare(stage)
        executable = os.environ.get("RANKLOOP_CHROMIUM") or shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        only = set(sys.argv[1:])
        photograph(chromium, stage, [each for each in screens(world) if not only or each.name in only])
        chromium.close()
    return 0


@contextmanager
def server(environment: dict[str, str]) -> Iterator[Stage]:
    port = free_port()
    stage = Stage(f"http://127.0.0.1:{port}", environment)
    stage.program("manage.py", "migrate", "--verbosity", "0")
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--blocking-threads",
        "4",
    ]
    process = subprocess.Popen(
        [*command, "--log-level", "warning", "config.wsgi:application"], cwd=ROOT, env=environment
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{stage.address}/api/v1/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield stage
    finally:
        process.terminate()
        process.wait(timeout=20)


def prepare(stage: Stage) -> World:
    """A project with rich text beside the small world, and people who look at both."""
    stage.api.sign_in("ada", PASSWORD)
    people = {person["username"] for person in stage.api("GET", "people")["results"]}
    for username, role in {"nora": "labeler", "rita": "reviewer", "erin": "engineer"}.items():
        if username not in people:
            person = {"username": username, "password": PASSWORD, "role": role, "name": username.title()}
            stage.api("POST", "people", person)
    slugs = {project["slug"] for project in stage.api("GET", "projects")["results"]}
    slug = seeding.slug(seeding.DEFAULT_SEED)
    for username, role in {"rita": "reviewer", "erin": "engineer"}.items():
        stage.api("POST", f"projects/{slug}/members", {"user": username, "role": role})
    if GARDEN not in slugs:
        garden(stage)
    if not stage.api("GET", f"projects/{GARDEN}/tasks?kind=comparison")["results"]:
        compared(stage)
    runs: dict[str, Any] = {run["kind"]: run for run in stage.api("GET", f"projects/{slug}/runs")["results"]}
    policies = stage.api("GET", f"projects/{slug}/checkpoints?kind=policy")["results"]
    measured(stage, slug)
    cases = stage.api("GET", f"projects/{slug}/review")["results"]
    return World(
        slug=slug,
        runs={kind: run["id"] for kind, run in runs.items()},
        policy=policies[0]["id"],
        start=policies[-1]["id"],
        case=cases[0]["id"] if cases else "",
        invitation=invited(stage),
    )


def invited(stage: Stage) -> str:
    """Invitations to the garden, and the newest one's address."""
    for role, email in (("reviewer", "sam@example.org"), ("labeler", "")):
        answer = stage.api("POST", f"projects/{GARDEN}/invitations", {"role": role, "email": email})
    return answer["link"].removeprefix(stage.address)


def measured(stage: Stage, slug: str) -> None:
    """Agreement, reliability and statistics, which a worker would measure from time to time."""
    if stage.api("GET", f"projects/{slug}/agreement")["measured_at"] is None:
        stage.program("manage.py", "measure", slug)


def garden(stage: Stage) -> None:
    settings = {"k": 4, "overlap": 2, "likert_points": 7, "flags": ["harmful", "off_topic"], "ask_rationale": True}
    stage.api("POST", "projects", {"slug": GARDEN, "name": "Kitchen garden", "random_share": 0, **settings})
    for username, role in {"nora": "labeler", "rita": "reviewer", "erin": "engineer"}.items():
        stage.api("POST", f"projects/{GARDEN}/members", {"user": username, "role": role})
    stage.api("POST", f"projects/{GARDEN}/guidelines", {"text": GUIDELINE})
    prompts = [{"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": q}]} for q in QUESTIONS]
    stage.api("POST", f"projects/{GARDEN}/prompts", {"prompts": prompts, "open_demonstrations": True})
    stage.program("-m", "tests.browser.stage", GARDEN, "rich")
    for _ in range(2):
        press_through(stage, GARDEN, "nora", password=PASSWORD)


def compared(stage: Stage) -> None:
    """One comparison in the garden."""
    replies = [{"source": f"policy {n}", "text": text} for n, text in enumerate(COMPARED, start=1)]
    item = {"messages": [{"role": "user", "content": QUESTIONS[3]}], "responses": replies}
    stage.api("POST", f"projects/{GARDEN}/tasks", {"kind": "comparison", "items": [item]})


def photograph(chromium: Browser, stage: Stage, wanted: list[Screen]) -> None:
    everything, documented = ROOT / "var" / "screens", ROOT / "docs" / "screens"
    everything.mkdir(parents=True, exist_ok=True)
    documented.mkdir(parents=True, exist_ok=True)
    for size, theme in sorted(product(SIZES, THEMES), key=lambda shot: shot not in DOCUMENTED):
        pages: dict[str, Page] = {}
        for screen in wanted:
            page = pages.get(screen.person)
            if page is None:
                page = pages[screen.person] = arrive(chromium, stage, screen.person, SIZES[size], theme)
            file = everything / f"{screen.name}-{size}-{theme}.png"
            take(page, screen, file)
            if screen.name in DOCUMENTED.get((size, theme), ()):
                shrink(file, documented / file.name)
        for page in pages.values():
            page.context.close()


def shrink(file: Path, target: Path) -> None:
    """A page has few colors: 256 of them look the same at a third of the bytes."""
    with Image.open(file) as image:
        image.convert("RGB").quantize(256).save(target, optimize=True)


def arrive(chromium: Browser, stage: Stage, person: str, size: tuple[int, int], theme: str) -> Page:
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        base_url=stage.address,
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").wait_for()
    if person:
        page.evaluate("localStorage.setItem('rankloop.tour', 'seen')")
        page.get_by_label("User name").fill(person)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Good to see you").wait_for()
    return page


def take(page: Page, screen: Screen, file: Path) -> None:
    page.goto(screen.path)
    page.wait_for_load_state("networkidle")
    if screen.open:
        page.get_by_role("button", name=screen.open).first.click()
    for key in screen.press.split():
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    page.screenshot(path=file)


SYSTEM = "You help people who grow vegetables at home. Be brief and exact."
GUIDELINE = "Rank what helps a gardener most first.\n\n- **Right** before pleasant.\n- Doses and dates must be exact.\n"
COMPARED = [
    "Carrots from **March** on, in rows 25 cm apart. Beans when no frost comes any more: *mid-May*.",
    "Sow both in May, when the soil is warm. Soak beans overnight and thin carrots to 3 cm.",
]
QUESTIONS = [
    "How much compost do I need for a bed of 1.2 m by 3 m, 5 cm deep? Show the formula.",
    "Write a small program that waters my tomatoes every other day.",
    "My basil has black spots. What is it, and what do I do?",
    "When do I sow carrots, and when beans?",
]


if __name__ == "__main__":
    sys.exit(main())
