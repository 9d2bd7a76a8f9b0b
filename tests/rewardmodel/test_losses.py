"""The objective by hand, against slow oracles, and its invariants."""

import itertools
import math

import pytest
import torch

from rewardmodel import losses

pytestmark = pytest.mark.torch

FULL = {K: tuple(itertools.combinations(range(K), 2)) for K in range(2, 7)}  # 0 best, K - 1 worst


def at(pairs, sizes, weights=None):
    return losses.targets(pairs, sizes, weights or [1.0] * len(sizes))


def oracle_pairs(scores, groups):
    """Loop over groups and pairs in plain floats: mean over decided pairs, summed with weights."""
    total = 0.0
    for members, pairs, weight in groups:
        terms = [math.log1p(math.exp(scores[members[j]] - scores[members[i]])) for i, j in pairs]
        total += weight * sum(terms) / len(terms)
    return total


def oracle_plackett_luce(scores, order):
    """-log of the product of choices, each among all that are left, by the number of choices."""
    left, total = list(order), 0.0
    while len(left) > 1:
        total -= scores[left[0]] - math.log(sum(math.exp(scores[k]) for k in left))
        left.pop(0)
    return total / (len(order) - 1)


def test_pair_loss_of_a_hand_computed_table():
    scores = torch.tensor([2.0, 1.0, 0.0])
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 3  # 0.2512
    assert losses.pair_loss(scores, at([FULL[3]], [3])).item() == pytest.approx(expected, abs=1e-6)
    assert expected == pytest.approx(0.25115, abs=1e-4)


def test_equal_scores_cost_log_2_a_group_whatever_its_size():
    for K in FULL:
        assert losses.pair_loss(torch.zeros(K), at([FULL[K]], [K])).item() == pytest.approx(math.log(2), abs=1e-6)


def test_a_batch_equals_the_loop_over_its_groups():
    scores = torch.randn(9, generator=torch.Generator().manual_seed(0))
    pairs = [((0, 1),), ((2, 0), (2, 1), (2, 3), (0, 3)), ((0, 2), (1, 2))]  # ties and unranked responses
    weights = [1.0, 0.25, 3.0]
    found = losses.pair_loss(scores, at(pairs, [2, 4, 3], weights)).item()
    members = [[0, 1], [2, 3, 4, 5], [6, 7, 8]]
    assert found == pytest.approx(oracle_pairs(scores.tolist(), zip(members, pairs, weights, strict=True)), abs=1e-5)


@pytest.mark.parametrize("loss", [losses.pair_loss, losses.plackett_luce_loss, losses.centering_loss])
def test_two_rankings_of_one_set_cost_what_two_sets_of_the_same_scores_cost(loss):
    scores = torch.randn(7, generator=torch.Generator().manual_seed(1))
    pairs, weights = [((0, 1), (0, 2)), ((2, 1),), FULL[4]], [1.0, 0.5, 2.0]
    found = loss(scores, losses.targets(pairs, [3, 4], weights, of=[0, 0, 1]))
    doubled = torch.cat([scores[:3], scores])
    assert found.item() == pytest.approx(loss(doubled, at(pairs, [3, 3, 4], weights)).item(), abs=1e-6)


def test_every_group_weighs_the_same_whatever_its_size():
    together = torch.zeros(7, requires_grad=True)
    losses.pair_loss(together, at([FULL[2], FULL[5]], [2, 5])).backward()
    assert together.grad[:2].abs().sum() == pytest.approx(1.0)  # two responses move by 1/2 each
    for_five = [abs(sum((k > i) - (k < i) for i in range(5))) / 2 / 10 for k in range(5)]
    torch.testing.assert_close(together.grad[2:].abs(), torch.tensor(for_five))


@pytest.mark.parametrize("kind", ["pairs", "plackett_luce"])
def test_two_responses_are_bradley_terry(kind):
    scores = torch.tensor([0.3, -0.9])
    found = losses.total(scores, at([((0, 1),)], [2]), kind=kind, centering=0.0)
    assert found.item() == pytest.approx(-math.log(1 / (1 + math.exp(-1.2))), abs=1e-6)


@pytest.mark.parametrize("kind", ["pairs", "plackett_luce"])
def test_permuting_the_responses_changes_nothing(kind):
    scores = torch.randn(5, generator=torch.Generator().manual_seed(1))
    expected = losses.total(scores, at([FULL[5]], [5]), kind=kind, centering=0.01)
    for order in ([4, 2, 0, 1, 3], [1, 0, 2, 4, 3]):
        place = {k: position for position, k in enumerate(order)}
        pairs = [tuple((place[i], place[j]) for i, j in FULL[5])]
        found = losses.total(scores[order], at(pairs, [5]), kind=kind, centering=0.01)
        torch.testing.assert_close(found, expected)


def test_the_ten_explicit_pairs_give_the_same_loss_and_gradient():
    whole = torch.randn(5, generator=torch.Generator().manual_seed(2)).requires_grad_()
    losses.pair_loss(whole, at([FULL[5]], [5])).backward()
    apart = whole.detach().clone().requires_grad_()
    explicit = torch.stack([-torch.nn.functional.logsigmoid(apart[i] - apart[j]) for i, j in FULL[5]]).mean()
    explicit.backward()
    assert losses.pair_loss(whole, at([FULL[5]], [5])).item() == pytest.approx(explicit.item(), abs=1e-6)
    torch.testing.assert_close(whole.grad, apart.grad, atol=1e-6, rtol=0)


def test_plackett_luce_is_the_likelihood_of_the_order():
    scores = torch.randn(5, generator=torch.Generator().manual_seed(3))
    for order in ([0, 1, 2, 3, 4], [3, 1, 4, 0, 2]):
        pairs = [tuple(itertools.combinations(order, 2))]
        found = losses.plackett_luce_loss(scores, at(pairs, [5])).item()
        assert found == pytest.approx(oracle_plackett_luce(scores.tolist(), order), abs=1e-5)


def test_plackett_luce_does_not_change_when_all_scores_shift():
    scores = torch.randn(5, generator=torch.Generator().manual_seed(4))
    targets = at([FULL[5]], [5])
    torch.testing.assert_close(
        losses.plackett_luce_loss(scores + 7.5, targets), losses.plackett_luce_loss(scores, targets)
    )


def test_plackett_luce_gradient_sums_to_0_over_a_group():
    scores = torch.randn(5, generator=torch.Generator().manual_seed(5)).requires_grad_()
    losses.plackett_luce_loss(scores, at([FULL[5]], [5])).backward()
    assert scores.grad.abs().max() > 0.05
    assert abs(scores.grad.sum().item()) < 1e-6


@pytest.mark.parametrize("kind", ["pairs", "plackett_luce"])
def test_a_tie_pulls_neither_way(kind):
    scores = torch.randn(3, generator=torch.Generator().manual_seed(6)).requires_grad_()
    losses.total(scores, at([((0, 1), (0, 2))], [3]), kind=kind, centering=0.0).backward()
    swapped = scores.detach()[[0, 2, 1]].clone().requires_grad_()
    losses.total(swapped, at([((0, 1), (0, 2))], [3]), kind=kind, centering=0.0).backward()
    torch.testing.assert_close(scores.grad[[0, 2, 1]], swapped.grad)


def test_centering_pulls_the_offset_to_0_and_nothing_else_does():
    def offset_after(centering):
        scores = torch.tensor([5.0, 4.0, 3.0], requires_grad=True)
        optimizer = torch.optim.SGD([scores], lr=0.2)
        for _ in range(400):
            optimizer.zero_grad()
            losses.total(scores, at([FULL[3]], [3]), kind="pairs", centering=centering).backward()
            optimizer.step()
        return scores.mean().item()

    assert offset_after(0.0) == pytest.approx(4.0, abs=1e-4)
    assert abs(offset_after(0.05)) < 0.05


def test_centering_of_a_hand_computed_table():
    scores = torch.tensor([1.0, 2.0, -1.0])
    assert losses.centering_loss(scores, at([FULL[3]], [3])).item() == pytest.approx((9 + 0 + 1) / 3)


def test_weights_scale_a_groups_gradient():
    one = torch.zeros(4, requires_grad=True)
    losses.pair_loss(one, at([((0, 1),), ((0, 1),)], [2, 2], [1.0, 3.0])).backward()
    assert one.grad[2] == pytest.approx(3 * one.grad[0].item())


def test_half_precision_scores_are_compared_in_fp32():
    scores = torch.tensor([1.0, 0.999], dtype=torch.bfloat16)
    found = losses.total(scores, at([((0, 1),)], [2]), kind="pairs", centering=0.0)
    assert found.dtype == torch.float32


def test_a_margin_asks_for_a_wider_gap_by_hand():
    scores = torch.tensor([2.0, 1.0, 0.0])
    targets = losses.targets([((0, 1), (0, 2))], [3], [1.0], margins=[[0.5, 2.0]])
    expected = (math.log1p(math.exp(0.5 - 1)) + math.log1p(math.exp(2.0 - 2))) / 2
    assert losses.pair_loss(scores, targets).item() == pytest.approx(expected, abs=1e-6)


def test_margins_of_0_are_plain_bradley_terry():
    scores = torch.randn(5, generator=torch.Generator().manual_seed(7))
    plain, zero = at([FULL[5]], [5]), losses.targets([FULL[5]], [5], [1.0], margins=[[0.0] * 10])
    assert losses.pair_loss(scores, plain).item() == losses.pair_loss(scores, zero).item()


def test_a_clear_pair_pulls_harder_than_a_close_one():
    scores = torch.zeros(4, requires_grad=True)
    losses.pair_loss(scores, losses.targets([((0, 1),), ((0, 1),)], [2, 2], [1, 1], margins=[[0.0], [3.0]])).backward()
    assert scores.grad[0].item() == pytest.approx(-0.5)
    assert scores.grad[2].item() == pytest.approx(-1 / (1 + math.exp(-3)))
