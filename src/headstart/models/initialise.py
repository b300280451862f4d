"""Makes the model a run starts from: a checkpoint's weights, or random ones that its seed alone decides."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from transformers import AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.library import (
    LIBRARY_ERRORS,
    build_network,
    get_first_line,
    load_network,
    refuse_own_error,
    silence_logs,
)
from headstart.models.size_checks import check_saved_sizes
from headstart.seeds import Purpose, derive_seed
from headstart.stages import tell_stage

#: A layer's number in the name of a weight.
_LAYER_NUMBER: Final = re.compile(r"\.\d+\.")


def initialise_model(checkpoint: Checkpoint, *, pretrained: bool, seed: int) -> torch.nn.Module:
    """A model in float32, on the CPU, in training mode.

    Both initialisations take the head (and whatever else the checkpoint lacks) from one draw keyed by
    (seed, "head"), so arms that share a seed share it; the random body comes from (seed, "init"). A head
    that the checkpoint was tuned with is kept only where it is for the study's very labels. A causal model's
    head is part of it.

    Raises:
        ModelError: the checkpoint does not hold this architecture's body.
    """
    if checkpoint.is_causal and not pretrained:
        return cast_to_module(draw_random_model(checkpoint.config, seed, "init", checkpoint.auto_class))
    new_model = draw_random_model(checkpoint.config, seed, "head", checkpoint.auto_class)
    if pretrained:
        return _load_with_missing_from(new_model, checkpoint)[0]
    body = draw_random_model(checkpoint.config, seed, "init")
    new_weights = new_model.state_dict()
    body.load_state_dict({name: new_weights[name] for name in _list_head_names(new_model)}, strict=False)
    return cast_to_module(body)


def find_missing_keys(checkpoint: Checkpoint) -> frozenset[str]:
    """Names of the weights that the checkpoint does not contain: the head's, and perhaps a pooler's.

    Raises:
        ModelError: the checkpoint does not hold this architecture's body.
    """
    tell_stage(f"loading the weights of {checkpoint.name}")
    check_saved_sizes(checkpoint.build_skeleton(), checkpoint.location, checkpoint.name)
    return _load_and_list_missing(checkpoint)[1]


def _list_head_names(model: Any) -> set[str]:
    """Names of the weights that lie outside the model's body."""
    prefix = f"{model.base_model_prefix}."
    return {name for name in model.state_dict() if not name.startswith(prefix)}


def copy_parameters(model: Any, values: Mapping[str, torch.Tensor]) -> None:
    """Give those parameters these values in place; names of tied weights are the first of each."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in values:
                parameter.copy_(values[name])


def cast_to_module(model: Any) -> torch.nn.Module:
    """The library's untyped model, typed."""
    assert isinstance(model, torch.nn.Module)
    return model


def draw_random_model(
    config: Any, seed: int, purpose: Purpose, library: Any = AutoModelForSequenceClassification
) -> Any:
    """The library's own random initialisation, as a function of (seed, purpose).

    The library draws from torch's global generator: it is forked, seeded, and put back.
    """
    with torch.random.fork_rng(devices=[]), silence_logs():
        torch.manual_seed(derive_seed(seed, purpose, bits=64) >> 1)
        model = build_network(library, config, dtype=torch.float32)
    return model.train()


def _load_with_missing_from(new_model: Any, checkpoint: Checkpoint) -> tuple[torch.nn.Module, frozenset[str]]:
    """The checkpoint's model with what it lacks from `new_model`, and the names of that."""
    model, missing = _load_and_list_missing(checkpoint)
    new_weights = new_model.state_dict()
    model.load_state_dict({name: new_weights[name] for name in missing}, strict=False)
    return cast_to_module(model.train()), missing


def _load_and_list_missing(checkpoint: Checkpoint) -> tuple[Any, frozenset[str]]:
    """The checkpoint's model, and the names of what it lacks, which is at random in it."""
    model, report = _load_pretrained(checkpoint)
    missing = list_missing_keys(report)
    _check_body_keys(model, missing, report["unexpected_keys"], checkpoint)
    if not checkpoint.keeps_head:
        missing |= _list_head_names(model)
    return model, frozenset(missing)


def list_missing_keys(report: Mapping[str, Any]) -> set[str]:
    """What a model has at random, by the library's report of its loading: absent, or of another size."""
    return {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}


def load_plain_model(checkpoint: Checkpoint) -> torch.nn.Module:
    """The checkpoint's network as it was saved, head and all, in float32, in evaluation mode.

    Raises:
        ModelError: the weights cannot be loaded, or some of them are not there.
    """
    check_saved_sizes(checkpoint.build_skeleton(), checkpoint.location, checkpoint.name)
    model, report = _load_pretrained(checkpoint)
    check_complete(model, list_missing_keys(report), checkpoint.name)
    return cast_to_module(model.eval())


def check_complete(model: Any, missing: Collection[str], where: str) -> None:
    """See that nothing of a model that is to answer is at random.

    Raises:
        ModelError: something is: the folder holds another kind of model, or the one before it was tuned.
    """
    if missing:
        raise ModelError(
            f"{len(missing)} weights of a {type(model).__name__} are missing or of the wrong size, "
            f"such as {min(missing)}: answers would be random",
            where=where,
            expected="weights for all layers: a model fine-tuned for this task",
        )


@contextmanager
def _weight_errors(name: str) -> Iterator[None]:
    try:
        yield
    except LIBRARY_ERRORS as error:
        refuse_own_error(error)
        raise ModelError(
            f"weights cannot be loaded: {get_first_line(error)}",
            where=name,
            expected="model.safetensors beside config.json",
        ) from error


def _load_pretrained(checkpoint: Checkpoint) -> tuple[Any, dict[str, Any]]:
    with _weight_errors(checkpoint.name), silence_logs(), torch.random.fork_rng(devices=[]):
        model, report = load_network(
            checkpoint.auto_class,
            checkpoint.location,
            config=checkpoint.config,
            dtype=torch.float32,
            output_loading_info=True,
            # A head for other labels is replaced; what else has other sizes is refused afterwards.
            ignore_mismatched_sizes=True,
        )
    _check_layers(model, report["unexpected_keys"], checkpoint.name)
    check_finite(model, checkpoint.name)
    return model, report


def _check_body_keys(
    model: Any, missing: set[str], unexpected: Collection[str], checkpoint: Checkpoint
) -> None:
    """A checkpoint may lack the head and the pooler, which masked-language models have not; nothing else."""
    in_body = {name for name in missing if not is_head(name, model)}
    foreign = sorted(missing if checkpoint.is_causal else in_body)
    if foreign:
        others = f"; {len(unexpected)} have other names, such as {min(unexpected)}" if unexpected else ""
        raise ModelError(
            f"{len(foreign)} weights of the body are missing or of the wrong size, such as "
            f"{foreign[0]}{others}",
            where=checkpoint.name,
            expected=f"weights of a {checkpoint.config.model_type} with the sizes in its config.json",
        )


def is_head(name: str, model: Any) -> bool:
    """Whether a weight is of the head, or of a pooler, which belongs to it."""
    return not name.startswith(f"{model.base_model_prefix}.") or "pooler" in name


def list_uncounted(names: Collection[str], known: Collection[str]) -> list[str]:
    """Of `names` those that have another layer's number than any of `known`, and are like them otherwise."""
    kinds = {_LAYER_NUMBER.sub(".*.", name) for name in known}
    return sorted(n for n in names if n not in known and _LAYER_NUMBER.sub(".*.", n) in kinds)


def _check_layers(model: Any, unexpected: Collection[str], where: str) -> None:
    """See that the configuration counts all layers that there are: the library drops the others unsaid."""
    extra = list_uncounted(unexpected, model.state_dict())
    if extra:
        raise ModelError(
            f"it has {len(extra)} weights of layers that its config.json does not count, such as {extra[0]}",
            where=where,
            expected="as many layers as there are weights for",
            fix="correct the number of layers in config.json, or save the smaller model by save_pretrained",
        )


def check_finite(model: torch.nn.Module, where: str) -> None:
    """See that every weight is a number: one that is none makes answers nan.

    Raises:
        ModelError: one is none.
    """
    broken = [name for name, value in model.named_parameters() if not bool(value.isfinite().all())]
    if broken:
        raise ModelError(
            f"{len(broken)} of its tables of weights contain nan or infinity, such as {broken[0]}",
            where=where,
            expected="finite weights",
            fix="use an earlier checkpoint: its training diverged, or float16 was too small for it",
        )
