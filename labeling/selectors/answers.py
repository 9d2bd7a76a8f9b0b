"""Answers with all their details, without a query per row."""

from typing import Any

from django.db.models import F, Prefetch, QuerySet

from labeling.models.answers import Answer, RankedResponse
from labeling.models.work import Kind
from labeling.selectors import work


def detailed(answers: QuerySet[Answer]) -> QuerySet[Answer]:
    ranked = RankedResponse.objects.annotate(of=F("response__uuid")).only(
        "answer", "rank", "unacceptable", "likert", "flags"
    )
    # Two that are not joined. Nearly all answers are newest revisions, and a join over an index of nulls is planned as
    # a scan; projects are few, so SQLite would begin with them, and sort all their answers.
    newer = Prefetch("replaced_by", queryset=Answer.objects.only("pk", "replaces"))
    return answers.select_related("task", "labeler", "demonstration", "guideline", "prompt").prefetch_related(
        Prefetch("ranked", queryset=ranked, to_attr="places"), newer, "project"
    )


def describe(answer: Answer, *, blind: bool = False) -> dict[str, Any]:
    """A `detailed` answer as the API gives it; `blind` keeps back whether it was gold or a repeat."""
    ranked = answer.places  # type: ignore[attr-defined]
    demonstration = answer.demonstration if answer.kind == Kind.DEMONSTRATION else None
    return {
        **receipt(answer),
        "purpose": None if blind else answer.purpose,
        "too_fast": answer.too_fast,
        "labeler": answer.labeler.username if answer.labeler else None,
        "origin": answer.origin,
        "prompt": {"id": answer.prompt.uuid, "last_message": answer.prompt.messages[-1]["content"][:200]},
        "guideline_version": answer.guideline.version if answer.guideline else None,
        "order_shown": answer.order_shown,
        "ranks": {str(one.of): one.rank for one in ranked},
        "unacceptable": [one.of for one in ranked if one.unacceptable],
        "likert": {str(one.of): one.likert for one in ranked if one.likert is not None},
        "flags": {str(one.of): one.flags for one in ranked if one.flags},
        "reply": demonstration.reply if demonstration else None,
        "edit_distance": demonstration.edit_distance if demonstration else None,
        "rationale": answer.rationale,
        "confidence": answer.confidence,
        "active_ms": answer.active_ms,
        "newest": not hasattr(answer, "replaced_by"),
    }


def with_texts(answer: Answer, *, blind: bool = False) -> dict[str, Any]:
    """The same with the whole prompt and the responses as they were shown: what an edit needs."""
    shown = []
    if answer.rollout_set_id is not None:
        order = answer.order_shown or [str(one.of) for one in answer.places]  # type: ignore[attr-defined]
        shown = work.shown(work.responses_of(answer.rollout_set_id), order)
    return {
        **describe(answer, blind=blind),
        "messages": answer.prompt.messages,
        "responses": shown,
        "settings": work.rules(answer.project),
    }


def receipt(answer: Answer) -> dict[str, Any]:
    """What the labeler gets for an answer."""
    return {
        "id": answer.uuid,
        "kind": answer.kind,
        "task": answer.task.uuid if answer.task else None,
        "created_at": answer.created_at,
        "late": answer.late,
        "revision": answer.revision,
    }
