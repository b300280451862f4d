"""What tasks with labels share: a vector of outputs for each example, and predictions in columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.config.language_section import Prompts
from headstart.data.corpus import CellType, Text
from headstart.data.tokenise import Tokens, tokenise
from headstart.device import Precision
from headstart.engine.evaluate import iter_logits, keep_logits
from headstart.engine.finite_logits import check_outputs
from headstart.engine.member import PackContext
from headstart.prepared import PreparedRun
from headstart.records import Scores
from headstart.store.prediction_writer import open_predictions
from headstart.store.predictions import PREDICTIONS_FILE
from headstart.tasks.base import Task
from headstart.tasks.columns import LabelColumns, make_columns

#: Logits [n, C] of examples, and which they are, in order.
Windows = Iterable[tuple[slice, torch.Tensor]]


class LabelledTask(Task):
    """A task whose models give C numbers an example, which labels are compared with."""

    @abstractmethod
    def compute_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """What a model predicts, [n, C]: probabilities of classes or of labels, or the number."""

    def reduce_logits(self, logits: torch.Tensor, labels: torch.Tensor, precision: Precision) -> torch.Tensor:
        """The logits themselves."""
        return keep_logits(logits, labels, precision)

    def select_meter_labels(self, tokens: Tokens, labels: np.ndarray) -> np.ndarray:
        """The labels themselves."""
        return labels

    def encode(self, texts: Sequence[Text], tokenizer: Any, limit: int, prompts: Prompts) -> Tokens:
        """As the tokenizer encodes texts and pairs."""
        return tokenise(texts, tokenizer, limit)

    def test(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext, folder: Path
    ) -> Scores:
        """Predicts the test examples, window by window."""
        windows = iter_logits(
            model,
            context.parts["test"].tokens,
            pad_id=context.pad_id,
            device=context.device,
            precision=context.precision,
        )
        return self.write_predictions(windows, prepared, folder)

    def write_predictions(self, windows: Windows, prepared: PreparedRun, folder: Path) -> Scores:
        """Measure and write test predictions to the predictions file in `folder`; gives the metrics."""
        corpus = prepared.study.corpus
        test, meter = corpus.parts["test"], self.make_meter(corpus.num_outputs)
        columns, has_groups = self.make_columns(corpus.label_names), test.groups is not None
        with open_predictions(folder / PREDICTIONS_FILE, columns, has_groups=has_groups) as out:
            for where, logits in windows:
                check_outputs(logits, f"the test part, those from {where.start + 1} to {where.stop}")
                meter.add(logits, torch.from_numpy(test.labels[where]))
                groups = None if test.groups is None else test.groups[where]
                outputs = self.compute_probabilities(logits).numpy()
                out.add(test.ids[where], test.labels[where], outputs, groups)
        return meter.compute_scores()

    def make_columns(self, names: Sequence[str], cells: CellType = "text") -> LabelColumns:
        """The columns of its predictions, for labels of these names, which were `cells` in the data."""
        return make_columns(self.traits.labels, names, cells)

    def select_check_texts(self, texts: Sequence[Text]) -> Sequence[Text]:
        """The texts themselves."""
        return texts
