"""Answers a prompt, or a file of them, with a causal model or adapter; refuses one without an end token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from transformers import AutoTokenizer, TextStreamer

from headstart.config.study import Prompts
from headstart.data.formats import Cells
from headstart.data.prompts import ask, set_template
from headstart.engine.device import Precision, choose_device, choose_precision
from headstart.engine.generate import Answer, Manner, answers
from headstart.errors import DataError, ModelError
from headstart.methods.peft_format import is_adapter
from headstart.models.checkpoints import library_class, locate, quiet
from headstart.prediction import load_saved, notes_of
from headstart.store.tables import add_columns, check_formats


@dataclass(frozen=True)
class Speaker:
    """A causal model ready to answer."""

    model: Any
    tokenizer: Any
    precision: Precision

    def answer(self, prompts: list[str], manner: Manner, *, aloud: bool = False) -> list[Answer]:
        """The answer to each prompt; `aloud` prints one prompt's answer as it comes."""
        streamer = TextStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True) if aloud else None
        asked = [ask(("user", prompt), self.tokenizer) for prompt in prompts]
        return answers(self.model, asked, self.tokenizer, manner, self.precision, streamer)


def open_speaker(name: str) -> Speaker:
    """The model called `name`: a folder that a study left, an adapter's, a hub id or an asset.

    Raises:
        ModelError: there is none, or it has no end token.
    """
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    location = locate(name)
    folder = Path(location)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(location)
            if is_adapter(folder):
                model = load_saved(folder, notes_of(folder), precision, "instruction")
            else:
                model = library_class("instruction").from_pretrained(location, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"no usable causal model: {str(error).strip().splitlines()[0]}",
            where=name,
            expected="a folder such as OUT/models/ARM of a study with task: instruction, or a hub id",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    set_template(tokenizer, Prompts(template="chat" if tokenizer.chat_template else "human"))
    return Speaker(model.to(device).eval(), tokenizer, precision)


def generate(model: str, prompts: Sequence[str], manner: Manner | None = None) -> list[Answer]:
    """The answers of `model` (a folder that a study left, an adapter's, a hub id or an asset) to `prompts`.

    Greedily and of 64 tokens at most, unless `manner` says otherwise.

    Raises:
        ModelError: there is no such model, or it has no end token.
    """
    return open_speaker(model).answer(list(prompts), manner or Manner())


def answer_file(name: str, source: Path, target: Path, manner: Manner, *, column: str = "prompt") -> int:
    """Answer the prompts in a column of `source`; gives the number of rows.

    `target` gets every column of `source` with `answer` and `stopped` added, in the same format, whole or
    not at all.

    Raises:
        DataError, ModelError, OutputError: as `headstart.prediction.predict`.
    """
    check_formats(source, target)
    opened = cache(partial(open_speaker, name))  # when the first prompts are known to be some

    def answer(chunk: list[Cells]) -> list[dict[str, Any]]:
        prompts = [_prompt(cells, column, where) for where, cells in chunk]
        return [{"answer": one.text, "stopped": one.stopped} for one in opened().answer(prompts, manner)]

    fields = [pa.field("answer", pa.string()), pa.field("stopped", pa.bool_())]
    return add_columns(source, target, answer, lambda: fields)


def _prompt(cells: dict[str, Any], column: str, where: str) -> str:
    value = cells.get(column)
    if not isinstance(value, str) or not value.strip():
        raise DataError(
            f"no prompt in column {column!r}",
            where=where,
            expected=f"a text; the columns there: {', '.join(map(str, cells))}",
            fix="name the column: --column",
        )
    return value
