"""Compiles the passes of a pack's module, forward and backward, where that pays; does without where it fails.

What is compiled serves batches of every length: their length alone is left open, for with members and rows
open too the compiler does not come to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from headstart.engine.layers import StackedConv1D, StackedLinear
from headstart.engine.member import Member, PackContext

#: Makes of a module what computes the same, compiled when it is first called.
Compiler = Callable[[nn.Module], Callable[..., Any]]

#: Seconds that compiling takes: on one NVIDIA H100 with torch 2.11 32 until the first steps of one length
#: were done (RoBERTa-small, 6 runs as one); further lengths take some seconds each, as seen on a CPU.
_SECONDS: Final = 45.0
#: Measured there: the share of a captured step that compiling saves (0.996 ms a run, then 0.919), and the
#: operations a second of such a step without.
_SHARE_SAVED: Final = 0.08
_FLOPS: Final = 4e13
#: Variants that dynamo keeps of one module, whose family may not leave its length open; it gives up at eight.
_MOST_SHAPES: Final = 64


def compile_module(module: nn.Module) -> Callable[..., Any]:
    """The compiler by default: torch's, one graph without a break."""
    compiled: Callable[..., Any] = torch.compile(module, fullgraph=True)
    return compiled


def _open_lengths(inputs: Mapping[str, Any]) -> None:
    """Have the compiler leave open how many tokens rows have, [n, T], and how many logits are kept, [K]."""
    for value in inputs.values():
        if isinstance(value, torch.Tensor):
            torch._dynamo.maybe_mark_dynamic(value, min(1, value.dim() - 1))


@dataclass
class Forward:
    """Calls a module, compiled if a compiler is given; `reason` says why it is so no more."""

    module: nn.Module
    compiler: Compiler | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        self._call: Callable[..., Any] = self.module
        if self.compiler is not None:
            torch.compiler.reset()  # what another pack's module left is of no use, and counts as shapes
            self._call = self.compiler(self.module)

    @property
    def is_compiled(self) -> bool:
        """Whether calls go to what was compiled."""
        return self.compiler is not None and self.reason is None

    def __call__(self, **inputs: Any) -> Any:
        """The module's output."""
        if not self.is_compiled:
            return self.module(**inputs)
        _open_lengths(inputs)
        return self._call(**inputs)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Within the block the module may be compiled, forwards and backwards.

        Raises:
            CompileError: it cannot be; the next call goes to the module itself.
        """
        if not self.is_compiled:
            yield
            return
        try:
            with name_compile_errors(), torch._dynamo.config.patch(recompile_limit=_MOST_SHAPES):
                yield
        except CompileError as error:
            self.reason = str(error)
            raise


class CompileError(RuntimeError):
    """A module could not be compiled, and what it was called for is to be done again."""


@contextmanager
def name_compile_errors() -> Iterator[None]:
    """Within the block, what torch's compilers raise ends as one error with a line of reason.

    Raises:
        CompileError: something cannot be compiled.
    """
    from torch._inductor.exc import InductorError  # which takes its time to import

    try:
        yield
    except (torch._dynamo.exc.TorchDynamoException, InductorError) as error:
        reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
        raise CompileError(reason) from error


def pays_to_compile(members: Sequence[Member], module: nn.Module, context: PackContext) -> bool:
    """Whether compiling costs less than it saves of what is left to train.

    A function of counts, not of the clock: the same study rounds the same way again.
    """
    tokens = context.parts["train"].tokens
    left = sum(_count_tokens_left(member, tokens.lengths) for member in members)
    saved = _SHARE_SAVED * 6 * count_product_weights(module) * left / _FLOPS
    return saved > _SECONDS


def _count_tokens_left(member: Member, lengths: np.ndarray) -> float:
    """Tokens that a member learns from until its last step."""
    training = member.run.training
    examples = (member.total_steps - member.steps) * training.batch_size * training.accumulation
    return examples * float(lengths[member.index].mean())


def count_product_weights(module: nn.Module) -> int:
    """Weights of one member that take part in matrix products: 6 operations a token and weight in training
    (Kaplan et al. 2020, section 2.1)."""
    layers: list[Any] = [layer for layer in module.modules() if _has_products(layer)]
    weights = {id(layer.weight): layer.weight for layer in layers}
    return sum(weight.numel() // (len(weight) if weight.dim() == 3 else 1) for weight in weights.values())


def _has_products(layer: Any) -> bool:
    return isinstance(layer, nn.Linear | Conv1D | StackedLinear | StackedConv1D)
