"""Imports: idempotent, whole or refused, frozen for training; and the files of real human feedback where they are."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from contracts import snapshots as files
from contracts.records import DemonstrationRecord, PromptRecord, RankingRecord
from labeling.formats.items import Unreadable
from labeling.models.answers import Answer
from labeling.models.prompts import Prompt, RolloutSet
from labeling.models.records import Corpus
from labeling.models.work import LabelingTask
from labeling.selectors import invariants
from labeling.services import imports, measuring, snapshots
from labeling.services.import_options import Options
from tests import public_data


@pytest.fixture
def load(project, now):
    def load(path, **options):
        dry_run = options.pop("dry_run", False)
        wanted = Options.from_plain(options)
        return imports.run(
            project=project, path=path, name=path.name, options=wanted, dry_run=dry_run, by=None, now=now
        )

    return load


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"Question {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(5)]
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, rows[0], {"prompt": "x", "chosen": "a\x00", "rejected": "b"}])
    )
    return path


def test_importing_twice_stores_once(load, pairs):
    first, second = load(pairs), load(pairs)
    assert (first.stored, first.duplicates, first.refused) == (5, 1, 1)
    assert (second.stored, second.duplicates, second.refused) == (0, 6, 1)
    assert Answer.objects.count() == RolloutSet.objects.count() == Prompt.objects.count() == 5
    reason = "contains a NUL or half a surrogate pair"
    assert first.refusals == [{"file": "pairs.jsonl", "line": 7, "record": 7, "reason": reason}]
    assert first.reasons == {reason: 1}
    assert LabelingTask.objects.count() == 0


def test_a_dry_run_counts_the_same_and_stores_nothing(load, pairs):
    tried = load(pairs, dry_run=True)
    assert Prompt.objects.count() == Answer.objects.count() == RolloutSet.objects.count() == 0
    assert tried == load(pairs)


def test_a_file_that_another_process_reads_comes_to_the_same(load, pairs, monkeypatch):
    from labeling.services import ahead

    monkeypatch.setattr(ahead, "LARGE", 0)
    tried = load(pairs, dry_run=True)
    assert load(pairs) == tried
    assert tried.refused == 1
    with pytest.raises(Unreadable, match="ends before its array does"):
        load(broken(pairs))


def broken(path):
    whole = path.with_name("broken.json")
    whole.write_text("[" + ", ".join(path.read_text().splitlines()[:5] * 5))
    return whole


def test_imported_preferences_are_in_the_snapshot_of_rankings(load, pairs, project, artifacts, now):
    load(pairs)
    snapshot = snapshots.freeze(project=project, kind="rankings", filters={}, by=None, now=now)
    rows = list(files.read(snapshot.path, RankingRecord))
    assert len(rows) == snapshot.rows == 5
    assert [(one.text, one.rank, one.token_ids) for one in rows[0].responses] == [("Yes.", 1, None), ("No.", 2, None)]
    assert rows[0].labeler == "pairs"
    with pytest.raises(Exception, match="no rankings"):
        snapshots.freeze(project=project, kind="rankings", filters={"imported": False}, by=None, now=now)


def test_imported_prompts_open_demonstrations_where_asked(load, tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('"Who?"\n"When?"\n"Who?"\n')
    report = load(path, open_demonstrations=True)
    assert (report.prompts, report.duplicates) == (2, 1)
    assert LabelingTask.objects.filter(kind="demonstration").count() == 2
    load(path, open_demonstrations=True)
    assert LabelingTask.objects.count() == 2
    assert not any(invariants.violations().values())


def test_what_is_exported_comes_back_the_same(load, pairs, project, tmp_path, now):
    load(pairs)
    demonstrations = tmp_path / "alpaca.json"
    demonstrations.write_text(json.dumps([{"instruction": "Add", "input": "", "output": "2"}]))
    load(demonstrations)
    for kind, record in (
        ("rankings", RankingRecord),
        ("demonstrations", DemonstrationRecord),
        ("prompts", PromptRecord),
    ):
        one, two = tmp_path / f"{kind}.jsonl", tmp_path / f"{kind}-again.jsonl"
        call_command("export_data", project=project.slug, kind=kind, output=one)
        call_command("import_data", one, project=f"copy-of-{kind}", stdout=io.StringIO())
        call_command("export_data", project=f"copy-of-{kind}", kind=kind, output=two)
        assert [told(row) for row in files.read(one, record)] == [told(row) for row in files.read(two, record)]


def told(record):
    """A record without the ids that each database gives."""
    plain = record.to_json()
    for name in ("id", "prompt_id", "group", "guideline_version"):
        plain.pop(name, None)
    for response in plain.get("responses", []):
        response.pop("id")
    return plain


def test_the_command_says_by_its_exit_status_what_happened(project, pairs, tmp_path, capsys):
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.bin"
    good.write_text('{"prompt": "Who?", "chosen": "I.", "rejected": "You."}\n')
    bad.write_bytes(b"\x00")
    call_command("import_data", good, project="garden")
    for files_, status in (([pairs], 1), ([bad], 2), ([bad, good, pairs], 2)):
        with pytest.raises(CommandError) as caught:
            call_command("import_data", *files_, project="garden", json=True)
        assert caught.value.returncode == status
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row.get("error", "")[:7] or row["refused"] for row in rows] == [1, "bad.bin", "bad.bin", 0, 1]


def test_the_command_tells_programs_what_came_of_a_file(project, pairs, capsys):
    def told(*options):
        with pytest.raises(CommandError) as caught:
            call_command("import_data", pairs, *options, project="garden", json=True)
        assert caught.value.returncode == 1
        row = json.loads(capsys.readouterr().out)
        return {name: row[name] for name in ("stored", "duplicates", "refused", "reasons")}

    reasons = {"contains a NUL or half a surrogate pair": 1}
    expected = {"stored": 5, "duplicates": 1, "refused": 1, "reasons": reasons}
    assert told("--dry-run") == expected
    assert Prompt.objects.count() == 0
    assert told() == told("--format", "pairs", "--dry-run") | {"stored": 5, "duplicates": 1} == expected
    assert told() == {**expected, "stored": 0, "duplicates": 6}


def test_documents_become_one_corpus_with_gaps_between_them(load, tmp_path, artifacts):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "One.\\nStill one.\\n"}\n{"text": "Two."}\n{"text": " "}\n{"txt": "x"}\n')
    report = load(path)
    assert (report.format, report.stored, report.documents, report.refused) == ("corpus", 1, 2, 2)
    corpus = Corpus.objects.get()
    assert corpus.path.read_bytes() == b"One.\nStill one.\n\nTwo.\n\n"
    later = imports.run(
        project=corpus.project, path=path, name="again", options=Options(), dry_run=False, by=None, now=timezone.now()
    )
    assert (later.stored, later.duplicates, Corpus.objects.count()) == (0, 1, 1)


@public_data.needed
@pytest.mark.parametrize(
    ("file", "format", "counts"),
    [
        ("hh/harmless-base-test.part1.jsonl.gz", "hh", {"rankings": 1156, "prompts": 0, "refused": 0}),
        ("oasst/en_100_tree.jsonl", "oasst", {"rankings": 128, "prompts": 303, "refused": 0}),
        ("alpaca_eval/rankings.jsonl", "ranked", {"rankings": 414, "refused": 0}),
        ("pandalm/testset-v1.json", "pandalm", {"rankings": 545 * 3, "refused": 6}),
        ("oasst/prompt_lottery_en_250_text.jsonl", "prompts", {"prompts": 120, "refused": 0}),
        ("rasbt/instruction-data-with-preference.json", "pairs", {"rankings": 568, "refused": 3}),
        ("llama_factory/dpo_en_demo.json", "pairs", {"rankings": 120, "duplicates": 3, "refused": 0}),
    ],
)
def test_real_files_give_their_known_counts(file, format, counts, load):
    report = load(public_data.FOLDER / file)
    assert report.format == format
    assert {name: getattr(report, name) for name in counts} == counts
    again = load(public_data.FOLDER / file)
    assert (again.stored, again.duplicates) == (0, report.stored + report.duplicates)


# The rest of the folder, as its README counts records: file, format, what is stored, known already, refused.
REST = """
alpaca/alpaca_3000.json alpaca 2999 0 1
alpaca_eval/original/alpaca-7b.alpaca_eval_gpt4.annotations.json judged 404 0 10
alpaca_eval/original/claude-2.weighted.annotations_100.json judged 100 0 0
alpaca_eval/original/alpaca-7b.model_outputs.json responses 414 0 0
alpaca_eval/original/claude-2.model_outputs.json responses 414 0 0
arena_hard/question.jsonl prompts 261 0 0
evals/human_generated/corrigible-more-HHH.jsonl prompts 309 0 0
evals/human_generated/survival-instinct.jsonl prompts 953 0 0
evals/persona/agreeableness.jsonl prompts 1000 0 0
evals/sycophancy/political_typology_quiz_liberal-bio_liberal.jsonl corrects 510 0 0
fastchat/dummy_conversation.json chat 312 0 0
fastchat/mt_bench_question.jsonl prompts 43 0 0
fastchat/mt_bench_reference_gpt-4.jsonl responses 0 0 14
gpteacher/codegen-instruct.json alpaca 2203 0 0
gpteacher/roleplay-instruct.json alpaca 977 0 0
gsm8k/train_2000.jsonl prompt_completion 2000 0 0
llama_factory/alpaca_zh_demo.json alpaca 504 2 0
llama_factory/dpo_zh_demo.json pairs 174 6 0
llama_factory/glaive_toolcall_en_demo.json chat 136 21 0
llama_factory/kto_en_demo.json kto 155 0 0
llmbar/Natural.json judged 55 0 0
llmbar/human_votes_LLMEval2.json judged 112 0 1
oasst/en_100_text.jsonl prompts 59 0 0
oasst/sampling_pythia-1b-sft.json responses 59 0 0
self_instruct/seed_tasks.jsonl self_instruct 88 0 0
self_instruct/user_oriented_instructions.jsonl self_instruct 132 0 0
self_instruct/predictions/davinci_predictions.jsonl responses 132 0 0
tinyshakespeare/input.part1.txt corpus 1 0 0
"""


@public_data.needed
@pytest.mark.parametrize("line", REST.split("\n")[1:-1])
def test_every_record_of_the_real_files_is_stored_known_or_refused(line, load, artifacts):
    file, format, *counts = line.split()
    report = load(public_data.FOLDER / file)
    assert (report.format, [report.stored, report.duplicates, report.refused]) == (format, [int(one) for one in counts])
    assert len(report.refusals) == report.refused
    tried = load(public_data.FOLDER / file, dry_run=True)
    assert (tried.stored, tried.refused) == (int(format == "corpus"), report.refused)


@public_data.needed
def test_messages_that_name_their_parents_become_prompts(load):
    report = load(public_data.FOLDER / "oasst/realistic_seed_data.json")
    assert (report.format, report.records, report.prompts, report.refused) == ("messages", 74, 179, 0)


@public_data.needed
def test_outputs_of_several_models_become_one_ranking_task_a_prompt(load, project):
    for model in ("claude-2", "vicuna-13b", "alpaca-7b"):
        report = load(public_data.FOLDER / f"alpaca_eval/original/{model}.model_outputs.json", open_rankings=True)
    assert report.tasks > 350
    assert LabelingTask.objects.filter(kind="ranking").count() >= 400


@public_data.needed
def test_the_message_form_of_the_trees_holds_nothing_new(load):
    load(public_data.FOLDER / "oasst/en_100_tree.jsonl")
    assert load(public_data.FOLDER / "oasst/en_100_message.jsonl").stored == 0


@public_data.needed
def test_people_agree_on_pandalm_as_its_makers_report(load, project):
    load(public_data.FOLDER / "pandalm/testset-v1.json")
    found = measuring.measure(project=project, now=timezone.now()).report["agreement"]
    assert found["items"] == 545
    low, high = found["pairwise_agreement_interval"]
    assert low < found["pairwise_agreement"] < high
    assert found["pairwise_agreement"] > 0.9
