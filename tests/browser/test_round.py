"""An engineer's round through the pages, with a real worker and real runs: import, reward model, PPO, new rollouts.

Then a talk with what came of it, beside what it came from, and its tokens. Only what people do elsewhere comes over
the API: the first model and its rollouts, and the labelers' rankings.
"""

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from demo import labelers, seeding, texts
from demo.client import Client
from demo.scale import SMALL
from demo.world import World
from tests.browser.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.torch]
SLUG = "whole"
TRAIN, HELDOUT = 16, 6
RUN_SECONDS = 90


@pytest.fixture(scope="module")
def world():
    return World(1)


@pytest.fixture(scope="module")
def admin(stage):
    with Client.login(stage.address, "ada", PASSWORD) as client:
        seeding.make_people(client)
        client.post("projects", {"slug": SLUG, "name": "Whole", "k": 5, "overlap": 1})
        seeding.make_members(client, SLUG)
        yield client


def follow(admin: Client, kind: str, **body) -> dict:
    """Starts a run over the API and waits for its end."""
    run = admin.post(f"projects/{SLUG}/runs", {"kind": kind, "seed": 1, "config": SMALL.configs[kind], **body})
    deadline = time.monotonic() + RUN_SECONDS
    while run["status"] in ("queued", "running"):
        assert time.monotonic() < deadline, run
        time.sleep(0.2)
        run = admin.get(f"runs/{run['id']}")
    assert run["status"] == "succeeded", run["error"]
    return run


def import_prompts(page: Page, world: World, file) -> None:
    rows = [
        {"messages": [one.to_json() for one in record.messages], "split": record.split, "rankloop_id": f"p{number}"}
        for number, record in enumerate(world.prompts(train=TRAIN, heldout=HELDOUT))
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    page.goto(f"/p/{SLUG}/data")
    wizard = page.get_by_role("region", name="Import", exact=True)
    wizard.get_by_label("File").set_input_files(file)
    wizard.get_by_role("button", name=f"Store {TRAIN + HELDOUT} new records").click()
    imports = page.get_by_role("region", name="Imports")
    expect(imports.get_by_text(f"{TRAIN + HELDOUT} new, 0 known already, 0 refused")).to_be_visible(timeout=30_000)


def rank_all(stage, world: World) -> int:
    (careful,) = (labeler for labeler in labelers.LABELERS if labeler.username == "sim-careful-1")
    with Client.login(stage.address, careful.username, seeding.PASSWORD) as client:
        return labelers.work(client, careful, world, project=SLUG, kind="ranking", most=1_000)


def start_run(page: Page, kind: str, name: str, inputs: dict[str, str]) -> None:
    """Fills the form of a kind of run, presses the button, and waits on the run's page until it has succeeded."""
    page.goto(f"/p/{SLUG}/runs/new?kind={kind}")
    page.get_by_label("Name", exact=True).fill(name)
    for option, value in SMALL.configs[kind].items():
        page.get_by_label(option.replace("_", " ").capitalize(), exact=True).fill(str(value))
    for field, label in inputs.items():
        select = page.get_by_role("region", name="Inputs").get_by_label(field, exact=True)
        choices = select.locator("option").all_inner_texts()
        select.select_option(label=next(choice for choice in choices if choice.startswith(label)))
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_role("heading", name=f"{name} succeeded")).to_be_visible(timeout=RUN_SECONDS * 1_000)


def test_from_an_import_to_ppo_to_new_rollouts_that_wait_for_labelers(stage, worker, admin, world, sign_in, tmp_path):
    page = sign_in("erin")
    import_prompts(page, world, tmp_path / "prompts.jsonl")
    corpus = admin.post(
        f"projects/{SLUG}/corpora", {"name": "corpus.txt", "text": texts.corpus(world, heldout=[], documents=150)}
    )
    base = follow(admin, "pretrain", name="base", inputs={"corpus": corpus["id"]})
    follow(admin, "sample", name="first rollouts", inputs={"policy": base["checkpoint"]})
    assert rank_all(stage, world) > TRAIN // 2

    start_run(page, "reward_model", "judge", {})
    expect(page.get_by_role("heading", name="Report")).to_be_visible()
    start_run(page, "ppo", "better", {})
    expect(page.get_by_role("heading", name="Reward").or_(page.locator("canvas, svg")).first).to_be_visible()
    assert admin.get(f"projects/{SLUG}/progress")["tasks"]["ranking"]["open"] == 0
    start_run(page, "sample", "new rollouts", {"Policy": "better", "Reward model": "judge"})

    progress = admin.get(f"projects/{SLUG}/progress")
    assert progress["tasks"]["ranking"]["open"] > 0
    labeler = sign_in("alice")
    labeler.get_by_role("region", name="Whole").get_by_role("link", name="Rank").click()
    expect(labeler.get_by_text("0 of 5 decided")).to_be_visible()

    browse(page, admin, stage, world)


def browse(page: Page, admin: Client, stage, world: World) -> None:
    """The new rollouts in the browser: of one policy, by reward, and against people once some have ranked them."""
    page.get_by_role("link", name="Rollouts").first.click()
    cards = page.locator("ol.samples > li")
    expect(cards.first).to_contain_text("better")
    page.get_by_label("Order").select_option(label="highest reward first")
    expect(cards.first).to_contain_text("score")
    best = [max(map(float, re.findall(r"score (-?[0-9.]+)", text))) for text in cards.all_inner_texts()]
    assert len(best) >= TRAIN and best == sorted(best, reverse=True)
    page.get_by_label("Policy").select_option(label="base")
    expect(page.get_by_text("No rollouts with a score.")).to_be_visible()
    page.get_by_label("Policy").select_option(label="better")
    page.get_by_label("Order").select_option(label="most disagreement first")
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()

    assert rank_all(stage, world) > 0
    admin.post(f"projects/{SLUG}/measurements", {})
    deadline = time.monotonic() + RUN_SECONDS
    while not admin.get(f"projects/{SLUG}/rollouts", order="disagreement")["results"]:
        assert time.monotonic() < deadline, "nothing was measured"
        time.sleep(0.2)
    page.reload()
    expect(cards.first).to_contain_text("of pairs against people")
    shares = [float(re.search(r"([0-9.]+)% of pairs", text)[1]) for text in cards.all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    expect(cards.first).to_contain_text("people: place 1")
    assert page.url.endswith("order=disagreement") or "order=disagreement&" in page.url


def test_a_talk_with_two_checkpoints_and_the_tokens_of_it(stage, worker, admin, sign_in):
    page = sign_in("erin")
    page.goto(f"/p/{SLUG}/playground")
    page.get_by_role("button", name="Beside a second model").click()
    page.get_by_text("System message and sampling").click()
    page.get_by_label("System message").fill("Be kind.")
    page.get_by_label("Tokens at most").fill("24")
    page.get_by_role("textbox", name="Your message").fill("What is two plus two?")
    page.get_by_role("button", name="Send").click()
    sides = [page.get_by_role("region", name=name, exact=True) for name in ("Model", "Second model")]
    for side in sides:
        expect(side.get_by_text("nats a token")).to_be_visible(timeout=60_000)
        assert side.locator(".turn-assistant").count() == 1
    assert sides[0].get_by_role("combobox").input_value() != sides[1].get_by_role("combobox").input_value()

    page.get_by_label("Tokens at most").fill("4000")
    page.get_by_role("textbox", name="Your message").fill("Go on.")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=30_000)
    assert stage.api("GET", f"projects/{SLUG}")["slug"] == SLUG

    sides[0].get_by_role("link", name="See it as tokens").click()
    tokens = page.get_by_role("list", name="Tokens").get_by_role("button")
    tokens.first.wait_for()
    shown = tokens.all_inner_texts()
    assert "".join(shown).replace("·", " ").count("Be kind.") == 1
    assert page.locator("button.token-system").count() and page.locator("button.token-user").count()
    colours = {
        role: page.locator(f"button.token-{role}").first.evaluate("e => getComputedStyle(e).backgroundColor")
        for role in ("system", "user", "assistant")
    }
    assert len(set(colours.values())) == 3
    expect(page.get_by_role("heading", name=f"{len(shown)} tokens")).to_be_visible()

    with page.expect_response("**/inspections"):
        tokens.nth(2).click()
    expect(page.get_by_role("heading", name="What comes after")).to_contain_text(shown[2])
    expect(page.locator(".chances li")).to_have_count(12)
    widths = page.locator(".chances .num").all_inner_texts()
    assert widths == sorted(widths, key=lambda text: -float(text.strip("<% ")))
    page.get_by_label("Show ids").check()
    assert all(text.splitlines()[-1].isdigit() for text in tokens.all_inner_texts())
