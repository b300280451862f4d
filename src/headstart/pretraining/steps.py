"""Gradients of a step: passes over blocks, with keyed masks on a CPU, compiled on a GPU; updates nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from headstart.config.pretraining import PretrainingSettings
from headstart.device import Precision, make_autocast_context
from headstart.engine.attention_kernels import refuse_cudnn_attention
from headstart.engine.dropout import DropoutKey, HostDropout
from headstart.engine.kind import uses_device_engine
from headstart.engine.weights import Weights
from headstart.pretraining.batches import BlockBatch, StepBatch
from headstart.pretraining.block_masks import skip_empty_masks
from headstart.pretraining.language_model import IGNORED, LanguageModel, sum_losses
from headstart.seeds import derive_seed

_Loss = Callable[..., torch.Tensor]


@dataclass
class PassMaker:
    """Makes forward and backward passes; `reason` says why it is not compiled though it was to be."""

    model: LanguageModel
    weights: Weights
    settings: PretrainingSettings
    device: torch.device
    precision: Precision
    reason: str | None = None
    _compiled: _Loss | None = field(default=None)

    def __post_init__(self) -> None:
        setting = self.settings.training.compile
        if setting == "on" or (setting == "auto" and self.device.type == "cuda"):
            skip_empty_masks(self.model.model)
            self._compiled = torch.compile(self._compute_wide, fullgraph=True, dynamic=False)

    @property
    def is_compiled(self) -> bool:
        """Whether passes go to what was compiled."""
        return self._compiled is not None

    def accumulate(self, step: int, batch: StepBatch) -> torch.Tensor:
        """Add the gradient of the step's mean loss to the buffers; gives that loss, float64 [], unread."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for i, one in enumerate(batch.passes):
            inputs = self._send(one)
            number = step * self.settings.training.accumulation + i
            with self._drop_out(number, one), refuse_cudnn_attention():
                loss = self._compute_compiled(inputs) / max(1, batch.targets)
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def measure(self, batch: StepBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The summed loss of the first pass, and how many targets are what the model thinks likeliest."""
        labels, *rest = self._send(batch.passes[0])
        assert labels is not None
        with torch.no_grad(), self._autocast():
            logits = self.model(*rest)
        return sum_losses(logits, labels).double(), (logits.argmax(-1) == labels).sum()

    def _send(self, one: BlockBatch) -> tuple[torch.Tensor | None, ...]:
        arrays = (one.labels, one.input_ids, one.places, one.mask)
        return tuple(None if array is None else self._move(array) for array in arrays)

    def _move(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _compute_compiled(self, inputs: tuple[Any, ...]) -> torch.Tensor:
        if self._compiled is None:
            return self._compute(*inputs)
        from torch._inductor.exc import InductorError

        try:
            return self._compiled(*inputs)
        except (torch._dynamo.exc.TorchDynamoException, InductorError) as error:
            self.reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
            self._compiled = None
            return self._compute(*inputs)

    def _compute(self, labels: torch.Tensor, *inputs: Any) -> torch.Tensor:
        """The summed loss of a pass."""
        with self._autocast():
            logits = self.model(*inputs)
        return sum_losses(logits, labels)

    def _compute_wide(self, labels: torch.Tensor, *inputs: Any) -> torch.Tensor:
        """As `_compute`, in operations that a compiler fuses."""
        with self._autocast():
            logits = self.model(*inputs)
        return F.cross_entropy(logits.float(), labels, ignore_index=IGNORED, reduction="sum")

    def _autocast(self) -> AbstractContextManager[object]:
        if self.settings.training.precision == "pure-bf16":
            return nullcontext()
        return make_autocast_context(self.device, self.precision)

    def _drop_out(self, number: int, one: BlockBatch) -> AbstractContextManager[object]:
        """The masks of pass `number`, a function of it and of the seed.

        On a GPU torch's own, from a generator that is seeded for the pass: its attention draws them within
        the kernel. On a CPU keyed ones, which are drawn in bulk.
        """
        if not uses_device_engine(self.device):
            rows, tokens = one.input_ids.shape
            return HostDropout((DropoutKey(self.settings.seed, number, rows, tokens),), rows, tokens)
        torch.manual_seed(derive_seed(self.settings.seed, "dropout", number, bits=64) >> 1)
        return nullcontext()


def keep_all_in_bf16(weights: Weights) -> None:
    """Have the module compute with bf16 copies of all its weights, while float32 ones are trained."""
    weights.linear = slice(0, weights.exempt.stop)
    weights.keep_narrow_copy()
