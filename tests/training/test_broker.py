"""The broker without a server: whole messages only, first in first out."""

import json
from pathlib import Path

import pytest
from kombu import Connection

from training.broker import Transport


@pytest.fixture
def queue(tmp_path):
    options = {"data_folder_in": tmp_path / "messages", "data_folder_out": tmp_path / "messages"}
    options["control_folder"] = tmp_path / "control"
    options["polling_interval"] = 0.01
    plain = {name: value if isinstance(value, float) else str(value) for name, value in options.items()}
    with Connection(transport=Transport, transport_options=plain) as connection:
        yield connection.SimpleQueue("default")


def test_a_message_is_never_visible_before_it_is_whole(queue, tmp_path, monkeypatch):
    seen = []
    rename = Path.rename

    def look_then_rename(path, target):
        names = [file.name for file in (tmp_path / "messages").iterdir()]
        seen.append([name for name in names if not name.startswith(".")])
        json.loads(path.read_text())
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", look_then_rename)
    queue.put({"run": "x" * 100_000})
    assert seen == [[]]
    assert queue.get(timeout=2).payload == {"run": "x" * 100_000}


def test_messages_come_out_in_the_order_they_went_in(queue):
    for number in range(20):
        queue.put(number)
    got = []
    for _ in range(20):
        message = queue.get(timeout=2)
        message.ack()
        got.append(message.payload)
    assert got == list(range(20))


def test_folders_are_made_on_first_use(queue, tmp_path):
    queue.put("here")
    assert len(list((tmp_path / "messages").glob("*.default.msg"))) == 1
