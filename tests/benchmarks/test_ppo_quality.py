"""What the study of PPO's quality computes from its curves, by hand."""

import pytest

from benchmarks import ppo_quality

RISING = [0.0, 3.0, 6.0, 9.0, 9.0, 9.0]


def test_a_place_of_a_curve_is_the_mean_of_the_last_three_measurements():
    assert ppo_quality.place(RISING) == [0.0, 1.5, 3.0, 6.0, 8.0, 9.0]


@pytest.mark.parametrize(("level", "update"), [(-1.0, 0), (3.0, 2), (3.1, 3), (9.0, 5), (9.1, None)])
def test_a_level_is_reached_at_the_first_update_whose_place_has_it(level, update):
    assert ppo_quality.reached(RISING, level) == update


def test_the_summary_says_when_ours_had_the_others_final_gold():
    rows = [
        {"seed": 1, "side": "ours", "gold": RISING},
        {"seed": 1, "side": "trl", "gold": [0.0, 2.0, 4.0, 6.0, 6.0, 6.0]},
        {"seed": 2, "side": "ours", "gold": [1.0] * 6},
        {"seed": 2, "side": "trl", "gold": [2.0] * 6},
    ]
    found = ppo_quality.summary(rows)
    assert found["final_trl"] == {"1": 6.0, "2": 2.0, "mean": 4.0}
    assert found["final_ours"] == {"1": 9.0, "2": 1.0, "mean": 5.0}
    # The mean curve of ours is 0.5, 2, 3.5, 5, 5, 5: its places are 0.5, 1.25, 2, 3.5, 4.5, 5.
    assert found["ours_reaches_trl_final_at"] == {"1": 3, "2": None, "mean": 4}
