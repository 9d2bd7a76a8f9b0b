"""Cleaning: each step by itself, counted before anything is stored; and the wall around evaluation sets."""

import json

import pytest

from labeling.models.answers import Answer
from labeling.models.projects import Project
from labeling.models.prompts import Prompt, Response
from labeling.models.work import LabelingTask
from labeling.selectors import exports
from labeling.selectors.exports import Choices
from labeling.services import imports, pii
from labeling.services.import_options import Options

LONG = "Describe how to prune an old apple tree in late winter so that it bears well the year after, please."


@pytest.fixture
def load(project, now, tmp_path):
    def load(rows, dry_run=False, project=project, **options):
        path = tmp_path / f"{abs(hash(json.dumps(rows)))}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        wanted = Options.from_plain(options)
        return imports.run(
            project=project, path=path, name="in.jsonl", options=wanted, dry_run=dry_run, by=None, now=now
        )

    return load


def prompts(*texts):
    return [{"prompt": text} for text in texts]


CASES = {
    "length": ({"least_characters": 5, "most_characters": 20}, ["Hi", "What is soil?", "x" * 30], 1),
    "quality": ({"quality": True}, ["What is soil?", "buy " * 50, "%&/(" * 20, "怎么在阴凉处种玫瑰花" * 5], 2),
    "language": ({"languages": ["de", "zh"]}, [
        "How do I grow roses in the shade of a tree?", "Wie pflanze ich Rosen in den Schatten?", "怎么在阴凉处种玫瑰花",
    ], 2),
    "toxicity": ({"toxicity": True}, ["You darned fool", "What is a darn?", "DARNED!"], 1),
    "near_duplicates": ({"near_duplicates": True}, [LONG, LONG.upper() + "!", LONG[:40], "What is soil?"], 3),
}  # fmt: skip


@pytest.mark.parametrize("step", list(CASES))
def test_a_step_leaves_out_what_it_finds_and_counts_it(step, load, project):
    project.blocked_words = ["darned"]
    project.save()
    options, texts, kept = CASES[step]
    tried = load(prompts(*texts), dry_run=True, cleaning=options)
    assert Prompt.objects.count() == 0
    stored = load(prompts(*texts), cleaning=options)
    assert (tried.stored, tried.cleaned) == (stored.stored, stored.cleaned)
    assert (stored.stored, stored.cleaned) == (kept, {step: len(texts) - kept})
    assert Prompt.objects.count() == kept
    assert load(prompts(*texts)).stored == len(texts) - kept


def test_the_list_of_words_is_the_projects_own(load, project, caller, ada, now):
    assert caller(ada).patch("projects/garden", {"blocked_words": ["Slug", "root rot"]}).status_code == 200
    project.refresh_from_db()
    texts = ("A slug ate it.", "Is that Root  rot?", "ROOT ROT!", "Sluggish growth", "What is soil?")
    report = load(prompts(*texts), cleaning={"toxicity": True})
    assert (report.stored, report.cleaned) == (3, {"toxicity": 2})
    other = Project.objects.create(slug="other", name="Other", created_at=now)
    assert load(prompts(*texts), project=other, cleaning={"toxicity": True}).stored == 5


def test_replies_are_cleaned_as_prompts_are(load, project):
    project.blocked_words = ["darned"]
    project.save()
    rows = [
        {"prompt": "Who?", "chosen": "You darned fool", "rejected": "I."},
        {"prompt": "Who?", "completion": "You darned fool", "label": False},
        {"instruction": "Who?", "input": "", "output": "You darned fool"},
        {"instruction": "Who?", "output": "You darned fool", "generator": "m"},
    ]
    for row in rows:
        report = load([row], cleaning={"toxicity": True})
        assert (report.stored, report.cleaned) == (0, {"toxicity": 1})
        report = load([{**row, "extra": 1}], cleaning={"pii": "refuse", "quality": True})
        assert report.refused == 0
    assert Prompt.objects.count() == 1


def test_near_duplicates_of_what_is_stored_are_found_too(load):
    load(prompts(LONG))
    report = load(prompts(LONG.replace("please", "thanks")), cleaning={"near_duplicates": True})
    assert report.cleaned == {"near_duplicates": 1}


SECRET = "Mail jo.doe+x@example.org or call +49 170 1234567, card 4111 1111 1111 1111, key sk-abcdefghijklmnopqrstuvwx."


@pytest.mark.parametrize("way", ["mark", "mask", "refuse"])
def test_personal_data_is_marked_masked_or_refused(way, load):
    report = load([{"instruction": SECRET, "input": "", "output": SECRET}, *prompts()], cleaning={"pii": way})
    assert report.cleaned == {"pii": 1}
    if way == "refuse":
        assert (report.stored, report.refused) == (0, 1)
        assert report.refusals[0]["reason"] == "contains personal data: card, email, key, phone"
        return
    (prompt,) = Prompt.objects.all()
    (answer,) = Answer.objects.all()
    if way == "mark":
        assert prompt.meta == {"pii": ["card", "email", "key", "phone"]}
        assert prompt.messages[0]["content"] == SECRET
    else:
        masked = "Mail [email] or call [phone], card [card], key [key]."
        assert prompt.messages[0]["content"] == answer.demonstration.reply[0]["content"] == masked


@pytest.mark.parametrize("text", ["On 2024-01-31 10:15", "3.14159265358979", "1234 5678 9012 3456", "a@b", "Call 112"])
def test_dates_sums_and_other_numbers_are_no_personal_data(text):
    assert pii.find(text) == set()


def test_prompts_of_an_evaluation_set_never_come_to_work_or_training(load, project):
    load(prompts("What is soil?", LONG, "When does it rain?"), open_demonstrations=True)
    near = LONG.replace("please", "thanks")
    report = load(prompts("What is soil?", near, "How deep are roots?"), evaluation_set="exam")
    assert report.cleaned["walled"] == 1
    open_tasks = LabelingTask.objects.filter(state="open").values_list("prompt__messages__0__content", flat=True)
    assert list(open_tasks) == ["When does it rain?"]
    later = load(
        [{"prompt": one, "chosen": "Yes.", "rejected": "No."} for one in ("How deep are roots?", LONG + "!", "Who?")]
    )
    assert (later.stored, later.refused, later.cleaned) == (1, 2, {"evaluation_set": 2})
    exported = {
        row["messages"][0]["content"] for row in exports.found(project=project, choices=Choices(kind="prompts"))
    }
    assert exported == {"When does it rain?", "Who?"}
    assert Response.objects.count() == 2


def test_prompts_added_one_by_one_meet_the_wall_too(load, caller, erin):
    load(prompts(LONG), evaluation_set="exam")
    body = {"prompts": [{"messages": [{"role": "user", "content": LONG}]}], "open_demonstrations": True}
    caller(erin).post("projects/garden/prompts", body)
    assert LabelingTask.objects.count() == 0
