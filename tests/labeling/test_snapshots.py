"""Snapshots and what is published: frozen, hashed, filtered, each once."""

import json
import uuid

import pytest

from contracts import snapshots as files
from contracts.records import PromptRecord, RankingRecord, Rollout, RolloutSetRecord
from labeling import errors
from labeling.models.answers import Answer
from labeling.models.prompts import Response, RolloutSet
from labeling.models.records import Snapshot
from labeling.models.work import LabelingTask, Slot
from labeling.services import corpora, rollouts, snapshots, sources
from labeling.services.import_options import Options


@pytest.fixture
def freeze(project, artifacts, now):
    def freeze(kind, **filters):
        return snapshots.freeze(project=project, kind=kind, filters=filters, by=None, now=now)

    return freeze


@pytest.fixture
def ranked(publish, caller, alice, bob, project):
    """Alice and bob rank three sets, in opposite orders."""
    type(project).objects.update(overlap=2)
    project.refresh_from_db()
    publish(3)
    for user, places in ((alice, (1, 2, 3)), (bob, (3, 2, 1))):
        for _ in range(3):
            lease = caller(user).post("projects/garden/next").json()
            ids = sorted(response["id"] for response in lease["task"]["responses"])
            body = {"idempotency_key": uuid.uuid4().hex, "ranks": dict(zip(ids, places, strict=True))}
            assert caller(user).post(f"leases/{lease['token']}/ranking", body).status_code == 201


def test_the_same_content_is_the_same_snapshot(freeze, prompt, artifacts):
    prompt("One?")
    first, second = freeze("prompts"), freeze("prompts", split="train")
    assert first.pk == second.pk
    assert [path.name for path in (artifacts / "snapshots").iterdir()] == [str(first.uuid)]
    prompt("Two?")
    third = freeze("prompts")
    assert third.sha256 != first.sha256
    assert files.verify(third.path).sha256 == third.sha256
    assert [row.messages[0].content for row in files.read(third.path, PromptRecord)] == ["One?", "Two?"]


def test_rankings_carry_their_provenance(ranked, freeze):
    rows = list(files.read(freeze("rankings").path, RankingRecord))
    assert len(rows) == 6
    assert len({row.group for row in rows}) == 3
    row = rows[0]
    assert (row.labeler, row.guideline_version, row.split) == ("alice", 1, "train")
    assert sorted(row.order_shown) == sorted(one.id for one in row.responses)
    assert {one.source for one in row.responses} == {"checkpoint:policy-1"}
    assert row.responses[1].token_ids == (5, 6, 8)
    assert {one.id: one.rank for one in row.responses} == dict(
        zip(sorted(one.id for one in row.responses), (1, 2, 3), strict=True)
    )


def test_how_clearly_a_ranking_was_meant_travels_with_it(publish, caller, alice, project, freeze):
    type(project).objects.update(likert_points=7, ask_confidence=True)
    publish(1)
    lease = caller(alice).post("projects/garden/next").json()
    ids = sorted(response["id"] for response in lease["task"]["responses"])
    body = {"idempotency_key": "k", "ranks": dict(zip(ids, (1, 2, 3), strict=True)), "confidence": 4}
    body["likert"] = {ids[0]: 7, ids[1]: 3}
    assert caller(alice).post(f"leases/{lease['token']}/ranking", body).status_code == 201
    (row,) = files.read(freeze("rankings").path, RankingRecord)
    assert row.confidence == 4
    assert {one.id: one.likert for one in row.responses} == {ids[0]: 7, ids[1]: 3, ids[2]: None}


def test_leaving_a_labeler_out_is_one_filter(ranked, freeze):
    assert {row.labeler for row in files.read(freeze("rankings", without_labelers=["bob"]).path, RankingRecord)} == {
        "alice"
    }
    assert {row.labeler for row in files.read(freeze("rankings", labelers=["bob"]).path, RankingRecord)} == {"bob"}
    assert freeze("rankings", limit=2).rows == 2
    run = RolloutSet.objects.values_list("run_id", flat=True).first()
    assert freeze("rankings", runs=[str(run)]).rows == 6
    with pytest.raises(errors.Invalid, match="no rankings"):
        freeze("rankings", runs=[str(uuid.uuid4())])


def test_leaving_a_labeler_out_keeps_imported_answers(ranked, freeze, project, tmp_path, now):
    from labeling.services import imports

    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"prompt": "Who?", "chosen": "I.", "rejected": "You."}) + "\n")
    imports.run(project=project, path=path, name="p", options=Options(), dry_run=False, by=None, now=now)
    labelers = {row.labeler for row in files.read(freeze("rankings", without_labelers=["bob"]).path, RankingRecord)}
    assert labelers == {"alice", "pairs"}


def test_only_the_newest_revision_is_frozen(ranked, freeze, caller, alice):
    answer = Answer.objects.filter(labeler=alice).first()
    ids = sorted(answer.order_shown)
    body = {"idempotency_key": "edit", "ranks": {id: 1 for id in ids}}
    assert caller(alice).patch(f"answers/{answer.uuid}", body).status_code == 200
    rows = [row for row in files.read(freeze("rankings", labelers=["alice"]).path, RankingRecord)]
    assert len(rows) == 3
    assert [one.rank for one in rows[-1].responses] == [1, 1, 1]


def test_a_corpus_freezes_as_its_own_file(freeze, project, artifacts, now):
    with pytest.raises(errors.Invalid, match="no such corpus"):
        freeze("corpus")
    corpus = corpora.store(project=project, name="soil", blocks=[b"one\n", b"two\n"], by=None, now=now)
    snapshot = freeze("corpus")
    assert (snapshot.path, snapshot.sha256, snapshot.rows) == (corpus.path, corpus.sha256, 2)
    assert freeze("corpus", corpus=str(corpus.uuid)).pk == snapshot.pk
    assert Snapshot.objects.count() == 1


def test_publishing_again_adds_nothing(project, prompt, now):
    source = sources.register(project=project, kind="checkpoint", name="p", reference="p", now=now)
    assert sources.register(project=project, kind="checkpoint", name="p", reference="p", now=now).pk == source.pk
    rows = [row(prompt(f"Question {number}?")) for number in range(3)]
    arguments = {
        "project": project,
        "source": source,
        "run_id": uuid.uuid4(),
        "sampling": {},
        "open_tasks": True,
        "now": now,
    }
    assert rollouts.publish(rows=rows[:2], **arguments) == 2
    assert rollouts.publish(rows=rows, **arguments) == 1
    assert LabelingTask.objects.count() == Slot.objects.count() == 3
    assert rollouts.publish(rows=rows, **{**arguments, "run_id": uuid.uuid4(), "open_tasks": False}) == 3
    assert LabelingTask.objects.count() == 3
    response = Response.objects.filter(index=1).first()
    assert (response.token_ids, response.token_logprobs, response.seed, response.finish_reason) == (
        [2],
        [-0.5],
        str(2**65),
        "length",
    )
    assert response.text == "Reply \N{REPLACEMENT CHARACTER}1"


def test_publishing_for_an_unknown_prompt_stores_nothing(project, prompt, now):
    source = sources.register(project=project, kind="checkpoint", name="p", reference="p", now=now)
    good = row(prompt())
    for bad in (str(uuid.uuid4()), "not an id"):
        rows = [good, RolloutSetRecord(prompt_id=bad, rollouts=good.rollouts)]
        with pytest.raises(errors.Invalid):
            rollouts.publish(
                project=project, source=source, run_id=uuid.uuid4(), sampling={}, rows=rows, open_tasks=True, now=now
            )
    assert RolloutSet.objects.count() == 0


def row(prompt):
    return RolloutSetRecord(
        prompt_id=str(prompt.uuid),
        rollouts=tuple(
            Rollout(index=i, text=f"Reply \x00{i}", token_ids=(i + 1,), token_logprobs=(-0.5,), finish_reason="length", seed=2**65)
            for i in range(2)
        ),
        scores=(0.5, -0.5),
    )  # fmt: skip
