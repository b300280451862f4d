"""What a task is: an objective that the engine trains, and what its models are asked before and after.

A new task is one file like its neighbours and one registration in `config.traits`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.config.language_section import Prompts
from headstart.config.traits import TaskName, TaskTraits, get_task_traits
from headstart.data.corpus import Text
from headstart.data.tokenise import Tokens
from headstart.device import Precision
from headstart.engine.generate import Answer
from headstart.engine.member import PackContext
from headstart.engine.objective import Meter
from headstart.models.checkpoints import Checkpoint
from headstart.prepared import PreparedRun
from headstart.records import Scores


class Task(ABC):
    """A task; `name` is that of its traits. Without state, so that one object serves all studies.

    Shapes are those of `engine.objective`.
    """

    name: TaskName

    @property
    def traits(self) -> TaskTraits:
        """What is known of it without torch."""
        return get_task_traits(self.name)

    @abstractmethod
    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """As `engine.objective.Objective`."""

    @abstractmethod
    def reduce_logits(self, logits: torch.Tensor, labels: torch.Tensor, precision: Precision) -> torch.Tensor:
        """As `engine.objective.Objective`."""

    @abstractmethod
    def make_meter(self, outputs: int) -> Meter:
        """As `engine.objective.Objective`."""

    @abstractmethod
    def select_meter_labels(self, tokens: Tokens, labels: np.ndarray) -> np.ndarray:
        """As `engine.objective.Objective`."""

    @abstractmethod
    def encode(self, texts: Sequence[Text], tokenizer: Any, limit: int, prompts: Prompts) -> Tokens:
        """Token ids of examples, at most `limit` each, from the cache where they were met before."""

    def count_prompt_tokens(self, texts: Sequence[Text], tokenizer: Any) -> np.ndarray:
        """Tokens of what a model is asked of each example, [N]; of nothing unless the task has answers."""
        return np.zeros(0, np.int64)

    @abstractmethod
    def test(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext, folder: Path
    ) -> Scores:
        """The test metrics of a trained model; writes its predictions to the run's `folder`."""

    def check_checkpoint(self, checkpoint: Checkpoint, prompts: Prompts) -> list[str]:
        """Set the checkpoint's tokenizer up for the task; gives what the plan is to say of it.

        Raises:
            DataError, ModelError: it does not fit.
        """
        return []

    def test_answers(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext, folder: Path
    ) -> Scores:
        """Metrics of the answers to test prompts, written to the run's `folder`; none unless the task has
        answers."""
        return {}

    def measure_answers(self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext) -> Scores:
        """Metrics of the answers to valid prompts at the selected epoch; none unless the task has answers."""
        return {}

    def answer_samples(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext
    ) -> list[Answer]:
        """The model's answers to the study's sample prompts; none unless the task has answers."""
        return []

    @abstractmethod
    def select_check_texts(self, texts: Sequence[Text]) -> Sequence[Text]:
        """Plain texts (or pairs) of examples, for comparing a saved model's logits."""
