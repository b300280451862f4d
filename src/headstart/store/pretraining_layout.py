"""Where everything of a pretraining lies in its output folder: paths only, nothing is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PretrainingLayout:
    """The paths in the folder `out` of one pretraining."""

    out: Path

    @property
    def settings_file(self) -> Path:
        """The pretraining, with every default filled in: by it the folder is known as ours."""
        return self.out / "pretraining.yaml"

    @property
    def record_file(self) -> Path:
        """What was trained and how it went; written last."""
        return self.out / "pretraining.json"

    @property
    def model_folder(self) -> Path:
        """The model with its tokenizer, as transformers loads it."""
        return self.out / "model"

    @property
    def tokenizer_folder(self) -> Path:
        """The tokenizer that was trained here."""
        return self.out / "tokenizer"

    @property
    def curves_folder(self) -> Path:
        """TensorBoard's events."""
        return self.out / "tensorboard"

    @property
    def own_folder(self) -> Path:
        """The state of training, and who holds the folder."""
        return self.out / ".headstart"
