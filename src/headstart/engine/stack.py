"""Stacks R models of one architecture into one module and extracts them; refuses what would not be exact.

Every layer with weights is replaced by one that holds all R sets of them; the rest of the model runs
unchanged on a batch of [R*B, ...], rows grouped by member. Frozen weights that all members have in common
are held once. Each stack is checked against its members.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from headstart.engine.affine import FixedAffine
from headstart.engine.families import find_obstacle, patch_for_stack, unpatch
from headstart.engine.layers import (
    BatchRows,
    StackedAffine,
    StackedConv1D,
    StackedEmbedding,
    StackedLayer,
    StackedLinear,
    StackedNorm,
    stack_parameters,
)
from headstart.engine.modes import evaluation_mode
from headstart.errors import StackError
from headstart.models.checkpoints import NAME_KEYS
from headstart.models.vocabulary import CompactEmbedding

_CHECK_ROWS, _CHECK_TOKENS = 2, 7
#: How far two orders of summation may differ, in units of the number format's last place.
_ROUNDING = 1e4


class Stack(nn.Module):
    """R models as one: a batch of [R*B, ...] in, the model's own output of [R*B, ...] out.

    Parameters bear the names they have in one model below `model.`, with a leading dimension R; those that
    are frozen and equal in all models are shared, and have none. `members` is R.
    """

    def __init__(self, model: nn.Module, rows: BatchRows, members: int) -> None:
        super().__init__()
        self.model, self._rows, self.members = model, rows, members

    @property
    def config(self) -> Any:
        """The members' common configuration."""
        return self.model.config

    def forward(self, input_ids: torch.Tensor, **inputs: Any) -> Any:
        """What the model computes of `input_ids` [R*B, T] and other inputs of as many rows.

        Raises:
            ValueError: rows cannot be shared out, or `labels` came along: the model would take the
                mean over all members' losses, where each needs its own. Compute it from the logits.
        """
        if inputs.get("labels") is not None:
            raise ValueError("a stack computes logits; give each member its own loss from its own rows")
        if len(input_ids) % self.members:
            raise ValueError(f"{len(input_ids)} rows cannot be shared out to {self.members} members")
        self._rows.count = len(input_ids)
        return self.model(input_ids=input_ids, **inputs)


def count_members(module: nn.Module) -> int:
    """How many members a module has: those of a stack, or one, a plain model."""
    return module.members if isinstance(module, Stack) else 1


def stack(models: Sequence[nn.Module], *, check: bool = True) -> Stack:
    """One module that computes what the R `models` compute, each on its own rows of the batch.

    Weights are copied. With `check`, a small batch goes through the stack and through the first and the
    last model, and their outputs must agree.

    Example:
        stack = headstart.stack(models)
        logits = stack(input_ids=ids, attention_mask=mask).logits  # [R*B, T] in, [R*B, C] out

    Raises:
        StackError: the models differ in architecture or constants, one has weights outside the layers
            that can be stacked, or the outputs do not agree.
    """
    if not models:
        raise StackError("no models given", expected="at least one")
    _check_same_architecture(models)
    reason = find_stacking_obstacle(models[0])
    if reason is not None:
        raise StackError(reason, where=_get_class_name(models[0]))
    rows = BatchRows()
    module = Stack(_replace_layers(models, rows), rows, len(models)).train(models[0].training)
    patch_for_stack(module)
    if check:
        check_agreement(module, {0: models[0], len(models) - 1: models[-1]})
    return module


def unstack(module: Stack, r: int) -> nn.Module:
    """Member r of a stack as an ordinary model with copies of its weights.

    Example:
        best = headstart.unstack(stack, 2)

    Raises:
        IndexError: there is no such member.
    """
    if not 0 <= r < module.members:
        raise IndexError(f"member {r} of a stack of {module.members}")
    copies: dict[int, Any] = {}
    for layer in (m for m in module.model.modules() if isinstance(m, StackedLayer)):
        copies[id(layer)] = _extract_layer(layer, r, copies)
    # deepcopy takes what its memo holds for the copy of the original: so no stacked weight is copied.
    plain: nn.Module = copy.deepcopy(module.model, copies)
    unpatch(plain)
    return plain


def _extract_layer(layer: Any, r: int, copies: dict[int, Any]) -> nn.Module:
    """Member r's layer; weights that are tied in the stack are tied again."""
    plain: nn.Module = layer.extract_member(r)
    for name, value in layer.named_parameters(recurse=False):
        setattr(plain, name, copies.setdefault(id(value), getattr(plain, name)))
    return plain


def find_stacking_obstacle(model: nn.Module) -> str | None:
    """Why models like this one cannot be stacked, or None. Weights are not looked at: meta tensors do."""
    stackable = {id(p) for m in model.modules() if _get_layer_kind(m) for p in m.parameters(recurse=False)}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in stackable:
                where = f"{path}.{name}" if path else name
                return (
                    f"its {where} is held by a {type(module).__name__}; only weights of Linear, Embedding, "
                    "LayerNorm, RMSNorm and Conv1D are stacked"
                )
    return find_obstacle(model)


def _get_class_name(model: nn.Module) -> str:
    return type(model).__name__


def _get_layer_kind(module: nn.Module) -> str | None:
    """Which stacked layer can stand for `module`."""
    if type(module) is nn.Linear or _is_tied_linear(module):
        return "linear"
    if isinstance(module, Conv1D):
        return "conv1d"
    if isinstance(module, CompactEmbedding) or _is_embedding(module):
        return "embedding"
    if isinstance(module, FixedAffine):
        return "affine"
    return "norm" if _is_norm(module) else None


def is_linear_map(module: nn.Module) -> bool:
    """Whether `module` multiplies by a weight of its own and does nothing else; plain or stacked."""
    is_stacked = isinstance(module, StackedLinear | StackedConv1D)
    return is_stacked or _get_layer_kind(module) in ("linear", "conv1d")


def _is_tied_linear(module: nn.Module) -> bool:
    """torch's own variant that is a Linear in all but name."""
    return type(module) is nn.modules.linear.NonDynamicallyQuantizableLinear


def _is_embedding(module: nn.Module) -> bool:
    """An embedding that looks rows up and does nothing else; families subclass it without changing that."""
    if not isinstance(module, nn.Embedding) or type(module).forward is not nn.Embedding.forward:
        return False
    return module.max_norm is None and not module.scale_grad_by_freq and not module.sparse


def _is_norm(module: nn.Module) -> bool:
    """A LayerNorm or RMSNorm, whatever the family calls it: nothing but a scale and perhaps a shift."""
    parameters = dict(module.named_parameters(recurse=False))
    are_vectors = all(p.dim() == 1 for p in parameters.values())
    is_named = type(module).__name__.lower().endswith("norm") and parameters.keys() <= {"weight", "bias"}
    return is_named and "weight" in parameters and are_vectors and not any(True for _ in module.children())


def _check_same_architecture(models: Sequence[nn.Module]) -> None:
    first = models[0]
    for r, model in enumerate(models[1:], start=1):
        difference = next(_find_differences(first, model), None)
        if difference is not None:
            raise StackError(
                f"model {r} differs from model 0: {difference}",
                where=_get_class_name(first),
                expected="models of one architecture",
            )


def _find_differences(first: nn.Module, other: nn.Module) -> Iterator[str]:
    """All that `other` would have to have in common with the first model of a stack, and has not."""
    if type(first) is not type(other):
        yield f"{_get_class_name(other)} instead of {_get_class_name(first)}"
        return
    wanted, config = _get_config_values(first), _get_config_values(other)
    yield from (f"{k} {config.get(k)} instead of {v}" for k, v in wanted.items() if config.get(k) != v)
    first_parameters, parameters = (dict(m.named_parameters()) for m in (first, other))
    extra = parameters.keys() - first_parameters.keys()
    yield from (f"{name}, which model 0 lacks or has tied" for name in extra)
    for name, parameter in first_parameters.items():
        form, its = _describe_parameter(parameter), _describe_parameter(parameters.get(name))
        yield from (f"{name} of {k} {its[k]} instead of {v}" for k, v in form.items() if its[k] != v)
    constants, others = _collect_constants(first), _collect_constants(other)
    for name, buffer in constants.items():
        if name not in others or not torch.equal(buffer, others[name]):
            yield f"another {name}"


def _collect_constants(model: nn.Module) -> dict[str, torch.Tensor]:
    """The buffers, which nothing trains: equal in all members, but for those of `FixedAffine`."""
    per_member = {id(buffer) for m in model.modules() if isinstance(m, FixedAffine) for buffer in m.buffers()}
    return {name: buffer for name, buffer in model.named_buffers() if id(buffer) not in per_member}


def _describe_parameter(parameter: nn.Parameter | None) -> dict[str, Any]:
    """All that must agree between members' parameters but their numbers."""
    if parameter is None:
        return {"shape": (), "dtype": None, "requires_grad": None}
    return {
        "shape": tuple(parameter.shape),
        "dtype": parameter.dtype,
        "requires_grad": parameter.requires_grad,
    }


def _get_config_values(model: Any) -> dict[str, Any]:
    config = getattr(model, "config", None)
    return {k: v for k, v in config.to_dict().items() if k not in NAME_KEYS} if config is not None else {}


def _replace_layers(models: Sequence[nn.Module], rows: BatchRows) -> nn.Module:
    """A copy of the first model in which every layer with weights holds those of all models."""
    stacked: dict[int, Any] = {}
    for path, layer in models[0].named_modules(remove_duplicate=False):
        layers = [model.get_submodule(path) for model in models]
        is_shared = _can_share(layers)
        for name, parameter in layer.named_parameters(recurse=False):
            if id(parameter) not in stacked:  # a tied one is stacked once, and stays tied
                every = [m.get_parameter(name) for m in layers]
                stacked[id(parameter)] = parameter if is_shared else stack_parameters(every)
        if _get_layer_kind(layer) and not is_shared and id(layer) not in stacked:
            stacked[id(layer)] = _stack_layer(layers, stacked, rows)
    # deepcopy takes what its memo holds for the copy of the original: here the stacked layer.
    return copy.deepcopy(models[0], stacked)


def _can_share(layers: Sequence[nn.Module]) -> bool:
    """Whether a layer's weights, those of each model, are frozen and the same, so that one set serves all."""
    first = list(layers[0].parameters(recurse=False))
    if not first or any(p.requires_grad for p in first):
        return False
    others = (list(layer.parameters(recurse=False)) for layer in layers[1:] if layer is not layers[0])
    return all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def _stack_layer(layers: Sequence[Any], stacked: dict[int, Any], rows: BatchRows) -> StackedLayer:
    layer = layers[0]
    weights = {name: stacked[id(value)] for name, value in layer.named_parameters(recurse=False)}
    kind = _get_layer_kind(layer)
    if kind == "affine":
        return StackedAffine(layers)
    if kind == "linear":
        return StackedLinear(layer, weights)
    if kind == "conv1d":
        return StackedConv1D(layer, weights)
    if kind == "embedding":
        return StackedEmbedding(layer, weights, rows)
    return StackedNorm(layer, weights)


def check_agreement(module: Stack, models: Mapping[int, nn.Module]) -> None:
    """Run a small batch through the stack and through some members' own models, which must give the same.

    Raises:
        StackError: they do not.
    """
    first = next(iter(models.values()))
    batch = _create_check_batch(first)
    repeated = {name: rows.repeat(module.members, 1) for name, rows in batch.items()}
    try:
        stacked = _compute_outputs(module, repeated).chunk(module.members)
        errors = [_measure_gap(stacked[r], _compute_outputs(model, batch)) for r, model in models.items()]
    # Whatever the family's own code raises on layers that it does not expect.
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
        message = f"its code does not work on stacked layers: {str(error).splitlines()[0]}"
        raise StackError(message, where=_get_class_name(first)) from error
    if not max(errors) <= 1:  # so written, it refuses a gap that is not a number, too
        raise StackError(
            "stacked, it computes something else: this family uses its layers in a way of its own",
            where=_get_class_name(first),
        )


def _create_check_batch(model: nn.Module) -> dict[str, torch.Tensor]:
    """Two rows of seven ids that the model knows, the second padded; drawn the same way each time."""
    table: Any = model.get_input_embeddings()  # type: ignore[operator]
    is_compact = isinstance(table, CompactEmbedding)
    known = table.list_ids().cpu() if is_compact else torch.arange(table.num_embeddings)
    draw = torch.Generator().manual_seed(0)
    ids = known[torch.randint(len(known), (_CHECK_ROWS, _CHECK_TOKENS), generator=draw)]
    mask = torch.ones_like(ids)
    padding = getattr(getattr(model, "config", None), "pad_token_id", None)
    if padding is not None:
        mask[1, -_CHECK_TOKENS // 3 :] = 0
        ids[mask == 0] = padding
    device = next(model.parameters()).device
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}


def _compute_outputs(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The outputs without dropout: logits, or the last hidden states of a model without a head."""
    with evaluation_mode(module), torch.no_grad():
        outputs = module(**inputs)
    tensor: torch.Tensor = outputs.logits if "logits" in outputs else outputs[0]
    return tensor


def _measure_gap(outputs: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, in units of what rounding explains."""
    allowed = _ROUNDING * torch.finfo(expected.dtype).eps * (1 + float(expected.abs().max()))
    return float((outputs - expected).abs().max()) / allowed
