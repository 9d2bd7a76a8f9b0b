"""Every screen by axe's rules (WCAG 2.2 A and AA), light and dark, and nothing wider than a phone."""

import pytest
from playwright.sync_api import Page

from tests.browser.rules import broken
from tests.browser.stage import press_through

pytestmark = pytest.mark.browser
LABELER = ["/", "/p/{p}/work?kind=ranking", "/p/{w}/work?kind=demonstration", "/p/{p}/mine", "/account", "/nowhere"]
ENGINEER = [
    *[f"/p/{{p}}/{page}" for page in ("runs", "runs/new?kind=ppo", "rounds", "checkpoints", "rollouts", "playground")],
    *["/p/{p}/tokens", "/p/{p}/data", "/p/{p}/quality", "/p/{p}/statistics", "/p/{p}/runs/{run}"],
]
ADMIN = ["/projects", "/people", "/p/{p}/settings", "/p/{p}/audit", "/p/{p}/review", "/p/{p}/answers/{answer}"]


@pytest.fixture(scope="module")
def names(stage):
    """A project to rank in, with one answer and one run that never began, and one to write in."""
    settings = {"likert_points": 7, "flags": ["harmful"], "ask_rationale": True, "ask_confidence": True}
    slug = stage.project("seen", questions=["What is one and one?", "What is two and two?"], texts="rich", **settings)
    writes = stage.project("written", questions=["Where do flowers grow?"], demonstrations=True)
    stage.api("POST", f"projects/{slug}/guidelines", {"text": "# What is good\n\nRight *and* polite: $a^2$."})
    corpus = {"name": "corpus.txt", "text": "\n\n".join(f"The garden has {n} flowers." for n in range(200))}
    stage.api("POST", f"projects/{slug}/corpora", corpus)
    run = stage.api("POST", f"projects/{slug}/runs", {"kind": "pretrain", "config": {"steps": 20}})
    stage.api("POST", f"runs/{run['id']}/cancel")
    return {"p": slug, "w": writes, "run": run["id"], "answer": press_through(stage, slug, "alice")}


@pytest.mark.parametrize(
    ("person", "paths"), [("alice", LABELER), ("erin", ENGINEER), ("ada", ADMIN)], ids=["labeler", "engineer", "admin"]
)
def test_no_screen_breaks_a_rule_of_accessibility(names, sign_in, person: str, paths: list[str]):
    page = sign_in(person)
    assert problems(page, "", paths, names) == []


def problems(page: Page, where: str, paths: list[str], names: dict[str, str]) -> list[str]:
    found = []
    for path in (each.format(**names) for each in paths):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found += broken(page, f"{where}{path}")
    return found
