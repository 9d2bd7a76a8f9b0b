"""The forms of webhooks, priorities, anchors and tasks over outside models, for the OpenAPI schema."""

from rest_framework import serializers as s

from labeling.api import work_shapes
from labeling.models.webhooks import Delivery as DeliveryRow


class NewWebhook(s.Serializer):
    url = s.URLField(max_length=500)
    kinds = s.ListField(child=s.CharField(max_length=60), required=False, help_text="of events; empty: all")


class WebhookChange(s.Serializer):
    url = s.URLField(max_length=500, required=False)
    kinds = s.ListField(child=s.CharField(max_length=60), required=False)
    is_active = s.BooleanField(required=False)


class Webhook(s.Serializer):
    id = s.UUIDField()
    url = s.CharField()
    kinds = s.ListField(child=s.CharField())
    is_active = s.BooleanField()
    created_at = s.DateTimeField()


class WebhookWithSecret(Webhook):
    secret = s.CharField(help_text="whsec_ and base64; not shown again")


class Delivery(s.Serializer):
    event = s.UUIDField()
    kind = s.CharField()
    state = s.ChoiceField(DeliveryRow.State.values)
    attempts = s.IntegerField()
    status = s.IntegerField(allow_null=True)
    error = s.CharField()
    next_at = s.DateTimeField(allow_null=True)
    created_at = s.DateTimeField()
    ended_at = s.DateTimeField(allow_null=True)


class Retried(s.Serializer):
    deliveries = s.IntegerField()


class TaskSignals(s.Serializer):
    task = s.UUIDField(help_text="of a task or of its rollout set")
    uncertainty = s.FloatField(required=False, help_text="of the reward model, in any unit")
    disagreement = s.FloatField(required=False, help_text="between the reward model and people, or within an ensemble")
    reward = s.FloatField(required=False, help_text="of the best response: suspicious where it is high")


class Priorities(s.Serializer):
    tasks = TaskSignals(many=True)
    days = s.FloatField(
        required=False, min_value=0, max_value=365,
        help_text="by how much fresher the most telling task counts; one second where it is left out",
    )  # fmt: skip


class PrioritiesSet(s.Serializer):
    tasks = s.IntegerField(help_text="how many of them still wait for somebody")


class Anchor(s.Serializer):
    id = s.UUIDField()
    prompt = work_shapes.AnswerPrompt()
    run = s.UUIDField(allow_null=True)
    anchored_at = s.DateTimeField()


class AnchorsChange(s.Serializer):
    tasks = s.ListField(child=s.UUIDField())
    anchored = s.BooleanField(required=False)


class AnchorsSet(s.Serializer):
    items = s.IntegerField()


class OutsideResponse(s.Serializer):
    text = s.CharField()
    source = s.CharField(  # type: ignore[assignment]
        max_length=200, help_text="the model's name; never shown to labelers"
    )


class OutsideItem(s.Serializer):
    messages = work_shapes.Message(many=True)
    responses = OutsideResponse(many=True)


class NewTasks(s.Serializer):
    kind = s.ChoiceField(["ranking", "comparison"])
    items = OutsideItem(many=True)


class TasksOpened(s.Serializer):
    opened = s.IntegerField()
    duplicates = s.IntegerField()
    tasks = s.ListField(child=s.UUIDField())
