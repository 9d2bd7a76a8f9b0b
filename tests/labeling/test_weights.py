"""What reaches training: weights by reliability, merged rankings, agreement as a gate, and where everything came from."""

import uuid

import pytest

from contracts import snapshots as files
from contracts.records import RankingRecord
from labeling import errors
from labeling.models.answers import Answer
from labeling.models.measurements import LabelerMeasure
from labeling.models.prompts import Response, RolloutSet
from labeling.models.work import Lease
from labeling.selectors import weights
from labeling.services import snapshots

BEST_FIRST, LAST_FIRST = (1, 2, 3), (3, 2, 1)
CYCLE = [(1, 2, 3), (3, 1, 2), (2, 3, 1)]


@pytest.fixture
def freeze(project, artifacts, now):
    def freeze(**filters):
        return snapshots.freeze(project=project, kind="rankings", filters=filters, by=None, now=now)

    return freeze


def rows(snapshot):
    return list(files.read(snapshot.path, RankingRecord))


@pytest.fixture
def weighed(ranked_by, measure):
    """alice, bob and carol agree on eight items; dave turns half of them around."""
    ranked_by([[BEST_FIRST, BEST_FIRST, BEST_FIRST, LAST_FIRST if n % 2 else BEST_FIRST] for n in range(8)])
    return measure()


def test_rankings_weigh_what_their_labelers_reliability_says(weighed, freeze, project):
    snapshot = freeze(weights="reliability")
    by_labeler = {row.labeler: row.weight for row in rows(snapshot)}
    assert 0 <= by_labeler["dave"] < 0.5 < by_labeler["alice"] <= 1
    kept = files.manifest(snapshot.path).details["reliability"]
    assert kept["labelers"] == by_labeler
    assert (kept["fit"], kept["measurement"]) == (weighed.sha256, str(weighed.uuid))
    assert len(weighed.sha256) == 64
    assert {row.weight for row in rows(freeze())} == {1.0}
    assert freeze(weights="none").sha256 == freeze().sha256 != snapshot.sha256


def test_the_reward_model_trains_with_these_weights(weighed, freeze, tmp_path):
    groups = pytest.importorskip("rewardmodel.groups")
    from tests.rewardmodel.conftest import make_tokenizer

    snapshot = freeze(weights="reliability")
    LabelerMeasure.objects.filter(labeler__username="dave").update(weight=0.0)
    read, _ = groups.read(snapshot.path, make_tokenizer("Question Reply to"), max_length=64)
    frozen = {row.id: row.weight for row in rows(snapshot)}
    assert {group.id: group.weight for group in read} == frozen
    normalized = dict(zip((group.labeler for group in read), groups.normalized_weights(read), strict=True))
    assert normalized["dave"] < 1 < normalized["alice"]
    without_dave, counts = groups.read(freeze(weights="reliability").path, make_tokenizer("Question"), max_length=64)
    assert "dave" not in {group.labeler for group in without_dave}
    assert counts.refused == {"its weight is 0": 8}


def test_a_labeler_of_whom_nothing_is_known_weighs_the_mean(weighed, project, person):
    found = weights.newest(project=project)
    assert found.of((person("newcomer").pk, "")) == pytest.approx(sum(found.known.values()) / 4, abs=1e-6)


def test_weights_before_anything_is_known_are_refused(ranked_by, measure, freeze, caller, rita):
    ranked_by([[BEST_FIRST]])
    with pytest.raises(errors.NotMeasured):
        freeze(weights="reliability")
    measure()
    with pytest.raises(errors.NotMeasured):
        freeze(weights="reliability")
    merged = f"rollout-sets/{RolloutSet.objects.get().uuid}/merged"
    refused = caller(rita).get(merged, weights="reliability")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_measured")


def test_merged_rankings_are_one_per_item(ranked_by, freeze):
    ranked_by([[BEST_FIRST, BEST_FIRST, LAST_FIRST], CYCLE])
    found = rows(freeze(merge="merged"))
    assert [[one.rank for one in row.responses] for row in found] == [[1, 2, 3], [1, 1, 1]]
    first = found[0]
    assert sorted(first.merged_from.values()) == ["alice", "bob", "carol"]
    assert {uuid.UUID(id) for id in first.merged_from} == set(
        Answer.objects.filter(rollout_set__uuid=first.group).values_list("uuid", flat=True)
    )
    assert (first.labeler, first.order_shown, first.weight, first.active_ms) == ("", (), 1.0, 90_000)
    assert len(rows(freeze(merge="merged", without_labelers=["carol"], limit=1))[0].merged_from) == 2
    assert len(rows(freeze(merge="none"))) == 6


def test_merged_rankings_follow_the_reliable_where_weighted(weighed, freeze):
    LabelerMeasure.objects.update(weight=0.1)
    LabelerMeasure.objects.filter(labeler__username="dave").update(weight=0.9)
    found = rows(freeze(merge="merged", weights="reliability"))
    assert [one.rank for one in found[1].responses] == [3, 2, 1]
    assert found[1].weight == pytest.approx(1 - 0.9**3 * 0.1)
    assert [one.rank for one in rows(freeze(merge="merged"))[1].responses] == [1, 2, 3]


def test_items_on_which_people_disagree_can_be_left_out(ranked_by, freeze):
    ranked_by([[BEST_FIRST, BEST_FIRST, BEST_FIRST], CYCLE, [BEST_FIRST]])
    assert len(rows(freeze())) == 7
    # One agrees wholly; the cycle on a third of its pairs; nobody disagrees with the only ranking.
    assert len(rows(freeze(min_agreement=0.5))) == 4
    assert len(rows(freeze(min_agreement=0.3))) == 7
    assert len(rows(freeze(min_agreement=0.5, merge="merged"))) == 2
    assert len(rows(freeze(min_agreement=0.5, limit=4))) == 4
    assert len(rows(freeze(min_rankings=2))) == 6
    assert len(rows(freeze(min_rankings=2, min_agreement=0.5))) == 3
    # Who ranked an item counts, also where their rankings are left out.
    assert len(rows(freeze(min_agreement=0.5, labelers=["alice"]))) == 2


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"weights": "heavy"}, "weights"),
        ({"merge": True}, "merge"),
        ({"min_agreement": 1.5}, "min_agreement"),
        ({"min_agreement": "high"}, "min_agreement"),
        ({"min_agreement": True}, "min_agreement"),
        ({"min_rankings": 0}, "min_rankings"),
    ],
)
def test_wrong_filters_are_named(freeze, filters, field):
    with pytest.raises(errors.Invalid) as refused:
        freeze(**filters)
    assert refused.value.code == "bad_filter"
    assert set(refused.value.fields) == {field}


def test_filters_of_rankings_are_refused_for_other_kinds(project, prompt, artifacts, now):
    prompt()
    with pytest.raises(errors.Invalid) as refused:
        snapshots.freeze(project=project, kind="prompts", filters={"merge": "merged"}, by=None, now=now)
    assert set(refused.value.fields) == {"merge"}


def test_every_ranking_and_every_candidate_knows_where_it_came_from(ranked_by, freeze):
    ranked_by([[BEST_FIRST], [LAST_FIRST]], active_ms=12_345)
    for row in rows(freeze()):
        answer = Answer.objects.get(uuid=row.id)
        lease = Lease.objects.get(answers=answer)
        assert (row.labeler, row.guideline_version) == ("alice", 1)
        assert row.order_shown == tuple(lease.order_shown) != ()
        assert row.active_ms == 12_345
        assert row.selection_probability == lease.selection_probability
        assert 0 < row.selection_probability <= 1
        rollout_set = RolloutSet.objects.get(uuid=row.group)
        assert (row.run, row.sampling) == (str(rollout_set.run_id), {"temperature": 1.0})
        for one in row.responses:
            assert (one.source, int(one.seed) >= 2**70) == ("checkpoint:policy-1", True)
            stored = Response.objects.get(uuid=one.id)
            assert list(one.token_ids) == stored.token_ids
            assert len(stored.token_logprobs) == len(stored.token_ids) == stored.tokens
            assert stored.source.reference == "policy-1"
    assert RolloutSet.objects.filter(created_at=None).count() == 0
