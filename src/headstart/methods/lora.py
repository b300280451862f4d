"""LoRA: low-rank adapters beside frozen layers, several of which train over one frozen base in a pack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from headstart.config.runs import Run
from headstart.config.study import Lora
from headstart.device import Precision
from headstart.errors import ModelError
from headstart.methods.base import TrainedMethod, name_key, select_check
from headstart.methods.load_adapters import attach_adapter
from headstart.methods.lora_layers import (
    collect_trained_values,
    count_linear_weights,
    eject_adapters,
    import_peft,
    inject_adapters,
    pad_rank,
)
from headstart.methods.lora_targets import check_targets, find_idle_bias
from headstart.methods.peft_format import convert_to_peft, merge_adapter, save_adapter
from headstart.models.accounting.counts import count_parameters
from headstart.models.base_index import write_base_index
from headstart.models.save import compare_logits, compute_example_logits, save_model
from headstart.prepared import PreparedRun


class LoraMethod(TrainedMethod):
    """Adapters with ranks and scales of their own; the base is frozen, the head trains."""

    name = "lora"

    def load_libraries(self) -> None:
        """PEFT, which knows where adapters go and writes them."""
        import_peft()

    def check(self, run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:
        """Some layer must match each target, and adapters take part in what the model computes."""
        self.load_libraries()
        try:
            check_targets(skeleton, _get_settings(run), missing_keys)
        except ModelError as error:
            # What is wrong with a layer is said of the targets, what is wrong with the rank of that.
            raise name_key(error, f"arms.{run.arm}.{error.where or 'lora.target'}") from error

    def list_cautions(self, prepared: PreparedRun) -> Iterator[str]:
        """A `bias` that the family does not have."""
        idle = find_idle_bias(prepared.checkpoint.build_skeleton(), _get_settings(prepared.run))
        if idle is not None:
            yield idle

    def select_pack_settings(self, run: Run) -> object:
        """All but rank and scale, which members of a pack have of their own."""
        return _get_settings(run).model_dump(exclude={"r", "alpha", "rslora"})

    def identify_base(self, prepared: PreparedRun) -> object:
        """The checkpoint's weights, or those that a seed gives."""
        return identify_frozen_weights(prepared)

    def dump_settings(self, run: Run) -> str:
        """As JSON."""
        return _get_settings(run).model_dump_json()

    def select_rank(self, runs: Sequence[Run]) -> int:
        """The largest."""
        return max(_get_settings(run).r for run in runs)

    def adapt_model(self, model: Any, prepared: PreparedRun, rank: int = 0) -> Any:
        """With adapters beside its target layers."""
        lora = _get_settings(prepared.run)
        inject_adapters(model, lora, prepared.run.seed, prepared.missing_keys)
        if rank > lora.r:
            pad_rank(model, rank)
        return model

    def estimate_frozen_bytes(self, skeleton: Any, precision: Precision) -> int:
        """Linear layers in the format of their products, the rest in float32."""
        return estimate_base_bytes(skeleton, precision)

    def save(self, model: nn.Module, prepared: PreparedRun, precision: Precision, folder: Path) -> None:
        """As PEFT's adapter; over random weights, which are nowhere else, merged into them."""
        checkpoint, check = prepared.checkpoint, select_check(prepared)
        if not prepared.run.pretrained:
            save_model(merge_adapter(_convert_adapter(model, prepared)), checkpoint, folder, **check)
            return
        expected = compute_example_logits(model, checkpoint.tokenizer, **check)
        adapter = _convert_adapter(model, prepared)
        save_adapter(adapter, checkpoint, folder)
        if (
            self.choose_quantised_dtype(precision) is None
        ):  # in full precision such a base computes something else
            write_base_index(folder, checkpoint.location)
        # On the very base, which is there already: only the adapter and what trained whole come from disk.
        loaded = attach_adapter(adapter.unload(), folder)
        compare_logits(expected, loaded, folder, **check)


def _convert_adapter(model: nn.Module, prepared: PreparedRun) -> Any:
    """PEFT's model of ours, whose adapters are taken out of it."""
    values = collect_trained_values(model)
    return convert_to_peft(eject_adapters(model), values, _get_settings(prepared.run), prepared.missing_keys)


def identify_frozen_weights(prepared: PreparedRun) -> str:
    """What tells a frozen base from others: the checkpoint's digest, or what its seed draws."""
    run = prepared.run
    return prepared.checkpoint.digest if run.pretrained else run.base


def estimate_base_bytes(skeleton: Any, precision: Precision) -> int:
    """Memory of a frozen base: linear layers in the format of their products, the rest in float32."""
    linear = sum(count_linear_weights(skeleton).values())
    return 4 * (count_parameters(skeleton).total - linear) + linear * (2 if precision == "bf16" else 4)


def _get_settings(run: Run) -> Lora:
    assert run.lora is not None
    return run.lora


LORA = LoraMethod()
