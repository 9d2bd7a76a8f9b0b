"""import(export(x)) = x, for every format that can carry x; the loss is named in docs/formats.md for those that cannot."""

import json
import string

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.snapshots import content_hash
from labeling.formats import reading, tables, writing
from labeling.formats.items import DemonstrationItem, JudgmentItem, PromptItem, RankingItem, Turn
from labeling.selectors import exports
from labeling.services import exporting, preparing

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
odd = st.sampled_from(
    ["=1+1", "'=x", "+49", "-", "@a", "[1]", "{}", '"', 'a,b\n"c"', "\u2028", "\r\n", "x\n\nHuman: y", "'", "''=z"]
)
said = st.one_of(texts, odd).filter(lambda text: text.strip())


def turn(role, content):
    return {"role": role, "content": content, "name": ""}


@st.composite
def conversations(draw, system=True):
    turns = [turn("system", draw(said))] if system and draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        turns += [turn("user", draw(said)), turn("assistant", draw(said))]
    return [*turns, turn("user", draw(said))]


@st.composite
def demonstrations(draw, **options):
    return {"id": "d", "split": "train", "labeler": "alice", "prompt": draw(conversations(**options)),
            "reply": [turn("assistant", draw(said))]}  # fmt: skip


@st.composite
def rankings(draw, least=2, most=5, ties=True, **options):
    responses = draw(st.lists(said, min_size=least, max_size=most, unique=True))
    ranks = draw(st.lists(st.integers(1, 3) if ties else st.just(1), min_size=len(responses), max_size=len(responses)))
    ranks = ranks if ties else list(range(1, len(responses) + 1))
    places = {rank: place for place, rank in enumerate(sorted(set(ranks)), start=1)}
    return {
        "id": "r", "split": "train", "labeler": "alice", "prompt": draw(conversations(**options)),
        "responses": [
            {"id": str(at), "text": text, "rank": places[rank], "unacceptable": ties and draw(st.booleans()), "source": "outside:m"}
            for at, (text, rank) in enumerate(zip(responses, ranks, strict=True))
        ],
    }  # fmt: skip


def judgments(**options):
    return st.builds(
        lambda prompt, text, good: {"id": "j", "split": "train", "prompt": prompt, "text": text, "good": good},
        conversations(**options), said, st.booleans(),
    )  # fmt: skip


def back(tmp_path_factory, format, kind, row):
    """What our reader makes of what our writer wrote."""
    ending = format if format in ("csv", "parquet") else "jsonl"
    path = tmp_path_factory.mktemp("trip") / f"a.{ending}"
    rows = list(writing.WRITERS[format][0](kind, row))
    if format == "parquet":
        exporting.store(path, kind, rows)
        return read(path)
    content = (
        b"".join(exports._csv(iter(rows))) if format == "csv" else b"".join(orjson.dumps(one) + b"\n" for one in rows)
    )
    path.write_bytes(content)
    return read(path)


def read(path):
    name, records = reading.read(path)
    records = list(records)
    assert not any(record.reason for record in records), (name, records)
    return [item for record in records for item in record.items]


def plain(turns: tuple[Turn, ...]):
    return [one.to_json() for one in turns]


calm = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("format", ["trl", "trl-implicit", "openai", "alpaca", "csv", "parquet"])
@calm
@given(data=st.data())
def test_demonstrations_come_back_the_same(format, data, tmp_path_factory):
    row = data.draw(demonstrations())
    (item,) = back(tmp_path_factory, format, "demonstrations", row)
    assert isinstance(item, DemonstrationItem)
    assert (plain(item.messages), plain(item.reply)) == (row["prompt"], row["reply"])


@pytest.mark.parametrize("format", ["ranked", "csv"])
@calm
@given(row=rankings())
def test_ranked_lists_come_back_the_same(format, row, tmp_path_factory):
    (item,) = back(tmp_path_factory, format, "rankings", row)
    assert isinstance(item, RankingItem)
    assert plain(item.messages) == row["prompt"]
    assert [one.text for one in item.responses] == [one["text"] for one in row["responses"]]
    assert list(item.orders[0].ranks) == [one["rank"] for one in row["responses"]]
    assert list(item.orders[0].unacceptable or [False] * len(item.responses)) == [
        one["unacceptable"] for one in row["responses"]
    ]
    assert item.orders[0].annotator == "alice"


@calm
@given(row=demonstrations())
def test_our_own_demonstrations_come_back_whole(row, tmp_path_factory):
    row = {**row, "prompt_id": "p", "split": "heldout"}
    (item,) = back(tmp_path_factory, "rankloop", "demonstrations", row)
    assert (plain(item.messages), plain(item.reply)) == (row["prompt"], row["reply"])
    assert (item.annotator, item.split) == ("alice", "heldout")


@calm
@given(row=rankings(), sampling=st.dictionaries(texts, st.integers(0, 9), max_size=2))
def test_our_own_rankings_come_back_whole(row, sampling, tmp_path_factory):
    row = {**row, "prompt_id": "p", "group": "g", "split": "heldout", "sampling": sampling}
    (item,) = back(tmp_path_factory, "rankloop", "rankings", row)
    assert (plain(item.messages), item.split, item.sampling) == (row["prompt"], "heldout", sampling)
    assert [(one.text, one.source) for one in item.responses] == [(one["text"], "m") for one in row["responses"]]
    (order,) = item.orders
    assert order.annotator == "alice"
    assert [(rank, mark) for rank, mark in zip(order.ranks, order.unacceptable, strict=True)] == [
        (one["rank"], one["unacceptable"]) for one in row["responses"]
    ]


@calm
@given(text=said, reply=said, other=said, good=st.booleans())
def test_texts_alone_come_back_where_the_prompt_is_one_turn(text, reply, other, good, tmp_path_factory):
    prompt = [turn("user", text)]
    (item,) = back(
        tmp_path_factory, "trl-standard", "demonstrations", {"prompt": prompt, "reply": [turn("assistant", reply)]}
    )
    assert (plain(item.messages), item.reply[0].content) == (prompt, reply)
    (item,) = back(tmp_path_factory, "trl-standard", "judgments", {"prompt": prompt, "text": reply, "good": good})
    assert (plain(item.messages), item.response.text, item.good) == (prompt, reply, good)
    if reply != other:
        responses = [{"text": one, "rank": rank} for rank, one in enumerate((reply, other), start=1)]
        (item,) = back(tmp_path_factory, "trl-standard", "rankings", {"prompt": prompt, "responses": responses})
        assert (plain(item.messages), [one.text for one in item.responses]) == (prompt, [reply, other])


@calm
@given(row=rankings(most=2, ties=False, system=False))
def test_hh_gives_a_dialogue_back_the_same_or_leaves_it_out(row, tmp_path_factory):
    marked = any("\n\nHuman:" in one for one in [*(turn["content"] for turn in row["prompt"]),
                                                *(one["text"] for one in row["responses"])])  # fmt: skip
    assert len(list(writing.hh("rankings", row))) == (not marked)
    if not marked:
        (item,) = back(tmp_path_factory, "hh", "rankings", row)
        assert plain(item.messages) == row["prompt"]
        assert [one.text for one in item.responses] == [one["text"] for one in row["responses"]]


def test_a_conversation_that_a_format_cannot_say_is_left_out():
    system = [turn("system", "Be brief."), turn("user", "Hi")]
    responses = [{"text": one, "rank": rank, "source": "outside:m"} for rank, one in enumerate("ab", start=1)]
    assert list(writing.hh("rankings", {"prompt": system, "responses": responses})) == []
    two_replies = {"prompt": [turn("user", "Hi")], "reply": [turn("assistant", "a"), turn("assistant", "b")]}
    assert list(writing.alpaca("demonstrations", two_replies)) == []
    twice = {"prompt": [turn("user", "Hi"), turn("user", "You?")], "reply": [turn("assistant", "a")]}
    assert list(writing.alpaca("demonstrations", twice)) == []


@calm
@given(row=demonstrations())
def test_a_tree_gives_a_demonstrations_prompts_back_and_not_its_reply(row, tmp_path_factory):
    items = back(tmp_path_factory, "oasst", "demonstrations", row)
    assert {type(item) for item in items} == {PromptItem}
    assert plain(items[-1].messages) == row["prompt"]


@pytest.mark.parametrize("format", ["trl", "trl-implicit", "openai", "parquet"])
@calm
@given(row=rankings(most=2, ties=False))
def test_pairs_come_back_the_same(format, row, tmp_path_factory):
    (item,) = back(tmp_path_factory, format, "rankings", row)
    assert plain(item.messages) == row["prompt"]
    assert [one.text for one in item.responses] == [one["text"] for one in row["responses"]]
    assert item.orders[0].ranks == (1, 2)


@calm
@given(row=rankings())
def test_trees_keep_texts_ranks_and_the_conversation(row, tmp_path_factory):
    items = back(tmp_path_factory, "oasst", "rankings", row)
    found = [item for item in items if isinstance(item, RankingItem)]
    assert plain(found[-1].messages) == row["prompt"]
    assert [one.text for one in found[-1].responses] == [one["text"] for one in row["responses"]]
    assert list(found[-1].orders[0].ranks) == [one["rank"] for one in row["responses"]]


@pytest.mark.parametrize("format", ["trl", "trl-implicit", "csv", "parquet"])
@calm
@given(row=judgments())
def test_judgments_come_back_the_same(format, row, tmp_path_factory):
    (item,) = back(tmp_path_factory, format, "judgments", row)
    assert isinstance(item, JudgmentItem)
    assert (plain(item.messages), item.response.text, item.good) == (row["prompt"], row["text"], row["good"])


@pytest.mark.parametrize("format", ["rankloop", "prompts", "csv"])
@calm
@given(messages=conversations())
def test_prompts_come_back_the_same(format, messages, tmp_path_factory):
    row = {"id": "p", "messages": messages, "split": "heldout", "meta": {}}
    (item,) = back(tmp_path_factory, format, "prompts", row)
    assert isinstance(item, PromptItem)
    assert plain(item.messages) == messages
    assert (item.split, item.meta) == ((None if format == "prompts" else "heldout"), {})


@calm
@given(row=rankings(most=5))
def test_pairs_are_every_two_responses_whose_order_is_decided(row):
    ranks = [one["rank"] for one in row["responses"]]
    expected = sum(ranks[i] != ranks[j] for i in range(len(ranks)) for j in range(i))
    found = list(writing.pairs(row))
    assert len(found) == expected
    assert all(better["rank"] < worse["rank"] for better, worse in found)


@calm
@given(cell=st.one_of(texts, odd, st.text("'=+-@\t\r" + string.ascii_letters, max_size=6)))
def test_no_cell_runs_as_a_formula_and_each_comes_back(cell):
    guarded = tables.guarded(cell)
    assert guarded[:1] not in tables.FORMULA or not guarded
    assert tables.unguarded(guarded) == cell


@calm
@given(messages=conversations())
def test_keys_made_quickly_are_those_of_the_contracts(messages):
    turns = tuple(Turn(**one) for one in messages)
    assert preparing.key(turns) == content_hash(messages)
    assert json.loads(preparing.canonical(turns)) == messages
