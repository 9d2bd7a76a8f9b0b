"""Exports: the same bytes each time, split by prompt, filtered, and taken by the field's own tools."""

import csv
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from contracts.snapshots import canonical_json
from labeling import errors
from labeling.models.answers import Answer
from labeling.selectors import exports, plain, records
from labeling.selectors.exports import Choices
from labeling.selectors.filters import Filters
from labeling.services import exporting, imports
from labeling.services.import_options import Options

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(project, now, tmp_path):
    def load(rows, name="in.jsonl", **options):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return imports.run(
            project=project, path=path, name=name, options=Options(**options), dry_run=False, by=None, now=now
        )

    return load


@pytest.fixture
def full(load):
    """Twenty ranked lists of three, as many demonstrations, two annotators for one list, and judgments."""
    names = ("a", "b", "c")
    replies = [{"id": name, "model": f"m-{name}", "text": f"Reply {name}"} for name in names]
    lists = [{"prompt": f"Question {n}?", "responses": replies, "ranking_groups": [["c"], ["a", "b"]], "judge": "j1"}
             for n in range(20)]  # fmt: skip
    load([*lists, {**lists[0], "ranking_groups": [["a"], ["c"], ["b"]], "judge": "j2"}], "lists.jsonl")
    load([{"instruction": f"=Sum {n}", "input": "", "output": "+1"} for n in range(20)], "alpaca.jsonl")
    load(
        [{"prompt": f"Question {n}?", "completion": f"Reply {n}", "label": n % 2 == 0} for n in range(10)], "kto.jsonl"
    )


@pytest.mark.parametrize("kind", ["prompts", "demonstrations", "rankings"])
def test_quick_rows_equal_the_records(full, project, kind, publish, next_task, caller, alice):
    publish(2)
    lease = next_task(alice)
    ranks = {one["id"]: place for place, one in enumerate(lease["task"]["responses"], start=1)}
    caller(alice).post(f"leases/{lease['token']}/ranking", {"idempotency_key": "k", "ranks": ranks})
    narrower = Filters(limit=4) if kind == "prompts" else Filters(imported=True)
    for filters in (Filters(), Filters(split="train", limit=3), narrower):
        slow = [one.to_json() for one in records.records(project=project, kind=kind, filters=filters)]
        quick = list(plain.rows(project=project, kind=kind, filters=filters))
        assert slow
        assert [canonical_json(one) for one in quick] == [canonical_json(one) for one in slow]


@pytest.mark.parametrize(
    ("kind", "format"),
    [(kind, name) for name, (_, kinds) in exports.writing.WRITERS.items() for kind in kinds],
)
def test_a_package_has_the_same_bytes_each_time(full, project, tmp_path, now, kind, format):
    choices = Choices(kind=kind, format=format)
    packed = []
    for name in ("one", "two"):
        manifest = exporting.write(project=project, choices=choices, folder=tmp_path / name, by=None, now=now)
        stream = io.BytesIO()
        exporting.zipped(tmp_path / name, stream)
        packed.append(stream.getvalue())
    assert packed[0] == packed[1]
    assert manifest["records"] > 0
    assert manifest["left_out"] == 0
    for name, told in manifest["files"].items():
        assert hashlib.sha256((tmp_path / "one" / name).read_bytes()).hexdigest() == told["sha256"]
    assert set(manifest["files"]) <= {
        f"{split}.{end}" for split in ("train", "test") for end in ("jsonl", "csv", "parquet")
    }


def test_all_pairs_of_one_prompt_are_in_one_file(full, project, tmp_path, now):
    exporting.write(
        project=project, choices=Choices(kind="rankings", format="trl"), folder=tmp_path / "p", by=None, now=now
    )
    prompts = {name: {json.dumps(json.loads(line)["prompt"]) for line in (tmp_path / "p" / f"{name}.jsonl").open()}
               for name in ("train", "test")}  # fmt: skip
    assert prompts["train"]
    assert prompts["test"]
    assert not prompts["train"] & prompts["test"]


def test_rankings_of_a_set_merge_and_labelers_hide(full, project):
    merged = list(exports.found(project=project, choices=Choices(kind="rankings", filters={"merge": "merged"})))
    assert len(merged) == 20
    (two,) = [row for row in merged if len(row["merged_from"]) == 2]
    places = {one["text"]: one["rank"] for one in two["responses"]}
    assert places["Reply c"] <= 2
    assert places["Reply b"] == max(places.values())
    hidden = [
        row["labeler"] for row in exports.found(project=project, choices=Choices(kind="rankings", pseudonyms=True))
    ]
    assert len(set(hidden)) == 2
    assert all(name.startswith("labeler-") for name in hidden)


def test_a_package_tells_what_is_in_it(ranked_by, project, tmp_path, now):
    alice, _ = ranked_by([[(1, 2, 3), (1, 3, 2)]])
    choices = Choices(
        kind="rankings", format="trl", filters={"merge": "merged", "until": "2999-01-01T00:00:00Z"}, pseudonyms=True
    )
    manifest = exporting.write(project=project, choices=choices, folder=tmp_path / "p", by=alice, now=now)
    assert manifest == json.loads((tmp_path / "p" / "manifest.json").read_text())
    told = {name: manifest[name] for name in ("project", "kind", "format", "merge", "pseudonyms", "records", "filters")}
    assert told == {
        "project": "garden", "kind": "rankings", "format": "trl", "merge": "merged", "pseudonyms": True, "records": 1,
        "filters": {"merge": "merged", "until": "2999-01-01T00:00:00Z"},
    }  # fmt: skip
    assert manifest["guideline_versions"] == [1]
    card = (tmp_path / "p" / "README.md").read_text()
    for piece in ("# Garden: rankings", "Records: 1, as `trl`", "one merged per set", "under pseudonyms", '"until"'):
        assert piece in card
    assert "alice" not in "".join(one.read_text() for one in (tmp_path / "p").iterdir())


def test_filters_take_labelers_and_times(ranked_by, project, now):
    ranked_by([[(1, 2, 3), (1, 3, 2)], [(1, 2, 3), (1, 2, 3)]])

    def found(**filters):
        return [
            row["labeler"] for row in exports.found(project=project, choices=Choices(kind="rankings", filters=filters))
        ]

    assert sorted(found()) == ["alice", "alice", "bob", "bob"]
    assert found(labelers=["alice"]) == found(without_labelers=["bob"]) == ["alice", "alice"]
    assert len(found(since=now.isoformat())) == 4
    assert found(until=now.isoformat()) == found(imported=True) == []
    assert len(found(min_agreement=1.0)) == 2


def test_filters_take_policies_flags_and_times(full, project, now):
    def count(**filters):
        return sum(1 for _ in exports.found(project=project, choices=Choices(kind="rankings", filters=filters)))

    assert count() == 21
    assert (count(policies=["m-a"]), count(policies=["nobody"])) == (21, 0)
    assert (count(flags=["harmful"]), count(without_flags=["harmful"])) == (0, 21)
    answer = Answer.objects.filter(kind="ranking").first()
    answer.ranked.filter(response__index=0).update(flags=["harmful"])
    assert (count(flags=["harmful"]), count(without_flags=["harmful"])) == (1, 20)
    assert count(until=now.isoformat()) == 0
    assert (count(min_rankings=2), count(min_rankings=2, min_agreement=1.0)) == (2, 0)


@pytest.mark.parametrize(
    ("kind", "format", "filters", "field"),
    [
        ("prompts", "prompts", {"labelers": ["alice"]}, "labelers"),
        ("prompts", "rankloop", {"late": False, "split": "train"}, "late"),
        ("demonstrations", "trl", {"policies": ["m-a"]}, "policies"),
        ("demonstrations", "alpaca", {"without_flags": ["harmful"]}, "without_flags"),
        ("demonstrations", "csv", {"merge": "merged"}, "merge"),
        ("judgments", "trl", {"imported": True}, "imported"),
        ("judgments", "csv", {"min_rankings": 2}, "min_rankings"),
        ("rankings", "trl", {"weights": "reliability"}, "weights"),
        ("rankings", "ranked", {"weights": "reliability", "merge": "none"}, "weights"),
    ],
)
def test_a_filter_without_effect_is_refused(project, caller, erin, kind, format, filters, field):
    with pytest.raises(errors.Invalid) as refused:
        Choices(kind=kind, format=format, filters=filters)
    assert (refused.value.code, list(refused.value.fields)) == ("bad_filter", [field])
    answer = caller(erin).get("projects/garden/export", kind=kind, format=format, filters=json.dumps(filters))
    assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (400, "bad_filter", [field])


def test_a_filter_that_says_nothing_is_let_by():
    silent = {"merge": "none", "weights": "none", "late": None}
    assert Choices(kind="prompts", filters=silent).filters == silent


def test_judgments_are_filtered_by_time_and_policy(full, load, project, now):
    load([{"prompt": "Whose?", "completion": "Mine.", "label": True, "model": "m-z"}])

    def count(**filters):
        choices = Choices(kind="judgments", format="trl", filters=filters)
        return sum(1 for _ in exports.found(project=project, choices=choices))

    assert (count(), count(policies=["m-z"]), count(policies=["nobody"])) == (11, 1, 0)
    assert (count(until=now.isoformat()), count(since=now.isoformat())) == (0, 11)


def test_rankings_that_are_to_be_weighed_need_a_measurement(full, project):
    with pytest.raises(errors.NotMeasured):
        list(exports.lines(project=project, choices=Choices(kind="rankings", filters={"weights": "reliability"})))


def test_formulas_are_neutralized_in_tables(full, project):
    text = b"".join(exports.lines(project=project, choices=Choices(kind="demonstrations", format="csv"))).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1][2:] == ["'=Sum 0", "'+1"]


def test_the_api_gives_lines_tables_and_packages(full, caller, erin):
    def get(**query):
        return caller(erin).get("projects/garden/export", **query)

    pairs = [json.loads(line) for line in b"".join(get(kind="rankings", format="trl").streaming_content).splitlines()]
    assert set(pairs[0]) == {"prompt", "chosen", "rejected"}
    assert get(kind="demonstrations", format="csv")["Content-Type"] == "text/csv"
    package = zipfile.ZipFile(
        io.BytesIO(b"".join(get(kind="rankings", format="parquet", package="1").streaming_content))
    )
    assert {"README.md", "manifest.json", "train.parquet"} <= set(package.namelist())
    for query, field in (
        ({"kind": "prompts", "format": "trl"}, "format"),
        ({"kind": "rankings", "filters": "{"}, "filters"),
        ({"kind": "rankings", "filters": '{"merge": "x"}'}, "merge"),
        ({"kind": "rankings", "filters": '{"nonsense": 1}'}, "nonsense"),
    ):
        refused = get(**query)
        assert (refused.status_code, list(refused.json()["fields"])) == (400, [field])


@pytest.mark.torch
def test_exports_are_taken_by_datasets_and_by_trl(full, project, tmp_path, now):
    folder = tmp_path / "packages"
    for kind, format in (
        ("demonstrations", "trl"), ("demonstrations", "openai"), ("demonstrations", "csv"),
        ("rankings", "trl"), ("rankings", "trl-implicit"), ("rankings", "trl-standard"), ("rankings", "parquet"),
    ):  # fmt: skip
        choices = Choices(kind=kind, format=format)
        exporting.write(project=project, choices=choices, folder=folder / f"{kind}-{format}", by=None, now=now)
    program = Path(__file__).with_name("trl_steps.py")
    done = subprocess.run([sys.executable, program, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"loaded": 7, "sft": 2, "reward": 2, "dpo": 3}
