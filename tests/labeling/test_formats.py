"""Readers of public formats: told from the content, one record at a time, refusals in their place."""

import gzip
import json

import pytest

from labeling.formats import reading
from labeling.formats.items import DemonstrationItem, PromptItem, RankingItem, Unreadable


def write(path, records, *, array=False):
    text = json.dumps(records, indent=1) if array else "".join(json.dumps(record) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")
    return path


def items(path, format=""):
    name, records = reading.read(path, format)
    return name, [item for record in records for item in record.items]


def refusals(path, format=""):
    _, records = reading.read(path, format)
    return [(record.line, record.reason) for record in records if record.reason]


HH = {
    "chosen": "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Bye\n\nAssistant: Goodbye.",
    "rejected": "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Bye\n\nAssistant:",
}
TREE = {
    "message_tree_id": "t", "tree_state": "ready_for_export",
    "prompt": {
        "message_id": "1", "role": "prompter", "text": "Hi", "deleted": False,
        "replies": [
            {"message_id": "2", "role": "assistant", "text": "worse", "rank": 2, "replies": [
                {"message_id": "5", "role": "prompter", "text": "Go on", "replies": []}
            ]},
            {"message_id": "3", "role": "assistant", "text": "best", "rank": 0, "replies": []},
            {"message_id": "4", "role": "assistant", "text": "unranked", "rank": None, "replies": []},
            {"message_id": "6", "role": "assistant", "text": "gone", "rank": 1, "deleted": True, "replies": []},
        ],
    },
}  # fmt: skip
RANKED = {
    "prompt": "Hi",
    "responses": [{"id": "a", "model": "m1", "text": "A"}, {"id": "b", "model": "m2", "text": "B"}, {"id": "c", "model": "m3", "text": "C"}],
    "ranking": ["c", "a", "b"], "ranking_groups": [["c"], ["a", "b"]], "judge": "j",
}  # fmt: skip
PANDALM = {
    "instruction": "Add", "input": "1 1", "response1": "2", "response2": "3", "cmp_key": "bloom_opt",
    "annotator1": 1, "annotator2": 0, "annotator3": 2,
}  # fmt: skip


def test_hh_pairs_share_the_dialogue_before_the_last_reply(tmp_path):
    name, (item,) = items(write(tmp_path / "a.jsonl", [HH]))
    assert name == "hh"
    assert [(turn.role, turn.content) for turn in item.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Bye"),
    ]
    assert [choice.text for choice in item.responses] == ["Goodbye.", ""]
    assert item.orders[0].ranks == (1, 2)


def test_oasst_trees_give_prompts_and_ranked_siblings(tmp_path):
    name, found = items(write(tmp_path / "a.jsonl", [TREE]))
    assert name == "oasst"
    prompts = [item for item in found if isinstance(item, PromptItem)]
    assert [[turn.content for turn in item.messages] for item in prompts] == [["Hi"], ["Hi", "worse", "Go on"]]
    (ranking,) = [item for item in found if isinstance(item, RankingItem)]
    assert [choice.text for choice in ranking.responses] == ["worse", "best", "unranked"]
    assert ranking.orders[0].ranks == (2, 1, None)


def test_oasst_messages_without_a_tree_read_the_same(tmp_path):
    tree = items(write(tmp_path / "tree.jsonl", [TREE]))
    assert items(write(tmp_path / "message.jsonl", [TREE["prompt"]])) == tree


def test_ranked_lists_tie_the_members_of_a_group(tmp_path):
    name, (item,) = items(write(tmp_path / "a.json", [RANKED], array=True))
    assert name == "ranked"
    assert item.orders[0].ranks == (2, 2, 1)
    assert [choice.source for choice in item.responses] == ["m1", "m2", "m3"]


def test_pandalm_keeps_each_annotator(tmp_path):
    name, (item,) = items(write(tmp_path / "a.json", [PANDALM], array=True))
    assert name == "pandalm"
    assert [(order.annotator, order.ranks) for order in item.orders] == [
        ("annotator1", (1, 2)), ("annotator2", (1, 1)), ("annotator3", (2, 1)),
    ]  # fmt: skip
    assert item.messages[0].content == "Add\n\n1 1"


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Hi", "chosen": "Hello.", "rejected": "Go."},
        {"instruction": "Hi", "input": "", "output": "x", "chosen": "Hello.", "rejected": "Go."},
        {"prompt": [{"role": "user", "content": "Hi"}], "chosen": [{"role": "assistant", "content": "Hello."}], "rejected": [{"role": "assistant", "content": "Go."}]},
        {"chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go."}]},
        {"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go."}]},
        {"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello."}, "rejected": {"from": "gpt", "value": "Go."}},
    ],
    ids=["texts", "instruction", "messages", "implicit prompt", "prompt repeated", "from and value"],
)  # fmt: skip
def test_pairs_of_every_form_read_the_same(record, tmp_path):
    name, (item,) = items(write(tmp_path / "a.jsonl", [record]))
    assert name == "pairs"
    assert [(turn.role, turn.content) for turn in item.messages] == [("user", "Hi")]
    assert [choice.text for choice in item.responses] == ["Hello.", "Go."]


def test_conversations_are_demonstrations_or_prompts(tmp_path):
    said = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "Hi"}]
    name, found = items(
        write(
            tmp_path / "a.json",
            [{"conversations": [*said, {"from": "gpt", "value": "Hello."}]}, {"conversations": said}],
            array=True,
        )
    )
    assert name == "chat"
    assert isinstance(found[0], DemonstrationItem)
    assert found[0].reply[0].content == "Hello."
    assert found[1].messages == found[0].messages


def test_alpaca_records_are_demonstrations(tmp_path):
    name, (item,) = items(
        write(tmp_path / "a.json", [{"instruction": "Add", "input": "1 1", "output": "2"}], array=True)
    )
    assert (name, item.messages[0].content, item.reply[0].content) == ("alpaca", "Add\n\n1 1", "2")


def test_bare_strings_and_plain_lines_are_prompts(tmp_path):
    assert [item.messages[0].content for item in items(write(tmp_path / "a.jsonl", ["Hi", "Who?"]))[1]] == [
        "Hi",
        "Who?",
    ]
    plain = tmp_path / "a.txt"
    plain.write_text("Hi\n\nWho?\n")
    assert [item.messages[0].content for item in items(plain, "prompts")[1]] == ["Hi", "Who?"]
    assert items(plain)[0] == "corpus"
    plain.write_text("Hi\nWho?\n")
    assert items(plain)[0] == "prompts"
    with pytest.raises(Unreadable, match="no format that is known"):
        items(plain.rename(tmp_path / "a.dat"))


def test_gzip_is_told_from_the_content(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress((json.dumps(HH) + "\n").encode()))
    assert items(path)[0] == "hh"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(Unreadable, match="not whole"):
        items(path)


def test_odd_line_separators_break_no_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '\ufeff{"prompt": "one\u2028two\u2029three\u0085four"}\r\n{"prompt": "five"}\n', encoding="utf-8", newline=""
    )
    assert [item.messages[0].content for item in items(path)[1]] == ["one\u2028two\u2029three\u0085four", "five"]


def test_a_broken_line_is_refused_and_the_others_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "one"}\n{"prompt": \n\n{"prompt": "\xff"}\n[1]\n{"prompt": 5}\n{"prompt": "two"}\n')
    assert [item.messages[0].content for item in items(path)[1]] == ["one", "two"]
    assert [line for line, _ in refusals(path)] == [2, 4, 5, 6]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({**HH, "rejected": "\n\nHuman: Other\n\nAssistant: x"}, "differ"),
        ({**HH, "rejected": HH["chosen"]}, "the same"),
        ({**HH, "rejected": "no marks"}, "must begin"),
        ({**RANKED, "ranking_groups": [["z"], ["a"]]}, "not a response"),
        ({**RANKED, "ranking_groups": [["a"], ["a"]]}, "twice"),
        ({**RANKED, "responses": RANKED["responses"][:1]}, "two or more"),
        ({**PANDALM, "response1": True}, "must be a text"),
        ({**PANDALM, "annotator1": 3}, "must be 0, 1 or 2"),
        ({"instruction": "Add", "output": " "}, "empty"),
        ({"messages": [{"role": "assistant", "content": "Hello."}]}, "no prompt"),
        ({"messages": [{"role": "user", "content": "Hi"}], "label": False}, "must end with the assistant"),
        ({"messages": [{"role": "boss", "content": "Hi"}]}, "role"),
    ],
)
def test_a_bad_record_is_refused_with_its_reason(record, reason, tmp_path):
    ((line, why),) = refusals(write(tmp_path / "a.jsonl", [record]))
    assert line == 1
    assert reason in why


@pytest.mark.parametrize(
    "content", [b"", b"   \n", b"\x00\x01", b"[1, 2", b'[{"prompt": "a"}', b'{"a": 1}\n', b"\xff\xfe[\x00"]
)
def test_a_file_of_no_format_is_unreadable(content, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        items(path)
    with pytest.raises(Unreadable):
        items(tmp_path / "missing.json")


def test_a_big_array_is_read_in_pieces_with_line_numbers(tmp_path):
    records = [{"prompt": f"{number} " + 'é\u2028[]{},"\\' * 50} for number in range(2_000)]
    path = write(tmp_path / "a.json", records, array=True)
    _, found = reading.read(path)
    found = list(found)
    assert [record.items[0].messages[0].content for record in found] == [record["prompt"] for record in records]
    assert [record.line for record in found] == list(range(2, 6_002, 3))
