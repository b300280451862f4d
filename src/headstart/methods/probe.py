"""A linear probe: a linear classifier on features that the frozen encoder computes once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.config.runs import Run
from headstart.config.study import Probe as ProbeSettings
from headstart.data.corpus import Part
from headstart.data.tokenise import Tokens
from headstart.device import Precision, choose_weights_dtype
from headstart.engine.trace import make_probe_batch, run_without_numbers
from headstart.errors import ModelError
from headstart.events import Log
from headstart.methods.base import BuiltModel, TrainedMethod, build_base_model
from headstart.methods.features import index_rows, load_features, locate_features
from headstart.methods.linear_probe import FeatureExtractor, FeatureProbe, load_head, save_head
from headstart.methods.lora import identify_frozen_weights
from headstart.models.accounting.counts import count_parameters
from headstart.models.library import get_first_line, silence_logs
from headstart.models.save import LOGIT_TOLERANCE
from headstart.models.tokenizers import save_tokenizer
from headstart.prepared import PreparedRun
from headstart.records import Parameters

#: Rows whose logits a saved probe must give again.
_CHECK_ROWS = 8


class ProbeMethod(TrainedMethod):
    """Trains on rows of a table of features as on texts: each is one token, its row's number."""

    name = "probe"

    def check(self, run: Run, skeleton: Any, missing_keys: Collection[str]) -> None:
        """No one token of an encoder-decoder stands for a text, and its body may ask for a decoder's text."""
        pooling = _get_settings(run).pooling
        if not getattr(skeleton.config, "is_encoder_decoder", False):
            return
        family = skeleton.config.model_type
        if pooling == "cls":
            raise ModelError(
                f"no token of a {family} represents a text: its head reads the decoder's last",
                where=f"arms.{run.arm}.probe.pooling",
                fix="set pooling: mean",
            )
        try:
            run_without_numbers(FeatureExtractor(skeleton, pooling), make_probe_batch(causal=False))
        except ValueError as error:
            raise ModelError(
                f"the body of a {family} cannot run on texts alone: {get_first_line(error)}",
                where=f"arms.{run.arm}.method",
                expected="an encoder, a decoder, or BART, whose body makes its decoder's input",
            ) from error

    def prepare_runs(self, runs: Sequence[PreparedRun], log: Log) -> None:
        """Have the features of all runs in the cache before the first of them trains."""
        places = {locate_features(prepared, _get_settings(prepared.run)): prepared for prepared in runs}
        waiting = [prepared for place, prepared in places.items() if not place.is_dir()]
        if waiting:
            examples = sum(len(part) for part in waiting[0].study.corpus.parts.values())
            encoders = "" if len(waiting) == 1 else f" with each of {len(waiting)} encoders"
            log(f"encoding {examples} examples once{encoders}, for the probes")
        for prepared in places.values():  # those that are there too: they are held, and seen to be whole
            load_features(prepared, _get_settings(prepared.run))

    def select_tokens(self, prepared: PreparedRun) -> dict[Part, Tokens]:
        """Rows of the table of features."""
        return index_rows(prepared.study.corpus)

    def select_precision(self, prepared: PreparedRun) -> Precision:
        """float32 in place of bfloat16: products as small as a probe's gain nothing."""
        return "fp32" if prepared.precision == "bf16" else prepared.precision

    def explain_alone(self, prepared: PreparedRun) -> str | None:
        """Never alone."""
        return None

    def identify_base(self, prepared: PreparedRun) -> object:
        """The encoder's weights and its features."""
        return [identify_frozen_weights(prepared), _get_settings(prepared.run).model_dump()]

    def dump_settings(self, run: Run) -> str:
        """As JSON."""
        return _get_settings(run).model_dump_json()

    def build_model(
        self, prepared: PreparedRun, device: torch.device, precision: Precision, rank: int = 0
    ) -> BuiltModel:
        """The linear layer at zero, over the table of features."""
        table = torch.from_numpy(np.array(load_features(prepared, _get_settings(prepared.run))))
        rows = torch.from_numpy(prepared.train_index)
        probe = FeatureProbe(table, rows, prepared.study.corpus.num_outputs)
        return BuiltModel(probe.to(device, choose_weights_dtype(precision)))

    def count_parameters(self, prepared: PreparedRun) -> Parameters | None:
        """The encoder's, and those of the linear layer, which train."""
        outputs, width = prepared.study.corpus.num_outputs, prepared.checkpoint.config.hidden_size
        return self._count_with_encoder(prepared, outputs * (width + 1))

    def count_trained(self, model: nn.Module, prepared: PreparedRun) -> Parameters:
        """The table of features is none of its parameters; the encoder's are."""
        return self._count_with_encoder(prepared, count_parameters(model).trainable)

    def _count_with_encoder(self, prepared: PreparedRun, trainable: int) -> Parameters:
        skeleton: Any = prepared.checkpoint.build_skeleton()
        return Parameters(total=count_parameters(skeleton.base_model).total + trainable, trainable=trainable)

    def save(self, model: nn.Module, prepared: PreparedRun, precision: Precision, folder: Path) -> None:
        """The linear layer with the encoder's configuration, and a random encoder, which is nowhere else."""
        assert isinstance(model, FeatureProbe)
        checkpoint = prepared.checkpoint
        save_head(model.linear, _get_settings(prepared.run).pooling, folder)
        with silence_logs():
            encoder: Any = checkpoint.config if prepared.run.pretrained else build_base_model(prepared)
            encoder.save_pretrained(folder)
            save_tokenizer(checkpoint.tokenizer, folder)
        _check_saved(model, folder)


def _check_saved(model: FeatureProbe, folder: Path) -> None:
    """Load the probe again and compare the logits of some rows.

    Raises:
        ModelError: they differ.
    """
    features = model.table.weight[:_CHECK_ROWS]
    loaded = load_head(folder)[0].to(features.device)
    with torch.inference_mode():
        gap = float((loaded(features.float()) - model.linear(features)).abs().max())
    if not gap <= LOGIT_TOLERANCE:
        raise ModelError(
            f"the saved probe gives different logits when loaded again: they differ by up to {gap:g}",
            where=str(folder),
        )


def _get_settings(run: Run) -> ProbeSettings:
    assert run.probe is not None
    return run.probe


PROBE = ProbeMethod()
