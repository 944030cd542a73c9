"""The compiled RMSprop is held to PyTorch's."""

import copy

import pytest
import torch

from motifloom.optimisers import RMSprop


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(7, 900), torch.nn.ReLU(), torch.nn.Linear(900, 3))


def train(net, optimiser, n_steps, first=0):
    for step in range(first, first + n_steps):
        x = torch.randn(5, 7, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()
    return [p.detach() for p in net.parameters()]


def both(n_steps, **options):
    found = []
    for build in (RMSprop, torch.optim.RMSprop):
        net = network()
        optimiser = build(net.parameters(), lr=1e-3, **options)
        found.append((train(net, optimiser, n_steps), optimiser.state_dict()))
    return found


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}, {"maximize": True}, {"momentum": 0.5}],
)
def test_weights_and_state_are_pytorchs(options):
    (ours, state), (theirs, other) = both(5, **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=5e-6)
    assert state["param_groups"] == other["param_groups"]
    torch.testing.assert_close(state["state"], other["state"], rtol=1e-5, atol=1e-9)


def test_state_is_taken_up_again():
    net = network()
    optimiser = RMSprop(net.parameters(), lr=1e-3)
    train(net, optimiser, 3)
    other = copy.deepcopy(net)
    again = RMSprop(other.parameters(), lr=1e-3)
    again.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    wanted, found = train(net, optimiser, 3, first=3), train(other, again, 3, first=3)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_weights_without_gradient_stay_and_the_closure_is_called():
    net = network()
    optimiser = RMSprop(net.parameters(), lr=1e-3)
    net[2].requires_grad_(False)
    before = net[2].weight.clone()

    def closure():
        optimiser.zero_grad()
        loss = net(torch.ones(2, 7)).square().mean()
        loss.backward()
        return loss

    assert optimiser.step(closure) > optimiser.step(closure)
    assert torch.equal(net[2].weight, before)
    assert net[2].weight not in optimiser.state


def test_float64_is_left_to_pytorch():
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    weight.grad = torch.ones_like(weight)
    RMSprop([weight], lr=0.1, alpha=0.75).step()
    torch.testing.assert_close(weight.detach(), torch.full((3,), 0.8, dtype=torch.float64))
