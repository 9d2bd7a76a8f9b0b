"""Pairs against a known order and against oneself, by hand-made tables."""

import pytest

from labeling.selectors import scoring
from labeling.selectors.agreement import UNACCEPTABLE
from labeling.selectors.scoring import LEFT_OUT

KNOWN = {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(
    ("given", "agreeing", "decided"),
    [
        ({"a": 1, "b": 2, "c": 3}, 3, 3),
        ({"a": 3, "b": 2, "c": 1}, 0, 3),
        ({"a": 2, "b": 1, "c": 3}, 2, 3),
        ({"a": 1, "b": 1, "c": 1}, 0, 3),  # ties decide nothing, and gold does
        ({"a": 1, "b": 1, "c": 2}, 2, 3),
        ({"a": 1, "b": LEFT_OUT, "c": LEFT_OUT}, 2, 2),  # the best of three, and no word on the others
        ({"a": LEFT_OUT, "b": LEFT_OUT, "c": 1}, 0, 2),
        ({"a": 1, "b": LEFT_OUT, "c": UNACCEPTABLE}, 3, 3),
        ({"a": UNACCEPTABLE, "b": UNACCEPTABLE, "c": UNACCEPTABLE}, 0, 3),
    ],
)
def test_pairs_against_a_known_order(given, agreeing, decided):
    assert scoring.against_gold(KNOWN, given) == (agreeing, decided)


def test_pairs_that_the_known_order_ties_count_nothing():
    assert scoring.against_gold({"a": 1, "b": 1, "c": 2}, {"a": 1, "b": 2, "c": 3}) == (2, 2)


@pytest.mark.parametrize(
    ("second", "agreeing", "decided"),
    [
        ({"a": 1, "b": 2, "c": 3}, 3, 3),
        ({"a": 3, "b": 2, "c": 1}, 0, 3),
        ({"a": 1, "b": 1, "c": 2}, 2, 3),
    ],
)
def test_pairs_against_ones_own_earlier_answer(second, agreeing, decided):
    assert scoring.against_earlier(KNOWN, second) == (agreeing, decided)
    assert scoring.against_earlier(second, KNOWN) == (agreeing, decided)


def test_what_is_tied_both_times_counts_nothing():
    assert scoring.against_earlier({"a": 1, "b": 1, "c": 2}, {"a": 2, "b": 2, "c": 1}) == (0, 2)
