"""Any configuration of PEFT's, trained as PEFT makes it; its layers are not stacked, so each run is alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from headstart.config.runs import Run
from headstart.device import Precision
from headstart.errors import ModelError
from headstart.methods.base import TrainedMethod, name_key, select_check
from headstart.methods.load_adapters import load_adapter
from headstart.methods.lora import estimate_base_bytes, identify_frozen_weights
from headstart.methods.lora_layers import import_peft, list_trained_modules
from headstart.methods.peft_format import (
    find_merge_obstacle,
    merge_adapter,
    save_adapter,
    wrap_with_peft,
)
from headstart.methods.peft_types import check_head, check_prompt, check_trainable, refuse_type
from headstart.models.base_index import write_base_index
from headstart.models.save import compare_logits, compute_example_logits, save_model
from headstart.prepared import PreparedRun
from headstart.records import Parameters


class PeftMethod(TrainedMethod):
    """The section `import_peft` is PEFT's own configuration."""

    name = "peft"
    # PEFT's layers ask what their weights are in, to cast what they are given.
    takes_narrow_weights = False

    def load_libraries(self) -> None:
        """PEFT."""
        import_peft()

    def check(self, run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:
        """PEFT must take the configuration; over random weights it must be one that can be merged."""
        try:
            _check_configuration(run, skeleton, missing_keys)
        except ModelError as error:
            raise name_key(error, f"arms.{run.arm}.peft") from error

    def list_cautions(self, prepared: PreparedRun) -> Iterator[str]:
        """A `bias` that the family does not have."""
        bias, skeleton = _get_settings(prepared.run).get("bias", "none"), prepared.checkpoint.build_skeleton()
        names = [name for name, _ in skeleton.named_parameters()]
        if bias != "none" and not any(name.rpartition(".")[2] == "bias" for name in names):
            family = prepared.checkpoint.config.model_type
            yield f"peft.bias: {bias} has no effect: a {family} has no biases"

    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Always."""
        return "PEFT's own layers are not stacked"

    def select_pack_settings(self, run: Run) -> object:
        """The whole configuration."""
        return run.peft

    def identify_base(self, prepared: PreparedRun) -> object:
        """As LoRA's."""
        return identify_frozen_weights(prepared)

    def dump_settings(self, run: Run) -> str:
        """As JSON."""
        return json.dumps(run.peft, sort_keys=True, default=str)

    def adapt_model(self, model: Any, prepared: PreparedRun, rank: int = 0) -> Any:
        """Wrapped by PEFT."""
        return wrap_with_peft(model, _get_settings(prepared.run), prepared.run.seed, prepared.missing_keys)

    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """None where PEFT has to see a model's numbers, as for singular vectors."""
        try:
            return super().count_parameters(prepared)
        except (RuntimeError, NotImplementedError):
            return None

    def estimate_frozen_bytes(self, skeleton: Any, precision: Precision) -> int:
        """As LoRA's."""
        return estimate_base_bytes(skeleton, precision)

    def save(self, model: nn.Module, prepared: PreparedRun, precision: Precision, folder: Path) -> None:
        """As PEFT's adapter; over random weights, which are nowhere else, merged into them."""
        checkpoint, check = prepared.checkpoint, select_check(prepared)
        if not prepared.run.pretrained:
            save_model(merge_adapter(model), checkpoint, folder, **check)
            return
        expected = compute_example_logits(model, checkpoint.tokenizer, **check)
        save_adapter(model, checkpoint, folder)
        write_base_index(folder, checkpoint.location)
        loaded = load_adapter(folder, task=checkpoint.task)
        compare_logits(expected, loaded.to(next(model.parameters()).device), folder, **check)


def _check_configuration(run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:
    refuse_type(_get_settings(run))
    trained = list_trained_modules(skeleton, missing_keys)
    try:
        wrapped = wrap_with_peft(skeleton, _get_settings(run), run.seed, missing_keys)
    except RuntimeError:  # it has to see the model's numbers, as singular vectors do
        return
    check_trainable(wrapped)
    check_prompt(wrapped, run)
    check_head(wrapped, trained, missing_keys)
    obstacle = None if run.pretrained else find_merge_obstacle(wrapped)
    if obstacle is not None:
        raise ModelError(
            f"it cannot be merged into the random weights, which no saved base provides: {obstacle}",
            expected="a type that can be merged, such as LORA or IA3, or pretrained weights",
        )


def _get_settings(run: Run) -> Mapping[str, Any]:
    assert run.peft is not None
    return run.peft


PEFT = PeftMethod()
