"""Rankings into groups: which pairs are decided, whose ids are used, what is refused, cut, and held out."""

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from contracts import snapshots
from contracts.records import Message, RankedResponse
from contracts.snapshots import SnapshotError
from rewardmodel import batches, chat, groups
from tests.rewardmodel.conftest import make_tokenizer, ranking, response, toy_rankings

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


def made(records, tokenizer, max_length=128):
    return groups.make(records, tokenizer, max_length=max_length)


def pairs(*ranks, unacceptable=()):
    return set(
        groups.decided_pairs([response(str(i), "x", r, unacceptable=i in unacceptable) for i, r in enumerate(ranks)])
    )


def test_a_full_order_decides_every_pair():
    assert pairs(2, 1, 3) == {(1, 0), (1, 2), (0, 2)}
    assert len(pairs(5, 1, 4, 2, 3)) == 10


def test_ties_decide_nothing_between_them():
    assert pairs(1, 1, 2) == {(0, 2), (1, 2)}


def test_a_response_without_a_rank_is_in_no_pair():
    assert pairs(1, None, 2) == {(0, 2)}


def test_an_unacceptable_response_is_below_every_ranked_acceptable_one():
    assert pairs(1, 2, None, unacceptable={2}) == {(0, 1), (0, 2), (1, 2)}
    assert pairs(2, 3, 1, unacceptable={2}) == {(0, 1), (0, 2), (1, 2)}  # whatever rank it was given
    assert pairs(1, None, None, unacceptable={2}) == {(0, 2)}  # an unranked one is not known to be better
    assert pairs(None, None, unacceptable={0, 1}) == set()


def test_prompt_and_response_are_never_tokenized_as_one_string():
    """`ab` is one token of this tokenizer; with a prompt ending in `a` and a response in `b` it must not occur."""
    tokenizer = make_tokenizer("ab " * 50, vocabulary=280)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    whole = tokenizer.encode("ab", add_special_tokens=False)
    assert len(whole) == 1
    (group,), _ = made([ranking("r", ["b", "bb"], [1, 2], prompt="a")], tokenizer)
    assert group.prompt == tuple(tokenizer.encode("a"))
    assert group.responses[0] == (*tokenizer.encode("b"), chat.stop_token_id(tokenizer))
    assert whole[0] not in group.prompt + group.responses[0]


def test_sampled_ids_are_kept_as_they_were_sampled(tokenizer):
    """`please` spelled letter by letter is not how the text would be encoded, but it is what the policy said."""
    spelled = [tokenizer.convert_tokens_to_ids(letter) for letter in "please"]
    stop = chat.stop_token_id(tokenizer)
    record = ranking("r", ["please", "sorry"], [1, 2])
    own = RankedResponse(id="own", text="please", rank=1, token_ids=(*spelled, stop), finish_reason="stop")
    record = type(record)(**{**vars(record), "responses": (own, record.responses[1])})
    (group,), counts = made([record], tokenizer)
    assert group.responses[0] == (*spelled, stop)
    assert tuple(chat.encode_reply(tokenizer, "please")) != group.responses[0]
    assert counts.retokenized == 0


def test_ids_of_another_tokenizer_are_encoded_again_and_counted(tokenizer):
    other = RankedResponse(id="o", text="please", rank=1, token_ids=(9, 8, 7), finish_reason="stop")
    beyond = RankedResponse(id="b", text="sorry", rank=2, token_ids=(10**6,), finish_reason="stop")
    record = ranking("r", ["x", "y"], [1, 2])
    (group,), counts = made([type(record)(**{**vars(record), "responses": (other, beyond)})], tokenizer)
    assert group.responses == (
        tuple(chat.encode_reply(tokenizer, "please")),
        tuple(chat.encode_reply(tokenizer, "sorry")),
    )
    assert counts.retokenized == 2


def test_no_stop_token_is_forced_on_a_response_that_was_cut_off(tokenizer):
    record = ranking("r", ["please", "sorry"], [1, 2])
    cut = RankedResponse(id="c", text="please", rank=1, finish_reason="length")
    (group,), _ = made([type(record)(**{**vars(record), "responses": (cut, record.responses[1])})], tokenizer)
    assert group.responses[0] == tuple(chat.encode_reply(tokenizer, "please"))[:-1]
    assert group.responses[1][-1] == chat.stop_token_id(tokenizer)


def test_long_rows_are_cut_visibly_and_get_no_stop_token(tokenizer):
    long, short = "sun moon " * 40, "sun"
    found, counts = made([ranking("r", [long, short], [1, 2])], tokenizer, max_length=40)
    (group,) = found
    assert len(group.prompt) + len(group.responses[0]) == 40
    assert group.responses[0][-1] != chat.stop_token_id(tokenizer)
    assert group.responses[1][-1] == chat.stop_token_id(tokenizer)
    assert counts.truncated == 1


def test_a_long_prompt_loses_its_start_and_keeps_the_header_of_the_reply(tokenizer):
    found, counts = made([ranking("r", ["sun", "moon"], [1, 2], prompt="star " * 100)], tokenizer, max_length=40)
    whole = chat.encode_prompt(tokenizer, (Message(role="user", content="star " * 100),))
    assert list(found[0].prompt) == whole[-len(found[0].prompt) :]
    assert counts.prompts_cut == 1
    assert counts.truncated == 0


def test_rankings_that_decide_nothing_are_refused_with_their_reason(tokenizer):
    records = [
        ranking("tied", ["a", "b"], [1, 1]),
        ranking("unranked", ["a", "b"], [1, None]),
        ranking("weightless", ["a", "b"], [1, 2], weight=0.0),
        ranking("good", ["a", "b"], [1, 2]),
    ]
    found, counts = made(records, tokenizer)
    assert [group.id for group in found] == ["good"]
    assert counts.rankings == 4
    assert counts.refused == {"no decided pair: all tied, unranked or unacceptable": 2, "its weight is 0": 1}


@pytest.mark.parametrize("records", [[], [ranking("tied", ["a", "b", "c"], [2, 2, 2])]])
def test_nothing_to_learn_from_is_an_error_that_says_so(records, tokenizer):
    with pytest.raises(groups.GroupError, match=r"found \d rankings .* expected at least one with a decided pair"):
        made(records, tokenizer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"responses": []}, "responses: a ranking needs two or more, found 0"),
        ({"responses": [{"id": "a", "text": "x", "rank": 1}]}, "responses: a ranking needs two or more, found 1"),
        ({"weight": float("nan")}, "weight: must be finite and not negative, found nan"),
        ({"labels": []}, "labels: unknown field"),
    ],
)
def test_bad_rows_name_their_line_and_field(change, said, tokenizer, tmp_path):
    path = tmp_path / "rows.jsonl"
    good = ranking("r", ["a", "b"], [1, 2]).to_json()
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, **change}) + "\n")
    with pytest.raises(SnapshotError, match=r"line 2: " + said.replace("(", r"\(")):
        groups.read(path, tokenizer, max_length=128)


def test_a_missing_file_is_named(tokenizer, tmp_path):
    with pytest.raises(groups.GroupError, match="found no such file"):
        groups.read(tmp_path / "none.jsonl", tokenizer, max_length=128)


def test_a_snapshot_that_was_changed_is_refused(tokenizer, tmp_path):
    folder = tmp_path / "snapshot"
    snapshots.write(folder, kind="rankings", records=toy_rankings(3), details={})
    assert len(groups.read(folder, tokenizer, max_length=128)[0]) <= 3
    rows = folder / snapshots.ROWS
    rows.write_text(rows.read_text().replace('"rank":1', '"rank":2', 1))
    with pytest.raises(SnapshotError, match="the manifest says"):
        groups.read(folder, tokenizer, max_length=128)


def test_no_prompt_is_on_both_sides_of_the_split(tokenizer):
    records = toy_rankings(40, seed=1) + [
        ranking(f"again{i}", ["a", "b"], [1, 2], prompt=f"prompt {i % 5}") for i in range(30)
    ]
    found, _ = made(records, tokenizer)
    train, heldout = groups.split(found, share=0.3, seed=4)
    assert len(train) + len(heldout) == len(found)
    assert not {g.conversation for g in train} & {g.conversation for g in heldout}
    assert len({g.conversation for g in heldout}) == round(0.3 * len({g.conversation for g in found}))


def test_the_snapshots_own_split_holds(tokenizer):
    records = [ranking(f"t{i}", ["a", "b"], [1, 2], prompt=f"p{i}") for i in range(5)]
    records += [ranking("h", ["a", "b"], [1, 2], prompt="held", split="heldout")]
    train, heldout = groups.split(made(records, tokenizer)[0], share=0.5, seed=0)
    assert [g.id for g in heldout] == ["h"]
    assert len(train) == 5


def test_a_training_row_of_a_held_out_prompt_is_kept_out_of_training(tokenizer):
    records = [ranking(f"t{i}", ["a", "b"], [1, 2], prompt=f"p{i}") for i in range(3)]
    records += [ranking("h", ["a", "b"], [1, 2], prompt="p0", split="heldout")]
    train, heldout = groups.split(made(records, tokenizer)[0], share=0.5, seed=0)
    assert [g.id for g in train] == ["t1", "t2"]
    assert [g.id for g in heldout] == ["h"]


def test_one_prompt_cannot_be_split(tokenizer):
    found, _ = made([ranking("a", ["a", "b"], [1, 2]), ranking("b", ["a", "b"], [2, 1])], tokenizer)
    with pytest.raises(groups.GroupError, match="expected at least one of each"):
        groups.split(found, share=0.5, seed=0)


def test_weights_keep_their_proportions_with_mean_1(tokenizer):
    found, _ = made([ranking(str(w), ["a", "b"], [1, 2], weight=w) for w in (0.5, 1.5, 4.0)], tokenizer)
    assert groups.normalized_weights(found) == pytest.approx([0.25, 0.75, 2.0])


def test_an_epoch_visits_every_group_once_in_batches_of_similar_length():
    shapes = [(10 + i % 7, 5 + (i * 13) % 50, 5) for i in range(203)]
    plan = batches.epoch(shapes, size=8, seed="s")
    assert sorted(i for batch in plan for i in batch) == list(range(203))
    assert all(len(batch) <= 8 for batch in plan)
    assert plan == batches.epoch(shapes, size=8, seed="s")
    assert plan != batches.epoch(shapes, size=8, seed="t")
    padded = sum(batches.padded_tokens([shapes[i] for i in batch]) for batch in plan)
    shuffled = sum(batches.padded_tokens(shapes[i : i + 8]) for i in range(0, 203, 8))
    assert padded < 0.8 * shuffled


def test_no_pass_holds_more_padded_tokens_than_allowed_unless_one_group_does():
    shapes = [(20, 10 * (1 + i % 9), 1 + i % 5) for i in range(50)] + [(500, 400, 5)]
    parts = list(batches.by_tokens(shapes, 1_000))
    assert sorted(i for part in parts for i in part) == list(range(51))
    assert [50] in parts
    assert all(batches.padded_tokens([shapes[i] for i in part]) <= 1_000 for part in parts if part != [50])


def clear(likert=(None, None, None), confidence=None, ranks=(1, 2, 3)):
    record = ranking("r", ["a", "b", "c"], ranks, confidence=confidence)
    responses = [type(r)(**{**vars(r), "likert": points}) for r, points in zip(record.responses, likert, strict=True)]
    return type(record)(**{**vars(record), "responses": tuple(responses)})


@pytest.mark.parametrize(
    ("record", "by", "expected"),
    [
        (clear(likert=(7, 6, 2)), "likert", {(0, 1): 1, (0, 2): 5, (1, 2): 4}),
        (clear(likert=(5, 6, None)), "likert", {(0, 1): 0, (0, 2): 0, (1, 2): 0}),  # against the order, and unknown
        (clear(confidence=4), "confidence", {(0, 1): 3, (0, 2): 3, (1, 2): 3}),
        (clear(), "confidence", {(0, 1): 0, (0, 2): 0, (1, 2): 0}),
        (clear(), "ranks", {(0, 1): 1, (0, 2): 2, (1, 2): 1}),
    ],
)
def test_how_clearly_a_pair_was_decided(record, by, expected, tokenizer):
    (group,), _ = made([record], tokenizer)
    assert dict(zip(group.pairs, groups.margins(group, by), strict=True)) == expected


def test_tokens_for_what_a_tokenizer_cannot_spell_are_counted():
    words = Tokenizer(
        models.WordLevel({"[UNK]": 0, "sun": 1, "moon": 2, "<|im_end|>": 3, "[PAD]": 4}, unk_token="[UNK]")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    narrow = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", eos_token="<|im_end|>",
        chat_template="{% for m in messages %}{{ m['content'] }}{% endfor %}",
    )  # fmt: skip
    _, counts = made([ranking("r", ["sun star", "moon"], [1, 2], prompt="sun ☀")], narrow)
    assert counts.unknown_tokens == 2


def test_a_pad_token_that_ends_turns_is_refused_and_replaced(tokenizer):
    fused = make_tokenizer("sun moon " * 20)
    fused.pad_token = fused.eos_token
    with pytest.raises(chat.ChatError, match="must exist and differ from stop id"):
        chat.check_tokenizer(fused)
    chat.complete_tokenizer(fused)
    assert fused.pad_token_id not in (None, fused.eos_token_id, chat.stop_token_id(fused))
    chat.check_tokenizer(fused)


def test_labeler_weight_and_guideline_version_travel_with_a_ranking(tokenizer):
    record = ranking("r", ["a", "b"], [1, 2], labeler="alice", weight=0.25, guideline_version=3)
    (group,), _ = made([type(record).from_json(record.to_json())], tokenizer)
    assert (group.labeler, group.weight, group.guideline_version) == ("alice", 0.25, 3)


def test_batches_are_full_by_count_and_what_counts_for_more_goes_alone():
    shapes, counts = [(10, i % 5 + 3, 5) for i in range(60)], [1, 2, 3] * 19 + [9, 2, 2]
    plan = batches.epoch(shapes, size=6, seed="s", counts=counts)
    assert sorted(i for batch in plan for i in batch) == list(range(60))
    assert all(sum(counts[i] for i in batch) <= 6 or batch == [57] for batch in plan)
    assert len(plan) < 1.35 * sum(counts) / 6
