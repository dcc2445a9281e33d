"""Linear layers by oneDNN give what PyTorch's own product gives, and only where they may."""

import pytest
import torch
from torch import nn

from transfer.loglikelihood import products
from transfer.loglikelihood.products import by_onednn

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN"
)


class Doubled(nn.Linear):
    def forward(self, rows):
        return 2 * super().forward(rows)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(products, "LEAST_WORK", 100 * 24 * 8)
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"plain": nn.Linear(24, 40), "bare": nn.Linear(24, 8, bias=False), "own": Doubled(24, 8)}
    )


@pytest.mark.parametrize("ordered", [2**28, 0])
@pytest.mark.parametrize("shape", [(1, 100), (101,), (1, 99), (3,), (0,)])
def test_products_are_those_of_pytorch(model, monkeypatch, ordered, shape):
    monkeypatch.setattr(products, "ORDERED_BYTES", ordered)
    rows = torch.randn(*shape, 24)
    with torch.inference_mode():
        expected = [layer(rows) for layer in model.values()]
        with by_onednn(model, 4096):
            found = [layer(rows) for layer in model.values()]
    for layer, a, b in zip(model, found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6, msg=lambda text, at=layer: at + text)


def test_layers_with_a_forward_of_their_own_or_another_type_are_left_alone(model):
    model["bf16"] = nn.Linear(24, 8).to(torch.bfloat16)
    with by_onednn(model, 4096):
        changed = {name for name, layer in model.items() if "forward" in vars(layer)}
    assert changed == {"plain", "bare"}
    assert not any("forward" in vars(layer) for layer in model.values())


def test_weights_that_change_between_calls_are_the_ones_used(model):
    rows = torch.randn(100, 24)
    with torch.inference_mode():
        with by_onednn(model, 4096):
            before = model["bare"](rows)
        model["bare"].weight.mul_(3)
        with by_onednn(model, 4096):
            torch.testing.assert_close(model["bare"](rows), 3 * before)
