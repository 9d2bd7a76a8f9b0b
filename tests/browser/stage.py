"""Responses to rank, as a `sample` run would publish them. Run as a program against the server's database."""

import os
import sys
import uuid
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
TEXTS = (
    "Five flowers.",
    "I would rather not say.",
    "Five flowers, because two plus three is five.",
    "Seven flowers.",
)

# With the Markdown, code and formulas that models write.
RICH_TEXTS = (
    """Volume is area times depth:

$$V = 1.2\\,\\text{m} \\times 3\\,\\text{m} \\times 0.05\\,\\text{m} = 0.18\\,\\text{m}^3$$

That is **180 litres**, about four and a half bags of 40 litres.""",
    """It depends on the soil. Many gardeners use *plenty*.

| soil | depth |
| --- | --- |
| sand | 8 cm |
| loam | 5 cm |
| clay | 3 cm |""",
    """```python
def compost(width: float, length: float, depth: float = 0.05) -> float:
    \"\"\"Litres of compost for a bed, in metres.\"\"\"
    return 1000 * width * length * depth

print(compost(1.2, 3))  # 180.0
```""",
    "Just buy a lot of it. More compost has never hurt anybody, and [this shop](https://example.org) sells it.",
)

# Nine responses of 2,000 words, no two alike.
LONG_TEXTS = tuple(
    "\n\n".join(" ".join(f"word{(n + k) % 97}" for n in range(p * 100, p * 100 + 100)) for p in range(20))
    for k in range(9)
)
TEXTS_BY_NAME = {"plain": TEXTS, "rich": RICH_TEXTS, "long": LONG_TEXTS}


def press_through(stage: Any, slug: str, labeler: str, **password: str) -> str:
    """Rank the next task in the order shown, over the API; the answer's id."""
    admin = stage.api.token
    stage.api.sign_in(labeler, **password)
    lease = stage.api("POST", f"projects/{slug}/next", {"kinds": ["ranking"]})
    ids = [response["id"] for response in lease["task"]["responses"]]
    ranks = {one: place + 1 for place, one in enumerate(ids)}
    body = {"idempotency_key": lease["token"], "ranks": ranks, "unacceptable": [], "likert": {}, "flags": {}}
    answer = stage.api("POST", f"leases/{lease['token']}/ranking", {**body, "active_ms": 42_000})
    stage.api.token = admin
    return answer["id"]


def main(slug: str, texts: str = "plain", run: str = "") -> None:
    """Publish them as of this run, where one is named: one that was cancelled looks as if it had succeeded then."""
    django.setup()
    if texts == "hostile":
        from tests.browser.test_hostile import ALL, PAYLOADS

        TEXTS_BY_NAME[texts] = (ALL, PAYLOADS[0], PAYLOADS[1], PAYLOADS[12])
    from django.utils import timezone

    from contracts.records import Rollout, RolloutSetRecord
    from labeling.models.projects import Project
    from labeling.models.prompts import Prompt
    from labeling.services import rollouts, sources

    now = timezone.now()
    project = Project.objects.get(slug=slug)
    source = sources.register(project=project, kind="outside", name="a model", reference="a model", now=now)
    rows = [
        RolloutSetRecord(
            prompt_id=str(prompt.uuid),
            rollouts=tuple(
                Rollout(index=i, text=text, token_ids=(1, 2), token_logprobs=(-0.1, -0.2), finish_reason="stop", seed=i)
                for i, text in enumerate(TEXTS_BY_NAME[texts])
            ),
        )
        for prompt in Prompt.objects.filter(project=project)
    ]
    rollouts.publish(
        project=project,
        source=source,
        run_id=uuid.UUID(run) if run else uuid.uuid4(),
        sampling={},
        rows=rows,
        open_tasks=True,
        now=now,
    )

    if run:
        from training.models.runs import Run

        Run.objects.filter(pk=run).update(status=Run.Status.SUCCEEDED, kind="sample")


if __name__ == "__main__":
    main(*sys.argv[1:])
