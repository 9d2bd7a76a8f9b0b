"""How far people and the reward model that scored the rollouts disagree, of each rollout set: see `measuring`."""

from collections.abc import Sequence

from labeling.models.projects import Project
from labeling.models.prompts import Response, RolloutSet
from labeling.selectors import agreement, ranked


def store(*, project: Project, ranked_sets: Sequence[int]) -> None:
    """Write what has changed, chunk by chunk; of what nobody ranks any more nothing stays."""
    answers = ranked.independent(project=project)
    for start in range(0, len(ranked_sets), ranked.CHUNK):
        keys = ranked_sets[start : start + ranked.CHUNK]
        scored = RolloutSet.objects.filter(pk__in=keys, best_score__isnull=False)
        known = dict(scored.values_list("pk", "disagreement"))
        if not known:
            continue
        scores: dict[int, dict[int, float]] = {key: {} for key in known}
        rows = Response.objects.filter(rollout_set__in=known, score__isnull=False)
        for key, response, score in rows.values_list("rollout_set", "pk", "score"):
            scores[key][response] = score or 0.0
        found = {
            key: agreement.against_scores([one.places for one in rankings], scores[key])
            for key, rankings in ranked.rankings(answers, rollout_sets=sorted(known))
        }
        changed = [RolloutSet(pk=key, disagreement=value) for key, value in found.items() if known[key] != value]
        RolloutSet.objects.bulk_update(changed, ["disagreement"])
    judged = RolloutSet.objects.filter(project=project, disagreement__isnull=False).values_list("pk", flat=True)
    gone = sorted(set(judged) - set(ranked_sets))
    for start in range(0, len(gone), ranked.CHUNK):
        RolloutSet.objects.filter(pk__in=gone[start : start + ranked.CHUNK]).update(disagreement=None)
