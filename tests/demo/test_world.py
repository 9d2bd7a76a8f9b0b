"""The small world: the same by seed, and split by prompt everywhere."""

import random
import re
from collections import Counter

import pytest

from demo import gold, texts
from demo.world import SHARES, World

TRAIN, HELDOUT = 200, 50


def test_a_world_is_a_function_of_its_seed():
    assert World(3).prompts(train=TRAIN, heldout=HELDOUT) == World(3).prompts(train=TRAIN, heldout=HELDOUT)
    assert texts.corpus(World(3), heldout=[], documents=200) == texts.corpus(World(3), heldout=[], documents=200)


def test_another_seed_is_another_world():
    assert World(1).people != World(2).people
    assert World(1).prompts(train=TRAIN, heldout=HELDOUT) != World(2).prompts(train=TRAIN, heldout=HELDOUT)


def test_prompts_are_distinct_and_no_question_crosses_the_split():
    prompts = World(1).prompts(train=TRAIN, heldout=HELDOUT)
    assert Counter(prompt.split for prompt in prompts) == {"train": TRAIN, "heldout": HELDOUT}
    assert len({prompt.messages[-1].content for prompt in prompts}) == TRAIN + HELDOUT


def test_every_kind_is_in_both_splits_in_its_share():
    prompts = World(1).prompts(train=TRAIN, heldout=HELDOUT)
    for split, total in (("train", TRAIN), ("heldout", HELDOUT)):
        kinds = Counter(prompt.meta["kind"] for prompt in prompts if prompt.split == split)
        for kind, share in SHARES.items():
            assert abs(kinds[kind] - share * total) <= 1


def test_some_prompts_carry_a_system_message():
    prompts = World(1).prompts(train=TRAIN, heldout=HELDOUT)
    with_system = sum(prompt.messages[0].role == "system" for prompt in prompts)
    assert 0.25 < with_system / len(prompts) < 0.55


def test_more_prompts_than_the_world_has_are_refused():
    with pytest.raises(ValueError, match="were asked for"):
        World(1).prompts(train=5_000, heldout=100)


def test_no_conversation_of_the_corpus_asks_what_a_heldout_prompt_asks():
    world = World(1)
    heldout = [
        prompt.messages[-1].content
        for prompt in world.prompts(train=TRAIN, heldout=HELDOUT)
        if prompt.split == "heldout"
    ]
    asked = set(re.findall(r"<\|im_start\|>user\n(.*)<\|im_end\|>", texts.corpus(world, heldout=heldout)))
    assert len(asked) > 500
    assert not asked & set(heldout)


def test_every_question_has_a_right_answer_among_its_words():
    for question in World(2).questions.values():
        assert question.right <= set(question.domain)
        assert question.right


def test_the_gold_reward_reads_every_answer_that_people_write():
    world, rng = World(1), random.Random(0)
    for question in world.questions.values():
        text = texts.answer(question, texts.CORPUS_STYLE, rng)
        reading = gold.read(question, text)
        assert reading.unknown == 0, text
        assert reading.substance != "nothing", text


def test_answers_differ_in_every_way_that_the_gold_reward_sees():
    world, rng = World(1), random.Random(0)
    questions = list(world.questions.values())
    readings = [gold.read(question, texts.answer(question, texts.CORPUS_STYLE, rng)) for question in questions]
    assert {reading.substance for reading in readings} == {"correct", "wrong", "dodged"}
    assert 0.25 < sum(reading.polite for reading in readings) / len(readings) < 0.45
    assert 0.15 < sum(reading.rude for reading in readings) / len(readings) < 0.35
    assert 0.2 < sum(reading.spare > 0 for reading in readings) / len(readings) < 0.5
