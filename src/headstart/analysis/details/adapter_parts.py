"""What a LoRA adapter or a linear probe trains beside a frozen base, by part, from shapes in its file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from safetensors import SafetensorError, safe_open

from headstart.analysis.details.saved_configs import CountedPart, SavedModelConfig
from headstart.models.accounting.breakdown import Kind, count_by_formula
from headstart.models.accounting.formulas import add_formulas, evaluate
from headstart.models.accounting.heads import Head
from headstart.models.accounting.layers import LayerSpec, SectionSpec

ADAPTER_FILE: Final = "adapter_model.safetensors"
PROBE_FILE: Final = "probe.safetensors"
#: What PEFT puts into the names of weights.
_WRAPPERS: Final = re.compile(r"^base_model\.(model\.)?|\.(modules_to_save|base_layer|default)(?=\.)")
_NUMBER: Final = re.compile(r"(?<=\.)\d+(?=\.)")
_FACTORS: Final = 2
Shapes = Mapping[str, tuple[int, ...]]
_Value = TypeVar("_Value")


def read_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors of a file, by name; empty where it is none of safetensors."""
    try:
        with safe_open(file, framework="np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError):
        return {}


def count_adapted(model: SavedModelConfig, head: Head, shapes: Shapes) -> list[CountedPart]:
    """The base's parts with how much of each trains, and LoRA's two matrices beside each kind of layer.

    Hu et al. 2021, section 4.1: A [R, in] and B [out, R] beside a layer of `in` by `out`.
    Empty where the file has something else too, as other adapters have, or the head is another.
    """
    kept = {name: shape for name, shape in shapes.items() if ".original_module." not in name}
    saved = {_WRAPPERS.sub("", name): shape for name, shape in kept.items()}
    pairs, whole = _split_pairs(saved), _sum_whole(saved)
    base = [
        replace(part, trained=sum(_take(whole, name, 0) for name in part.parameters))
        for part in model.list_parts(head)
    ]
    adapters = [
        part for section in model.list_sections(head) for part in _list_adapters(section, pairs, model)
    ]
    return [] if whole or pairs else [*base, *adapters]


def count_probe(model: SavedModelConfig, head: Head, shapes: Shapes) -> list[CountedPart]:
    """The frozen body of a model with `head`, and the linear layer on its features; empty without one."""
    outputs = shapes.get("classifier.bias", (0,))[0]
    symbols = {**model.symbols, "C": outputs}
    if shapes.get("classifier.weight") != (outputs, symbols["D"]):
        return []
    body = [part for part in model.list_parts(head) if part.count.place not in ("head", "lm-head")]
    linear: tuple[tuple[str, Kind, str], ...] = (("classifier", "weights", "D·C"), ("biases", "biases", "C"))
    counts = [count_by_formula("head", *part, "1", symbols) for part in linear]
    return [*body, *(CountedPart(count, trained=count.value) for count in counts)]


def find_rank(shapes: Shapes) -> int:
    """That of all adapters; 0 where they have several, or none."""
    ranks = {shape[0] for name, shape in shapes.items() if ".lora_A." in name and shape}
    return ranks.pop() if len(ranks) == 1 else 0


def _split_pairs(saved: dict[str, tuple[int, ...]]) -> dict[str, list[tuple[int, int]]]:
    """Widths in and out of the layers with an adapter, by their path with `*` for numbers; takes them out."""
    pairs: dict[str, list[tuple[int, int]]] = {}
    for name in [name for name in saved if name.endswith(".lora_A.weight")]:
        path = name.removesuffix(".lora_A.weight")
        b_name = f"{path}.lora_B.weight"
        if b_name in saved:
            width, height = saved.pop(name)[-1], saved.pop(b_name)[0]
            pairs.setdefault(_NUMBER.sub("*", path), []).append((width, height))
    return pairs


def _sum_whole(saved: Shapes) -> dict[str, int]:
    """Weights that train by themselves, by their name with `*` for numbers."""
    sizes: Counter[str] = Counter()
    for name, shape in saved.items():
        sizes[_NUMBER.sub("*", name)] += math.prod(shape)
    return dict(sizes)


def _take(values: dict[str, _Value], name: str, default: _Value) -> _Value:
    """What a parameter has, which formulas know without the name of its body; takes it out."""
    found = next((key for key in values if name in (key, key.partition(".")[2])), None)
    return default if found is None else values.pop(found)


def _list_adapters(
    section: SectionSpec, pairs: dict[str, list[tuple[int, int]]], model: SavedModelConfig
) -> Iterator[CountedPart]:
    for layer in section.layers:
        if isinstance(layer, LayerSpec) and layer.weight:
            sizes = _take(pairs, layer.module, [])
            if len(set(sizes)) == 1:
                yield _count_adapter(section, layer, sizes, model.symbols)


def _count_adapter(
    section: SectionSpec, layer: LayerSpec, sizes: Sequence[tuple[int, int]], symbols: Mapping[str, int]
) -> CountedPart:
    is_everywhere = evaluate(section.times, symbols) == len(sizes)
    count = count_by_formula(
        section.place,
        f"{layer.part} adapter",
        "weights",
        write_adapter_formula(layer.weight, sizes[0], symbols),
        section.times if is_everywhere else str(len(sizes)),
        symbols,
    )
    return CountedPart(count, trained=count.value)


def write_adapter_formula(weight: str, sizes: tuple[int, int], symbols: Mapping[str, int]) -> str:
    """`R·D + R·F` of a layer with weights by the formula `weight`; `sizes` are its widths in and out."""
    factors = re.sub(r"(\w)²", r"\1·\1", weight).split("·")
    numbers = [factor for factor in factors if factor.isdecimal()]
    letters = [factor for factor in factors if not factor.isdecimal()]
    if len(letters) == _FACTORS:
        first, last = letters
        for sides in (([*numbers, first], [last]), ([first], [*numbers, last])):
            widths = [evaluate("·".join(side), symbols) for side in sides]
            if sorted(widths) == sorted(sizes):
                return add_formulas(
                    "·".join([*side[:-1], "R", side[-1]]) if len(side) > 1 else f"R·{side[0]}"
                    for side in sides
                )
    return f"{sum(sizes)}·R"
