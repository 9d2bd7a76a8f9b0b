"""Tables, archives and folders, and the formats of single records that test_formats does not cover."""

import csv
import json
import zipfile

import pytest

from labeling.formats import hub, reading
from labeling.formats.items import DemonstrationItem, JudgmentItem, PromptItem, RankingItem, ResponsesItem, Unreadable

ROWS = [
    {"instruction": "Add", "context": "1 1", "response": "2", "category": "sums"},
    {"instruction": "Name a rose", "context": "", "response": "Tea, \"Peace\"\nor damask", "category": ""},
]  # fmt: skip


def items(path, **options):
    name, records = reading.read(path, **options)
    records = list(records)
    assert [record.reason for record in records if record.reason] == []
    return name, [item for record in records for item in record.items]


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_csv(path, delimiter=","):
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, list(ROWS[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)


def write_xlsx(path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
        book.active.append(row)
    book.save(path)


def write_parquet(path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def write_saved(path):
    """As `datasets.Dataset.save_to_disk` lays it out."""
    import pyarrow

    path.mkdir()
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.ipc.new_stream(str(path / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    for name in ("dataset_info.json", "state.json"):
        (path / name).write_text("{}")


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner/part-1.jsonl", json.dumps(ROWS[0]) + "\n")
        archive.writestr("inner/part-2.jsonl", json.dumps(ROWS[1]) + "\n")
        archive.writestr("inner/picture.png", b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", write_csv),
        ("a.tsv", lambda path: write_csv(path, "\t")),
        ("semicolons.csv", lambda path: write_csv(path, ";")),
        ("a.xlsx", write_xlsx),
        ("a.parquet", write_parquet),
        ("saved", write_saved),
        ("a.zip", write_zip),
    ],
)
def test_a_table_reads_as_its_rows(name, write, tmp_path):
    write(tmp_path / name)
    format, found = items(tmp_path / name)
    assert format == "dolly"
    assert [item.messages[0].content for item in found] == ["Add\n\n1 1", "Name a rose"]
    assert [item.reply[0].content for item in found] == ["2", 'Tea, "Peace"\nor damask']
    assert found[0].meta == {"category": "sums"}


def test_a_list_within_a_cell_is_json(tmp_path):
    path = tmp_path / "a.csv"
    messages = json.dumps([{"role": "user", "content": "Hi"}]).replace('"', '""')
    path.write_text(f'prompt,completion,label\n"{messages}",Hello,true\nWho?,I,FALSE\n')
    format, found = items(path)
    assert format == "kto"
    assert [(item.messages[0].content, item.response.text, item.good) for item in found] == [
        ("Hi", "Hello", True), ("Who?", "I", False)
    ]  # fmt: skip


def test_fields_are_mapped_before_they_are_read(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", {"frage": "Who?", "antwort": "I."})
    with pytest.raises(Unreadable):
        items(path)
    format, found = items(path, mapping={"frage": "prompt", "antwort": "completion"})
    assert (format, found[0].reply[0].content) == ("prompt_completion", "I.")


SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"what": "rose"}'}}


@pytest.mark.parametrize(
    ("record", "format", "kind"),
    [
        ({"messages": SAID, "label": True}, "kto", JudgmentItem),
        ({"prompt": "Hi", "completion": "Hello", "label": False}, "kto", JudgmentItem),
        ({"prompt": SAID[:1], "completion": SAID[1:]}, "prompt_completion", DemonstrationItem),
        ({"question": "1+1?", "answer": "2 #### 2"}, "prompt_completion", DemonstrationItem),
        ({"instruction": "Hi", "instances": [{"input": "", "output": "Hello"}]}, "self_instruct", DemonstrationItem),
        ({"instruction": "Hi", "output": "Hello", "generator": "m"}, "responses", ResponsesItem),
        ({"prompt": "Hi", "responses": ["Hello", {"text": "Go", "model": "m"}]}, "responses", ResponsesItem),
        ({"input": {"messages": SAID[:1]}, "preferred_output": SAID[1:],
          "non_preferred_output": [{"role": "assistant", "content": "Go"}]}, "pairs", RankingItem),
        ({"instruction": "Hi", "output_1": "a", "output_2": "b", "preference": 1.7}, "judged", RankingItem),
        ({"input": "Hi", "output_1": "a", "output_2": "b", "label": 2}, "judged", RankingItem),
        ({"prompt": "Hi", "corrects": ["a"], "incorrects": ["b", "c"]}, "corrects", RankingItem),
        ({"question_id": 1, "turns": ["Hi", "And then?"]}, "prompts", PromptItem),
        ({"instruction": "Hi", "input": "there"}, "prompts", PromptItem),
        ({"instruction": "Hi", "output": "x", "history": [["a", "b"]], "system": "s"}, "alpaca", DemonstrationItem),
    ],
)  # fmt: skip
def test_a_record_is_told_by_its_fields(record, format, kind, tmp_path):
    name, (item,) = items(jsonl(tmp_path / "a.jsonl", record))
    assert name == format
    assert isinstance(item, kind)
    assert item.messages[-1].content.startswith(("Hi", "1+1?"))


def test_calls_of_tools_become_their_text(tmp_path):
    record = {
        "messages": [
            {"role": "user", "content": "Find a rose."},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "name": "find", "content": "Peace"},
            {"role": "assistant", "content": [{"type": "text", "text": "Peace, "}, {"type": "text", "text": "1945."}]},
        ],
        "tools": [{"type": "function", "function": {"name": "find"}}],
    }
    _, (item,) = items(jsonl(tmp_path / "a.jsonl", record))
    assert json.loads(item.messages[1].content) == {"name": "find", "arguments": {"what": "rose"}}
    assert (item.messages[2].role, item.messages[2].name) == ("tool", "find")
    assert item.reply[0].content == "Peace, 1945."
    assert item.meta["tools"] == record["tools"]


def test_the_hub_is_asked_only_where_that_is_allowed():
    with pytest.raises(Unreadable, match="not allowed"):
        hub.fetch("hub:owner/name", allowed=False)
    with pytest.raises(Unreadable, match="form"):
        hub.fetch("hub:../../etc", allowed=True)


def test_a_hub_without_network_is_named_with_a_way_out(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Unreadable, match=r"cannot be fetched: .+`hf download owner/name --repo-type dataset"):
        hub.fetch("hub:owner/name@no-such-revision", allowed=True)


@pytest.fixture
def saved(tmp_path):
    """A set and a dictionary of sets that `datasets` itself saved, and what it keeps beside them of earlier work."""
    import datasets

    datasets.disable_progress_bars()
    rows = datasets.Dataset.from_list(ROWS)
    rows.save_to_disk(str(tmp_path / "one"), num_shards=2)
    datasets.load_from_disk(str(tmp_path / "one")).map(lambda _: {"response": "changed"})
    datasets.DatasetDict(train=rows.select([0]), test=rows.select([1])).save_to_disk(str(tmp_path / "both"))
    assert list((tmp_path / "one").glob("cache-*.arrow"))
    return tmp_path


def in_zip(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for one in sorted(folder.rglob("*")):
            archive.write(one, one.relative_to(folder.parent).as_posix())
    return path


@pytest.mark.parametrize("name", ["one", "both"])
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_what_datasets_saved_reads_as_its_rows(saved, name, packed):
    format, found = items(in_zip(saved / name) if packed else saved / name)
    assert format == "dolly"
    assert sorted(item.reply[0].content for item in found) == sorted(row["response"] for row in ROWS)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_saved_set_that_lacks_a_file_is_not_read_by_half(saved, packed):
    (saved / "one" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(Unreadable, match=r"names '.*data-00001-of-00002.arrow', which"):
        items(in_zip(saved / "one") if packed else saved / "one")


def test_a_table_in_a_zip_is_read_as_by_itself(tmp_path):
    write_parquet(tmp_path / "a.parquet")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.parquet", "deep/a.parquet")
    assert items(tmp_path / "a.zip") == items(tmp_path / "a.parquet")


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    from labeling.formats import tables

    def missing(name):
        raise ImportError(name)

    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(tables, "import_module", missing)
    with pytest.raises(Unreadable, match="pyarrow, which is in requirements-data"):
        items(tmp_path / "a.parquet")
