"""Gold out of files of rankings."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from labeling.models.quality import GoldItem
from labeling.models.work import LabelingTask
from labeling.selectors import invariants


@pytest.fixture
def load(project, tmp_path):
    def load(*rows, slug="garden"):
        path, out, code = tmp_path / "gold.jsonl", StringIO(), 0
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        try:
            call_command("import_gold", str(path), "--project", slug, "--json", stdout=out)
        except CommandError as error:
            code = error.returncode
        return code, json.loads(out.getvalue()) if out.getvalue() else None

    return load


def pair(prompt="Who?", chosen="The gardener.", rejected="Nobody."):
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def test_pairs_become_gold_once(load):
    code, report = load(pair(), pair("When?"))
    assert (code, report["stored"], report["duplicates"], report["refused"]) == (0, 2, 0, 0)
    item = GoldItem.objects.select_related("task__prompt").order_by("id").first()
    by_id = {str(row.uuid): row.text for row in item.task.rollout_set.responses.all()}
    assert {by_id[id]: place for id, place in item.ranks.items()} == {"The gardener.": 1, "Nobody.": 2}
    assert item.reason == "gold.jsonl, line 1"
    assert set(LabelingTask.objects.values_list("purpose", "state")) == {("gold", "open")}
    assert load(pair(), pair("When?"), pair("Why?"))[1]["stored"] == 1
    assert not any(invariants.violations().values())


def test_what_is_no_ranking_is_refused_by_line(load):
    code, report = load(pair(), {"prompt": "Who?", "chosen": "\u0000", "rejected": "b"})
    assert (code, report["stored"], report["refused"]) == (1, 1, 1)
    assert report["reasons"][0]["line"] == 2


def test_a_project_that_is_not_there_and_a_file_that_is_no_data_end_with_2(load):
    assert load(pair(), slug="meadow")[0] == 2
    assert load({"colour": "red"})[0] == 2
    assert GoldItem.objects.count() == 0
