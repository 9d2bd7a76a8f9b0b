"""Word problems: the same by seed, solved rightly where nobody slips, and no numbers cross the split."""

import random
import re

import pytest

from contracts.records import Message
from demo.word_problems import CORPUS_STYLE, NOTICED, PEOPLE_STYLE, Style, WordProblems, corrections, solve

SUM = re.compile(r"(\d+) ([-+x/]) (\d+) = (\d+)\.")
RIGHT = {"+": int.__add__, "-": int.__sub__, "x": int.__mul__, "/": int.__floordiv__}
CAREFUL = Style(slip=0, notice=0, ramble=0)


@pytest.fixture(scope="module")
def world():
    return WordProblems(1, train=400, heldout=100)


def test_problems_are_a_function_of_their_seed(world):
    assert WordProblems(1, train=400, heldout=100).prompts == world.prompts
    assert WordProblems(2, train=400, heldout=100).prompts != world.prompts
    assert world.corpus(50) == WordProblems(1, train=400, heldout=100).corpus(50)


def test_careful_solutions_end_with_the_answer_in_meta_and_every_step_is_right(world):
    for prompt in world.prompts:
        problem = world.problems[prompt.id]
        text = solve(problem, CAREFUL, random.Random(0))
        assert text.endswith(f"Answer: {prompt.meta['answer']}")
        steps = SUM.findall(text)
        assert len(steps) == len(problem.steps) >= 2
        for left, operator, right, result in steps:
            assert RIGHT[operator](int(left), int(right)) == int(result), text


def test_the_price_of_one_is_what_the_rest_costs(world):
    """Read from the text alone: n of one thing, m of the other at q dollars, and the total."""
    pattern = re.compile(r"buys (\d+) .* and (\d+) .*costs \$(\d+)\. The total is \$(\d+)\.")
    found = [pattern.search(prompt.id) for prompt in world.prompts if prompt.meta["kind"] == "price"]
    answers = [prompt.meta["answer"] for prompt in world.prompts if prompt.meta["kind"] == "price"]
    assert len(found) > 100
    for match, answer in zip(found, answers, strict=True):
        n, m, q, total = map(int, match.groups())
        assert n * answer + m * q == total


def test_no_numbers_of_a_heldout_problem_are_in_training_or_in_the_corpus(world):
    def numbers(split):
        return {
            (world.problems[one.id].kind, world.problems[one.id].numbers) for one in world.prompts if one.split == split
        }

    assert numbers("heldout") and not numbers("heldout") & numbers("train")
    asked = {prompt.id for prompt in world.prompts if prompt.split == "heldout"}
    corpus = world.corpus(3_000)
    assert not [text for text in asked if text in corpus]


def test_people_slip_and_some_notice(world):
    rng = random.Random(0)
    texts = [world.demonstration(prompt.messages, rng) for prompt in world.prompts]
    right = [
        text.endswith(f"Answer: {prompt.meta['answer']}") for text, prompt in zip(texts, world.prompts, strict=True)
    ]
    assert 0.2 < sum(right) / len(right) < 0.5
    assert sum(corrections(text) > 0 for text in texts) > 100
    assert corrections(f"1 + 1 = 3. {NOTICED} 1 + 1 = 2.") == 1
    assert PEOPLE_STYLE.slip > CORPUS_STYLE.slip, "so the policy can be better than its teachers"
    with pytest.raises(ValueError, match="not one of these problems"):
        world.demonstration((Message(role="user", content="What is soil?"),), rng)
