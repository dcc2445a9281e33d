"""Several processes that score together, started by `accelerate launch`, one a device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from transfer.loglikelihood import Encoded


class Processes:
    """The processes of this launch; one where nothing was launched."""

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            import torch
            from accelerate import PartialState

            state = PartialState(cpu=not torch.accelerator.is_available())
            self.rank, self.count, self._state = state.process_index, state.num_processes, state

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            self._state.wait_for_everyone()

    def gather(self, part: Any) -> list[Any]:
        """Return the parts of all processes."""
        if self.count == 1:
            return [part]
        from accelerate.utils import gather_object

        return gather_object([part])

    def share(self, encoded: Sequence[Encoded], numbers: np.ndarray) -> np.ndarray:
        """Return this process's part of the numbers of requests.

        Requests whose contexts begin alike stay together, and the parts have like many tokens.
        """
        if self.count == 1:
            return numbers
        order = sorted(numbers.tolist(), key=lambda number: encoded[number].context)
        sizes = [sum(map(len, encoded[number])) for number in order]
        before = np.cumsum([0, *sizes])[:-1]
        mine = before * self.count // max(1, sum(sizes)) == self.rank
        return np.array(order, dtype=np.int64)[mine]
