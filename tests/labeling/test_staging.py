"""Batches as staged tables: the same rows on both databases, whoever staged them; and what happens to a reader that dies."""

import json
import subprocess

import pytest
from django.utils import timezone

from labeling.formats.items import Unreadable
from labeling.models.answers import Answer
from labeling.models.imports import Import
from labeling.models.judgments import Judgment
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response, RolloutSet
from labeling.selectors import exports
from labeling.services import ahead, batches, imports
from labeling.services.import_options import Options

LIST = {
    "prompt": "Which?",
    "responses": [{"id": name, "model": f"m-{name}", "text": f"Reply {name}"} for name in "abc"],
}
FILES = {
    "prompts": [{"prompt": "Alone?"}, {"prompt": "Which?"}, {"prompt": "Alone?"}, {"prompt": "Last?"}],
    "lists": [
        {**LIST, "ranking_groups": [["c"], ["a", "b"]], "judge": "j1"},
        {**LIST, "ranking_groups": [["a"], ["b"]], "judge": "j2"},
        {**LIST, "ranking_groups": [["c"], ["a", "b"]], "judge": "j1"},
        {**LIST, "prompt": "Other?", "ranking_groups": [["b"], ["a"], ["c"]], "judge": "j1"},
        # The set of the first batch again, ranked by somebody new: its responses are found by their places.
        {**LIST, "ranking_groups": [["b"], ["c"], ["a"]], "judge": "j3"},
    ],
    "demonstrations": [{"instruction": f"Add {n % 3}", "input": "", "output": str(n % 3)} for n in range(4)],
    "judgments": [{"prompt": "Good?", "completion": "Yes.", "label": True}] * 2
    + [{"prompt": "Good?", "completion": "No.", "label": False}],
    "outputs": [{"instruction": "Alone?", "output": f"Reply {n % 2}", "generator": "g"} for n in range(3)],
}
STORED = {"prompts": 3, "lists": 4, "demonstrations": 3, "judgments": 2, "outputs": 2}
KNOWN = {"prompts": 1, "lists": 1, "demonstrations": 1, "judgments": 1, "outputs": 1}


@pytest.fixture
def garden(shared_database, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 2)
    return Project.objects.create(slug="garden", name="Garden", created_at=timezone.now())


def load(project, path, dry_run=False):
    return imports.run(
        project=project, path=path, name=path.name, options=Options(), dry_run=dry_run, by=None, now=timezone.now()
    )


@pytest.fixture
def write(tmp_path):
    def write(name):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in FILES[name]))
        return path

    return write


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one process", "two processes"])
def test_every_kind_becomes_its_rows_on_both_databases(garden, write, monkeypatch, elsewhere):
    monkeypatch.setattr(ahead, "LARGE", 0 if elsewhere else 1 << 30)
    for name in FILES:
        tried = load(garden, write(name), dry_run=True)
        first, again = load(garden, write(name)), load(garden, write(name))
        assert (first.stored, first.duplicates, first.refused) == (STORED[name], KNOWN[name], 0), name
        assert tried == first
        assert (again.stored, again.duplicates) == (0, STORED[name] + KNOWN[name])
    counts = [model.objects.count() for model in (Prompt, RolloutSet, Response, Answer, Judgment)]
    assert counts == [8, 6, 10, 7, 2]
    rankings = exports.found(project=garden, choices=exports.Choices(kind="rankings"))
    assert [
        (
            row["prompt"][0]["content"],
            row["labeler"],
            [(one["text"], one["source"], one["rank"]) for one in row["responses"]],
        )
        for row in rankings
    ] == [
        ("Which?", "ranked:j1", places(2, 2, 1)),
        ("Which?", "ranked:j2", places(1, 2, None)),
        ("Other?", "ranked:j1", places(2, 1, 3)),
        ("Which?", "ranked:j3", places(3, 1, 2)),
    ]
    demonstrations = exports.found(project=garden, choices=exports.Choices(kind="demonstrations"))
    assert [(row["prompt"][0]["content"], row["reply"][0]["content"]) for row in demonstrations] == [
        ("Add 0", "0"), ("Add 1", "1"), ("Add 2", "2"),
    ]  # fmt: skip
    judgments = exports.found(project=garden, choices=exports.Choices(kind="judgments", format="trl"))
    assert [(row["text"], row["good"]) for row in judgments] == [("Yes.", True), ("No.", False)]


def places(*ranks):
    return [(f"Reply {name}", f"outside:m-{name}", rank) for name, rank in zip("abc", ranks, strict=True)]


@pytest.fixture
def readers(monkeypatch):
    """The processes that read ahead."""
    monkeypatch.setattr(ahead, "LARGE", 0)
    started, real = [], subprocess.Popen

    def start(*args, **kwargs):
        started.append(real(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(ahead.subprocess, "Popen", start)
    return started


def test_a_reader_that_is_killed_ends_the_import_with_its_reason(garden, tmp_path, readers, monkeypatch):
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Question {n}?"}) + "\n" for n in range(60_000)))
    real = imports._mark

    def killing(*args):
        real(*args)
        readers[0].kill()

    monkeypatch.setattr(imports, "_mark", killing)
    monkeypatch.setattr(ahead, "AHEAD", 1)
    with pytest.raises(Unreadable, match="ended with status -9; where memory was short") as raised:
        load(garden, path)
    stored = Prompt.objects.count()
    assert 0 < stored < 60_000
    assert raised.value.counts["stored"] == stored
    assert Import.objects.get().state == "failed"
    monkeypatch.setattr(imports, "_mark", real)
    monkeypatch.setattr(batches, "BATCH", 20_000)
    report = load(garden, path)
    assert (report.stored, report.duplicates) == (60_000 - stored, stored)


def test_an_import_that_fails_leaves_no_reader_behind(garden, tmp_path, readers, monkeypatch):
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Question {n}?"}) + "\n" for n in range(60_000)))

    def broken(*args):
        raise RuntimeError("broken")

    monkeypatch.setattr(imports, "_mark", broken)
    with pytest.raises(RuntimeError):
        load(garden, path)
    assert readers[0].returncode is not None
    assert Prompt.objects.count() == 0
