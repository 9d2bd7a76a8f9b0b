"""The forms of agreement, reliability and statistics, for the OpenAPI schema. Null is undefined; see the reason."""

from typing import Any

from rest_framework import serializers as s

from labeling.api import work_shapes
from labeling.models.work import Kind


def number(text: str) -> s.FloatField:
    return s.FloatField(allow_null=True, help_text=text)


def interval(text: str) -> s.ListField:
    return s.ListField(child=s.FloatField(), allow_null=True, min_length=2, max_length=2, help_text=text)


class MeasurementState(s.Serializer):
    measured_at = s.DateTimeField(allow_null=True, help_text="null: nothing has been measured yet")
    current = s.BooleanField(help_text="whether no answer has come since")
    measuring = s.BooleanField(help_text="whether another measurement waits or is at work")
    error = s.CharField(allow_blank=True, help_text="why the last measurement failed; empty: it did not")


class AgreementNumbers(s.Serializer):
    items = s.IntegerField(help_text="rollout sets that two or more people ranked")
    agreeing_pairs = s.IntegerField(help_text="pairs of responses that two people order the same way")
    decided_pairs = s.IntegerField(help_text="pairs of responses that two people both order")
    pairwise_agreement = number("agreeing pairs / decided pairs, 0 to 1; two who guess agree on 0.5")
    pairwise_agreement_interval = interval("95 %, by bootstrap over items")
    kendall_tau_b = number("mean over pairs of people who ranked the same item, -1 to 1; 0 is chance")
    krippendorff_alpha = number("ordinal, over places; 1 is full agreement, 0 is chance")
    reasons = s.DictField(child=s.CharField(), help_text="why, by the name of each number that is null")


class Share(s.Serializer):
    answers = s.IntegerField()
    agreeing_pairs = s.IntegerField()
    decided_pairs = s.IntegerField()
    share = number("agreeing pairs / decided pairs, 0 to 1; null: no pair was decided")
    interval = interval("95 %, by bootstrap over answers; null: it needs two answers that decide a pair")


class AnchorDrift(s.Serializer):
    run = s.UUIDField(help_text="whose rollouts the anchors accompanied")
    first_answer_at = s.DateTimeField()
    items = s.IntegerField()
    answers = s.IntegerField()
    own = Share(help_text="with the same labeler's earlier answers; below the self-consistency, people have changed")
    others = Share(help_text="with other labelers' earlier answers")


class Reliability(s.Serializer):
    items_used = s.IntegerField()
    items = s.IntegerField(help_text="that have a ranking; where there are too many, a random part is used")
    rankings_used = s.IntegerField()
    draws = s.IntegerField(help_text="of each item's latent qualities")
    noise = number("largest part of a variance that is due to the draws, 0 to 1")
    effective_draws = number("how many equally weighted draws they are worth, mean over items")
    converged = s.BooleanField(allow_null=True)
    seed = s.IntegerField()
    sha256 = s.CharField(allow_null=True, help_text="of the fit; manifests of weighted snapshots name it")
    reason = s.CharField(allow_blank=True, help_text="why there is no fit; empty: there is one")


class Agreement(MeasurementState):
    agreement = AgreementNumbers(allow_null=True)
    reliability = Reliability(allow_null=True)
    gold = Share(allow_null=True, help_text="answers to gold items, against their known order")
    self_consistency = Share(allow_null=True, help_text="answers to blind repeats, against the labeler's first answer")
    anchors = AnchorDrift(many=True, allow_null=True, help_text="items ranked again beside a later run's")


FINDINGS = ["reads", "unsure", "guesses", "reverses"]


class LabelerReliability(s.Serializer):
    rankings = s.IntegerField(help_text="of theirs that the fit used")
    strength = number("inverse temperature in the Plackett-Luce model: 0 guesses, below 0 reverses")
    strength_error = number("standard error")
    position_bias = number("log-odds of preferring the first shown to the last, quality aside; 0 is none")
    position_bias_error = number("standard error")
    pair_accuracy = number("expected share of pairs that they order as the quality does; 0.5 is chance")
    pair_accuracy_error = number("standard error")
    pair_accuracy_interval = interval("95 %")
    finding = s.ChoiceField(FINDINGS, allow_null=True, help_text="what the interval of the pair accuracy says")
    reason = s.CharField(allow_blank=True, help_text="why strength and accuracy are null; empty: they are not")


class LabelerQuality(s.Serializer):
    labeler = s.CharField(allow_null=True, help_text="username; null: imported answers")
    name = s.CharField(allow_blank=True)
    origin = s.CharField(allow_blank=True, help_text="of imported answers, else empty")
    weight = number("of their rankings in training, 0 to 1; null: no labeler's reliability is known")
    agreement = AgreementNumbers(help_text="with others who ranked the same items")
    reliability = LabelerReliability()
    gold = Share()
    self_consistency = Share()


class ItemAgreement(s.Serializer):
    rollout_set = s.UUIDField()
    task = s.UUIDField(allow_null=True, help_text="null: imported")
    prompt = work_shapes.AnswerPrompt()
    rankings = s.IntegerField()
    agreeing_pairs = s.IntegerField()
    decided_pairs = s.IntegerField()
    pairwise_agreement = number("null: no two people decide the same pair")
    kendall_tau_b = number("null: of each two rankings, one ties everything")
    krippendorff_alpha = number("null: everybody ties everything")
    ambiguous = s.BooleanField(help_text="the majority prefers a to b, b to c, and c to a")


class MergedRanking(s.Serializer):
    rollout_set = s.UUIDField()
    rankings = s.IntegerField()
    weights = s.ChoiceField(["none", "reliability"])
    ranks = s.DictField(
        child=s.IntegerField(allow_null=True), help_text="by response id, 1 is best, equal is tied; null: nobody ranked"
    )
    condorcet_winner = s.UUIDField(allow_null=True, help_text="preferred to each other one by a majority")
    ambiguous = s.BooleanField()
    pairwise_agreement = number("null: no two people decide the same pair")
    kendall_tau_b = number("null: undefined")
    krippendorff_alpha = number("null: undefined")


class Measurement(s.Serializer):
    id = s.UUIDField()
    requested_at = s.DateTimeField()
    requested_by = s.CharField(allow_null=True, help_text="null: it was due")
    started_at = s.DateTimeField(allow_null=True)
    finished_at = s.DateTimeField(allow_null=True)
    error = s.CharField(allow_blank=True)
    pairwise_agreement = number("of the project then")
    krippendorff_alpha = number("of the project then")
    sha256 = s.CharField(allow_blank=True, help_text="of the reliability fit; empty: there is none")


class Throughput(s.Serializer):
    rankings = s.IntegerField()
    demonstrations = s.IntegerField()
    comparisons = s.IntegerField(help_text="answers that compare two policies")
    late_answers = s.IntegerField(help_text="of these, came after the slot had gone to somebody else")
    untimed_answers = s.IntegerField(help_text="of all revisions, without a time")
    active_minutes = s.FloatField(help_text="pauses left out; all revisions")
    usable_comparisons = s.IntegerField(help_text="pairs of responses whose order an answer decides")
    active_minutes_per_usable_comparison = number("null: nothing was timed")
    cost_per_usable_comparison = number("in the unit of the project's hourly rate; null: no rate, or nothing timed")


class DayThroughput(Throughput):
    day = s.DateField(help_text="UTC")


class LabelerThroughput(Throughput):
    labeler = s.CharField()


class QueueDepth(s.Serializer):
    kind = s.ChoiceField(Kind.values)
    open_tasks = s.IntegerField()
    done_tasks = s.IntegerField()
    halted_tasks = s.IntegerField()
    closed_tasks = s.IntegerField()
    settled_tasks = s.IntegerField(help_text="by a reviewer's ranking")
    discarded_tasks = s.IntegerField(help_text="by a reviewer")
    free_slots = s.IntegerField()
    held_slots = s.IntegerField()


class Staleness(s.Serializer):
    reference = s.CharField(help_text="a checkpoint's id, a model's name, a user's id")
    name = s.CharField()
    kind = s.ChoiceField(["checkpoint", "outside", "person"])
    checkpoints_behind = s.IntegerField(allow_null=True, help_text="newer checkpoints with tasks; null: not one")
    age_days = s.FloatField(help_text="since the source was registered")
    open_tasks = s.IntegerField()
    done_tasks = s.IntegerField()
    halted_tasks = s.IntegerField()
    closed_tasks = s.IntegerField()
    settled_tasks = s.IntegerField(help_text="by a reviewer's ranking")
    discarded_tasks = s.IntegerField(help_text="by a reviewer")
    answers = s.IntegerField()
    mean_hours_from_rollout_to_answer = number("null: no answer yet")


class StatisticsNumbers(s.Serializer):
    days = DayThroughput(many=True, help_text="the last 90, those with an answer")
    labelers = LabelerThroughput(many=True, help_text="over the same days")
    total = Throughput(help_text="over the same days")
    queue = QueueDepth(many=True)
    staleness = Staleness(many=True, help_text="ranking tasks by the source of their responses, newest first")


class Statistics(MeasurementState):
    hourly_rate = s.CharField(allow_null=True)
    statistics = StatisticsNumbers(allow_null=True)


def describe_measurement(row: Any) -> dict[str, Any]:
    agreement = row.report.get("agreement", {})
    return {
        "id": row.uuid,
        "requested_at": row.requested_at,
        "requested_by": row.requested_by.username if row.requested_by else None,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "error": row.error,
        "pairwise_agreement": agreement.get("pairwise_agreement"),
        "krippendorff_alpha": agreement.get("krippendorff_alpha"),
        "sha256": row.sha256,
    }
