"""Which weights of a network are its embeddings, its layers and its norms: by its modules; draws nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from headstart.config.partial_start import PartialStart
from headstart.engine.stackable_layers import is_norm
from headstart.errors import ModelError
from headstart.models.vocabulary import get_input_embedding
from headstart.wording import format_count


def list_kept_names(model: Any, start: PartialStart) -> frozenset[str]:
    """Names of the parameters that `start` keeps, of tied ones all.

    Args:
        model: the network, on the meta device or with weights.

    Raises:
        ModelError: the network does not tell its parts apart, or has fewer layers.
    """
    kept = {id(parameter) for module in _list_modules(model, start) for parameter in module.parameters()}
    return frozenset(
        name for name, parameter in model.named_parameters(remove_duplicate=False) if id(parameter) in kept
    )


def find_table_name(model: Any) -> str:
    """The name of the word embeddings' parameter.

    Raises:
        ModelError: the family does not say which it is.
    """
    table = _get_table(model)
    names = (name for name, parameter in model.named_parameters() if parameter is table.weight)
    return str(next(names))


def _list_modules(model: Any, start: PartialStart) -> Iterator[nn.Module]:
    if "embeddings" in start.keep:
        yield from _list_embeddings(model.base_model)
    if start.first_layers:
        yield from _list_layers(model.base_model, start.first_layers)
    if "norms" in start.keep:
        yield from _list_norms(model.base_model)


def _list_embeddings(base: Any) -> Iterator[nn.Module]:
    """All that comes before the layers: word, position and type tables, a norm or a projection after them.

    Of the smallest module that holds both the word embeddings and the layers, the children before the one
    with the layers: families whose tables are a module have one, GPT-2 and BLOOM have some, Llama its table.
    A norm among them is the embeddings' where another one follows the layers; OPT's one is made before them
    and follows them.
    """
    shared, of_layers = _split_path(_find_path(base, _get_table(base)), find_stack(base)[0])
    children = dict(base.get_submodule(shared).named_children())
    place = list(children).index(of_layers)
    before, after = list(children.values())[:place], list(children.values())[place + 1 :]
    has_last_norm = any(map(is_norm, after))
    yield from (child for child in before if has_last_norm or not is_norm(child))


def _split_path(table: str, stack: str) -> tuple[str, str]:
    """The path of the smallest module that holds both, and of its children the one with the layers."""
    shared: list[str] = []
    theirs = stack.split(".")
    for mine, other in zip(table.split("."), theirs, strict=False):
        if mine != other:
            break
        shared.append(mine)
    return ".".join(shared), theirs[len(shared)]


def _list_layers(base: Any, count: int | str) -> Iterator[nn.Module]:
    """The first layers, and what an encoder has beside them for all of them, as relative positions.

    Where the layers' list lies beside the embeddings there is no such module, and a norm that follows them
    is none of theirs.

    Raises:
        ModelError: there are fewer, or they share their weights.
    """
    path, stack = find_stack(base)
    if count != "all":
        _check_count(base, stack, int(count))
    yield from stack if count == "all" else stack[: int(count)]
    shared, of_layers = _split_path(_find_path(base, _get_table(base)), path)
    holder = base.get_submodule(".".join(filter(None, (shared, of_layers))))
    yield from (module for module in _walk_beside(holder, stack) if holder is not stack)


def _walk_beside(holder: nn.Module, stack: nn.Module) -> Iterator[nn.Module]:
    """The largest modules of `holder` that have nothing of the stack in them."""
    for child in holder.children():
        if stack not in set(child.modules()):
            yield child
        elif child is not stack:
            yield from _walk_beside(child, stack)


def _check_count(base: Any, stack: Sequence[nn.Module], count: int) -> None:
    layers = base.config.num_hidden_layers
    if len(stack) != layers:
        raise ModelError(
            f"its {layers} layers share their weights",
            expected="keep: layers, which are all of them",
        )
    if count > len(stack):
        raise ModelError(
            f"it has {format_count(len(stack), 'layer')}, not {count}",
            expected=f"at most {len(stack)} layers",
        )


def find_stack(base: Any) -> tuple[str, Any]:
    """The list of a network's layers, and its path: the outermost list with weights.

    Raises:
        ModelError: there is none, or several, as encoder-decoders have.
    """
    found = list(_find_lists(base, ""))
    if len(found) > 1:
        counted = [(path, one) for path, one in found if len(one) == base.config.num_hidden_layers]
        found = counted if len(counted) == 1 else found
    if len(found) != 1:
        which = f"it has {len(found)} lists of layers" if found else "it has no list of layers"
        raise ModelError(
            f"the layers of a {base.config.model_type} cannot be told apart: {which}",
            expected="an encoder or a decoder with one, or keep: norms",
        )
    return found[0]


def _find_lists(module: nn.Module, path: str) -> Iterator[tuple[str, nn.ModuleList]]:
    for name, child in module.named_children():
        where = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList) and any(True for _ in child.parameters()):
            yield where, child
        else:
            yield from _find_lists(child, where)


def _list_norms(base: Any) -> list[nn.Module]:
    norms = [module for module in base.modules() if is_norm(module)]
    if not norms:
        raise ModelError(f"a {base.config.model_type} has no LayerNorm and no RMSNorm with weights")
    return norms


def _get_table(model: Any) -> Any:
    table = get_input_embedding(model)
    if table is None:
        raise ModelError(f"a {model.config.model_type} does not say which table its word embeddings are")
    return table


def _find_path(base: nn.Module, wanted: nn.Module) -> str:
    return str(next(path for path, module in base.named_modules() if module is wanted))
