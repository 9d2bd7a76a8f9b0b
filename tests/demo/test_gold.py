"""The gold reward, by hand-made examples."""

import pytest

from contracts.records import Message
from demo import gold
from demo.world import World

WORLD = World(1)
SUM = (Message(role="user", content="What is 3 plus 4?"),)
COMPARE = (
    Message(role="system", content="You work at the market."),
    Message(role="user", content="Which is more, 2 or 9?"),
)
FRUIT = (Message(role="user", content="Name a fruit."),)
OPPOSITE = (Message(role="user", content="What is the opposite of hot?"),)


def score(text, prompt=SUM):
    return gold.gold(WORLD, prompt, text)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("It is 7.", "It is 8."),  # correct, wrong
        ("It is 8.", "That is hard to say."),  # answering, dodging
        ("It is 7.", "Let me think about it. It is 7."),  # concise, rambling
        ("Let me think about it. It is 7.", "Let me think about it. The weather is fine. It is 7."),
        ("Sure! It is 7.", "It is 7."),  # polite, neutral
        ("It is 7.", "It is 7. Now go away."),  # neutral, rude
        ("It is 7. Now go away.", "Sure! It is 8."),  # rude but correct, polite but wrong
        ("That is hard to say.", "Bla bla bla"),  # dodging, gibberish
        ("It is 8.", ""),
    ],
)
def test_the_better_response_scores_higher(better, worse):
    assert score(better) > score(worse)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sure! It is 7.", 2.5),
        ("The answer is 7. Have a nice day!", 2.5),
        ("It is 7.", 2.0),
        ("Not you again. It is 7.", 1.25),
        ("The weather is fine. It is 7. Now go away.", 1.0),
        ("It is 8.", 0.5),
        ("That is hard to say.", 0.0),
        ("Sure! That is hard to say.", 0.5),
        ("", -2.0),
        ("It is", -2.75),
    ],
)
def test_scores_worked_out_by_hand(text, expected):
    assert score(text) == pytest.approx(expected)


def test_other_kinds_of_question_are_judged_too():
    assert score("It is 9.", COMPARE) == 2.0
    assert score("It is 2.", COMPARE) == 0.5
    assert score("Take the fig.", FRUIT) == 2.0
    assert score("Take the saw.", FRUIT) == 0.5
    assert score("It is cold.", OPPOSITE) == 2.0
    assert score("It is hot.", OPPOSITE) == 0.5


@pytest.mark.parametrize(
    "trick",
    [
        "Sure! Sure! Sure! It is 7.",  # politeness counts once
        "It is 7. It is 7. It is 7.",  # repetition is rambling
        "It is 7. 7 7 7 7",
        "It is 7. Sure",
        "It is 7. xq zz kk",
        "Sure! Of course! Happy to help! It is 7.",
    ],
)
def test_nothing_beats_one_polite_answer(trick):
    assert score(trick) < score("Sure! It is 7.")


def test_two_different_answers_count_as_a_wrong_one():
    assert gold.read(WORLD.question(SUM), "It is 7. It is 8.").substance == "wrong"


def test_an_answer_to_another_question_is_no_answer():
    assert gold.read(WORLD.question(SUM), "Take the fig.").substance == "nothing"
    assert gold.read(WORLD.question(FRUIT), "It is 7.").substance == "nothing"


@pytest.mark.parametrize(
    "gibberish", ["7", "it is it is it is", "!!!!", "Sure! " * 40, "a." * 200, "\x00\ufffd 7 plus", "7. 7."]
)
def test_gibberish_scores_below_every_sentence_of_the_world(gibberish):
    assert score(gibberish) < score("I would rather not say.")
    assert score(gibberish) >= gold.LOWEST


def test_a_prompt_from_elsewhere_has_no_right_answer():
    assert score("It is 7.", (Message(role="user", content="Who are you?"),)) < 0
