"""Which of PEFT's types are trained as PEFT trains them, and which are refused, with what to take instead."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from headstart.config.runs import Run
from headstart.engine.trace import UNTRACEABLE, make_probe_batch, run_without_numbers
from headstart.engine.virtual_tokens import count_virtual_tokens, prepends_keys, unwrap_peft
from headstart.errors import ModelError
from headstart.methods.lora_layers import is_causal
from headstart.models.adapter_limits import list_faults

#: What PEFT does for a type beside the model's own loss and the optimiser's steps, and what comes close.
_REFUSED: Final = {
    "ADALORA": ("moves ranks between layers by an extra call after each step", "LORA"),
    "XLORA": ("mixes adapters that are already trained", "LORA"),
    "POLY": ("needs a task id for each text", "LORA"),
    "MULTITASK_PROMPT_TUNING": ("needs a task id for each text", "PROMPT_TUNING"),
    "CPT": ("has its own loss, which includes its prompt", "PROMPT_TUNING"),
    "SHADOW": ("adds the loss of a second network to the model's", "LORA"),
    "ADAMSS": ("computes in the format it was created in, whatever the run's precision", "LORA"),
    "OSF": ("changes gradients by projections between the backward pass and the step", "LORA"),
    "PVERA": ("draws noise in each step that the run's seed does not control", "VERA"),
}
#: Settings of others that do the same, where they are not left at nothing.
_REFUSED_SETTINGS: Final = {
    "rank_dropout": "draws masks in each step that the run's seed does not control",
    "module_dropout": "draws masks in each step that the run's seed does not control",
    "boft_dropout": "draws masks in each step that the run's seed does not control",
}

_LOST_TOKEN: Final = "it classifies by a text's last token, which is not found after virtual tokens"


def refuse_type(config: Mapping[str, Any]) -> None:
    """See that the engine's steps are all that PEFT's type needs.

    Raises:
        ModelError: they are not; says what to take.
    """
    kind = str(getattr(config.get("peft_type"), "value", config.get("peft_type"))).upper()
    if kind in _REFUSED:
        reason, instead = _REFUSED[kind]
        raise ModelError(f"PEFT's {kind} {reason}, which is not supported", fix=f"use peft_type: {instead}")
    for got, expected in list_faults(config):
        raise ModelError(got, expected=expected)
    _check_text_prompt(config)
    for name, reason in _REFUSED_SETTINGS.items():
        if config.get(name):
            raise ModelError(
                f"{name} of PEFT's {kind} {reason}, which is not supported", fix=f"leave {name} out"
            )


def _check_text_prompt(config: Mapping[str, Any]) -> None:
    given = config.get("prompt_tuning_init")
    needed = ("tokenizer_name_or_path", "prompt_tuning_init_text")
    if getattr(given, "value", given) == "TEXT" and not all(config.get(key) for key in needed):
        raise ModelError(
            f"prompt_tuning_init: TEXT needs {' and '.join(needed)}",
            fix="set both below peft, or use prompt_tuning_init: RANDOM",
        )


def check_trainable(wrapped: Any) -> None:
    """See that PEFT's configuration trains something of its own, whatever head trains beside it.

    Raises:
        ModelError: it does not, such as a prompt of no tokens.
    """
    trained = sum(value.numel() for name, value in wrapped.named_parameters() if _is_adapter(name, value))
    if not trained:
        kind = wrapped.peft_type.value
        raise ModelError(
            f"PEFT's {kind} trains no weights with these settings",
            fix="raise num_virtual_tokens, or its rank",
        )


def _is_adapter(name: str, value: Any) -> bool:
    return value.requires_grad and ".modules_to_save." not in name


def check_prompt(wrapped: Any, run: Run) -> None:
    """See that a prompt of PEFT's works with the model, whose skeleton is `wrapped`.

    Raises:
        ModelError: it does not; says what to take.
    """
    if not count_virtual_tokens(wrapped):
        return
    kind = str(wrapped.peft_type.value)
    reason = _find_prompt_obstacle(wrapped, run)
    if reason is not None:
        family = unwrap_peft(wrapped).config.model_type
        raise ModelError(f"PEFT's {kind} does not work with a {family} here: {reason}", fix=_suggest(wrapped))


def _suggest(wrapped: Any) -> str:
    others = "LORA" if prepends_keys(wrapped) else "PREFIX_TUNING if the family supports it, or LORA"
    return f"use peft_type: {others}"


def _find_prompt_obstacle(wrapped: Any, run: Run) -> str | None:
    if prepends_keys(wrapped):
        if run.training.gradient_checkpointing:
            return "its keys are lost where activations are recomputed (training.gradient_checkpointing)"
    elif _loses_last_token(wrapped):
        return _LOST_TOKEN
    return _try_forward(wrapped)


def check_last_token(wrapped: Any, where: str) -> None:
    """See that a saved adapter is none of a classifier that its prompt makes read padding.

    Raises:
        ModelError: it is: its answer to a text would depend on those beside it.
    """
    if count_virtual_tokens(wrapped) and not prepends_keys(wrapped) and _loses_last_token(wrapped):
        family = unwrap_peft(wrapped).config.model_type
        kind = wrapped.peft_type.value
        raise ModelError(f"PEFT's {kind} does not work with a {family} here: {_LOST_TOKEN}", where=where)


def _loses_last_token(wrapped: Any) -> bool:
    base = unwrap_peft(wrapped)
    return not is_causal(base) and reads_last_token(base)


def reads_last_token(model: Any) -> bool:
    """Whether a classifier is a decoder's, which reads the last token, as its ids tell, of each text."""
    return "past_key_values" in inspect.signature(type(model).forward).parameters


def _try_forward(wrapped: Any) -> str | None:
    """What the library says to one pass over few tokens without numbers, if its plain model takes them."""
    batch = make_probe_batch(causal=is_causal(unwrap_peft(wrapped)))
    try:
        run_without_numbers(wrapped, batch)
    except UNTRACEABLE as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else error!r}"
    return None


def check_head(wrapped: Any, modules: Collection[str], missing_keys: Collection[str]) -> None:
    """See that what the checkpoint lacks trains: PEFT leaves a head to chance with some types.

    Args:
        modules: of the plain model, those that are to train whole.

    Raises:
        ModelError: part of it would stay at random, and would not be saved.
    """
    kind = wrapped.peft_type.value
    left = list(dict.fromkeys(_list_untrained(wrapped, modules, missing_keys)))
    if left:
        raise ModelError(
            f"PEFT's {kind} does not train {' and '.join(left)}, which the checkpoint lacks",
            expected="a type that trains new heads, such as LORA or IA3, or a checkpoint with a trained head",
        )


def _list_untrained(wrapped: Any, modules: Collection[str], missing: Collection[str]) -> Iterator[str]:
    trained = [f".{name}" for name, value in wrapped.named_parameters() if value.requires_grad]
    for module in modules:
        lacks = any(key.startswith(f"{module}.") for key in missing)
        if lacks and not any(f".{module}." in name for name in trained):
            yield module
