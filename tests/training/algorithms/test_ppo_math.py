"""Each formula by a table worked by hand, an independent slow oracle, or an invariant."""

import math

import pytest
import torch

from training.algorithms import ppo_math

pytestmark = pytest.mark.torch

MASK = torch.tensor([[True, True, True], [True, True, False]])


def ragged(rows: int, columns: int, seed: int) -> tuple[torch.Generator, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, columns + 1, (rows, 1), generator=generator)
    return generator, torch.arange(columns) < lengths


def padded(x: torch.Tensor, columns: int, fill: float) -> torch.Tensor:
    return torch.cat([x, torch.full((len(x), columns), fill, dtype=x.dtype)], 1)


# Rewards


def test_reward_is_minus_beta_kl_and_the_score_falls_on_the_last_action():
    kl = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, 99.0]])
    rewards = ppo_math.token_rewards(kl, torch.tensor([10.0, -1.0]), MASK, beta=0.1)
    expected = torch.tensor([[-0.1, 0.2, -0.3 + 10], [-0.05, -0.4 - 1, 0.0]])
    torch.testing.assert_close(rewards, expected)


def test_rewards_sum_to_the_score_less_beta_times_sequence_kl():
    generator, mask = ragged(20, 9, seed=1)
    kl, scores = torch.randn(20, 9, generator=generator), torch.randn(20, generator=generator)
    rewards = ppo_math.token_rewards(kl, scores, mask, beta=0.3)
    sequence_kl = torch.stack([kl[row, mask[row]].sum() for row in range(20)])
    torch.testing.assert_close(rewards.sum(1), scores - 0.3 * sequence_kl)


def test_large_kl_is_not_clamped():
    rewards = ppo_math.token_rewards(torch.tensor([[50.0]]), torch.zeros(1), torch.tensor([[True]]), beta=1.0)
    assert rewards.item() == -50


def test_a_row_without_actions_earns_nothing():
    rewards = ppo_math.token_rewards(torch.ones(1, 3), torch.ones(1), torch.zeros(1, 3, dtype=torch.bool), beta=1.0)
    assert rewards.abs().sum() == 0


# Advantages


def test_gae_of_a_table_worked_by_hand():
    rewards = torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.0]])
    values = torch.tensor([[0.5, 1.0, 1.5], [0.0, 2.0, 7.0]])
    # discount 0.9, lambda 0.5: errors (0+0.9-0.5, 1+1.35-1, 2-1.5) and (1+1.8-0, -1-2).
    expected = torch.tensor(
        [[0.4 + 0.45 * (1.35 + 0.45 * 0.5), 1.35 + 0.45 * 0.5, 0.5], [2.8 + 0.45 * -3.0, -3.0, 0.0]]
    )
    found = ppo_math.gae(rewards, values, MASK, discount=0.9, lam=0.5)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("discount", "lam"), [(1.0, 0.95), (0.99, 0.9), (0.9, 0.0), (1.0, 1.0)])
def test_gae_equals_the_double_sum_of_its_definition(discount, lam):
    generator, mask = ragged(30, 12, seed=2)
    rewards = torch.randn(30, 12, generator=generator, dtype=torch.float64)
    values = torch.randn(30, 12, generator=generator, dtype=torch.float64)
    found = ppo_math.gae(rewards, values, mask, discount=discount, lam=lam)
    for row in range(30):
        length = int(mask[row].sum())
        r, v = rewards[row, :length].tolist(), [*values[row, :length].tolist(), 0.0]
        for t in range(length):
            expected = sum((discount * lam) ** (s - t) * (r[s] + discount * v[s + 1] - v[s]) for s in range(t, length))
            assert math.isclose(found[row, t].item(), expected, abs_tol=1e-12)
        assert found[row, length:].abs().sum() == 0


def test_gae_with_lambda_one_is_return_minus_value_and_with_zero_the_one_step_error():
    rewards, values = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[3.0, 5.0, 9.0]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    one = ppo_math.gae(rewards, values, mask, discount=1.0, lam=1.0)
    torch.testing.assert_close(one, torch.tensor([[7.0 - 3, 6.0 - 5, 4.0 - 9]]))
    zero = ppo_math.gae(rewards, values, mask, discount=1.0, lam=0.0)
    torch.testing.assert_close(zero, torch.tensor([[1.0 + 5 - 3, 2.0 + 9 - 5, 4.0 - 9]]))


@pytest.mark.parametrize("fill", [0.0, 1e6, float("nan")])
def test_padding_changes_no_formula(fill):
    generator, mask = ragged(8, 6, seed=3)
    a, b, c = (torch.randn(8, 6, generator=generator) for _ in range(3))
    scores, wide = torch.randn(8, generator=generator), padded(mask, 4, False).bool()
    A, B, C = (padded(torch.where(mask, x, fill), 4, fill) for x in (a, b, c))

    def results(x, y, z, mask):
        return [
            ppo_math.token_rewards(x, scores, mask, beta=0.2)[:, :6],
            ppo_math.gae(x, y, mask, discount=1.0, lam=0.9)[:, :6],
            ppo_math.whiten(x, mask)[:, :6],
            *ppo_math.policy_loss(x, y, z, mask, clip=0.2, tokens=7),
            *ppo_math.value_loss(x, y, z, mask, clip=0.2, tokens=7),
            ppo_math.approximate_kl(x, y, mask, tokens=7),
            ppo_math.masked_mean(x, mask),
            ppo_math.explained_variance(x, y, mask),
        ]

    for expected, found in zip(results(a, b, c, mask), results(A, B, C, wide), strict=True):
        torch.testing.assert_close(found, expected)


# Whitening


def test_whitened_advantages_have_mean_zero_and_variance_one_over_the_mask():
    generator, mask = ragged(40, 10, seed=4)
    white = ppo_math.whiten(torch.randn(40, 10, generator=generator) * 3 + 5, mask)
    assert white[mask].mean().abs() < 1e-6
    assert (white[mask].var(correction=0) - 1).abs() < 1e-5
    assert white[~mask].abs().sum() == 0


def test_whitening_can_keep_the_mean():
    x = torch.tensor([[1.0, 3.0, 100.0]])
    white = ppo_math.whiten(x, torch.tensor([[True, True, False]]), zero_mean=False)
    torch.testing.assert_close(white, torch.tensor([[1.0, 3.0, 0.0]]))


def test_whitening_equal_entries_gives_zeros():
    assert ppo_math.whiten(torch.full((1, 1), 3.0), torch.tensor([[True]])).item() == 0


# Losses


def test_policy_loss_of_a_table_worked_by_hand():
    # ratios 1.5, 0.5, 1.1, 1.5, 0.5 against advantages +1, +1, +2, -1, -1 with clip 0.2
    ratio = torch.tensor([[1.5, 0.5, 1.1, 1.5, 0.5, 9.0]])
    advantages = torch.tensor([[1.0, 1.0, 2.0, -1.0, -1.0, 9.0]])
    mask = torch.tensor([[True] * 5 + [False]])
    # pessimistic: -min(1.5, 1.2), -min(.5, .8), -2.2, max(1.5, 1.2), max(.5, .8)
    expected = (-1.2 - 0.5 - 2.2 + 1.5 + 0.8) / 5
    loss, clipped = ppo_math.policy_loss(ratio.log(), torch.zeros(1, 6), advantages, mask, clip=0.2, tokens=5)
    assert math.isclose(loss.item(), expected, abs_tol=1e-6)
    assert math.isclose(clipped.item(), 4 / 5, abs_tol=1e-6)


def test_policy_gradient_vanishes_only_where_the_clip_would_be_exceeded_further():
    logprobs = torch.tensor([[1.5, 0.5, 1.5, 0.5]]).log().requires_grad_()
    advantages = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    ppo_math.policy_loss(logprobs, torch.zeros(1, 4), advantages, mask, clip=0.2, tokens=4).loss.backward()
    torch.testing.assert_close(logprobs.grad, torch.tensor([[0.0, -0.5 / 4, 1.5 / 4, 0.0]]))


def test_with_the_old_policy_the_gradient_is_that_of_reinforce_and_nothing_is_clipped():
    generator, mask = ragged(5, 4, seed=5)
    old = torch.randn(5, 4, generator=generator)
    logprobs, advantages = old.clone().requires_grad_(), torch.randn(5, 4, generator=generator)
    tokens = int(mask.sum())
    loss, clipped = ppo_math.policy_loss(logprobs, old, advantages, mask, clip=0.2, tokens=tokens)
    loss.backward()
    torch.testing.assert_close(logprobs.grad, torch.where(mask, -advantages / tokens, 0.0))
    assert clipped == 0


def test_value_loss_of_a_table_worked_by_hand():
    values = torch.tensor([[1.0, 1.0, 0.1, 5.0]])
    old = torch.tensor([[0.0, 2.0, 0.0, 0.0]])
    returns = torch.tensor([[1.0, 0.0, 1.0, 5.0]])
    mask = torch.tensor([[True, True, True, False]])
    # held values 0.2, 1.8, 0.1: max(0, .64), max(1, 3.24), max(.81, .81)
    loss, clipped = ppo_math.value_loss(values, old, returns, mask, clip=0.2, tokens=3)
    assert math.isclose(loss.item(), 0.5 * (0.64 + 3.24 + 0.81) / 3, rel_tol=1e-6)
    assert math.isclose(clipped.item(), 2 / 3, rel_tol=1e-6)


@pytest.mark.parametrize("formula", [ppo_math.policy_loss, ppo_math.value_loss])
def test_eight_micro_batches_add_up_to_the_gradient_of_one(formula):
    generator, mask = ragged(16, 7, seed=6)
    old, target = (torch.randn(16, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    start = old + 0.3 * torch.randn(16, 7, generator=generator, dtype=torch.float64)
    tokens = int(mask.sum())

    def gradient(parts: int) -> torch.Tensor:
        x = start.clone().requires_grad_()
        for rows in torch.arange(16).chunk(parts):
            formula(x[rows], old[rows], target[rows], mask[rows], clip=0.2, tokens=tokens).loss.backward()
        return x.grad

    torch.testing.assert_close(gradient(8), gradient(1))


def test_batch_order_changes_no_formula():
    generator, mask = ragged(12, 5, seed=7)
    x, y = torch.randn(12, 5, generator=generator), torch.randn(12, 5, generator=generator)
    order = torch.randperm(12, generator=generator)
    torch.testing.assert_close(ppo_math.whiten(x[order], mask[order]), ppo_math.whiten(x, mask)[order])
    torch.testing.assert_close(
        ppo_math.gae(x[order], y[order], mask[order], discount=1.0, lam=0.95),
        ppo_math.gae(x, y, mask, discount=1.0, lam=0.95)[order],
    )


def test_whitening_and_both_losses_equal_loops_over_single_tokens():
    generator, mask = ragged(9, 6, seed=11)
    new, old, x, y = (torch.randn(9, 6, generator=generator, dtype=torch.float64) for _ in range(4))
    cells = [(n, t) for n in range(9) for t in range(6) if mask[n, t]]
    chosen = [x[cell].item() for cell in cells]
    mean = sum(chosen) / len(chosen)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in chosen) / len(chosen) + 1e-8)
    policy = value = moved = 0.0
    for n, t in cells:
        a, b, v, w = (tensor[n, t].item() for tensor in (new, old, x, y))
        ratio = math.exp(a - b)
        policy += -min(ratio * v, min(max(ratio, 0.8), 1.2) * v)
        near = b + min(max(a - b, -0.2), 0.2)
        value += 0.5 * max((a - w) ** 2, (near - w) ** 2)
        moved += math.exp(a - b) - 1 - (a - b)
    white = ppo_math.whiten(x, mask)
    assert [white[cell].item() for cell in cells] == pytest.approx([(value - mean) / deviation for value in chosen])
    found = ppo_math.policy_loss(new, old, x, mask, clip=0.2, tokens=len(cells)).loss
    assert found.item() == pytest.approx(policy / len(cells))
    found = ppo_math.value_loss(new, old, y, mask, clip=0.2, tokens=len(cells)).loss
    assert found.item() == pytest.approx(value / len(cells))
    assert ppo_math.approximate_kl(new, old, mask, tokens=len(cells)).item() == pytest.approx(moved / len(cells))


# KL, beta, explained variance


def test_approximate_kl_of_a_table_worked_by_hand():
    new, old = torch.tensor([[0.5, -1.0, 7.0]]), torch.tensor([[0.0, 0.0, 0.0]])
    found = ppo_math.approximate_kl(new, old, torch.tensor([[True, True, False]]), tokens=2)
    expected = ((math.exp(0.5) - 1 - 0.5) + (math.exp(-1) - 1 + 1)) / 2
    assert math.isclose(found.item(), expected, rel_tol=1e-6)


def test_approximate_kl_is_unbiased_for_two_known_distributions():
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.5, 0.2, 0.3])
    draws = torch.multinomial(p, 200_000, replacement=True, generator=torch.Generator().manual_seed(8))[None]
    found = ppo_math.approximate_kl(
        q.log()[draws], p.log()[draws], torch.ones_like(draws, dtype=torch.bool), tokens=200_000
    )
    exact = (p * (p / q).log()).sum()
    assert (found - exact).abs() < 0.01 * exact


@pytest.mark.parametrize(
    ("kl", "expected"),
    [(6.0, 0.1), (6.6, 0.1 * 1.01), (60.0, 0.1 * 1.02), (0.0, 0.1 * 0.98), (5.4, 0.1 * 0.99)],
)
def test_beta_follows_the_clipped_error_of_the_kl(kl, expected):
    assert math.isclose(ppo_math.adapt_beta(0.1, kl, target=6.0, horizon=1_000, rollouts=100), expected)


def test_explained_variance_is_one_for_perfect_zero_for_constant_and_negative_for_wrong_values():
    returns = torch.tensor([[1.0, 2.0, 3.0]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    assert ppo_math.explained_variance(returns + 4, returns, mask) == 1
    assert ppo_math.explained_variance(torch.full((1, 3), 9.0), returns, mask) == 0
    assert ppo_math.explained_variance(-returns, returns, mask) == -3
    assert ppo_math.explained_variance(returns, torch.ones(1, 3), mask) == 0
