import pytest

from contracts import snapshots
from contracts.records import Message, PromptRecord

PROMPTS = [PromptRecord(id=str(i), messages=(Message(role="user", content=f"{i}\u2028é"),)) for i in range(3)]


def write(folder):
    return snapshots.write(folder, kind="prompts", records=PROMPTS, details={"split": "train"})


def test_the_same_records_have_the_same_hash_and_read_back(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert first == second == snapshots.verify(tmp_path / "a")
    assert first.rows == 3
    assert list(snapshots.read(tmp_path / "a", PromptRecord)) == PROMPTS


def test_a_changed_byte_is_found(tmp_path):
    write(tmp_path / "a")
    rows = tmp_path / "a" / snapshots.ROWS
    rows.write_bytes(rows.read_bytes().replace(b'"0', b'"9', 1))
    with pytest.raises(snapshots.SnapshotError, match="the manifest says"):
        snapshots.verify(tmp_path / "a")


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    def broken():
        yield PROMPTS[0]
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        snapshots.write(tmp_path / "a", kind="prompts", records=broken(), details={})
    assert list(tmp_path.iterdir()) == []


def test_a_bad_line_is_named(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"id": "1"}\n')
    with pytest.raises(snapshots.SnapshotError, match="line 1: messages: missing"):
        list(snapshots.read(tmp_path / "rows.jsonl", PromptRecord))


def test_content_hash_ignores_key_order_and_knows_hostile_text():
    assert snapshots.content_hash({"a": 1, "b": "\ud800"}) == snapshots.content_hash({"b": "\ud800", "a": 1})
