"""The forms of gold items and of the review queue, for the OpenAPI schema."""

from rest_framework import serializers as s

from labeling.api import work_shapes
from labeling.models.quality import ReviewCase
from labeling.models.work import Kind, LabelingTask, Purpose

PURPOSES = [purpose for purpose in Purpose.values if purpose != Purpose.REVIEW]


class GoldItem(s.Serializer):
    id = s.UUIDField()
    task = s.UUIDField()
    kind = s.ChoiceField(Kind.values)
    prompt = work_shapes.AnswerPrompt()
    ranks = s.DictField(child=s.IntegerField())
    reason = s.CharField()
    created_by = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    retired_at = s.DateTimeField(allow_null=True)


class NewGoldItem(s.Serializer):
    task = s.UUIDField()
    ranks = s.DictField(child=s.IntegerField(allow_null=True))
    unacceptable = s.ListField(child=s.UUIDField(), required=False, help_text="below every ranked one, tied")
    reason = s.CharField(required=False)


class CaseTask(s.Serializer):
    id = s.UUIDField()
    kind = s.ChoiceField(Kind.values)
    purpose = s.ChoiceField(PURPOSES)
    state = s.ChoiceField(LabelingTask.State.values)
    prompt = work_shapes.AnswerPrompt()


class Case(s.Serializer):
    id = s.UUIDField()
    why = s.ChoiceField(ReviewCase.Why.values)
    state = s.ChoiceField(ReviewCase.State.values)
    agreement = s.FloatField(allow_null=True)
    task = CaseTask()
    opened_at = s.DateTimeField()
    closed_at = s.DateTimeField(allow_null=True)
    closed_by = s.CharField(allow_null=True)
    reason = s.CharField()
    settlement = s.UUIDField(allow_null=True, help_text="the answer that counts")


class CaseResponse(work_shapes.ShownResponse):
    source = s.CharField()  # type: ignore[assignment]


class CaseSkip(s.Serializer):
    labeler = s.CharField()
    reason = s.CharField()
    comment = s.CharField()
    created_at = s.DateTimeField()


class Merged(s.Serializer):
    ranks = s.DictField(child=s.IntegerField())
    unacceptable = s.ListField(child=s.UUIDField())


class CaseDetail(Case):
    cycle = s.BooleanField()
    merged = Merged(allow_null=True)
    messages = work_shapes.Message(many=True)
    responses = CaseResponse(many=True)
    answers = work_shapes.Answer(many=True)
    skips = CaseSkip(many=True)
    settings = work_shapes.Rules()


class Settlement(s.Serializer):
    outcome = s.ChoiceField(["ranking", "merged", "reopen", "discard", "leave"])
    reason = s.CharField(max_length=5_000)
    ranks = s.DictField(child=s.IntegerField(allow_null=True), required=False)
    unacceptable = s.ListField(child=s.UUIDField(), required=False)
    slots = s.IntegerField(required=False, min_value=1, max_value=50, help_text="to reopen: how many more labelers")
