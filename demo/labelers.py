"""Simulated labelers: they sign in, ask for work, rank and write like people, over the public REST API.

What one of them decides is a pure function of seed, labeler and what is on the screen, never of timing.
Who gets which task is the server's choice.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from contracts.records import Message
from demo.client import ApiError, Client
from demo.gold import gold
from demo.texts import Style, answer
from demo.world import World


@dataclass(frozen=True)
class Labeler:
    """How somebody judges and writes.

    `noise` is the standard deviation of a judgment and `front` what each place nearer the front of the
    screen adds to it, both in units of the gold reward; judgments within one step of `grain` are ties.
    A labeler who does not read (`reads` False) ranks at random. `share` is their part of the work.
    """

    username: str
    share: float
    style: Style
    noise: float = 0.0
    front: float = 0.0
    grain: float = 0.25
    reads: bool = True


CAREFUL = Style(right=0.97, dodge=0.08, ramble=0.35, polite=0.4, rude=0.12)
NOISY = Style(right=0.9, dodge=0.2, ramble=0.5, polite=0.25, rude=0.3)
BIASED = Style(right=0.95, dodge=0.12, ramble=0.35, polite=0.3, rude=0.35)
SPAMMER = Style(right=0.6, dodge=0.5, ramble=0.4, polite=0.1, rude=0.5)

LABELERS = (
    Labeler("sim-careful-1", share=0.28, style=CAREFUL, noise=0.15),
    Labeler("sim-careful-2", share=0.28, style=CAREFUL, noise=0.15),
    Labeler("sim-noisy-1", share=0.15, style=NOISY, noise=0.9, grain=0.5),
    Labeler("sim-noisy-2", share=0.15, style=NOISY, noise=0.9, grain=0.5),
    Labeler("sim-biased", share=0.09, style=BIASED, noise=0.3, front=0.5),
    Labeler("sim-spammer", share=0.05, style=SPAMMER, reads=False),
)


def judge(
    labeler: Labeler, world: World, prompt: tuple[Message, ...], shown: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """Rank the (id, text) pairs in the order shown: 1 is best, equal ranks are ties. Equal texts tie for whoever
    reads, except by their place."""
    values = {}
    for place, (identity, text) in enumerate(shown):
        rng = _rng("rank", world, labeler, prompt, text if labeler.reads else identity)
        if labeler.reads:
            perceived = gold(world, prompt, text) + rng.gauss(0, labeler.noise) + labeler.front * (len(shown) - place)
            values[identity] = round(perceived / labeler.grain)
        else:
            values[identity] = rng.randrange(1 << 30)
    places = {value: rank for rank, value in enumerate(sorted(set(values.values()), reverse=True), start=1)}
    return {identity: places[value] for identity, value in values.items()}


def demonstrate(labeler: Labeler, world: World, prompt: tuple[Message, ...]) -> str:
    """What the labeler writes as an ideal reply. Raises `ValueError` for a prompt that is not of the world."""
    question = world.question(prompt)
    if question is None:
        raise ValueError(f"no question of this world: {prompt[-1].content!r}")
    return answer(question, labeler.style, _rng("write", world, labeler, prompt))


def work(
    client: Client,
    labeler: Labeler,
    world: World,
    *,
    project: str,
    kind: str,
    most: int,
    on_answer: Callable[[], None] = lambda: None,
    stop: Event | None = None,
) -> int:
    """Do up to `most` tasks of a kind, or all that wait. Returns how many answers were taken."""
    done = 0
    while done < most and not (stop and stop.is_set()):
        lease = client.post(f"projects/{project}/next", {"kinds": [kind]})
        if lease is None:
            break
        path, body = f"leases/{lease['token']}/{kind}", _answer(lease, labeler, world)
        try:
            client.post(path, body)
        except ApiError as error:
            if error.code != "already_answered":
                raise
        done += 1
        on_answer()
    return done


def work_together(
    clients: Mapping[str, Client],
    world: World,
    *,
    project: str,
    kind: str,
    total: int,
    on_answer: Callable[[], None] = lambda: None,
) -> int:
    """All labelers at once, each on their share of `total`; then all on what is left. Returns the answers taken."""
    done, stop = 0, Event()
    shares = {labeler: round(total * labeler.share) for labeler in LABELERS}
    with ThreadPoolExecutor(max_workers=len(LABELERS)) as pool, _set_at_the_end(stop):
        for quotas in (shares, dict.fromkeys(LABELERS, total)):
            futures = [
                pool.submit(
                    work,
                    clients[labeler.username],
                    labeler,
                    world,
                    project=project,
                    kind=kind,
                    most=most,
                    on_answer=on_answer,
                    stop=stop,
                )
                for labeler, most in quotas.items()
            ]
            done += sum(future.result() for future in futures)
    return done


@contextlib.contextmanager
def _set_at_the_end(event: Event) -> Iterator[None]:
    """So that Ctrl-C, or one labeler's error, stops the others too."""
    try:
        yield
    finally:
        event.set()


def _answer(lease: dict[str, Any], labeler: Labeler, world: World) -> dict[str, Any]:
    """The body of a submission: the same lease always gets the same one."""
    task = lease["task"]
    prompt = tuple(Message.from_json(message) for message in task["prompt"]["messages"])
    common = {"idempotency_key": str(uuid.uuid5(uuid.NAMESPACE_OID, lease["token"]))}
    if task["kind"] == "demonstration":
        text = demonstrate(labeler, world, prompt)
        return {**common, "text": text, "active_ms": 4_000 + 90 * len(text)}
    shown = [(response["id"], response["text"]) for response in task["responses"]]
    reading = 40 * sum(len(text) for _, text in shown) if labeler.reads else 0
    return {**common, "ranks": judge(labeler, world, prompt, shown), "active_ms": 1_500 + reading}


def _rng(purpose: str, world: World, labeler: Labeler, prompt: tuple[Message, ...], *details: str) -> random.Random:
    turns = [message.content for message in prompt]
    return random.Random(f"{purpose}:{world.seed}:{labeler.username}:{turns}:{details}")
