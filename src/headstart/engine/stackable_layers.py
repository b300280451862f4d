"""Which layers a stack can hold, and what keeps a model from being stacked."""

from __future__ import annotations

from torch import nn
from transformers.pytorch_utils import Conv1D

from headstart.engine.affine import FixedAffine
from headstart.engine.families import find_obstacle
from headstart.engine.layers import StackedConv1D, StackedLinear
from headstart.models.vocabulary import CompactEmbedding


def find_stacking_obstacle(model: nn.Module) -> str | None:
    """Why models like this one cannot be stacked, or None. Weights are not looked at: meta tensors do."""
    stackable = {id(p) for m in model.modules() if get_layer_kind(m) for p in m.parameters(recurse=False)}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in stackable:
                where = f"{path}.{name}" if path else name
                return (
                    f"its {where} is held by a {type(module).__name__}; only weights of Linear, Embedding, "
                    "LayerNorm, RMSNorm and Conv1D are stacked"
                )
    return find_obstacle(model)


def get_layer_kind(module: nn.Module) -> str | None:
    """Which stacked layer can stand for `module`."""
    if type(module) is nn.Linear or _is_tied_linear(module):
        return "linear"
    if isinstance(module, Conv1D):
        return "conv1d"
    if isinstance(module, CompactEmbedding) or _is_embedding(module):
        return "embedding"
    if isinstance(module, FixedAffine):
        return "affine"
    return "norm" if is_norm(module) else None


def is_linear_map(module: nn.Module) -> bool:
    """Whether `module` multiplies by a weight of its own and does nothing else; plain or stacked."""
    is_stacked = isinstance(module, StackedLinear | StackedConv1D)
    return is_stacked or get_layer_kind(module) in ("linear", "conv1d")


def _is_tied_linear(module: nn.Module) -> bool:
    """torch's own variant that is a Linear in all but name."""
    return type(module) is nn.modules.linear.NonDynamicallyQuantizableLinear


def _is_embedding(module: nn.Module) -> bool:
    """An embedding that looks rows up and does nothing else; families subclass it without changing that."""
    if not isinstance(module, nn.Embedding) or type(module).forward is not nn.Embedding.forward:
        return False
    return module.max_norm is None and not module.scale_grad_by_freq and not module.sparse


def is_norm(module: nn.Module) -> bool:
    """A LayerNorm or RMSNorm, whatever the family calls it: nothing but a scale and perhaps a shift."""
    parameters = dict(module.named_parameters(recurse=False))
    are_vectors = all(p.dim() == 1 for p in parameters.values())
    is_named = type(module).__name__.lower().endswith("norm") and parameters.keys() <= {"weight", "bias"}
    return is_named and "weight" in parameters and are_vectors and not any(True for _ in module.children())
