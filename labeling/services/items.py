"""Responses of models that are not ours, as work: rankings of several, or blind comparisons of two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from contracts.records import ROLES
from contracts.snapshots import content_hash
from labeling.models.people import User
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response, RolloutSet, Source
from labeling.models.work import Kind, LabelingTask
from labeling.services import audit, bodies, evaluations, prompts, sources, tasks
from labeling.services.bodies import Body
from labeling.services.prompts import NewPrompt

MOST = 1_000  # items a request
TEXT = 200_000  # characters
SOURCE = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Item:
    messages: list[dict[str, str]]
    responses: list[tuple[str, str]]  # (source, text)


@transaction.atomic
def open_tasks(
    *, project: Project, kind: Kind, items: Sequence[Item], by: User | None, now: datetime
) -> tuple[list[LabelingTask], int]:
    """A task for each item that is new to the project; and how many were known already. None of an evaluation set."""
    evaluations.refuse(project=project, conversations=[one.messages for one in items], field="items.{}.messages")
    stored = prompts.store(project=project, prompts=[NewPrompt(messages=item.messages) for item in items], now=now)
    wanted: dict[str, tuple[Prompt, Item]] = {}
    for prompt, item in zip(stored, items, strict=True):
        key = content_hash({"item": prompt.content_hash, "kind": str(kind), "responses": item.responses})
        wanted.setdefault(key, (prompt, item))
    known = RolloutSet.objects.filter(project=project, content_hash__in=list(wanted))
    there = set(known.values_list("content_hash", flat=True))
    new = {key: pair for key, pair in wanted.items() if key not in there}
    names = sorted({source for _, item in new.values() for source, _ in item.responses})
    named = {
        name: sources.register(project=project, kind=Source.Kind.OUTSIDE, name=name, reference=name, now=now)
        for name in names
    }
    sets = RolloutSet.objects.bulk_create(
        RolloutSet(project=project, prompt=prompt, content_hash=key, created_at=now) for key, (prompt, _) in new.items()
    )
    Response.objects.bulk_create(
        Response(rollout_set=row, index=index, text=text, source=named[source])
        for row in sets
        for index, (source, text) in enumerate(new[row.content_hash][1].responses)
    )
    opened = tasks.open_for_sets(
        project=project, kind=kind, rollout_sets=sets, priority=tasks.freshness(now), now=now
    )  # fmt: skip
    audit.note(project=project, actor=by, action="tasks_opened", subject=f"project:{project.uuid}",
               details={"kind": str(kind), "opened": len(opened), "given": len(items)}, now=now)  # fmt: skip
    return opened, len(items) - len(opened)


def read(plain: Any) -> tuple[Kind, list[Item]]:
    """The body of a request that opens tasks."""
    body = Body(plain)
    kind = body.text("kind", most=20, required=True)
    if kind and kind not in (Kind.RANKING, Kind.COMPARISON):
        body.problem("kind", "must be ranking or comparison", code="unknown_kind")
    given = body.take("items")
    if not isinstance(given, list) or not 0 < len(given) <= MOST:
        body.problem("items", f"must be a list of 1 to {MOST} items", code="wrong_type")
        given = []
    items = []
    for index, one in enumerate(given):
        path = f"items.{index}"
        if not isinstance(one, dict):
            body.problem(path, "must be an object with messages and responses", code="wrong_type")
            continue
        if unknown := set(one) - {"messages", "responses"}:
            body.problem(f"{path}.{min(unknown)}", "is not a known field", code="unknown_field")
        messages = bodies.messages(body, f"{path}.messages", one.get("messages"), most=TEXT, roles=ROLES)
        if messages and messages[-1]["role"] == "assistant":
            body.problem(f"{path}.messages", "must not end with the assistant, whose replies follow", code="bad_role")
        items.append(Item(messages=messages, responses=_responses(body, f"{path}.responses", one, kind)))
    body.finish()
    return Kind(kind), items


def _responses(body: Body, path: str, one: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    given = one.get("responses")
    most = 2 if kind == Kind.COMPARISON else 9
    if not isinstance(given, list) or not 2 <= len(given) <= most:
        body.problem(path, f"must be a list of 2{'' if most == 2 else f' to {most}'} responses", code="wrong_type")
        return []
    found = []
    for index, response in enumerate(given):
        at = f"{path}.{index}"
        if not isinstance(response, dict) or set(response) != {"text", "source"}:
            body.problem(at, "must be an object with text and source, and nothing else", code="wrong_type")
            continue
        text = body.checked_text(f"{at}.text", response["text"], most=TEXT)
        found.append((body.checked_text(f"{at}.source", response["source"], most=SOURCE, required=True), text))
    if kind == Kind.COMPARISON and len({source for source, _ in found}) != len(found):
        body.problem(path, "compares a source with itself", code="same_source")
    return found
