"""Four-bit weights for a frozen body: NF4 blocks with double quantisation (Dettmers et al. 2023, "QLoRA").

bitsandbytes does the work, on CUDA and on CPUs. Nothing that is quantised can train; adapters beside it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from headstart.errors import MissingExtraError, ModelError
from headstart.methods.lora_layers import get_linear_sizes, iter_linear_layers, silence_logs


def quantise_model(model: Any, device: torch.device, compute: torch.dtype) -> None:
    """Put the linear layers of the model's body into four bits, in place, on `device`.

    Args:
        compute: format of their products.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
    """
    for path in list(list_quantisable_layers(model)):
        model.set_submodule(path, _quantise_layer(model.get_submodule(path), device, compute))


def list_quantisable_layers(model: Any) -> Iterator[str]:
    """Paths of the layers that `quantise_model` puts into four bits."""
    for path in iter_linear_layers(model):
        layer = model.get_submodule(path)
        # bitsandbytes' own layers are of a class below nn.Linear: what is quantised already stays as it is.
        if type(layer) is nn.Linear or isinstance(layer, Conv1D):
            yield path


def check_quantisable(model: Any, where: str) -> None:
    """See that something of the model can be quantised to 4 bits.

    Raises:
        ModelError: none of its layers can.
    """
    if next(list_quantisable_layers(model), None) is None:
        raise ModelError(
            f"no layer of a {model.config.model_type} can be quantised to 4 bits",
            where=where,
            expected="a body with linear layers (torch's Linear, or GPT-2's Conv1D)",
            fix="use method: lora, which keeps the base as it is",
        )


def count_matrix_weights(model: Any) -> int:
    """Weights of the body's matrices, which all of them could lie in four bits; tables of tokens are none."""
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    named = model.named_parameters()
    body = (
        p for name, p in named if name.startswith(f"{model.base_model_prefix}.") and ".pooler" not in name
    )
    return sum(p.numel() for p in body if p.dim() > 1 and id(p) not in tables)


def count_four_bit_bytes(numbers: int) -> int:
    """Memory of so many weights of one layer: about 4.127 bits each (Dettmers et al. 2023, section 3).

    Half a byte a weight; for each block of 64 a scale in 8 bits; for each 256 of these a scale in 32 bits.
    """
    scales = -(-numbers // 64)
    return -(-numbers // 2) + scales + 4 * -(-scales // 256)


def _quantise_layer(layer: Any, device: torch.device, compute: torch.dtype) -> nn.Module:
    library = import_bitsandbytes()
    width, height = get_linear_sizes(layer)
    with torch.device("meta"):
        small = library.nn.Linear4bit(
            width, height, bias=layer.bias is not None, compute_dtype=compute, quant_type="nf4"
        )
    small.weight = library.nn.Params4bit(
        _orient_weight(layer), requires_grad=False, compress_statistics=True, quant_type="nf4", module=small
    )
    small.bias = layer.bias
    small.fan_in_fan_out = is_transposed(layer)
    # Repacked for inference at the first evaluation, weights could train no adapter afterwards.
    small.support_avx512bf16_for_cpu = False
    quantised: nn.Module = small.to(device)
    return quantised.train(layer.training)


def is_transposed(layer: Any) -> bool:
    """Whether a layer's weight lies as [in, out], or did before it was put into four bits.

    PEFT's files say so, for whoever merges an adapter without looking at the layers.
    """
    return isinstance(layer, Conv1D) or bool(getattr(layer, "fan_in_fan_out", False))


def _orient_weight(layer: Any) -> torch.Tensor:
    """The weight as [out, in]. GPT-2's `Conv1D` has it the other way; blocks of 64 go along what is read."""
    weight: torch.Tensor = layer.weight.detach()
    return weight.T.contiguous() if isinstance(layer, Conv1D) else weight


def import_bitsandbytes() -> Any:
    """The bitsandbytes library.

    Raises:
        MissingExtraError: it is not installed.
    """
    silence_logs()
    try:
        import bitsandbytes as library
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "qlora", "4-bit weights") from error
    return library
