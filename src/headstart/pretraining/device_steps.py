"""Steps of a pretraining on a device: pure functions over fixed buffers, captured as CUDA graphs.

A step is one body a forward and backward pass, and one for the update. Blocks, labels, rate and clip are sent
to buffers ahead of a body, which reads nothing on the host, and is the same whether it is captured or not.
Dropout is torch's own. Its generator is seeded anew for each pass, outside the body: a graph draws from the
seed that the generator has when it is replayed, so that a captured pass has the masks of one that is not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Final

import numpy as np
import torch

from headstart import cuda
from headstart.device import describe_device
from headstart.engine.gradient_order import OrderedGradients
from headstart.engine.graphs import Capture, Capturing, Graphs, make_capturable
from headstart.engine.host_numbers import FilledNumbers
from headstart.engine.optim.base import FixedOptimiser
from headstart.engine.optim.batched import BatchedAdamW
from headstart.engine.transfers import make_buffers, send_numbers
from headstart.events import Log
from headstart.pretraining.batches import BlockBatch, StepBatch
from headstart.pretraining.passes import INPUTS, PassMaker
from headstart.seeds import derive_seed

#: Times that a body runs as it is before it is captured: in the first the compiler compiles, and in a second
#: it may once more, where something that it took for fixed has changed.
_PLAIN_RUNS: Final = 2
_UPDATE: Final = "update"
#: Of each input whether it is there, and its shape.
_Shape = tuple[tuple[int, ...] | None, ...]


class DeviceSteps:
    """`Steps` on a device, captured by `capture` if there is one."""

    def __init__(
        self, passes: PassMaker, optimiser: FixedOptimiser, capture: Capture | None, log: Log
    ) -> None:
        self._passes, self._optimiser, self._log = passes, optimiser, log
        self._told: str | None = None
        self._capturing = Capturing(capture)
        self._graphs = self._open_graphs()
        self._buffers: dict[_Shape, dict[str, torch.Tensor]] = {}
        self._loss = torch.zeros((), dtype=torch.float64, device=passes.device)
        self._outcome = torch.zeros(2, dtype=torch.float64, device=passes.device)

    def _open_graphs(self) -> Graphs:
        return Graphs(self._capturing, _PLAIN_RUNS, survives_memory=True)

    @property
    def captured(self) -> bool:
        """As `Steps`."""
        return self._capturing.works

    @property
    def reason(self) -> str | None:
        """As `Steps`."""
        reasons = [self._passes.reason]
        if self._capturing.reason:
            reasons.append(f"not captured: {self._capturing.reason}")
        elif self._capturing.capture is not None and not isinstance(self._optimiser, BatchedAdamW):
            reasons.append("Muon's update is not captured: it reads numbers on the host")
        return "; ".join(filter(None, reasons)) or None

    def make_step(self, step: int, batch: StepBatch, rate: float) -> torch.Tensor:
        """As `Steps`."""
        training = self._passes.settings.training
        for number, one in enumerate(batch.passes, step * training.accumulation):
            self._accumulate(number, one, batch.targets)
        self._update(rate, training.clip)
        self._tell_reason()
        return self._outcome.clone()

    def release_memory(self, why: str) -> bool:
        """As `Steps`."""
        if not len(self._graphs):
            return False
        self._capturing.reason, self._graphs = why, self._open_graphs()
        assert self._capturing.capture is not None
        self._capturing.capture.release_memory()
        cuda.release_memory()
        self._tell_reason()
        return True

    def _accumulate(self, number: int, one: BlockBatch, targets: int) -> None:
        """Add the gradient of pass `number`, of a step with so many targets, to the buffers."""
        shape = self._send(one, targets)
        self._passes.attempt(partial(self._run_pass, number, shape))

    def _run_pass(self, number: int, shape: _Shape) -> None:
        torch.manual_seed(derive_seed(self._passes.settings.seed, "dropout", number, bits=64) >> 1)
        self._graphs.run(shape, partial(self._backpropagate, shape))

    def _send(self, one: BlockBatch, targets: int) -> _Shape:
        """Send a pass to the buffers of its shape, which is always the same but for what others may draw."""
        dtype = np.float64 if self._passes.precision == "fp64" else np.float32
        arrays = {name: getattr(one, name) for name in INPUTS}
        shape = tuple(None if values is None else values.shape for values in arrays.values())
        arrays = {name: values for name, values in arrays.items() if values is not None}
        arrays["targets"] = np.array([max(1, targets)], dtype)
        if shape not in self._buffers:
            self._buffers[shape] = make_buffers(arrays, self._passes.device)
        for name, values in arrays.items():
            send_numbers(values, self._buffers[shape][name])
        return shape

    def _backpropagate(self, shape: _Shape) -> None:
        """Add the gradient of the pass that was sent last to the buffers, and its part of the loss."""
        fed = self._buffers[shape]
        inputs = tuple(map(fed.get, INPUTS))
        with make_capturable(self._passes.model):
            with ExitStack() as modes:
                if not self._passes.is_compiled:  # a compiler knows numbers, and orders sums as it likes
                    modes.enter_context(FilledNumbers(self._passes.device))
                    modes.enter_context(OrderedGradients())
                loss = self._passes.compute(inputs) / fed["targets"][0]
            loss.backward()  # type: ignore[no-untyped-call]
        self._loss.add_(loss.detach())

    def _update(self, rate: float, clip: float) -> None:
        """Update the weights, and leave gradients and loss at zero."""
        if isinstance(self._optimiser, BatchedAdamW):
            self._optimiser.send([rate], [clip])
            self._graphs.run(_UPDATE, partial(self._finish, self._optimiser.update))
        else:
            self._finish(partial(self._optimiser.step, [rate], [clip]))

    def _finish(self, update: Callable[[], torch.Tensor]) -> None:
        norms = update()
        self._outcome[0].copy_(self._loss)
        self._outcome[1].copy_(norms[0])
        self._passes.weights.zero_gradients()
        self._loss.zero_()

    def _tell_reason(self) -> None:
        """Say once why steps are not made as they were to be."""
        reason = self.reason
        if reason and reason != self._told:
            self._log(f"steps on {describe_device(self._passes.device)}: {reason}")
            self._told = reason
