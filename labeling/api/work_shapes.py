"""The forms of what labelers get and send, for the OpenAPI schema. Services check what comes in."""

from rest_framework import serializers as s

from labeling.models.work import Kind, Purpose


class Message(s.Serializer):
    role = s.ChoiceField(["system", "user", "assistant", "tool"])
    content = s.CharField()
    name = s.CharField(required=False, allow_blank=True)


class Guideline(s.Serializer):
    version = s.IntegerField()
    text = s.CharField()
    created_at = s.DateTimeField(read_only=True, required=False)


class GuidelineRequest(s.Serializer):
    text = s.CharField()


class Rules(s.Serializer):
    allow_ties = s.BooleanField()
    allow_partial = s.BooleanField()
    allow_unacceptable = s.BooleanField()
    flags = s.ListField(child=s.CharField())
    likert_points = s.IntegerField()
    ask_rationale = s.BooleanField()
    ask_confidence = s.BooleanField()


class ShownResponse(s.Serializer):
    id = s.UUIDField()
    text = s.CharField()
    tokens = s.IntegerField(allow_null=True)


class TaskPrompt(s.Serializer):
    id = s.UUIDField()
    messages = Message(many=True)


class LeasedTask(s.Serializer):
    id = s.UUIDField()
    kind = s.ChoiceField(Kind.values)
    prompt = TaskPrompt()
    guideline = Guideline(allow_null=True)
    responses = ShownResponse(many=True)
    policy_draft = s.CharField(allow_null=True)
    settings = Rules()


class Notice(s.Serializer):
    state = s.ChoiceField(["warned", "paused"])
    reasons = s.ListField(child=s.CharField(), help_text="names of quality rules, or asked")
    since = s.DateTimeField()


class Standing(s.Serializer):
    state = s.ChoiceField(["good", "warned", "paused"])
    reasons = s.ListField(child=s.CharField())
    since = s.DateTimeField(allow_null=True)


class Lease(s.Serializer):
    token = s.UUIDField()
    expires_at = s.DateTimeField()
    lease_seconds = s.IntegerField()
    server_time = s.DateTimeField()
    task = LeasedTask()
    draft = s.JSONField(allow_null=True)
    notice = Notice(allow_null=True)


class NextRequest(s.Serializer):
    kinds = s.ListField(child=s.ChoiceField(Kind.values), required=False)
    ahead = s.BooleanField(required=False)


class Renewed(s.Serializer):
    expires_at = s.DateTimeField()


class GivenBack(s.Serializer):
    given_back = s.BooleanField()


class DraftRequest(s.Serializer):
    body = s.JSONField()


class DraftSaved(s.Serializer):
    saved_at = s.DateTimeField()
    expires_at = s.DateTimeField(allow_null=True)


class SkipRequest(s.Serializer):
    reason = s.CharField(max_length=60)
    comment = s.CharField(required=False)


class Skipped(s.Serializer):
    reason = s.CharField()
    created_at = s.DateTimeField()


class _Submission(s.Serializer):
    idempotency_key = s.CharField(max_length=100)
    rationale = s.CharField(required=False)
    confidence = s.IntegerField(required=False, min_value=1, max_value=5)
    active_ms = s.IntegerField(required=False, min_value=0)


class RankingRequest(_Submission):
    ranks = s.DictField(child=s.IntegerField(allow_null=True))
    unacceptable = s.ListField(child=s.UUIDField(), required=False)
    likert = s.DictField(child=s.IntegerField(), required=False)
    flags = s.DictField(child=s.ListField(child=s.CharField()), required=False)


class ComparisonRequest(_Submission):
    choice = s.CharField(help_text="a response's id, tie or both_bad")
    likert = s.DictField(child=s.IntegerField(), required=False)
    flags = s.DictField(child=s.ListField(child=s.CharField()), required=False)


class DemonstrationRequest(_Submission):
    text = s.CharField(required=False)
    messages = Message(many=True, required=False)
    confirm_same_as_draft = s.BooleanField(required=False)


class Receipt(s.Serializer):
    id = s.UUIDField()
    kind = s.ChoiceField(Kind.values)
    task = s.UUIDField(allow_null=True)
    created_at = s.DateTimeField()
    late = s.BooleanField()
    revision = s.IntegerField()


class AnswerPrompt(s.Serializer):
    id = s.UUIDField()
    last_message = s.CharField()


class Answer(Receipt):
    purpose = s.ChoiceField(Purpose.values, allow_null=True, help_text="null: not for those who label")
    too_fast = s.BooleanField()
    labeler = s.CharField(allow_null=True)
    origin = s.CharField()
    prompt = AnswerPrompt()
    guideline_version = s.IntegerField(allow_null=True)
    order_shown = s.ListField(child=s.CharField())
    ranks = s.DictField(child=s.IntegerField(allow_null=True))
    unacceptable = s.ListField(child=s.UUIDField())
    likert = s.DictField(child=s.IntegerField())
    flags = s.DictField(child=s.ListField(child=s.CharField()))
    reply = Message(many=True, allow_null=True)
    edit_distance = s.IntegerField(allow_null=True)
    rationale = s.CharField()
    confidence = s.IntegerField(allow_null=True)
    active_ms = s.IntegerField(allow_null=True)
    newest = s.BooleanField()


class AnswerWithTexts(Answer):
    messages = Message(many=True)
    responses = ShownResponse(many=True)
    settings = Rules()
