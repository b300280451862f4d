"""Makes the model a run starts from: a checkpoint's weights, or random ones that its seed alone decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from headstart.errors import ModelError
from headstart.models.checkpoints import Checkpoint
from headstart.models.library import build_network, get_first_line, load_network, silence_logs
from headstart.seeds import Purpose, derive_seed


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
    return _load_with_missing_from(
        draw_random_model(checkpoint.config, 0, "head", checkpoint.auto_class), checkpoint
    )[1]


def _list_head_names(model: Any) -> set[str]:
    """Names of the weights that lie outside the model's body."""
    prefix = f"{model.base_model_prefix}."
    return {name for name in model.state_dict() if not name.startswith(prefix)}


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
    model, report = _load_pretrained(checkpoint)
    missing = {*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])}
    _check_body_keys(model, missing, checkpoint)
    new_weights = new_model.state_dict()
    if not checkpoint.keeps_head:
        missing |= _list_head_names(new_model)
    model.load_state_dict({name: new_weights[name] for name in missing}, strict=False)
    return cast_to_module(model.train()), frozenset(missing)


def load_plain_model(checkpoint: Checkpoint) -> torch.nn.Module:
    """The checkpoint's network as it was saved, head and all, in float32, in evaluation mode.

    Raises:
        ModelError: the weights cannot be loaded.
    """
    with _weight_errors(checkpoint.name), silence_logs():
        model = load_network(
            checkpoint.auto_class, checkpoint.location, config=checkpoint.config, dtype=torch.float32
        )
    return cast_to_module(model.eval())


@contextmanager
def _weight_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
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
            # A head for other labels is replaced; a body of other sizes is refused below.
            ignore_mismatched_sizes=True,
        )
    return model, report


def _check_body_keys(model: Any, missing: set[str], checkpoint: Checkpoint) -> None:
    """A checkpoint may lack the head and the pooler, which masked-language models have not; nothing else."""
    prefix = f"{model.base_model_prefix}."
    in_body = {name for name in missing if name.startswith(prefix) and "pooler" not in name}
    foreign = sorted(missing if checkpoint.is_causal else in_body)
    if foreign:
        raise ModelError(
            f"{len(foreign)} weights of the body are absent or of another size, such as {foreign[0]}",
            where=checkpoint.name,
            expected=f"weights of a {checkpoint.config.model_type} with the sizes in its config.json",
        )
