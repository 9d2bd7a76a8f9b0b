"""The forms of the rollout browser, for the OpenAPI schema."""

from rest_framework import serializers as s

from labeling.api import work_shapes


class Policy(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    checkpoint = s.CharField()


class BrowsedResponse(work_shapes.ShownResponse):
    finish_reason = s.ChoiceField(["stop", "length"])
    score = s.FloatField(allow_null=True, help_text="null: nothing scored it")
    policy = s.CharField()
    mean_place = s.FloatField(allow_null=True, help_text="among those ranked, 1 is best; null: nobody ranked it")


class BrowsedSet(s.Serializer):
    id = s.UUIDField()
    prompt = work_shapes.TaskPrompt()
    run = s.UUIDField(allow_null=True)
    policy = Policy(allow_null=True, help_text="null: several wrote it")
    created_at = s.DateTimeField()
    rankings = s.IntegerField()
    disagreement = s.FloatField(
        allow_null=True,
        help_text="share of the pairs that people decided which the scores put the other way; null: undefined",
    )
    responses = BrowsedResponse(many=True)
