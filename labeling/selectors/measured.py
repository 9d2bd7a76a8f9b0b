"""What the newest measurement says, and how far behind the answers it is."""

from typing import Any

from django.db.models import Prefetch, QuerySet

from labeling import errors
from labeling.models.answers import Answer
from labeling.models.measurements import LabelerMeasure, Measurement, SetMeasure
from labeling.models.projects import Project
from labeling.models.prompts import RolloutSet
from labeling.models.work import LabelingTask, Purpose
from labeling.selectors import agreement, merging, ranked, weights


def newest(*, project: Project) -> Measurement | None:
    """The newest with a report."""
    done = Measurement.objects.filter(project=project, finished_at__isnull=False, error="")
    return done.order_by("-id").first()


def state(*, project: Project, measurement: Measurement | None) -> dict[str, Any]:
    """When it was measured, whether answers came since, and whether another measurement is on its way."""
    last = Measurement.objects.filter(project=project).order_by("-id").first()
    answer = Answer.objects.filter(project=project).order_by("-id").values_list("pk", flat=True).first()
    return {
        "measured_at": measurement.finished_at if measurement else None,
        "current": answer == (measurement.answers_through if measurement else None),
        "measuring": last is not None and last.finished_at is None,
        "error": last.error if last else "",
    }


def part(measurement: Measurement | None, name: str) -> dict[str, Any] | None:
    """A part of the report; None where nothing has been measured yet."""
    return measurement.report[name] if measurement else None


def labelers(*, measurement: Measurement | None) -> QuerySet[LabelerMeasure]:
    return LabelerMeasure.objects.filter(measurement=measurement).select_related("labeler")


def describe_labeler(row: LabelerMeasure) -> dict[str, Any]:
    return {
        "labeler": row.labeler.username if row.labeler else None,
        "name": row.labeler.get_full_name() if row.labeler else "",
        "origin": row.origin,
        "weight": row.weight,
        **row.numbers,
    }


def items(*, project: Project, ambiguous: bool) -> QuerySet[SetMeasure]:
    """Items that two or more people ranked, with what it takes to describe them."""
    rows = SetMeasure.objects.filter(project=project)
    if ambiguous:
        rows = rows.filter(ambiguous=True)
    ordinary = LabelingTask.objects.filter(purpose=Purpose.ORDINARY)
    return rows.select_related("rollout_set__prompt").prefetch_related(Prefetch("rollout_set__tasks", ordinary))


def describe_item(row: SetMeasure) -> dict[str, Any]:
    rollout_set = row.rollout_set
    task = next(iter(rollout_set.tasks.all()), None)
    return {
        "rollout_set": rollout_set.uuid,
        "task": task.uuid if task else None,
        "prompt": {"id": rollout_set.prompt.uuid, "last_message": rollout_set.prompt.messages[-1]["content"][:200]},
        "rankings": row.rankings,
        "agreeing_pairs": row.agreeing_pairs,
        "decided_pairs": row.decided_pairs,
        "pairwise_agreement": row.pairwise_agreement,
        "kendall_tau_b": row.kendall_tau_b,
        "krippendorff_alpha": row.krippendorff_alpha,
        "ambiguous": row.ambiguous,
    }


def merged(*, rollout_set: RolloutSet, weighted: bool) -> dict[str, Any]:
    """All rankings of one item as one, and how far they agree; as of now."""
    answers = ranked.independent(project=rollout_set.project)
    ((_, rankings),) = ranked.rankings(answers, rollout_sets=[rollout_set.pk])
    places = [one.places for one in rankings]
    reliability = weights.newest(project=rollout_set.project) if weighted else None
    if weighted and reliability is None:
        raise errors.NotMeasured
    scales = [reliability.of(one.who) for one in rankings] if reliability else None
    order = merging.merge(places, scales)
    responses = dict(rollout_set.responses.order_by("index").values_list("pk", "uuid"))
    winner = merging.condorcet_winner(places, scales)
    item = agreement.of_item(places) if len(places) > 1 else None
    return {
        "rollout_set": rollout_set.uuid,
        "rankings": len(places),
        "weights": "reliability" if weighted else "none",
        "ranks": {str(uuid): order.get(pk) for pk, uuid in responses.items()},
        "condorcet_winner": responses[winner] if winner is not None else None,
        "ambiguous": item.ambiguous if item else False,
        "pairwise_agreement": item.pairwise_agreement if item else None,
        "kendall_tau_b": item.kendall_tau_b if item else None,
        "krippendorff_alpha": item.krippendorff_alpha if item else None,
    }
