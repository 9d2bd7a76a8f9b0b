"""Simulated labelers: how well each of them knows the gold reward, and that they are repeatable."""

import random
from dataclasses import replace
from itertools import combinations

from demo import labelers, texts
from demo.gold import gold
from demo.world import World

WORLD = World(1)
CAREFUL, NOISY, BIASED, SPAMMER = (
    next(labeler for labeler in labelers.LABELERS if labeler.username.startswith(name))
    for name in ("sim-careful", "sim-noisy", "sim-biased", "sim-spammer")
)


def sets(count):
    """Prompts with five different texts each, in an order without meaning."""
    rng = random.Random(7)
    for prompt in WORLD.prompts(train=count, heldout=10):
        question = WORLD.question(prompt.messages)
        drawn = dict.fromkeys(texts.answer(question, texts.CORPUS_STYLE, rng) for _ in range(5))
        yield prompt.messages, [(f"r{index}", text) for index, text in enumerate(drawn)]


def accuracy(labeler):
    """Share of the pairs that the gold reward decides which the labeler orders the same; a tie counts half."""
    right = total = 0.0
    for prompt, shown in sets(150):
        ranks = labelers.judge(labeler, WORLD, prompt, shown)
        for (one, text), (other, different) in combinations(shown, 2):
            margin = gold(WORLD, prompt, text) - gold(WORLD, prompt, different)
            if margin:
                total += 1
                right += 0.5 if ranks[one] == ranks[other] else (ranks[one] < ranks[other]) == (margin > 0)
    return right / total


def test_careful_beats_noisy_beats_spammer():
    careful, noisy, spammer = accuracy(CAREFUL), accuracy(NOISY), accuracy(SPAMMER)
    assert careful > 0.93
    assert careful > noisy + 0.1
    assert noisy > spammer + 0.1
    assert 0.4 < spammer < 0.6


def first_place(labeler):
    """How often the response shown first is ranked best, alone or in a tie."""
    ranked = [labelers.judge(labeler, WORLD, prompt, shown)["r0"] for prompt, shown in sets(150)]
    return sum(rank == 1 for rank in ranked) / len(ranked)


def test_the_position_biased_labeler_prefers_what_stands_first():
    assert first_place(BIASED) > first_place(replace(BIASED, front=0.0)) + 0.1


def test_ranks_count_from_one_without_gaps():
    for labeler in labelers.LABELERS:
        for prompt, shown in sets(30):
            ranks = labelers.judge(labeler, WORLD, prompt, shown)
            assert sorted(set(ranks.values())) == list(range(1, len(set(ranks.values())) + 1))
            assert set(ranks) == {identity for identity, _ in shown}


def test_responses_of_equal_worth_tie_for_a_careful_labeler():
    prompt = next(prompt.messages for prompt in WORLD.prompts(train=10, heldout=10) if prompt.meta["kind"] == "sum")
    exact = replace(CAREFUL, noise=0.0)
    shown = [("a", "I would rather not say."), ("b", "That is hard to say."), ("c", "Now go away.")]
    ranks = labelers.judge(exact, WORLD, prompt, shown)
    assert ranks == {"a": 1, "b": 1, "c": 2}


def test_a_careful_judgment_does_not_depend_on_the_order_shown():
    for prompt, shown in sets(20):
        assert labelers.judge(CAREFUL, WORLD, prompt, shown) == labelers.judge(CAREFUL, WORLD, prompt, shown[::-1])


def test_demonstrations_are_repeatable_and_differ_between_labelers():
    prompts = [prompt.messages for prompt in WORLD.prompts(train=60, heldout=10)]
    written = {
        labeler: [labelers.demonstrate(labeler, WORLD, prompt) for prompt in prompts] for labeler in labelers.LABELERS
    }
    assert written[CAREFUL] == [labelers.demonstrate(CAREFUL, WORLD, prompt) for prompt in prompts]
    assert len({tuple(texts) for texts in written.values()}) == len(labelers.LABELERS)
    worth = {
        labeler: sum(gold(WORLD, prompt, text) for prompt, text in zip(prompts, texts, strict=True))
        for labeler, texts in written.items()
    }
    assert worth[CAREFUL] > worth[NOISY] > worth[SPAMMER]


def test_shares_make_a_whole():
    assert abs(sum(labeler.share for labeler in labelers.LABELERS) - 1) < 1e-9
