"""The reliability model: its likelihood against integrals and sums by hand, its errors against simulated labelers."""

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from labeling.reliability import choices, simulated
from labeling.reliability import fit as reliability_fit
from labeling.reliability.accuracy import pair_accuracy, pair_accuracy_error, weight
from labeling.reliability.choices import Ranking
from labeling.reliability.fit import _blocks, _evaluate, _place, fit

STRENGTH = np.array([2.5, 1.5, 1.0, 0.5, 0.0, 0.0])
BIAS = np.array([0.0, 0.5, 1.5, 0.0, 0.0, 2.0])


def evaluated(rankings, theta, draws=4096):
    blocks = _blocks(choices.table(rankings, variants=draws, seed=0), draws, 0)
    for block in blocks:
        _place(block, theta)
    return blocks, _evaluate(blocks, theta)


def test_two_labelers_likelihood_is_the_integral_over_the_qualities():
    theta = np.array([1.5, 0.4, 0.7, -0.3])
    rankings = [Ranking(0, 0, {0: 1, 1: 2}, [0, 1]), Ranking(0, 1, {0: 1, 1: 2}, [1, 0])]
    _, sums = evaluated(rankings, theta)

    def density(gap):  # of the difference of two standard normals, and what either says of it
        first, second = 1.5 * gap + 0.4, 0.7 * gap + 0.3
        return norm.pdf(gap, scale=math.sqrt(2)) / (1 + math.exp(-first)) / (1 + math.exp(-second))

    prior = -0.5 * ((0.5**2 + 0.3**2) / 9 + (0.4**2 + 0.3**2) / 4)
    expected = math.log(integrate.quad(density, -12, 12)[0]) + prior
    assert sums.value == pytest.approx(expected, abs=0.002)


def test_a_ranking_with_ties_is_the_sum_over_the_orders_that_it_leaves_open():
    quality = np.array([0.3, -1.0, 0.8, 0.1])
    utilities = np.exp(1.2 * quality)

    def strict(order):
        return math.prod(utilities[one] / utilities[list(order[place:])].sum() for place, one in enumerate(order))

    ranks = {0: 1, 1: 2, 2: 1, 3: 2}
    expected = sum(strict(order) for order in permutations(range(4)) if {order[0], order[1]} == {0, 2})
    rows = choices.table([Ranking(0, 0, ranks)], variants=64, seed=0)
    drawn = np.tile(quality, (1, 64, 1))
    found = choices.derivatives(rows, drawn, np.array([1.2]), np.array([0.0]))
    # The two orders of the tied pair that decides; what is tied last says nothing.
    assert 2 * np.exp(found.value).mean() == pytest.approx(expected)


def test_slope_and_information_are_derivatives_of_the_likelihood():
    rankings = simulated.rankings(STRENGTH[:3], BIAS[:3], items=12, overlap=3, k=4, seed=3, grain=0.8)
    theta = np.array([2.0, 0.2, 1.2, 0.5, 0.8, 1.0])
    blocks, sums = evaluated(rankings, theta, draws=64)
    step = 1e-4
    for index in range(6):
        moved = np.eye(6)[index] * step
        above, below = _evaluate(blocks, theta + moved), _evaluate(blocks, theta - moved)
        assert (above.value - below.value) / (2 * step) == pytest.approx(sums.slope[index], rel=1e-4, abs=1e-5)
        second = -(above.slope - below.slope) / (2 * step)
        assert second == pytest.approx(sums.information[index], rel=1e-4, abs=1e-4)


def test_labelers_of_known_strength_are_recovered_within_two_standard_errors(monkeypatch):
    """95 % of the time; over 12 seeds and 6 labelers, 144 numbers, fewer than 89 % would be a defect."""
    monkeypatch.setattr(reliability_fit, "MOST_DRAWS", 128)  # the errors say what fewer draws leave open
    off = []
    for seed in range(12):
        rankings = simulated.rankings(STRENGTH, BIAS, items=60, overlap=3, k=4, seed=seed)
        found = fit(rankings, labelers=6, seed=seed)
        off.append((found.strength - STRENGTH) / found.strength_error)
        off.append((found.bias - BIAS) / found.bias_error)
    covered = (np.abs(off) < 2).mean()
    assert covered >= 0.89
    assert np.mean(off) == pytest.approx(0, abs=0.3)
    assert np.std(off) == pytest.approx(1, abs=0.15)


def test_strong_labelers_are_not_pulled_toward_the_others():
    """A joint fit of qualities and labelers finds about 1.7 here."""
    made = simulated.rankings([3.0, 2.0, 1.0, 1.0], [0.0] * 4, items=300, overlap=3, k=5, seed=0)
    found = fit(made, labelers=4, seed=0)
    assert found.strength[0] > 2.5
    assert abs(found.strength[0] - 3) < 2 * found.strength_error[0] < 1.2


def test_ties_change_who_is_strong_by_little():
    made = simulated.rankings(STRENGTH, BIAS, items=150, overlap=3, k=4, seed=7, grain=0.5)
    found = fit(made, labelers=6, seed=0)
    assert (np.abs(found.strength - STRENGTH) < 3 * found.strength_error).all()


def test_one_ranking_of_each_item_tells_of_position_bias_but_not_of_strength():
    made = simulated.rankings([1.0, 1.0], [0.0, 2.0], items=200, overlap=1, k=4, seed=2)
    found = fit(made, labelers=2, seed=0)
    assert found.bias[1] > 2 * found.bias_error[1]
    assert abs(found.bias[0]) < 2 * found.bias_error[0]
    assert (found.strength_error > 0.5).all()


def test_names_and_order_of_the_input_do_not_matter():
    rankings = simulated.rankings(STRENGTH, BIAS, items=40, overlap=3, k=3, seed=4)
    found = fit(rankings, labelers=6, seed=0)
    renamed = [Ranking(one.item, 5 - one.labeler, one.ranks, one.shown) for one in rankings]
    assert fit(renamed, labelers=6, seed=0).strength[::-1] == pytest.approx(found.strength, abs=0.01)
    assert (fit(rankings, labelers=6, seed=0).strength == found.strength).all()


def test_pair_accuracy_is_the_expected_share_of_pairs_in_order():
    assert pair_accuracy(0) == 0.5
    for strength in (-1.0, 0.5, 3.0):
        expected, _ = integrate.quad(
            lambda gap, s=strength: 2 * norm.pdf(gap, scale=math.sqrt(2)) / (1 + math.exp(-s * gap)), 0, 15
        )
        assert pair_accuracy(strength) == pytest.approx(expected, abs=1e-3)
        slope = (pair_accuracy(strength + 1e-4) - pair_accuracy(strength - 1e-4)) / 2e-4
        assert pair_accuracy_error(strength, 0.1) == pytest.approx(0.1 * slope, rel=1e-3)
    assert weight(-2.0) == weight(0.0) == 0
    assert 0 < weight(1.0) < weight(3.0) < 1


def test_nothing_to_fit_keeps_the_prior():
    found = fit([Ranking(0, 0, {0: 1, 1: 1}, [0, 1])], labelers=1, seed=0)
    assert (found.items, found.strength[0], found.strength_error[0]) == (0, 1, 3)
