"""Sources of responses: checkpoints, outside models, people."""

from datetime import datetime

from labeling.models.projects import Project
from labeling.models.prompts import Source


def register(*, project: Project, kind: str, name: str, reference: str, now: datetime) -> Source:
    """The project's source with this kind and reference, made where there is none yet."""
    source, _ = Source.objects.get_or_create(
        project=project,
        kind=Source.Kind(kind).value,
        reference=reference,
        defaults={"name": name, "created_at": now},
    )
    return source
