"""Alpha against Krippendorff's worked example; merged rankings against the properties they promise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.selectors.alpha import Alpha
from labeling.selectors.merging import condorcet_winner, has_cycle, merge, optima

N = None
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]


def ordinal_alpha(units):
    alpha = Alpha()
    for unit in units:
        alpha.add(unit)
    return alpha.value()


def test_ordinal_alpha_of_krippendorffs_worked_example():
    units = [[value for value in unit if value is not None] for unit in zip(*OBSERVERS, strict=True)]
    assert ordinal_alpha(units) == pytest.approx(0.815, abs=0.0005)


def test_undefined_alpha_is_none_and_full_agreement_is_one():
    assert ordinal_alpha([]) is None
    assert ordinal_alpha([[1], [2]]) is None
    assert ordinal_alpha([[3, 3], [3, 3]]) is None
    assert ordinal_alpha([[1, 1], [2, 2]]) == 1


def test_ordinal_alpha_agrees_with_the_krippendorff_package():
    import krippendorff
    import numpy as np

    generator = np.random.default_rng(1)
    for _ in range(50):
        table = generator.integers(1, 7, size=(4, 12)).astype(float)
        table[generator.random(table.shape) < 0.3] = np.nan
        units = [[int(value) for value in column if value == value] for column in table.T]
        expected = krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal")
        assert ordinal_alpha(units) == pytest.approx(expected)


def test_a_cycle_of_majorities_is_found_whatever_its_length():
    assert has_cycle([{1: 1, 2: 2, 3: 3}, {2: 1, 3: 2, 1: 3}, {3: 1, 1: 2, 2: 3}])
    assert not has_cycle([{1: 1, 2: 2, 3: 3}, {2: 1, 1: 2, 3: 3}, {1: 1, 2: 2, 3: 3}])
    assert not has_cycle([{1: 1, 2: 1, 3: 1}])
    square = [{1: 1, 2: 2}, {2: 1, 3: 2}, {3: 1, 4: 2}, {4: 1, 1: 2}]
    assert has_cycle(square) and not has_cycle(square[:3])


def profiles(least=2, most=5):
    return st.integers(least, most).flatmap(
        lambda k: st.lists(
            st.lists(st.integers(1, k), min_size=k, max_size=k).map(lambda r: dict(enumerate(r))),
            min_size=1,
            max_size=5,
        )
    )


@pytest.mark.parametrize("most", [5, 7])
def test_merging_is_neutral_anonymous_and_puts_a_condorcet_winner_first(most):
    @settings(max_examples=60, deadline=None)
    @given(profiles(most if most > 5 else 2, most), st.randoms())
    def check(rankings, random):
        merged = merge(rankings)
        shuffled = random.sample(rankings, len(rankings))
        assert merge(shuffled) == merged
        names = random.sample(range(100, 100 + len(merged)), len(merged))
        renamed = [{names[item]: rank for item, rank in ranking.items()} for ranking in rankings]
        assert merge(renamed) == {names[item]: place for item, place in merged.items()}
        winner = condorcet_winner(rankings)
        if winner is not None:
            assert [item for item, place in merged.items() if place == 1] == [winner]

    check()


@settings(max_examples=60, deadline=None)
@given(profiles(), st.data())
def test_a_sure_winner_stays_one_when_somebody_raises_it(rankings, data):
    def sure(found):
        return {x for x in found[0] if all(all(o[x] < o[y] for y in o if y != x) for o in found)}

    raised = data.draw(st.integers(0, len(rankings) - 1))
    for winner in sure(optima(rankings)):
        better = [dict(r) for r in rankings]
        better[raised][winner] -= data.draw(st.integers(1, 5))
        assert winner in sure(optima(better))


@settings(max_examples=60, deadline=None)
@given(profiles(1, 7).map(lambda rankings: rankings[0]))
def test_one_ranking_merges_to_itself_with_its_ties(ranking):
    levels = sorted(set(ranking.values()))
    assert merge([ranking, ranking]) == {item: levels.index(rank) + 1 for item, rank in ranking.items()}


def test_a_cycle_of_equal_strength_is_a_tie():
    cycle = [{"a": 1, "b": 2, "c": 3}, {"b": 1, "c": 2, "a": 3}, {"c": 1, "a": 2, "b": 3}]
    assert merge(cycle) == {"a": 1, "b": 1, "c": 1}
    assert condorcet_winner(cycle) is None
    assert merge([]) == {}
    assert has_cycle(cycle)
    assert not has_cycle(cycle[:2])


def test_weights_settle_who_is_followed():
    disagreeing = [{"a": 1, "b": 2}, {"a": 2, "b": 1}]
    assert merge(disagreeing) == {"a": 1, "b": 1}
    assert merge(disagreeing, [0.5, 0.4]) == {"a": 1, "b": 2}
    assert merge(disagreeing, [0.0, 0.4]) == {"a": 2, "b": 1}
    assert merge(disagreeing, [0.3, 0.3]) == merge(disagreeing)


@settings(max_examples=60, deadline=None)
@given(profiles(2, 6), st.floats(0.01, 100))
def test_equal_weights_change_nothing(rankings, weight):
    assert merge(rankings, [weight] * len(rankings)) == merge(rankings)


@settings(max_examples=60, deadline=None)
@given(profiles(2, 6))
def test_a_cycle_is_there_where_somebody_can_be_walked_in_a_circle(rankings):
    items = list(rankings[0])
    beats = {(a, b) for a in items for b in items if sum((r[b] > r[a]) - (r[b] < r[a]) for r in rankings) > 0}
    reach = set(beats)
    for middle in items:
        reach |= {(a, b) for a in items for b in items if (a, middle) in reach and (middle, b) in reach}
    assert has_cycle(rankings) == any((a, a) in reach for a in items)
