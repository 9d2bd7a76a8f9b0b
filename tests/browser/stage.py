"""Responses to rank, as a `sample` run would publish them. Run as a program against the server's database."""

import os
import sys
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
TEXTS = (
    "Five flowers.",
    "I would rather not say.",
    "Five flowers, because two plus three is five.",
    "Seven flowers.",
)


def main(slug: str) -> None:
    django.setup()
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
                for i, text in enumerate(TEXTS)
            ),
        )
        for prompt in Prompt.objects.filter(project=project)
    ]
    rollouts.publish(
        project=project, source=source, run_id=uuid.uuid4(), sampling={}, rows=rows, open_tasks=True, now=now
    )


if __name__ == "__main__":
    main(sys.argv[1])
