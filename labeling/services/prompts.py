"""Prompts: each conversation once per project, in a split that follows from its content."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from contracts.records import ROLES
from contracts.snapshots import content_hash
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt
from labeling.services import audit, bodies, evaluations, tasks
from labeling.services.bodies import Body
from labeling.services.text import is_storable_json

BATCH = 500
MOST = 10_000  # prompts a request
CHARACTERS = 200_000  # a message


@dataclass(frozen=True, kw_only=True)
class NewPrompt:
    messages: list[dict[str, str]]
    split: str | None = None  # None: by the content's hash
    meta: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def add(
    *, project: Project, prompts: Sequence[NewPrompt], open_demonstrations: bool, by: User | None, now: datetime
) -> tuple[list[Prompt], int]:
    """The stored prompts in the order given, and how many of them were new. None may be of an evaluation set."""
    evaluations.refuse(project=project, conversations=[one.messages for one in prompts], field="prompts.{}.messages")
    stored = store(project=project, prompts=prompts, now=now)
    new = sum(prompt.created_at == now for prompt in {prompt.pk: prompt for prompt in stored}.values())
    if open_demonstrations:
        tasks.open_demonstrations(project=project, prompts={prompt.pk: prompt for prompt in stored}.values(), now=now)
    audit.note(project=project, actor=by, action="prompts_added", subject=f"project:{project.uuid}",
               details={"given": len(prompts), "new": new}, now=now)  # fmt: skip
    return stored, new


def store(*, project: Project, prompts: Sequence[NewPrompt], now: datetime) -> list[Prompt]:
    """One row per distinct conversation, old or new, in the order given. The split of an old one stays."""
    hashes = [content_hash(prompt.messages) for prompt in prompts]
    rows = {
        key: Prompt(
            project=project,
            content_hash=key,
            messages=prompt.messages,
            split=prompt.split or split_of(key, project.heldout_share),
            meta=prompt.meta,
            created_at=now,
        )
        for key, prompt in reversed(list(zip(hashes, prompts, strict=True)))
    }
    Prompt.objects.bulk_create(list(reversed(rows.values())), ignore_conflicts=True, batch_size=BATCH)
    found: dict[str, Prompt] = {}
    keys = list(rows)
    for start in range(0, len(keys), BATCH):
        batch = Prompt.objects.filter(project=project, content_hash__in=keys[start : start + BATCH])
        found.update({prompt.content_hash: prompt for prompt in batch})
    return [found[key] for key in hashes]


def split_of(key: str, heldout_share: float) -> str:
    """By the content, not by chance: the same prompt lands in the same split in every import."""
    place = int(content_hash(f"split:{key}")[:13], 16) / 16**13
    return Prompt.Split.HELDOUT if place < heldout_share else Prompt.Split.TRAIN


def read(plain: Any) -> tuple[list[NewPrompt], bool]:
    """The body of a request that adds prompts."""
    body = Body(plain)
    open_demonstrations = body.truth("open_demonstrations")
    given = body.take("prompts")
    if not isinstance(given, list) or not 0 < len(given) <= MOST:
        body.problem("prompts", f"must be a list of 1 to {MOST} prompts", code="wrong_type")
        given = []
    prompts = []
    for index, one in enumerate(given):
        path = f"prompts.{index}"
        if not isinstance(one, dict):
            body.problem(path, "must be an object with messages", code="wrong_type")
            continue
        if unknown := set(one) - {"messages", "split", "meta"}:
            body.problem(f"{path}.{min(unknown)}", "is not a known field", code="unknown_field")
        messages = bodies.messages(body, f"{path}.messages", one.get("messages"), most=CHARACTERS, roles=ROLES)
        if messages and messages[-1]["role"] == "assistant":
            body.problem(f"{path}.messages", "must not end with the assistant, whose reply is wanted", code="bad_role")
        split, meta = one.get("split"), one.get("meta")
        if split not in (None, *Prompt.Split.values):
            body.problem(f"{path}.split", "must be train or heldout")
        if meta is not None and not isinstance(meta, dict):
            body.problem(f"{path}.meta", "must be an object", code="wrong_type")
        if not is_storable_json(meta):
            body.problem(f"{path}.meta", "contains a NUL or half a surrogate pair", code="bad_characters")
        prompts.append(NewPrompt(messages=messages, split=split, meta=meta or {}))
    body.finish()
    return prompts, open_demonstrations
