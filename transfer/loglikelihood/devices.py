"""What a device is called; arrays to it and back, without waiting for what it still has to do."""

from __future__ import annotations

import numpy as np
import torch


def device_name(device: torch.device) -> str:
    """Return what a device is called: `cpu`, the product's name, or its type where it has none."""
    named = getattr(torch.get_device_module(device), "get_device_name", None)
    return device.type if device.type == "cpu" or named is None else str(named(device))


def on(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on a device."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        # Memory that may be paged out is copied by the host, when all before it is done.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class Coming:
    """Tensors on their way from a device, which goes on with what it is given next."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._there = torch.cuda.Event() if tensors[0].is_cuda else None
        # Elsewhere nothing says when a copy that was not waited for is there.
        waits = self._there is None
        self._tensors = [tensor.to("cpu", non_blocking=not waits) for tensor in tensors]
        if self._there is not None:
            # Not that of the current device, which may be another.
            self._there.record(torch.cuda.current_stream(tensors[0].device))

    def arrays(self) -> list[np.ndarray]:
        """Return them when they are there."""
        if self._there is not None:
            self._there.synchronize()
        return [tensor.numpy() for tensor in self._tensors]
