"""Copies from a GPU are waited for on the GPU that they come from."""

from types import SimpleNamespace

import torch

from transfer.loglikelihood import devices


class Tensor:
    """As of the second GPU of a machine."""

    is_cuda, device = True, torch.device("cuda", 1)

    def to(self, place, non_blocking):
        assert (place, non_blocking) == ("cpu", True)
        return torch.tensor([3])


def test_a_copy_is_waited_for_where_its_tensor_is(monkeypatch):
    said = []
    event = SimpleNamespace(record=said.append, synchronize=lambda: said.append("waited"))
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    coming = devices.Coming(Tensor(), Tensor())
    assert said == ["stream of cuda:1"]
    assert [array.tolist() for array in coming.arrays()] == [[3], [3]]
    assert said == ["stream of cuda:1", "waited"]


def test_a_device_is_called_what_it_is(monkeypatch):
    assert devices.device_name(torch.device("cpu")) == "cpu"
    named = SimpleNamespace(get_device_name=lambda device: f"Product {device.index}")
    monkeypatch.setattr(torch, "get_device_module", lambda device: named)
    assert devices.device_name(torch.device("xpu", 1)) == "Product 1"
    monkeypatch.setattr(torch, "get_device_module", lambda device: SimpleNamespace())
    assert devices.device_name(torch.device("mps")) == "mps"
