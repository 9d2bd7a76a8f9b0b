"""Throughput, time and money, the queue, and how old the rollouts are that people rank. A few grouped queries each."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.functions import TruncDate

from labeling.models import sql
from labeling.models.answers import Answer
from labeling.models.projects import Project
from labeling.models.prompts import Source
from labeling.models.work import Kind, LabelingTask, Purpose, Slot
from labeling.selectors import agreement

DAYS = 90  # that throughput looks back

# A comparison is a pair of responses whose order one answer decides. In an answer that gives n responses a place,
# these are (n^2 - sum of the squares of how many share each place) / 2. The newest revision counts; gold items, blind
# repeats and anchors do not, though their time does.
_COMPARISONS = f"""
    SELECT a.labeler_id, DATE(a.created_at), SUM((t.placed * t.placed - t.tied) / 2),
        SUM(CASE WHEN a.active_ms IS NULL THEN 0 ELSE (t.placed * t.placed - t.tied) / 2 END)
    FROM (
        SELECT answer_id, SUM(n) AS placed, SUM(n * n) AS tied
        FROM (
            SELECT r.answer_id, r.unacceptable, COALESCE(r.rank, {agreement.UNRANKED}) AS place, COUNT(*) AS n
            FROM labeling_rankedresponse r JOIN labeling_answer a ON a.id = r.answer_id
            WHERE a.project_id = %s AND a.kind IN ('ranking', 'comparison') AND a.created_at >= %s
                AND a.purpose IN ('ordinary', 'review')
                AND (r.rank IS NOT NULL OR r.unacceptable)
            GROUP BY r.answer_id, r.unacceptable, COALESCE(r.rank, {agreement.UNRANKED})
        ) places
        GROUP BY answer_id
    ) t
    JOIN labeling_answer a ON a.id = t.answer_id
    WHERE NOT EXISTS (SELECT 1 FROM labeling_answer newer WHERE newer.replaces_id = a.id)
    GROUP BY a.labeler_id, DATE(a.created_at)
"""


def throughput(*, project: Project, now: datetime) -> list[dict[str, Any]]:
    """Rows of what each labeler did on each of the last DAYS days, in UTC; imported answers are left out."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=DAYS - 1)
    answers = Answer.objects.filter(project=project, kind__in=Kind.values, created_at__gte=since, labeler__isnull=False)
    first = Q(revision=1)
    grouped = (
        answers.annotate(day=TruncDate("created_at"))
        .values_list("labeler__username", "labeler", "day", "kind")
        .annotate(
            answers=Count("pk", filter=first),
            late=Count("pk", filter=first & Q(late=True)),
            untimed=Count("pk", filter=Q(active_ms=None)),
            active=Sum("active_ms"),
        )
        .order_by("day", "labeler__username")
    )
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for username, labeler, day, kind, number, late, untimed, active in grouped:
        row = rows.setdefault((labeler, day.isoformat()), {"labeler": username, "day": day.isoformat(), **_nothing()})
        row[f"{kind}s"] += number
        row["late_answers"] += late
        row["untimed_answers"] += untimed
        row["active_minutes"] += (active or 0) / 60_000
        if kind != Kind.DEMONSTRATION:
            row["comparing_minutes"] += (active or 0) / 60_000
    for labeler, day, usable, timed in sql.rows(_COMPARISONS, [project.pk, sql.time(since)]):
        found = rows.get((labeler, str(day)))
        if found:
            found["usable_comparisons"] += int(usable)
            found["timed_comparisons"] += int(timed)
    return list(rows.values())


def _nothing() -> dict[str, Any]:
    return {
        **{f"{kind}s": 0 for kind in Kind.values},
        "late_answers": 0,
        "untimed_answers": 0,
        "active_minutes": 0.0,
        "comparing_minutes": 0.0,  # active minutes of rankings and comparisons
        "usable_comparisons": 0,
        "timed_comparisons": 0,  # usable ones of answers whose time is known
    }


def total(rows: Iterable[dict[str, Any]], *, hourly_rate: Decimal | None) -> dict[str, Any]:
    """The sum of throughput rows, with what a comparison takes and costs. Null where nothing was timed, or no rate."""
    summed = _nothing()
    for row in rows:
        for name in summed:
            summed[name] += row[name]
    timed, comparing = summed.pop("timed_comparisons"), summed.pop("comparing_minutes")
    minutes = comparing / timed if timed and comparing else None
    cost = float(hourly_rate) * minutes / 60 if hourly_rate is not None and minutes is not None else None
    return {
        **summed,
        "active_minutes": round(summed["active_minutes"], 2),
        "active_minutes_per_usable_comparison": _rounded(minutes),
        "cost_per_usable_comparison": _rounded(cost),
    }


def by(rows: Iterable[dict[str, Any]], key: str, *, hourly_rate: Decimal | None) -> list[dict[str, Any]]:
    """Totals of throughput rows by "day" or "labeler", in its order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return [{key: name, **total(groups[name], hourly_rate=hourly_rate)} for name in sorted(groups)]


def queue(*, project: Project, now: datetime) -> list[dict[str, Any]]:
    """Tasks by kind and state, and the seats on open tasks: free, held by somebody, answered."""
    tasks: dict[str, dict[str, int]] = {kind: dict.fromkeys(LabelingTask.State.values, 0) for kind in Kind.values}
    for kind, state, number in _grouped(LabelingTask.objects.filter(project=project), "kind", "state"):
        tasks[kind][state] = number
    waiting = Slot.objects.filter(project=project, free_at__isnull=False)
    held = dict(_grouped(waiting.filter(state=Slot.State.LEASED, free_at__gt=now), "kind"))
    slots = dict(_grouped(waiting, "kind"))
    return [
        {
            "kind": kind,
            "open_tasks": tasks[kind]["open"],
            "done_tasks": tasks[kind]["done"],
            "halted_tasks": tasks[kind]["halted"],
            "closed_tasks": tasks[kind]["closed"],
            "settled_tasks": tasks[kind]["settled"],
            "discarded_tasks": tasks[kind]["discarded"],
            "free_slots": slots.get(kind, 0) - held.get(kind, 0),
            "held_slots": held.get(kind, 0),
        }
        for kind in Kind.values
    ]


def staleness(*, project: Project, now: datetime) -> list[dict[str, Any]]:
    """Ranking tasks by the source of their responses, newest source first; how old the responses were when answered.

    A rollout set's responses are of one policy, so the first one's source stands for it.
    """
    ranking = LabelingTask.objects.filter(
        project=project, kind=Kind.RANKING, purpose=Purpose.ORDINARY, rollout_set__responses__index=0
    )
    source = "rollout_set__responses__source"
    tasks: dict[int, dict[str, int]] = {}
    for key, state, number in _grouped(ranking, source, "state"):
        tasks.setdefault(key, {})[state] = number
    answers = Answer.objects.filter(
        project=project,
        kind=Kind.RANKING,
        purpose=Purpose.ORDINARY,
        revision=1,
        task__isnull=False,
        rollout_set__responses__index=0,
    )
    age = ExpressionWrapper(F("created_at") - F("rollout_set__created_at"), output_field=DurationField())
    ages = {key: (n, mean) for key, n, mean in answers.values_list(source).annotate(n=Count("pk"), mean=Avg(age))}
    behind = 0
    found = []
    for row in Source.objects.filter(project=project, pk__in=list(tasks)).order_by("-created_at", "-id"):
        answered, mean = ages.get(row.pk, (0, None))
        found.append(
            {
                "reference": row.reference,
                "name": row.name,
                "kind": row.kind,
                "checkpoints_behind": behind if row.kind == Source.Kind.CHECKPOINT else None,
                "age_days": _rounded((now - row.created_at) / timedelta(days=1)),
                **{f"{state}_tasks": tasks[row.pk].get(state, 0) for state in LabelingTask.State.values},
                "answers": answered,
                "mean_hours_from_rollout_to_answer": _rounded(mean / timedelta(hours=1)) if mean is not None else None,
            }
        )
        behind += row.kind == Source.Kind.CHECKPOINT
    return found


def _grouped(rows: Any, *names: str) -> Any:
    return rows.values_list(*names).annotate(number=Count("pk")).order_by()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
