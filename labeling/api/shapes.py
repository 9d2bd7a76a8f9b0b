"""The forms of requests and responses, for the OpenAPI schema. Services check what comes in."""

from typing import Any

from rest_framework import serializers as s

from labeling.models.people import Role
from labeling.models.projects import Project as ProjectRow
from labeling.models.prompts import Prompt as PromptRow
from labeling.models.work import Kind, LabelingTask


class Error(s.Serializer):
    code = s.CharField()
    detail = s.CharField()
    fields_ = s.DictField(child=s.CharField(), source="fields")

    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        found["fields"] = found.pop("fields_")
        return found


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


class Lease(s.Serializer):
    token = s.UUIDField()
    expires_at = s.DateTimeField()
    lease_seconds = s.IntegerField()
    server_time = s.DateTimeField()
    task = LeasedTask()
    draft = s.JSONField(allow_null=True)


class NextRequest(s.Serializer):
    kinds = s.ListField(child=s.ChoiceField(Kind.values), required=False)


class Renewed(s.Serializer):
    expires_at = s.DateTimeField()


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


class MyProject(s.Serializer):
    slug = s.CharField()
    name = s.CharField()
    role = s.ChoiceField(Role.values)


class Me(s.Serializer):
    id = s.UUIDField()
    username = s.CharField()
    name = s.CharField()
    role = s.ChoiceField(Role.values)
    csrf_token = s.CharField()
    projects = MyProject(many=True)


class Credentials(s.Serializer):
    username = s.CharField()
    password = s.CharField()


class TokenRequest(Credentials):
    name = s.CharField(required=False)


class NewToken(s.Serializer):
    id = s.UUIDField()
    token = s.CharField()


class TokenName(s.Serializer):
    name = s.CharField(required=False)


class Token(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    created_at = s.DateTimeField()


class Person(s.Serializer):
    id = s.UUIDField()
    username = s.CharField()
    name = s.CharField()
    role = s.ChoiceField(Role.values)
    is_active = s.BooleanField()
    date_joined = s.DateTimeField()


class NewPerson(s.Serializer):
    username = s.CharField()
    password = s.CharField()
    role = s.ChoiceField(Role.values, required=False)
    name = s.CharField(required=False)


class PersonChange(s.Serializer):
    role = s.ChoiceField(Role.values, required=False)
    is_active = s.BooleanField(required=False)
    name = s.CharField(required=False)
    password = s.CharField(required=False)


class Member(s.Serializer):
    id = s.UUIDField()
    username = s.CharField()
    name = s.CharField()
    role = s.ChoiceField(Role.values)


class NewMember(s.Serializer):
    user = s.CharField(help_text="a user's id or username")
    role = s.ChoiceField(Role.values)


class RoleChange(s.Serializer):
    role = s.ChoiceField(Role.values)


class ProjectFields(Rules):
    name = s.CharField()
    description = s.CharField(allow_blank=True)
    k = s.IntegerField(min_value=2, max_value=9)
    overlap = s.IntegerField(min_value=1, max_value=50)
    lease_seconds = s.IntegerField(min_value=1, max_value=604_800)
    skips_to_halt = s.IntegerField(min_value=1, max_value=50)
    random_share = s.FloatField(min_value=0, max_value=1)
    heldout_share = s.FloatField(min_value=0, max_value=1)
    hourly_rate = s.CharField(allow_null=True)
    status = s.ChoiceField(ProjectRow.Status.values)


class Project(ProjectFields):
    id = s.UUIDField()
    slug = s.CharField()
    guideline = Guideline(allow_null=True)
    role = s.ChoiceField(Role.values, help_text="yours in this project")
    created_at = s.DateTimeField()


class ProjectChange(ProjectFields):
    confirm = s.CharField(required=False, help_text="the slug, to archive")

    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        for field in found.values():
            field.required = False
        return found


class NewProject(ProjectChange):
    slug = s.SlugField()
    guideline = s.CharField(required=False)

    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        found["slug"].required = found["name"].required = True
        del found["confirm"], found["status"]
        return found


class KindCounts(s.Serializer):
    open = s.IntegerField()
    leased = s.IntegerField()
    done = s.IntegerField()
    halted = s.IntegerField()


class TaskCounts(s.Serializer):
    ranking = KindCounts()
    demonstration = KindCounts()
    comparison = KindCounts()


class Mine(s.Serializer):
    today = s.IntegerField()
    total = s.IntegerField()


class AnswerCounts(s.Serializer):
    rankings = s.IntegerField()
    demonstrations = s.IntegerField()
    comparisons = s.IntegerField()
    late = s.IntegerField()
    imported = s.IntegerField()


class LabelerCounts(s.Serializer):
    username = s.CharField()
    rankings = s.IntegerField()
    demonstrations = s.IntegerField()
    comparisons = s.IntegerField()
    active_minutes = s.FloatField()


class ProjectProgress(s.Serializer):
    tasks = TaskCounts()
    mine = Mine()
    answers = AnswerCounts()
    labelers = LabelerCounts(many=True)


class Task(s.Serializer):
    id = s.UUIDField()
    kind = s.ChoiceField(Kind.values)
    state = s.ChoiceField(LabelingTask.State.values)
    priority = s.FloatField()
    prompt = AnswerPrompt()
    slots = s.DictField(child=s.IntegerField())
    created_at = s.DateTimeField()


class TaskChange(s.Serializer):
    state = s.ChoiceField(["open", "closed"], required=False)
    priority = s.FloatField(required=False)


class Prompt(s.Serializer):
    id = s.UUIDField()
    messages = Message(many=True)
    split = s.ChoiceField(PromptRow.Split.values)
    content_hash = s.CharField()
    meta = s.JSONField()
    created_at = s.DateTimeField()


class NewPrompt(s.Serializer):
    messages = Message(many=True)
    split = s.ChoiceField(PromptRow.Split.values, required=False)
    meta = s.JSONField(required=False)


class NewPrompts(s.Serializer):
    prompts = NewPrompt(many=True)
    open_demonstrations = s.BooleanField(required=False)


class StoredPrompts(s.Serializer):
    stored = s.IntegerField()
    duplicates = s.IntegerField()
    prompts = s.ListField(child=s.UUIDField(), help_text="ids in the order given")


class Upload(s.Serializer):
    file = s.FileField()
    format = s.CharField(required=False)
    dry_run = s.BooleanField(required=False)
    open_demonstrations = s.BooleanField(required=False)


class ImportReport(s.Serializer):
    format = s.CharField()
    stored = s.IntegerField()
    duplicates = s.IntegerField()
    refused = s.IntegerField()
    prompts = s.IntegerField()
    demonstrations = s.IntegerField()
    rankings = s.IntegerField()
    reasons = s.ListField(child=s.JSONField())


class Corpus(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    bytes = s.IntegerField()
    sha256 = s.CharField()
    created_at = s.DateTimeField()


class NewCorpus(s.Serializer):
    name = s.CharField(required=False)
    text = s.CharField(required=False)
    file = s.FileField(required=False)


class Snapshot(s.Serializer):
    id = s.UUIDField()
    kind = s.CharField()
    sha256 = s.CharField()
    rows = s.IntegerField()
    filters = s.JSONField()
    created_by = s.CharField(allow_null=True)
    created_at = s.DateTimeField()


class NewSnapshot(s.Serializer):
    kind = s.ChoiceField(["prompts", "demonstrations", "rankings", "corpus"])
    filters = s.JSONField(required=False)


class Health(s.Serializer):
    status = s.ChoiceField(["ok", "broken"])
    database = s.CharField()
    invariants = s.DictField(child=s.IntegerField())


class Agreement(s.Serializer):
    pairs = s.IntegerField()
    agreement = s.FloatField(allow_null=True)
    interval = s.ListField(child=s.FloatField(), allow_null=True)
    kendall_tau_b = s.FloatField(allow_null=True)
    sets = s.IntegerField()
