"""`headstart generate`: answers a prompt, or a file of them, with a causal model or an adapter of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers import TextStreamer

from headstart.config.study import Prompts
from headstart.config.traits import TASKS, TaskName
from headstart.data.formats import Cells
from headstart.data.prompts import encode_prompt, set_chat_template
from headstart.data.tables import add_columns, check_formats
from headstart.device import Precision, choose_device, choose_precision
from headstart.engine.generate import Answer, GenerationConfig, generate_answers
from headstart.errors import DataError
from headstart.methods.saved import load_saved_model
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.store.model_notes import read_model_notes
from headstart.training.check_tokens import check_prompt_ids


@dataclass(frozen=True)
class TextGenerator:
    """A causal model ready to answer."""

    model: Any
    checkpoint: Checkpoint
    precision: Precision

    @property
    def tokenizer(self) -> Any:
        """That of its checkpoint."""
        return self.checkpoint.tokenizer

    def generate(
        self, prompts: Sequence[str], config: GenerationConfig, *, stream: bool = False
    ) -> list[Answer]:
        """The answer to each prompt; `stream` prints one prompt's answer as it comes."""
        streamer = (
            TextStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True) if stream else None
        )
        encoded = [encode_prompt(("user", prompt), self.tokenizer) for prompt in prompts]
        check_prompt_ids(encoded, self.checkpoint)
        return generate_answers(self.model, encoded, self.tokenizer, config, self.precision, streamer)


def open_generator(name: str) -> TextGenerator:
    """The model called `name`: a folder that a study left, an adapter's, a hub id or an asset.

    Raises:
        ModelError: there is none, or it has no end token.
    """
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    checkpoint = open_checkpoint(name, _find_generating_task(), (), is_saved=True)
    folder, tokenizer = Path(checkpoint.location), checkpoint.tokenizer
    model = load_saved_model(folder, read_model_notes(folder), checkpoint, precision)
    set_chat_template(tokenizer, Prompts(template="chat" if tokenizer.chat_template else "human"))
    return TextGenerator(model.to(device).eval(), checkpoint, precision)


def _find_generating_task() -> TaskName:
    return next(name for name, traits in TASKS.items() if traits.generates)


def generate(model: str, prompts: Sequence[str], config: GenerationConfig | None = None) -> list[Answer]:
    """The answers of `model` (a folder that a study left, an adapter's, a hub id or an asset) to `prompts`.

    Greedily and of 64 tokens at most, unless `config` says otherwise.

    Raises:
        ModelError: there is no such model, or it has no end token.
    """
    return open_generator(model).generate(prompts, config or GenerationConfig())


def generate_file(
    name: str, source: Path, target: Path, config: GenerationConfig, *, column: str = "prompt"
) -> int:
    """Answer the prompts in a column of `source`; gives the number of rows.

    `target` gets every column of `source` with `answer` and `stopped` added, in the same format, whole or
    not at all.

    Raises:
        DataError, ModelError, OutputError: as `headstart.commands.predict.predict`.
    """
    check_formats(source, target)
    open_once = cache(partial(open_generator, name))  # when the first prompts are known to be some

    def answer_chunk(chunk: list[Cells]) -> list[dict[str, Any]]:
        prompts = [_read_prompt(cells, column, where) for where, cells in chunk]
        generated = open_once().generate(prompts, config)
        return [{"answer": answer.text, "stopped": answer.stopped} for answer in generated]

    fields = [pa.field("answer", pa.string()), pa.field("stopped", pa.bool_())]
    return add_columns(source, target, answer_chunk, lambda: fields)


def _read_prompt(cells: dict[str, Any], column: str, where: str) -> str:
    value = cells.get(column)
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"no prompt in column {column!r}",
            where=where,
            expected=f"a text; the columns there: {', '.join(map(str, cells))}",
            fix="name the column: --column",
        )
    return value
