"""Best-of-n curves against brute force over subsets, and fitted forms against the curves they were drawn from."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardmodel import best_of_n

RESPONSES = st.lists(st.tuples(st.integers(-3, 3), st.floats(-5, 5)), min_size=1, max_size=7)


@given(RESPONSES, st.data())
@settings(max_examples=200, deadline=None)
def test_expected_gold_is_the_mean_over_every_subset(responses, data):
    proxy, gold = [p for p, _ in responses], [g for _, g in responses]
    n = data.draw(st.integers(1, len(responses)))
    picks = []
    for subset in combinations(range(len(responses)), n):
        best = max(proxy[i] for i in subset)
        tied = [gold[i] for i in subset if proxy[i] == best]
        picks.append(sum(tied) / len(tied))
    # Whoever is tied in a subset shares its chance, so the mean over subsets is the whole story.
    assert best_of_n.expected_gold(proxy, gold, n) == pytest.approx(sum(picks) / len(picks), abs=1e-9)


def test_one_draw_is_the_mean_and_all_draws_are_the_proxys_favorite():
    proxy, gold = [3.0, 1.0, 2.0], [0.0, 6.0, 3.0]
    assert best_of_n.expected_gold(proxy, gold, 1) == pytest.approx(3.0)
    assert best_of_n.expected_gold(proxy, gold, 2) == pytest.approx((0.0 + 0.0 + 3.0) / 3)
    assert best_of_n.expected_gold(proxy, gold, 3) == pytest.approx(0.0)


def test_more_draws_than_responses_are_refused():
    with pytest.raises(ValueError, match="found 4, expected 1 to 3"):
        best_of_n.pick_chances([1.0, 2.0, 3.0], 4)


def test_kl_of_best_of_n_is_that_of_the_published_table():
    table = {1: 0.0, 2: 0.193, 4: 0.636, 5: 0.809, 16: 1.835, 64: 3.17}
    assert {n: best_of_n.kl(n) for n in table} == pytest.approx(table, abs=5e-3)


def test_kl_of_best_of_n_agrees_with_its_density():
    """The pick's density against the policy's is n u^(n-1) at quantile u; KL is the mean of its log."""
    u = (np.arange(200_000) + 0.5) / 200_000
    for n in (2, 5, 16):
        density = n * u ** (n - 1)
        assert best_of_n.kl(n) == pytest.approx(float(np.mean(density * np.log(density))), abs=1e-3)


def test_win_shares_of_a_ranking_with_a_tie():
    # 0 beats 1 and 2, which are tied.
    assert best_of_n.win_shares([(0, 1), (0, 2)], 3) == [1.0, 0.25, 0.25]


def test_the_persons_own_pick_rises_as_order_statistics_do():
    """Of K = 5 without ties the best of n is expected at place (K + 1) / (n + 1)."""
    shares = best_of_n.win_shares(list(combinations(range(5), 2)), 5)
    for n in range(1, 6):
        place = 6 / (n + 1)
        assert best_of_n.expected_gold(shares, shares, n) == pytest.approx(1 - (place - 1) / 4)


def test_fitted_forms_return_the_curve_and_its_peak():
    d = [math.sqrt(best_of_n.kl(n)) for n in (2, 4, 8, 16, 32, 64)]
    bon = best_of_n.fit_best_of_n(d, [x * (1.2 - 0.5 * x) for x in d])
    assert (bon.a, bon.b, bon.peak) == pytest.approx((1.2, 0.5, 1.2))
    rl = best_of_n.fit_rl(d, [x * (0.9 - 0.6 * math.log(x)) for x in d])
    assert (rl.a, rl.b, rl.peak) == pytest.approx((0.9, 0.6, math.exp(0.5)))


def test_gold_that_only_rises_has_no_peak():
    d = [0.5, 1.0, 1.5]
    assert best_of_n.fit_best_of_n(d, [x * (1 + 0.1 * x) for x in d]).peak is None
    assert best_of_n.fit_rl(d, [x * (1 + 0.1 * math.log(x)) for x in d]).peak is None


def test_a_fit_needs_two_points_beyond_the_start():
    with pytest.raises(ValueError, match="two or more, all above 0"):
        best_of_n.fit_rl([0.0, 1.0], [0.0, 1.0])
