"""The forms of people, projects and data, for the OpenAPI schema. Services check what comes in."""

from typing import Any

from rest_framework import serializers as s

from labeling.api import work_shapes
from labeling.models.people import Role
from labeling.models.projects import Project as ProjectRow
from labeling.models.prompts import Prompt as PromptRow
from labeling.models.work import Kind, LabelingTask, Purpose


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
    standing = s.ChoiceField(["good", "warned", "paused"])
    reasons = s.ListField(child=s.CharField(), help_text="of a warning or pause: names of quality rules, or asked")
    warned_at = s.DateTimeField(allow_null=True)
    paused_at = s.DateTimeField(allow_null=True)


class Reason(s.Serializer):
    reason = s.CharField(max_length=1_000)


class NewMember(s.Serializer):
    user = s.CharField(help_text="a user's id or username")
    role = s.ChoiceField(Role.values)


class RoleChange(s.Serializer):
    role = s.ChoiceField(Role.values)


class QualityRules(s.Serializer):
    minimum_seconds = s.DictField(child=s.FloatField(), help_text="of active time, by kind of task")
    gold_accuracy = s.FloatField(allow_null=True, min_value=0, max_value=1)
    self_consistency = s.FloatField(allow_null=True, min_value=0, max_value=1)
    fast_share = s.FloatField(allow_null=True, min_value=0, max_value=1)
    window = s.IntegerField(min_value=1, max_value=200)
    least = s.IntegerField(min_value=1, max_value=200)
    review_below = s.FloatField(allow_null=True, min_value=0, max_value=1)
    stop_agreement = s.FloatField(allow_null=True, min_value=0, max_value=1)
    stop_answers = s.IntegerField(min_value=2, max_value=50)


class QualityRulesChange(QualityRules):
    def get_fields(self) -> dict[str, Any]:
        found = super().get_fields()
        for field in found.values():
            field.required = False
        return found


class ProjectFields(work_shapes.Rules):
    name = s.CharField()
    description = s.CharField(allow_blank=True)
    k = s.IntegerField(min_value=2, max_value=9)
    overlap = s.IntegerField(min_value=1, max_value=50)
    lease_seconds = s.IntegerField(min_value=1, max_value=604_800)
    skips_to_halt = s.IntegerField(min_value=1, max_value=50)
    flags_to_halt = s.IntegerField(min_value=0, max_value=50, help_text="0: flags halt nothing")
    gold_share = s.FloatField(min_value=0, max_value=1, allow_null=True, help_text="null: not shown to labelers")
    repeat_share = s.FloatField(min_value=0, max_value=1, allow_null=True, help_text="null: not shown to labelers")
    repeat_distance = s.IntegerField(min_value=1, max_value=1_000, allow_null=True)
    anchor_share = s.FloatField(min_value=0, max_value=1, allow_null=True)
    quality = QualityRules(allow_null=True, help_text="null: not shown to labelers")
    retention_days = s.IntegerField(
        min_value=0, max_value=36_500, allow_null=True, help_text="kept so long once archived; null: for good"
    )
    blocked_words = s.ListField(
        child=s.CharField(), required=False, help_text="imports leave out what has one; not shown to labelers"
    )
    random_share = s.FloatField(min_value=0, max_value=1)
    heldout_share = s.FloatField(min_value=0, max_value=1)
    hourly_rate = s.CharField(allow_null=True)
    status = s.ChoiceField(ProjectRow.Status.values)


class Project(ProjectFields):
    id = s.UUIDField()
    slug = s.CharField()
    guideline = work_shapes.Guideline(allow_null=True)
    role = s.ChoiceField(Role.values, help_text="yours in this project")
    created_at = s.DateTimeField()
    archived_at = s.DateTimeField(allow_null=True)


class ProjectChange(ProjectFields):
    quality = QualityRulesChange()  # type: ignore[assignment]
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
    purpose = s.ChoiceField([purpose for purpose in Purpose.values if purpose != Purpose.REVIEW])
    state = s.ChoiceField(LabelingTask.State.values)
    priority = s.FloatField()
    information = s.FloatField(allow_null=True)
    prompt = work_shapes.AnswerPrompt()
    slots = s.DictField(child=s.IntegerField())
    created_at = s.DateTimeField()


class TaskChange(s.Serializer):
    state = s.ChoiceField(["open", "closed"], required=False)
    priority = s.FloatField(required=False)


class Prompt(s.Serializer):
    id = s.UUIDField()
    messages = work_shapes.Message(many=True)
    split = s.ChoiceField(PromptRow.Split.values)
    content_hash = s.CharField()
    meta = s.JSONField()
    created_at = s.DateTimeField()


class NewPrompt(s.Serializer):
    messages = work_shapes.Message(many=True)
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


class Event(s.Serializer):
    id = s.UUIDField()
    kind = s.CharField()
    payload = s.JSONField()
    created_at = s.DateTimeField()


class AuditEntry(s.Serializer):
    actor = s.CharField(allow_null=True)
    action = s.CharField()
    subject = s.CharField()
    details = s.JSONField()
    created_at = s.DateTimeField()
