"""Low-rank adapters beside frozen layers (Hu et al. 2021, "LoRA"); refuses targets that match nothing.

An adapted layer computes W x + b + scale * B A dropout(x) with W frozen. What PEFT computes, in layers that
a stack can hold: R members share the frozen base and each has its own A and B.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.pytorch_utils import Conv1D

from headstart.config.study import Lora
from headstart.engine.affine import FixedAffine
from headstart.errors import MissingExtraError, ModelError
from headstart.seeds import derive_seed

#: Names of query and value layers, for families that PEFT's table does not know.
_QUERY_AND_VALUE = frozenset(
    "query value q v q_proj v_proj q_lin v_lin query_proj value_proj in_proj Wqkv qkv_proj c_attn".split()  # noqa: SIM905
)
_IN_ATTENTION = re.compile(r"(?:^|[._])att(?:n|ention)(?:$|[._])", re.IGNORECASE)
_IN_BLOCK = re.compile(r"\.\d+\.")


class LoraLinear(nn.Module):
    """A frozen linear layer and its adapter: A [r, in] starts at random, B [out, r] at zero."""

    def __init__(self, base: nn.Module, lora: Lora) -> None:
        super().__init__()
        width, height = get_linear_sizes(base)
        like = next(base.parameters())
        self.base = base
        self.lora_A = nn.Linear(width, lora.r, bias=False, device=like.device)
        self.lora_B = nn.Linear(lora.r, height, bias=False, device=like.device)
        self.scaling = FixedAffine(torch.tensor(lora.scale, dtype=torch.float64))
        self.dropout = lora.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., in] -> [..., out]."""
        result: torch.Tensor = self.base(x)
        dropped = F.dropout(x, self.dropout, self.training)
        update: torch.Tensor = self.scaling(self.lora_B(self.lora_A(dropped)))
        return result + update.to(result.dtype)


def get_linear_sizes(layer: Any) -> tuple[int, int]:
    """How many numbers a linear layer takes and gives."""
    if isinstance(layer, Conv1D):
        return int(layer.weight.shape[0]), int(layer.weight.shape[1])
    return int(layer.in_features), int(layer.out_features)


def inject_adapters(model: Any, lora: Lora, seed: int, missing_keys: Collection[str] = ()) -> None:
    """Freeze `model` and give its target layers adapters, in place; what lies outside its body trains.

    A is drawn as PEFT draws it, He's uniform with a = sqrt(5), by (seed, "lora", path of the layer).

    Args:
        missing_keys: names of weights that the checkpoint lacks: their modules train too.

    Raises:
        ModelError: no layer matches a target.
    """
    paths = find_target_layers(model, lora)
    check_rank(model, paths, lora.r)
    trained = list_trained_modules(model, missing_keys)
    model.requires_grad_(False)
    for name in trained:
        model.get_submodule(name).requires_grad_(True)
    for path in paths:
        layer = LoraLinear(model.get_submodule(path), lora)
        _init_adapter(layer, seed, path)
        _unfreeze_biases(layer.base, lora.bias == "lora_only")
        model.set_submodule(path, layer)
    _unfreeze_biases(model, lora.bias == "all")


def check_rank(model: Any, paths: Collection[str], rank: int) -> None:
    """See that no adapter is wider than the layers at `paths`, before memory is taken for one.

    A product of two matrices has the rank of the narrower side of its layer at most: what lies beyond adds
    weights and changes nothing.

    Raises:
        ModelError: it is wider than the widest side of all of them.
    """
    sides = [side for path in paths for side in get_linear_sizes(model.get_submodule(path))]
    if rank > max(sides):
        useful = max(min(get_linear_sizes(model.get_submodule(path))) for path in paths)
        raise ModelError(
            f"rank {rank:,} is larger than any dimension of the adapted layers",
            where="lora.r",
            expected=f"at most {max(sides):,}; a rank beyond {useful:,} adds nothing",
        )


def _init_adapter(layer: LoraLinear, seed: int, path: str) -> None:
    draws = torch.Generator().manual_seed(derive_seed(seed, "lora", path, bits=64) >> 1)
    lora_a = torch.empty(layer.lora_A.weight.shape)
    nn.init.kaiming_uniform_(lora_a, a=math.sqrt(5), generator=draws)
    with torch.no_grad():
        layer.lora_A.weight.copy_(lora_a)
        layer.lora_B.weight.zero_()


def _unfreeze_biases(module: nn.Module, wanted: bool) -> None:
    for name, parameter in module.named_parameters():
        if wanted and name.rpartition(".")[2] == "bias":
            parameter.requires_grad_(True)


def list_trained_modules(model: Any, missing_keys: Collection[str] = ()) -> list[str]:
    """The modules that train whole beside adapters: those outside the body, and those of `missing_keys`
    weights.

    None of a causal language model, whose head the checkpoint has.
    """
    if is_causal(model):
        return []
    body = f"{model.base_model_prefix}."
    names = [name for name, _ in model.named_parameters()]
    outside = [name.split(".")[0] for name in names if not name.startswith(body)]
    return list(
        dict.fromkeys([*outside, *(_cut_at_pooler(n) for n in sorted(missing_keys) if n.startswith(body))])
    )


def is_causal(model: Any) -> bool:
    """Whether the model says the next token."""
    return model.get_output_embeddings() is not None


def _cut_at_pooler(name: str) -> str:
    """`bert.pooler` of `bert.pooler.dense.weight`: the module, not its parts."""
    return re.sub(r"(pooler)\..*", r"\1", name)


def find_target_layers(model: Any, lora: Lora) -> list[str]:
    """The paths of the layers that get adapters, in the model's order.

    Raises:
        ModelError: a name matches no layer; says which names and roles there are.
    """
    linear = list(iter_linear_layers(model))
    wanted = lora.target if lora.target is not None else _choose_default_targets(model, linear)
    if isinstance(wanted, str):
        targets = [path for path in linear if _IN_BLOCK.search(path) and _has_role(path, wanted)]
        unmatched = [] if targets else [wanted]
    else:
        targets = [path for path in linear if any(_is_match(path, name) for name in wanted)]
        unmatched = [name for name in wanted if not any(_is_match(path, name) for path in linear)]
    if unmatched:
        there = dict.fromkeys(path.rpartition(".")[2] for path in linear)
        raise ModelError(
            f"no linear layer of a {model.config.model_type} is called {', '.join(map(repr, unmatched))}",
            where="lora.target",
            expected=f"attention, mlp, all, or some of {', '.join(there)}",
        )
    return targets


def iter_linear_layers(model: Any) -> Iterator[str]:
    """Paths of the body's linear layers, the pooler's apart."""
    body = f"{model.base_model_prefix}."
    for path, module in model.named_modules():
        linear = isinstance(module, nn.Linear | Conv1D)
        if linear and path.startswith(body) and ".pooler" not in path:
            yield path


def count_linear_weights(model: Any) -> dict[str, int]:
    """Weights of each of the body's linear layers, biases apart, by path."""
    return {path: int(model.get_submodule(path).weight.numel()) for path in iter_linear_layers(model)}


def _is_match(path: str, name: str) -> bool:
    """As PEFT compares: the whole path, or its last parts."""
    return path == name or path.endswith(f".{name}")


def _has_role(path: str, role: str) -> bool:
    if role == "all":
        return True
    return bool(_IN_ATTENTION.search(path)) == (role == "attention")


def _choose_default_targets(model: Any, linear: list[str]) -> tuple[str, ...] | str:
    """PEFT's choice for the architecture; for one that it does not know, query and value by any name."""
    constants = import_peft().utils.constants
    known = constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(model.config.model_type)
    if known is not None and not isinstance(known, str):
        return tuple(known)
    last = {path.rpartition(".")[2] for path in linear}
    return tuple(sorted(last & _QUERY_AND_VALUE)) or "attention"


def pad_rank(model: nn.Module, rank: int) -> None:
    """Pad every adapter with zeros to `rank` rows in A and columns in B, in place.

    They stay zero: B's are multiplied by A's and the other way round, so neither ever has a gradient.
    """
    for layer in list_adapters(model).values():
        for linear, dimension in ((layer.lora_A, 0), (layer.lora_B, 1)):
            weight = linear.weight.detach()
            shape = list(weight.shape)
            shape[dimension] = rank
            wide = weight.new_zeros(shape)
            wide.narrow(dimension, 0, weight.shape[dimension]).copy_(weight)
            linear.weight = nn.Parameter(wide)


def list_adapters(model: nn.Module) -> dict[str, LoraLinear]:
    """The adapted layers by path."""
    return {path: module for path, module in model.named_modules() if isinstance(module, LoraLinear)}


def collect_trained_values(model: nn.Module) -> dict[str, torch.Tensor]:
    """What trains of a model, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def eject_adapters(model: nn.Module) -> nn.Module:
    """The model as it was before `inject_adapters`, in place: base layers back in their places, adapters
    gone."""
    for path, layer in list_adapters(model).items():
        model.set_submodule(path, layer.base)
    return model


def cast_base_to_bf16(model: nn.Module) -> None:
    """Cast frozen linear layers to bfloat16, in place, as autocast would do at each step."""
    for module in list_frozen_linear(model):
        module.to(torch.bfloat16)


def list_frozen_linear(model: nn.Module) -> list[nn.Module]:
    """Linear layers none of whose weights train, or lie in another layer too.

    A head that is one table with the token embedding is left: autocast rounds products, and not what is read.
    """
    shared = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    return [
        module
        for module in model.modules()
        if (type(module) is nn.Linear or isinstance(module, Conv1D))
        and not any(p.requires_grad or shared[id(p)] > 1 for p in module.parameters(recurse=False))
    ]


def silence_logs() -> None:
    """Silence bitsandbytes' messages on import about kernels that it does not need."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def import_peft() -> Any:
    """The PEFT library.

    Raises:
        MissingExtraError: it is not installed.
    """
    silence_logs()
    try:
        import peft as library
        import peft.utils.constants
    except ImportError as error:
        raise MissingExtraError("peft", "lora", "LoRA") from error
    return library
