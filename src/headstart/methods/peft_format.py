"""Adapters in PEFT's format: made, saved with their head, and merged. PEFT itself writes and merges."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from headstart.config.study import Lora
from headstart.errors import ModelError
from headstart.methods.four_bits import is_transposed
from headstart.methods.lora_layers import find_target_layers, import_peft, is_causal, list_trained_modules
from headstart.models.checkpoint_files import ADAPTER_CONFIG
from headstart.models.checkpoints import Checkpoint
from headstart.models.library import LIBRARY_ERRORS, get_first_line, never_ask, refuse_own_error, silence_logs
from headstart.models.stop_ids import set_stop_ids
from headstart.models.tokenizers import save_tokenizer
from headstart.seeds import derive_seed


def make_lora_config(model: Any, lora: Lora, missing_keys: Collection[str] = ()) -> Any:
    """The PEFT configuration of what `inject_adapters` does to `model`, which is not adapted yet."""
    paths = find_target_layers(model, lora)
    return import_peft().LoraConfig(
        task_type=_get_task_type(model),
        r=lora.r,
        lora_alpha=lora.alpha_in_force,
        lora_dropout=lora.dropout,
        target_modules=_shorten_names(model, paths),
        modules_to_save=list_trained_modules(model, missing_keys) or None,
        bias=lora.bias,
        use_rslora=lora.rslora,
        fan_in_fan_out=is_transposed(model.get_submodule(paths[0])),
    )


def _get_task_type(model: Any) -> str:
    return "CAUSAL_LM" if is_causal(model) else "SEQ_CLS"


def _shorten_names(model: nn.Module, paths: Sequence[str]) -> list[str]:
    """The last parts of the paths where these name the same layers, as people write them; else the paths."""
    names = sorted({path.rpartition(".")[2] for path in paths})
    meant = [p for p, m in model.named_modules() if p.rpartition(".")[2] in names and not list(m.children())]
    return names if set(meant) == set(paths) else list(paths)


def convert_to_peft(
    base: Any, values: Mapping[str, torch.Tensor], lora: Lora, missing_keys: Collection[str] = ()
) -> Any:
    """`base`, a model before it is adapted, as a `PeftModel` with trained `values` of adapters and head."""
    modules = list_trained_modules(base, missing_keys)
    config = make_lora_config(base, lora, missing_keys)
    is_transposed_base = config.fan_in_fan_out
    with silence_warnings():
        model = import_peft().get_peft_model(base, config)
    # PEFT unsets it where layers lie in four bits. What is saved is for the checkpoint, whose layers do not.
    model.peft_config["default"].fan_in_fan_out = is_transposed_base
    state = model.state_dict()
    with torch.no_grad():
        for name, value in values.items():
            state[_get_peft_name(name, modules)].copy_(value)
    return model


def _get_peft_name(name: str, modules: Sequence[str]) -> str:
    """What PEFT calls our parameter `name`."""
    for kind in ("lora_A", "lora_B"):
        name = name.replace(f".{kind}.weight", f".{kind}.default.weight")
    name = name.replace(".base.", ".base_layer.")
    for module in modules:
        if name.startswith(f"{module}."):
            name = f"{module}.modules_to_save.default.{name.removeprefix(module + '.')}"
            break
    return f"base_model.model.{name}"


def wrap_with_peft(
    base: Any, config: Mapping[str, Any], seed: int, missing_keys: Collection[str] = ()
) -> Any:
    """`base` as a `PeftModel` of any configuration of PEFT's; what that draws is a function of the seed.

    Raises:
        ModelError: PEFT refuses the configuration, in its own words.
    """
    library = import_peft()
    given = {"task_type": _get_task_type(base), **config}
    try:
        peft_config = library.get_peft_config(given)
        if hasattr(peft_config, "modules_to_save"):
            peft_config.modules_to_save = [
                *(peft_config.modules_to_save or ()),
                *list_trained_modules(base, missing_keys),
            ] or None
        with silence_warnings(), never_ask(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "lora", bits=64) >> 1)
            model = library.get_peft_model(base, peft_config).train()
            _name_feedforward(model)
            return model
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"PEFT refuses it: {type(error).__name__}: {error}",
            where="arms.*.peft",
            expected="a PEFT configuration, such as {peft_type: IA3, target_modules: [query]}",
        ) from error


def _name_feedforward(model: Any) -> None:
    """Have an IA3 configuration name its feed-forward layers as PEFT wants to read them, in place.

    PEFT fills in those of the family where none are named, and refuses to read names that are no targets.
    """
    config = model.peft_config["default"]
    targets, feedforward = (getattr(config, key, None) for key in ("target_modules", "feedforward_modules"))
    if not (isinstance(targets, set | list) and isinstance(feedforward, set | list)):
        return
    if not set(feedforward) <= set(targets):
        layers = model.get_base_model().named_modules()
        config.feedforward_modules = {
            path for path, layer in layers if getattr(layer, "is_feedforward", False)
        }
        config.target_modules = {*targets, *config.feedforward_modules}


@contextmanager
def silence_warnings() -> Iterator[None]:
    """PEFT's warnings held back: they are about settings that Headstart has made."""
    with warnings.catch_warnings(), silence_logs():
        warnings.simplefilter("ignore")
        yield


def save_adapter(model: Any, checkpoint: Checkpoint, folder: Path) -> None:
    """Write a `PeftModel`'s adapter and head, the configuration with label names, and the tokenizer."""
    with silence_warnings():
        config = model.peft_config["default"]
        config.base_model_name_or_path = checkpoint.location
        if getattr(config, "modules_to_save", None):  # to ours PEFT adds the heads that it knows
            config.modules_to_save = sorted(set(config.modules_to_save))
        _sort_sets(config)
        model.save_pretrained(folder)
        checkpoint.config.save_pretrained(folder)
        save_tokenizer(checkpoint.tokenizer, folder)
        if checkpoint.is_causal:
            base = model.get_base_model()
            set_stop_ids(base, checkpoint.stop_ids)
            base.generation_config.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card; ours is written later


def _sort_sets(config: Any) -> None:
    """Have names in an order, in place: PEFT makes sets of them, which each process lists in its own."""
    for key, value in vars(config).items():
        if isinstance(value, set | frozenset):
            setattr(config, key, sorted(value))


def find_merge_obstacle(model: Any) -> str | None:
    """Why what a `PeftModel` has learnt cannot be put into its base's weights; None where it can."""
    if not hasattr(model.base_model, "merge_and_unload"):
        return "it does not change weights"
    kind = model.peft_type.value
    if kind == "LILY":
        return "PEFT has no code for it"
    layers = (module for module in model.modules() if hasattr(module, "base_layer"))
    if kind == "BEFT" and any(getattr(layer.base_layer, "bias", None) is None for layer in layers):
        return "it trains biases, and a layer has none"
    if _changes_tied_table(model):
        return "it adapts the token embedding, whose weights are tied to the head and would change with it"
    return None


def _changes_tied_table(model: Any) -> bool:
    """Whether a layer with an adapter is one of two that have the same weights."""
    base = model.get_base_model()
    tied = {*base.all_tied_weights_keys, *base.all_tied_weights_keys.values()}
    changed = (path for path, module in base.named_modules() if hasattr(module, "get_delta_weight"))
    return any(f"{path}.weight" in tied for path in changed)


def merge_adapter(model: Any) -> Any:
    """A `PeftModel` as a plain model whose weights hold the adapter; the adapter is gone afterwards.

    Raises:
        ModelError: it is of a type that has no place in the base's weights, or PEFT cannot merge it.
    """
    reason = find_merge_obstacle(model)
    if reason is not None:
        raise ModelError(
            f"a {model.peft_type.value} adapter cannot be merged into its base's weights: {reason}",
            where=ADAPTER_CONFIG,
            expected="a type that can be merged, such as LORA or IA3",
            fix="export it with --adapter, and load it with peft.PeftModel.from_pretrained",
        )
    try:
        with silence_warnings():
            return model.merge_and_unload()
    except LIBRARY_ERRORS as error:
        refuse_own_error(error)
        raise ModelError(
            f"PEFT cannot merge it: {get_first_line(error)}",
            where=ADAPTER_CONFIG,
            expected="an adapter that can be merged",
            fix="export it with --adapter, and load it with peft.PeftModel.from_pretrained",
        ) from error
