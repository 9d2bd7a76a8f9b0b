"""Agreement between rankings, against worked examples and brute force."""

import math
from itertools import product

import pytest

from labeling.reliability.accuracy import bootstrap
from labeling.selectors.agreement import of_item, pair_agreement, place, tau_b, units
from labeling.services.demonstrations import edit_distance


def ranking(*ranks):
    return dict(enumerate(ranks))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), 1.0),
        ((1, 2, 3, 4), (4, 3, 2, 1), -1.0),
        ((1, 2, 3, 4), (1, 2, 4, 3), 4 / 6),
        ((1, 2, 2, 4), (1, 2, 3, 4), 5 / math.sqrt(5 * 6)),
        ((1, 1, 2), (1, 2, 2), 1 / 2),
        # SciPy's documented example: tau-b is -0.47140452079103173
        ((12, 2, 1, 12, 2), (1, 4, 7, 1, 0), -0.47140452079103173),
    ],
)
def test_tau_b_of_worked_examples(first, second, expected):
    assert tau_b(ranking(*first), ranking(*second)) == pytest.approx(expected)


def test_tau_b_agrees_with_scipy_on_every_ranking_of_four():
    stats = pytest.importorskip("scipy.stats")
    for second in product((1, 2, 3, 4), repeat=4):
        expected = stats.kendalltau((1, 2, 2, 3), second).statistic
        found = tau_b(ranking(1, 2, 2, 3), ranking(*second))
        assert found is None if math.isnan(expected) else found == pytest.approx(expected)


def test_undefined_is_none():
    assert tau_b(ranking(1, 1, 1), ranking(1, 2, 3)) is None
    assert tau_b({1: 1}, {1: 1}) is None
    assert tau_b({1: 1, 2: 2}, {3: 1, 4: 2}) is None
    assert bootstrap({}, seed=0) is None
    assert bootstrap({(1, 1): 1}, seed=0) is None
    assert bootstrap({(0, 0): 2}, seed=0) is None
    item = of_item([ranking(1, 1), ranking(1, 1)])
    assert (item.pairwise_agreement, item.kendall_tau_b, item.krippendorff_alpha) == (None, None, None)


def test_pair_agreement_counts_pairs_that_both_decide():
    assert pair_agreement(ranking(1, 2, 3), ranking(1, 3, 2)) == (2, 3)
    assert pair_agreement(ranking(1, 1, 2), ranking(1, 2, 3)) == (2, 2)
    assert pair_agreement({1: 1, 2: 2}, {2: 1, 1: 2, 3: 3}) == (0, 1)


def test_the_interval_covers_the_share_and_repeats_with_its_seed():
    counts = {(1, 1): 70, (0, 1): 30}
    low, high = bootstrap(counts, seed=1)
    # A binomial share of 0.7 in 100 has a standard error of 0.046.
    assert low == pytest.approx(0.61, abs=0.02)
    assert high == pytest.approx(0.79, abs=0.02)
    assert bootstrap(counts, seed=1) == [low, high]


def test_an_interval_is_over_items_and_so_wider_than_pairs_alone_would_make_it():
    # Ten pairs of an item agree or disagree together: 100 items are worth 100 pairs, not 1000.
    low, high = bootstrap({(10, 10): 70, (0, 10): 30}, seed=1)
    assert high - low == pytest.approx(2 * 1.96 * 0.046, rel=0.1)


def test_alpha_compares_mean_places_of_ties():
    assert units([ranking(1, 2, 2, 3), ranking(1, 2, 3, 4)]) == [[2, 2], [5, 4], [5, 6], [8, 8]]


def test_an_unacceptable_response_stands_below_every_ranked_one():
    assert place(9, unacceptable=False) < place(1, unacceptable=True) < place(None, unacceptable=True)
    assert place(None, unacceptable=False) is None


def levenshtein(first, second):
    """The textbook table."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def test_edit_distance_of_worked_examples():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert edit_distance("abc", "") == 3
    assert edit_distance("intention", "execution") == 5


def test_edit_distance_agrees_with_the_textbook_table():
    import random

    generator = random.Random(5)
    for _ in range(300):
        first, second = ("".join(generator.choices("abc", k=generator.randint(0, 90))) for _ in range(2))
        assert edit_distance(first, second) == levenshtein(first, second)
