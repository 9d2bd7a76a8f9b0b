"""Shapes of the playground's requests and responses. What they mean: `contracts/playground.py`."""

from rest_framework import serializers as s

from contracts import playground as rules

MOST_MESSAGES, MOST_CHARACTERS = 200, 200_000
LARGEST_SEED = 2**48


class PlaygroundTurn(s.Serializer):
    role = s.ChoiceField(["system", "user", "assistant", "tool"])
    content = s.CharField(allow_blank=True, trim_whitespace=False, max_length=MOST_CHARACTERS)
    name = s.CharField(allow_blank=True, default="", max_length=200)


class NewReply(s.Serializer):
    messages = PlaygroundTurn(many=True, allow_empty=False, max_length=MOST_MESSAGES)  # type: ignore[call-arg]
    max_new_tokens = s.IntegerField(default=256, min_value=1, max_value=rules.MOST_NEW_TOKENS)
    temperature = s.FloatField(default=1.0, min_value=0.01, max_value=10, help_text="divides the logits")
    seed = s.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=LARGEST_SEED, help_text="null: a fresh one each time"
    )
    top = s.IntegerField(
        default=0, min_value=0, max_value=rules.MOST_ALTERNATIVES, help_text="alternatives to show of each token"
    )


class NewInspection(s.Serializer):
    messages = PlaygroundTurn(many=True, allow_empty=False, max_length=MOST_MESSAGES)  # type: ignore[call-arg]
    position = s.IntegerField(
        default=-1, help_text="the token after which the next one's chances are asked for; -1 is the last"
    )
    top = s.IntegerField(default=10, min_value=1, max_value=rules.MOST_ALTERNATIVES)


class Alternative(s.Serializer):
    id = s.IntegerField()
    text = s.CharField(allow_blank=True)
    probability = s.FloatField()


class PlaygroundError(s.Serializer):
    code = s.CharField()
    sentence = s.CharField()


class ReplyToken(s.Serializer):
    id = s.IntegerField()
    text = s.CharField(allow_blank=True, help_text="the texts of all tokens join to the reply's")
    logprob = s.FloatField(help_text="nats, at the temperature")
    top = Alternative(many=True)


class Reply(s.Serializer):
    id = s.UUIDField()
    checkpoint = s.UUIDField()
    status = s.ChoiceField(["queued", "loading", "running", "succeeded", "failed", "cancelled"])
    tokens = ReplyToken(many=True, help_text="those from `after` on")
    next = s.IntegerField(help_text="the `after` to go on from")
    seed = s.IntegerField()
    finish_reason = s.ChoiceField(["", "stop", "length", "cancelled"], help_text="empty until the reply has ended")
    prompt_tokens = s.IntegerField(allow_null=True)
    error = PlaygroundError(allow_null=True)


class Piece(s.Serializer):
    id = s.IntegerField()
    text = s.CharField(allow_blank=True)
    role = s.ChoiceField(["system", "user", "assistant", "tool"])
    part = s.ChoiceField(["template", "content"])
    logprob = s.FloatField(allow_null=True, help_text="nats; null for the first token")
    rank = s.IntegerField(allow_null=True, help_text="1: the model held it for the likeliest")


class Inspection(s.Serializer):
    id = s.UUIDField()
    checkpoint = s.UUIDField()
    status = s.ChoiceField(["queued", "loading", "running", "succeeded", "failed", "cancelled"])
    tokens = Piece(many=True, help_text="empty until it has succeeded")
    position = s.IntegerField(allow_null=True, help_text="counted from 0")
    next_token = Alternative(many=True, help_text="the likeliest tokens after that position")
    error = PlaygroundError(allow_null=True)
