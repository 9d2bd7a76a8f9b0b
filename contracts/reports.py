"""The JSON of a reward model's report, so that whoever draws it knows what is there.

Written by `rewardmodel.evaluate` and `rewardmodel.fit`, served as a run's report, drawn by the web client.
An interval is [low, high], the central 95 % of a bootstrap over prompts; a measure or an interval that the
data do not define is null. Scores are normalized: 0 is the mean training response, 1 one standard deviation.
"""

from typing import NotRequired, TypedDict

REPORT_FORMAT = 2
Interval = list[float] | None


class Slice(TypedDict):
    """Pair accuracy on a part of the held-out pairs: those of one labeler, source or flag."""

    accuracy: float
    ci: Interval
    pairs: int
    rankings: int


class CalibrationBin(TypedDict):
    """Pairs whose chance of being ordered rightly was said to lie in [low, high), at the fitted temperature."""

    low: float
    high: float
    predicted: float  # mean chance said
    observed: float  # share that was right
    ci: Interval  # of `observed`
    pairs: int


class LengthBin(TypedDict):
    """Responses of `low` to `high` tokens: how often people and the model prefer them to what they were beside.

    Where `model` runs above `human` for long responses, the model pays for length.
    """

    low: int
    high: int
    responses: int
    score: float  # mean normalized score
    score_ci: Interval
    human: float  # share of their decided pairs that they won
    human_ci: Interval
    model: float  # share of the same pairs that the model gives them
    model_ci: Interval


class BestOf(TypedDict):
    """The response that the model picks of n, by what people say of it: its chance of beating another of its prompt.

    Over all subsets of n of the rankings that have so many; `labeler` is what the labeler's own pick would do.
    Where `model` falls as n grows, picking more by this model makes responses worse.
    """

    n: int
    kl: float  # of the best of n from the policy, nats
    model: float  # 0.5 where it picks at random
    model_ci: Interval
    labeler: float
    labeler_ci: Interval
    rankings: int


class Ceiling(TypedDict):
    """How often two labelers order a pair alike, where both decided it: what a model can hope for."""

    agreement: float | None
    ci: Interval
    pairs: int


class JudgedResponse(TypedDict):
    id: str
    rank: int | None  # null: the labeler did not rank it
    score: float
    tokens: int


class Disagreement(TypedDict):
    """A ranking that the model finds unlikely. `id` is the answer, `group` its rollout set."""

    id: str
    group: str
    prompt_id: str
    labeler: str
    log_loss: float  # mean over its pairs, nats
    wrong: int  # pairs that the model orders the other way
    pairs: int
    responses: list[JudgedResponse]


class CurvePoint(TypedDict):
    """The same fit on a nested part of the training rankings; the last point is the whole."""

    rankings: int
    prompts: int
    accuracy: float
    accuracy_ci: Interval
    log_loss: float
    log_loss_ci: Interval


class Change(TypedDict):
    """Two fits on the same held-out pairs; `difference` is without minus full, its interval is paired."""

    pairs: int
    full: float | None  # accuracy
    full_ci: Interval
    without: float | None
    without_ci: Interval
    difference: float | None
    difference_ci: Interval


class LeftOut(TypedDict):
    """What becomes of the model when one labeler's rankings are left out and everything is fitted again."""

    labeler: str
    rankings: int  # training rankings of theirs
    kept: int  # training rankings of the others
    all: Change  # on every held-out pair
    others: Change  # on held-out pairs of the other labelers
    own: Change  # on held-out pairs of theirs


class Ensemble(TypedDict):
    """What several members are worth together, beside each alone."""

    combine: str  # how the saved model combines them
    penalty: float  # lambda of "uncertainty"
    members: list[float | None]  # accuracy of each
    combinations: dict[str, Slice]  # mean, min, uncertainty, weights
    uncertainty: float  # mean over responses of the spread between members
    # Pair accuracy from the pairs on which members agree most to those on which they agree least.
    by_uncertainty: list[Slice]


class FittedMember(TypedDict):
    steps: int
    best_step: int
    stopped_early: bool


class RewardModelReport(TypedDict):
    """report.json of a `reward_model` run; `rewardmodel.evaluate` prints the first three blocks."""

    format: int
    # How good it is, on held-out rankings.
    groups: int  # held-out rankings
    prompts: int
    pairs: int
    accuracy: float | None
    accuracy_ci: Interval
    adjacent_accuracy: float | None
    adjacent_accuracy_ci: Interval
    top1: float | None
    top1_ci: Interval
    kendall_tau: float | None
    kendall_tau_ci: Interval
    log_loss: float | None
    log_loss_ci: Interval
    temperature: float
    ece: float
    ece_ci: Interval
    calibration: list[CalibrationBin]
    accuracy_longer_won: float | None
    accuracy_longer_won_ci: Interval
    accuracy_longer_lost: float | None
    accuracy_longer_lost_ci: Interval
    reward_length_spearman: float | None
    reward_length_spearman_ci: Interval
    length_bias: list[LengthBin]
    best_of_n: list[BestOf]
    length_baseline: float | None
    length_baseline_ci: Interval
    length_prefers: str  # longer | shorter
    gain_over_length: float | None
    gain_over_length_ci: Interval
    ceiling: Ceiling | None
    # Where it fails.
    per_labeler: dict[str, Slice]
    per_source: dict[str, Slice]  # a checkpoint's source is "checkpoint:ID"
    per_guideline: dict[str, Slice]  # by the version of the guideline that the labeler saw
    per_flag: dict[str, Slice]
    most_disagreed: list[Disagreement]
    ensemble: Ensemble | None  # null: one member
    # What happened to rows on their way in.
    rankings: NotRequired[int]
    refused: NotRequired[int]
    refused_reasons: NotRequired[dict[str, int]]
    truncated: NotRequired[int]
    prompts_cut: NotRequired[int]
    retokenized: NotRequired[int]
    unknown_tokens: NotRequired[int]
    # How it was fitted: reports of a run only.
    train_groups: NotRequired[int]
    train_accuracy: NotRequired[float]
    members: NotRequired[list[FittedMember]]
    normalizer: NotRequired[dict[str, float]]
    learning_curve: NotRequired[list[CurvePoint]]
    leave_out: NotRequired[list[LeftOut]]
