"""Shapes of requests and responses: what the OpenAPI schema says, and the first check of what is sent.

Responses are made by `training.selectors`; a test holds them to these shapes.
"""

from rest_framework import serializers as s


class Page(s.Serializer):
    """A page of a list: `next` and `previous` are addresses."""

    next = s.URLField(allow_null=True)
    previous = s.URLField(allow_null=True)


class Option(s.Serializer):
    name = s.CharField()
    type = s.ChoiceField(choices=["int", "float", "bool", "str"])
    default = s.JSONField()
    help = s.CharField()
    above = s.FloatField(allow_null=True)
    least = s.FloatField(allow_null=True)
    most = s.FloatField(allow_null=True)
    choices = s.ListField(child=s.CharField(), allow_null=True)


class InputRule(s.Serializer):
    accepts = s.ListField(child=s.CharField())
    help = s.CharField()
    required = s.BooleanField()  # type: ignore[assignment]


class RunKind(s.Serializer):
    kind = s.CharField()
    help = s.CharField()
    produces = s.CharField(allow_null=True)
    inputs = s.DictField(child=InputRule())
    options = Option(many=True)


class Progress(s.Serializer):
    stage = s.CharField(allow_blank=True)
    done = s.IntegerField()
    total = s.IntegerField()
    text = s.CharField(allow_blank=True)


class RunInput(s.Serializer):
    id = s.CharField()
    kind = s.CharField()
    label = s.CharField()  # type: ignore[assignment]


class RunError(s.Serializer):
    code = s.CharField(allow_blank=True)
    sentence = s.CharField(allow_blank=True)
    log_tail = s.CharField(allow_blank=True)


class Run(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    kind = s.CharField()
    status = s.ChoiceField(choices=["queued", "running", "succeeded", "failed", "cancelled"])
    config = s.DictField()
    seed = s.IntegerField()
    processes = s.IntegerField()
    queue = s.CharField()
    attempt = s.IntegerField()
    cancelling = s.BooleanField()
    progress = Progress()
    inputs = s.DictField(child=RunInput())
    error = RunError(allow_null=True)
    created_by = s.CharField(allow_null=True)
    created_at = s.DateTimeField()
    started_at = s.DateTimeField(allow_null=True)
    finished_at = s.DateTimeField(allow_null=True)
    checkpoint = s.UUIDField(allow_null=True)
    round = s.UUIDField(allow_null=True)
    outputs = s.DictField()


class RunPage(Page):
    results = Run(many=True)


class NewRun(s.Serializer):
    kind = s.CharField()
    config = s.JSONField(default=dict)
    seed = s.IntegerField(required=False, allow_null=True, default=None)
    inputs = s.JSONField(default=dict)
    name = s.CharField(required=False, allow_blank=True, max_length=200, default="")
    processes = s.IntegerField(required=False, default=1)
    queue = s.CharField(required=False, allow_blank=True, max_length=32, default="")


class MetricRow(s.Serializer):
    seq = s.IntegerField()
    step = s.IntegerField()
    time = s.DateTimeField()
    values = s.DictField(child=s.FloatField(allow_null=True))


class MetricPage(s.Serializer):
    rows = MetricRow(many=True)
    next = s.IntegerField()


class SampleRow(MetricRow):
    prompt = s.CharField(allow_blank=True)
    text = s.CharField(allow_blank=True)


class SamplePage(s.Serializer):
    rows = SampleRow(many=True)
    next = s.IntegerField()


class LogPage(s.Serializer):
    text = s.CharField()
    next = s.IntegerField()


class Turn(s.Serializer):
    role = s.ChoiceField(["system", "user", "assistant", "tool"])
    content = s.CharField(allow_blank=True)
    name = s.CharField(allow_blank=True)


class Rollout(s.Serializer):
    index = s.IntegerField()
    text = s.CharField(allow_blank=True)
    token_ids = s.ListField(child=s.IntegerField())
    token_logprobs = s.ListField(child=s.FloatField())
    finish_reason = s.CharField(allow_blank=True)
    seed = s.CharField()


class RolloutSet(s.Serializer):
    prompt_id = s.CharField()
    policy = s.CharField()
    rollouts = Rollout(many=True)
    scores = s.ListField(child=s.FloatField())
    prompt = Turn(many=True, allow_null=True)


class RolloutPage(s.Serializer):
    results = RolloutSet(many=True)
    next = s.IntegerField(allow_null=True)


class Compared(s.Serializer):
    opened = s.IntegerField(help_text="comparison tasks that are new")


class Checkpoint(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    kind = s.ChoiceField(choices=["base", "policy", "reward_model"])
    run = s.UUIDField()
    manifest_sha256 = s.CharField()
    created_at = s.DateTimeField()
    parents = s.ListField(child=s.UUIDField())


class CheckpointPage(Page):
    results = Checkpoint(many=True)


class Node(s.Serializer):
    id = s.CharField()
    type = s.CharField()
    label = s.CharField()  # type: ignore[assignment]


class Edge(s.Serializer):
    role = s.CharField()

    def get_fields(self) -> dict[str, s.Field]:
        # `from` is a word of Python's own.
        return {"from": s.CharField(), "to": s.CharField(), **super().get_fields()}


class Lineage(s.Serializer):
    nodes = Node(many=True)
    edges = Edge(many=True)


class RoundPolicy(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()


class RoundRun(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    kind = s.CharField()
    status = s.CharField()


class Round(s.Serializer):
    id = s.UUIDField()
    number = s.IntegerField()
    state = s.CharField()
    can_advance = s.BooleanField()
    policy = RoundPolicy()
    current_run = s.UUIDField(allow_null=True)
    runs = RoundRun(many=True)
    created_at = s.DateTimeField()
    closed_at = s.DateTimeField(allow_null=True)


class RoundPage(Page):
    results = Round(many=True)


class NewRound(s.Serializer):
    policy = s.UUIDField(help_text="the policy whose rollouts are ranked, and that PPO starts from")


class Advance(s.Serializer):
    config = s.JSONField(required=False, default=dict, help_text="options of the step's run over their defaults")
    seed = s.IntegerField(required=False, allow_null=True, default=None)
    accept = s.BooleanField(required=False, default=True, help_text="false at a gate: back to collecting")


class NewErasure(s.Serializer):
    labeler = s.CharField(required=False, help_text="a username; or name a prompt")
    prompt = s.UUIDField(required=False)
    answers = s.BooleanField(
        required=False, help_text="take the labeler's answers out too; else they lose the name only"
    )
    dry_run = s.BooleanField(required=False)


class Used(s.Serializer):
    id = s.CharField()
    name = s.CharField()


class ErasureReport(s.Serializer):
    erased = s.DictField(child=s.IntegerField())
    snapshots = Used(many=True)
    runs = Used(many=True)
    checkpoints = Used(many=True)
