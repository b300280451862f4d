"""Sees, without memory for weights, that layers with adapters are called, and no weight is read past them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from headstart.config.study import Lora
from headstart.engine.trace import UNTRACEABLE, make_probe_batch, run_without_numbers
from headstart.errors import ModelError
from headstart.methods.lora_layers import find_target_layers, inject_adapters, is_causal, iter_linear_layers

#: Layers whose weights kernels of state space models read, where these are installed: PEFT refuses them too.
_READ_BY_KERNELS: Final = dict.fromkeys(
    ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h"), "out_proj"
)


def check_targets(skeleton: Any, lora: Lora, missing_keys: Collection[str]) -> None:
    """See that adapters beside the targets would take part in what the model computes.

    Raises:
        ModelError: no layer matches a target, or the family's code reads weights past an adapter.
    """
    paths, everything = find_target_layers(skeleton, lora), list(iter_linear_layers(skeleton))
    family, seed = str(skeleton.config.model_type), 0
    past = _list_uncalled(skeleton, everything)
    if past is None:  # its code decides by numbers
        return
    past |= {path for path in everything if path.rpartition(".")[2] == _READ_BY_KERNELS.get(family)}
    read = _shorten(path for path in paths if path in past)
    if read:
        usable = _shorten(path for path in everything if path not in past)
        raise ModelError(
            f"the code of a {family} reads the weights of {', '.join(read)} directly, bypassing any adapter",
            expected=f"some of {', '.join(usable)}",
        )
    inject_adapters(skeleton.eval(), lora, seed, missing_keys)
    try:
        run_without_numbers(skeleton, make_probe_batch(causal=is_causal(skeleton)))
    except UNTRACEABLE as error:
        raise ModelError(
            f"the code of a {family} does not take layers with adapters: {error}", fix="use method: full"
        ) from error


def find_idle_bias(skeleton: Any, lora: Lora) -> str | None:
    """What is to be said of a `bias` that trains nothing; None where it trains some, or is not asked for."""
    modules = (
        [skeleton]
        if lora.bias == "all"
        else [skeleton.get_submodule(p) for p in find_target_layers(skeleton, lora)]
    )
    names = [name for module in modules for name, _ in module.named_parameters()]
    if lora.bias == "none" or any(name.rpartition(".")[2] == "bias" for name in names):
        return None
    what = "has no biases" if lora.bias == "all" else "has no biases in these layers"
    return f"lora.bias: {lora.bias} has no effect: a {skeleton.config.model_type} {what}"


def _shorten(paths: Any) -> list[str]:
    return list(dict.fromkeys(path.rpartition(".")[2] for path in paths))


def _list_uncalled(skeleton: Any, paths: Sequence[str]) -> set[str] | None:
    """Layers that one pass does not call; None where the family's code does not run without numbers."""
    called = set[str]()
    hooks = [
        skeleton.get_submodule(path).register_forward_hook(lambda *_, path=path: called.add(path))
        for path in paths
    ]
    try:
        run_without_numbers(skeleton, make_probe_batch(causal=is_causal(skeleton)))
    except UNTRACEABLE:
        return None
    finally:
        for hook in hooks:
            hook.remove()
    return set(paths) - called
