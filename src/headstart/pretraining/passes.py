"""Forward passes over blocks: losses of training, compiled where that is wanted; measures of validation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from headstart.config.pretraining import PretrainingSettings
from headstart.device import Precision, make_autocast_context
from headstart.engine.compiling import CompileError, name_compile_errors
from headstart.engine.kind import uses_device_engine
from headstart.engine.weights import Weights
from headstart.pretraining.batches import BlockBatch, StepBatch
from headstart.pretraining.block_masks import skip_empty_masks
from headstart.pretraining.language_model import IGNORED, LanguageModel, sum_losses

_T = TypeVar("_T")
_Loss = Callable[..., torch.Tensor]
#: What of a `BlockBatch` a pass takes, in this order, as far as it has them.
INPUTS: Final = ("labels", "input_ids", "places", "mask")
Inputs = tuple[Any, ...]


@dataclass
class PassMaker:
    """Makes forward passes; `reason` says why they are not compiled though they were to be."""

    model: LanguageModel
    weights: Weights
    settings: PretrainingSettings
    device: torch.device
    precision: Precision
    reason: str | None = None
    _compiled: _Loss | None = field(default=None)

    def __post_init__(self) -> None:
        setting = self.settings.training.compile
        compiles = setting == "on" or (setting == "auto" and self.device.type == "cuda")
        if compiles or uses_device_engine(self.device):
            skip_empty_masks(self.model.model)
        if compiles:
            self._compiled = torch.compile(self._compute_wide, fullgraph=True, dynamic=False)

    @property
    def is_compiled(self) -> bool:
        """Whether passes go to what was compiled."""
        return self._compiled is not None

    def compute(self, inputs: Inputs) -> torch.Tensor:
        """The summed loss of a pass."""
        return self._compute(*inputs) if self._compiled is None else self._compiled(*inputs)

    def attempt(self, make_pass: Callable[[], _T]) -> _T:
        """What `make_pass` gives, in which a pass may be compiled, forwards and backwards.

        Where it cannot be, nothing was added to the gradients yet, and it is made once more, as it is.
        """
        if self._compiled is not None:
            try:
                with name_compile_errors():
                    return make_pass()
            except CompileError as error:
                self.reason, self._compiled = f"not compiled: {error}", None
        return make_pass()

    def measure(self, batch: StepBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The summed loss of the first pass, and how many targets are what the model thinks likeliest."""
        labels, *rest = self.send(batch.passes[0])
        with torch.no_grad(), self._autocast():
            logits = self.model(*rest)
        return sum_losses(logits, labels).double(), (logits.argmax(-1) == labels).sum()

    def send(self, one: BlockBatch) -> Inputs:
        """The inputs of a pass on the device."""
        arrays = [getattr(one, name) for name in INPUTS]
        return tuple(None if array is None else self._move(array) for array in arrays)

    def _move(self, array: np.ndarray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _compute(self, labels: torch.Tensor, *inputs: Any) -> torch.Tensor:
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


def keep_all_in_bf16(weights: Weights) -> None:
    """Have the module compute with bf16 copies of all its weights, while float32 ones are trained."""
    weights.linear = slice(0, weights.exempt.stop)
    weights.keep_narrow_copy()
