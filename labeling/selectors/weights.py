"""How much each labeler's rankings weigh in training, by the newest reliability fit."""

from dataclasses import dataclass
from typing import Any

from labeling.models.answers import Answer
from labeling.models.measurements import LabelerMeasure, Measurement
from labeling.models.projects import Project
from labeling.models.work import Purpose
from labeling.selectors.ranked import Who


@dataclass(frozen=True)
class Weights:
    """From 0 to 1. A labeler of whom nothing is known yet weighs what the others do on average."""

    measurement: Measurement
    known: dict[Who, float]
    names: dict[Who, str]

    @property
    def mean(self) -> float:
        return round(sum(self.known.values()) / len(self.known), 6)

    def of(self, who: Who) -> float:
        return self.known.get(who, self.mean)

    def of_answer(self, answer: Answer) -> float:
        """A reviewer's settlement weighs all it can: it is the last word."""
        if answer.purpose == Purpose.REVIEW:
            return 1.0
        return self.of((answer.labeler_id, "" if answer.labeler_id else answer.origin))

    def details(self) -> dict[str, Any]:
        """What a snapshot's manifest keeps."""
        return {
            "measurement": str(self.measurement.uuid),
            "fit": self.measurement.sha256,
            "labelers": {self.names[who]: weight for who, weight in self.known.items()},
            "others": self.mean,
        }


def newest(*, project: Project) -> Weights | None:
    """None where no labeler's reliability is known."""
    measurement = (
        Measurement.objects.filter(project=project, finished_at__isnull=False, error="").order_by("-id").first()
    )
    rows = LabelerMeasure.objects.filter(measurement=measurement, weight__isnull=False).select_related("labeler")
    known, names = {}, {}
    for row in rows.order_by("id"):
        who: Who = (row.labeler_id, row.origin)
        known[who] = row.weight or 0.0
        names[who] = row.labeler.username if row.labeler else f"imported:{row.origin}"
    return Weights(measurement, known, names) if measurement and known else None
