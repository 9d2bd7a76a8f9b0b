"""The wall around evaluation sets at every way in: no prompt of one, or nearly one, comes to a labeler or to training."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from contracts import snapshots as files
from contracts.records import PromptRecord
from labeling import errors
from labeling.formats.items import Unreadable
from labeling.models.imports import Import
from labeling.models.prompts import Prompt, Response, RolloutSet
from labeling.models.records import Corpus
from labeling.models.work import LabelingTask
from labeling.selectors import access, exports
from labeling.selectors.exports import Choices
from labeling.services import evaluations, imports, nearness, snapshots, tasks
from labeling.services import rollouts as publishing
from labeling.services.import_options import Options
from tests.labeling.work import rank

EXAM = "Describe how to prune an old apple tree in late winter so that it bears well the year after, please."
NEAR = EXAM.replace("please", "thanks")
FREE = "What is soil made of?"


@pytest.fixture
def load(project, now, tmp_path):
    def load(*rows, **options):
        path = tmp_path / f"{uuid.uuid4()}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        wanted = Options.from_plain(options)
        return imports.run(project=project, path=path, name="in", options=wanted, dry_run=False, by=None, now=now)

    return load


@pytest.fixture
def exam(load):
    return load({"prompt": EXAM}, evaluation_set="exam")


def said(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("text", [EXAM, NEAR])
def test_the_api_refuses_prompts_of_the_exam(exam, text, caller, erin):
    body = {"prompts": [{"messages": said(FREE)}, {"messages": said(text)}], "open_demonstrations": True}
    answer = caller(erin).post("projects/garden/prompts", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "evaluation_prompt")
    assert list(answer.json()["fields"]) == ["prompts.1.messages"]
    assert (Prompt.objects.count(), LabelingTask.objects.count()) == (1, 0)
    body["prompts"].pop()
    assert caller(erin).post("projects/garden/prompts", body).status_code == 201
    assert LabelingTask.objects.count() == 1


@pytest.mark.parametrize("text", [EXAM, NEAR])
def test_the_api_refuses_responses_to_the_exam(exam, text, caller, erin):
    responses = [{"text": name, "source": f"model {name}"} for name in "ab"]
    body = {"kind": "ranking", "items": [{"messages": said(one), "responses": responses} for one in (FREE, text)]}
    answer = caller(erin).post("projects/garden/tasks", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "evaluation_prompt")
    assert list(answer.json()["fields"]) == ["items.1.messages"]
    assert (Prompt.objects.count(), LabelingTask.objects.count(), Response.objects.count()) == (1, 0, 0)


def test_a_project_without_an_exam_asks_for_no_package(caller, erin, monkeypatch):
    monkeypatch.setattr(evaluations.nearness, "needed", None)
    assert caller(erin).post("projects/garden/prompts", {"prompts": [{"messages": said(FREE)}]}).status_code == 201


@pytest.mark.parametrize("text", [EXAM, NEAR])
def test_gold_is_never_of_the_exam(exam, text, project, tmp_path):
    path, out = tmp_path / "gold.jsonl", StringIO()
    rows = [{"prompt": one, "chosen": "Yes.", "rejected": "No."} for one in (text, FREE)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(CommandError):
        call_command("import_gold", str(path), "--project", project.slug, "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert (report["stored"], report["refused"]) == (1, 1)
    assert "evaluation set" in report["reasons"][0]["reason"]
    assert LabelingTask.objects.count() == 1


def test_responses_that_are_imported_open_no_task_for_the_exam(exam, load):
    rows = [
        {"instruction": one, "output": f"Reply {n}", "generator": f"g{n}"} for one in (EXAM, NEAR, FREE) for n in (1, 2)
    ]
    report = load(*rows, open_rankings=True)
    assert (report.refused, report.tasks) == (4, 1)


@pytest.mark.parametrize("policies", [1, 2])
def test_rollouts_for_a_prompt_that_was_walled_meanwhile_open_no_task(
    load, publish, policies, monkeypatch, project, now
):
    load({"prompt": "Question 0?"})
    real = publishing._prompts

    def meanwhile(*args):
        load({"prompt": "Question 0?"}, evaluation_set="exam")
        return real(*args)

    monkeypatch.setattr(publishing, "_prompts", meanwhile)
    publish(2)
    assert RolloutSet.objects.count() == 2
    assert [one.prompt.messages[0]["content"] for one in LabelingTask.objects.all()] == ["Question 1?"]


def test_what_was_closed_for_the_exam_is_not_opened_again(load, publish, caller, rita):
    (task,) = publish(1)
    load({"prompt": "Question 0?"}, evaluation_set="exam")
    task.refresh_from_db()
    assert task.state == "closed"
    answer = caller(rita).patch(f"tasks/{task.uuid}", {"state": "open"})
    assert (answer.status_code, answer.json()["code"]) == (409, "evaluation_prompt")
    with pytest.raises(errors.Conflict):
        tasks.refuse_hidden(task)
    assert LabelingTask.objects.get().state == "closed"


def test_an_item_of_the_exam_is_not_asked_again(project, load, ranked_by, publish, next_task, caller):
    """Neither as a repeat nor as an anchor, whatever the shares are."""
    (person,) = ranked_by([[(1, 2, 3)], [(3, 2, 1)]])
    load({"prompt": "Question 0?"}, {"prompt": "Question 1?"}, evaluation_set="exam")
    type(project).objects.update(gold_share=0.0, repeat_share=1.0, repeat_distance=1, anchor_share=1.0)
    project.refresh_from_db()
    access.forget()
    publish(6)  # the first two prompts are of the exam by now
    shown = []
    while lease := next_task(person):
        task = LabelingTask.objects.select_related("prompt").get(uuid=lease["task"]["id"])
        shown.append((task.purpose, task.prompt.messages[0]["content"]))
        assert caller(person).post(f"leases/{lease['token']}/ranking", rank(lease)).status_code == 201
    assert {text for _, text in shown} == {f"Question {n}?" for n in range(2, 6)}
    assert {purpose for purpose, _ in shown} == {"ordinary", "repeat"}


def test_what_the_exam_holds_is_in_no_snapshot_and_no_export(load, project, artifacts, now):
    load({"prompt": NEAR, "chosen": "Yes.", "rejected": "No."}, {"prompt": FREE, "chosen": "Yes.", "rejected": "No."})
    load(*({"prompt": one, "completion": "Good.", "label": True} for one in (NEAR, FREE)))
    load(*({"instruction": one, "input": "", "output": "Good."} for one in (NEAR, FREE)))
    report = load({"prompt": EXAM}, evaluation_set="exam")
    assert report.cleaned["walled"] == 1
    for kind, format in (
        ("prompts", "rankloop"),
        ("rankings", "rankloop"),
        ("demonstrations", "trl"),
        ("judgments", "trl"),
    ):
        lines = b"".join(exports.lines(project=project, choices=Choices(kind=kind, format=format)))
        assert FREE.encode() in lines
        assert b"apple" not in lines
    for kind in ("prompts", "rankings", "demonstrations"):
        snapshot = snapshots.freeze(project=project, kind=kind, filters={}, by=None, now=now)
        assert snapshot.rows == 1
    prompts = snapshots.freeze(project=project, kind="prompts", filters={}, by=None, now=now)
    assert [one.messages[0].content for one in files.read(prompts.path, PromptRecord)] == [FREE]


def test_documents_of_a_corpus_meet_the_wall(exam, load, artifacts):
    report = load({"text": NEAR}, {"text": "A long story about an orchard."}, {"text": EXAM})
    assert (report.format, report.documents, report.refused) == ("corpus", 1, 2)
    assert {one["reason"] for one in report.refusals} == {evaluations.REFUSED}
    assert Corpus.objects.get().path.read_bytes() == b"A long story about an orchard.\n\n"


def test_a_paragraph_within_a_document_meets_the_wall(exam, load, artifacts):
    report = load({"text": f"First this.\n\n{NEAR}\n\nThen that."}, {"text": "A long story\n\nabout an orchard."})
    assert (report.documents, report.refused) == (1, 1)


@pytest.mark.parametrize("text", [EXAM, NEAR])
def test_running_text_that_is_added_meets_the_wall(exam, caller, erin, artifacts, text):
    refused = caller(erin).post("projects/garden/corpora", {"name": "soil", "text": f"Of soil.\n\n{text}\n\nThe end."})
    assert (refused.status_code, refused.json()["code"]) == (409, "evaluation_prompt")
    assert list(refused.json()["fields"]) == ["text"]
    assert not Corpus.objects.exists()
    assert list((artifacts / "corpora").iterdir()) == []
    assert (
        caller(erin).post("projects/garden/corpora", {"name": "soil", "text": "Of soil.\n\nThe end."}).status_code
        == 201
    )


def test_an_exam_that_comes_while_a_file_is_read_holds_for_that_file_too(load, monkeypatch):
    real = imports._batch
    calls = []

    def meanwhile(*args):
        if not calls:
            calls.append(1)
            load({"prompt": EXAM}, evaluation_set="exam")
        real(*args)

    monkeypatch.setattr(imports, "_batch", meanwhile)
    load({"prompt": NEAR}, {"prompt": FREE})
    inside = Prompt.objects.filter(evaluation_set__name="exam").values_list("messages__0__content", flat=True)
    assert set(inside) == {EXAM, NEAR}


@pytest.mark.parametrize("cleaning", [{}, {"near_duplicates": True}], ids=["wall", "near duplicates"])
def test_a_batch_asks_the_database_as_often_as_a_prompt_does(exam, load, cleaning, django_assert_max_num_queries):
    words = ["soil", "rain", "seed", "leaf", "root", "bloom", "frost", "shade", "water", "prune", "graft", "mulch"]
    rows = [{"prompt": " ".join(words[(n * 7 + k * k * (n + 1)) % 12] for k in range(8)) + f" {n}"} for n in range(300)]
    load(rows[0], cleaning=cleaning)
    with django_assert_max_num_queries(110):
        report = load(*rows[1:], cleaning=cleaning)
    assert report.stored > 200


def test_an_import_shows_signs_of_life_while_it_walls_and_stops_where_it_was_cancelled(load, monkeypatch):
    load({"prompt": NEAR}, {"prompt": FREE})
    monkeypatch.setattr(imports, "BEAT", 0.0)
    long_ago = timezone.now() - timedelta(minutes=5)
    seen, real = [], nearness.Index.near

    def watched(index, texts):
        Import.objects.filter(state="running").update(seen_at=long_ago)
        index._alive()
        seen.extend(Import.objects.filter(state="running").values_list("seen_at", flat=True))
        Import.objects.filter(state="running").update(state="cancelled")
        return real(index, texts)

    monkeypatch.setattr(nearness.Index, "near", watched)
    with pytest.raises(errors.Conflict) as stopped:
        load({"prompt": EXAM}, evaluation_set="exam")
    assert stopped.value.code == "superseded"
    assert seen
    assert all(one > long_ago for one in seen)


def test_an_exam_is_not_taken_where_its_wall_cannot_be_built(load, monkeypatch):
    def missing(module, what):
        raise Unreadable(f"{what} need the package {module}")

    monkeypatch.setattr(imports.tables, "needed", missing)
    with pytest.raises(Unreadable, match="Evaluation sets need the package datasketch"):
        load({"prompt": EXAM}, evaluation_set="exam")
    assert not Prompt.objects.exists()
    assert Import.objects.get().state == "failed"
