"""Puts the small world's project on a server, over the API: people, project, prompts, corpus.

Every step looks first at what is there, so seeding again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from demo import texts
from demo.client import ApiError, Client
from demo.labelers import LABELERS
from demo.scale import Scale
from demo.world import World

# Known to everybody who can read this, so `demo.up` listens on this machine only.
PASSWORD = "small-world"
ADMIN = "ada"
ENGINEER = "erin"
PEOPLE = {ADMIN: "admin", ENGINEER: "engineer", "rita": "reviewer", "alice": "labeler", "bob": "labeler"}
CORPUS = "small world"
DEFAULT_SEED = 1

GUIDELINE = """\
Put the responses in order, best to worst.

1. A correct answer is better than a wrong one.
2. Any answer is better than dodging the question.
3. Polite is better than rude.
4. Short is better than rambling: what adds nothing only costs.

Responses that are equally good share a place.
"""


def slug(seed: int) -> str:
    """Each seed plays in a project of its own."""
    return "demo" if seed == DEFAULT_SEED else f"demo-{seed}"


def seed_project(admin: Client, world: World, scale: Scale, on_step: Callable[[int, int], None]) -> str:
    """Make what is missing and return the project's slug."""
    project = slug(world.seed)
    steps: list[Callable[[], Any]] = [
        lambda: make_people(admin),
        lambda: make_project(admin, _project(project, world.seed)),
        lambda: make_members(admin, project),
        lambda: _prompts(admin, project, world, scale),
        lambda: _corpus(admin, project, world, scale),
    ]
    for done, step in enumerate(steps, start=1):
        step()
        on_step(done, len(steps))
    return project


def make_people(admin: Client) -> None:
    """Everybody of the small world who has no account yet."""
    there = {person["username"] for person in admin.all("people")}
    wanted = {**PEOPLE, **{labeler.username: "labeler" for labeler in LABELERS}}
    for username, role in wanted.items():
        if username not in there:
            admin.post("people", {"username": username, "password": PASSWORD, "role": role, "name": username})


def make_project(admin: Client, body: dict[str, Any]) -> None:
    try:
        admin.get(f"projects/{body['slug']}")
    except ApiError as error:
        if error.status != 404:
            raise
        admin.post("projects", body)


def make_members(admin: Client, project: str) -> None:
    there = {member["username"] for member in admin.all(f"projects/{project}/members")}
    for username, role in {**PEOPLE, **{labeler.username: "labeler" for labeler in LABELERS}}.items():
        if username not in there:
            admin.post(f"projects/{project}/members", {"user": username, "role": role})


def make_corpus(admin: Client, project: str, name: str, text: Callable[[], str]) -> None:
    if not any(corpus["name"] == name for corpus in admin.all(f"projects/{project}/corpora")):
        admin.post(f"projects/{project}/corpora", {"name": name, "text": text()})


def _project(project: str, seed: int) -> dict[str, Any]:
    return {
        "slug": project,
        "name": "Small world" if seed == DEFAULT_SEED else f"Small world, seed {seed}",
        "description": f"Questions about eight people and small numbers; seed {seed}.",
        "k": 5,
        "overlap": 1,
        "allow_ties": True,
        "guideline": GUIDELINE,
    }


def _prompts(admin: Client, project: str, world: World, scale: Scale) -> None:
    """Demonstrations are wanted for the training prompts only. Prompts that are there are not stored twice."""
    records = world.prompts(train=scale.train_prompts, heldout=scale.heldout_prompts)
    for split, wanted in (("train", True), ("heldout", False)):
        prompts = [
            {"messages": [message.to_json() for message in record.messages], "split": split, "meta": record.meta}
            for record in records
            if record.split == split
        ]
        admin.post(f"projects/{project}/prompts", {"prompts": prompts, "open_demonstrations": wanted})


def _corpus(admin: Client, project: str, world: World, scale: Scale) -> None:
    def text() -> str:
        prompts = world.prompts(train=scale.train_prompts, heldout=scale.heldout_prompts)
        heldout = [prompt.messages[-1].content for prompt in prompts if prompt.split == "heldout"]
        return texts.corpus(world, heldout=heldout, documents=scale.documents)

    make_corpus(admin, project, CORPUS, text)
