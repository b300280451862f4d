"""Four-bit weights for a frozen body: NF4 blocks with double quantisation (Dettmers et al. 2023, "QLoRA").

bitsandbytes does the work, on CUDA and on CPUs. Nothing that is quantised can train; adapters beside it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from headstart.errors import MissingExtraError
from headstart.methods.lora_layers import iter_linear_layers, silence_logs


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
        # GPT-2's Conv1D lies the other way, and bitsandbytes has none.
        if type(model.get_submodule(path)) is nn.Linear:
            yield path


def count_four_bit_bytes(numbers: int) -> int:
    """Memory of so many weights of one layer: about 4.127 bits each (Dettmers et al. 2023, section 3).

    Half a byte a weight; for each block of 64 a scale in 8 bits; for each 256 of these a scale in 32 bits.
    """
    scales = -(-numbers // 64)
    return -(-numbers // 2) + scales + 4 * -(-scales // 256)


def _quantise_layer(layer: nn.Linear, device: torch.device, compute: torch.dtype) -> nn.Module:
    library = import_bitsandbytes()
    has_bias = layer.bias is not None
    with torch.device("meta"):
        small = library.nn.Linear4bit(
            layer.in_features, layer.out_features, bias=has_bias, compute_dtype=compute, quant_type="nf4"
        )
    small.weight = library.nn.Params4bit(
        layer.weight.detach(), requires_grad=False, compress_statistics=True, quant_type="nf4", module=small
    )
    small.bias = layer.bias
    # Repacked for inference at the first evaluation, weights could train no adapter afterwards.
    small.support_avx512bf16_for_cpu = False
    quantised: nn.Module = small.to(device)
    return quantised.train(layer.training)


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
