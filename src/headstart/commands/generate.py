"""`headstart generate`: answers a prompt, or a file of them, with a causal model or an adapter of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from headstart.commands.model_folders import refuse_study_folder
from headstart.commands.outputs import check_output_file
from headstart.config.language_section import Prompts
from headstart.config.traits import TASKS, TaskName
from headstart.data.chat_format import describe_prompts, find_stop_ids, list_end_ids
from headstart.data.chat_templates import set_chat_template
from headstart.data.conversations import make_prompt, read_question
from headstart.data.corpus import Text
from headstart.data.formats import Cells
from headstart.data.prompts import ConversationEncoder
from headstart.data.tables import add_columns, check_formats
from headstart.data.texts import check_encodable
from headstart.device import Precision, choose_device, choose_precision
from headstart.engine.answer_stream import AnswerStream
from headstart.engine.generate import Answer, GenerationConfig, generate_answers
from headstart.errors import DataError
from headstart.events import Log, ignore_log
from headstart.methods.saved import load_saved_model, refuse_other_task
from headstart.models.checkpoints import Checkpoint, open_checkpoint
from headstart.models.positions import find_position_limit
from headstart.models.stop_ids import read_end_ids
from headstart.stages import tell_stage
from headstart.store.model_notes import read_model_notes
from headstart.training.check_tokens import check_prompt_ids


@dataclass(frozen=True)
class TextGenerator:
    """A causal model ready to answer.

    Answers end at `stop_ids`. `prompt_formats` says how it is asked.
    """

    model: Any
    checkpoint: Checkpoint
    precision: Precision
    stop_ids: tuple[int, ...] = ()
    prompt_formats: tuple[str, ...] = ()

    @property
    def tokenizer(self) -> Any:
        """That of its checkpoint."""
        return self.checkpoint.tokenizer

    def generate(
        self,
        prompts: Sequence[Text],
        config: GenerationConfig,
        *,
        tell: Callable[[str], None] | None = None,
        places: Sequence[str] = (),
    ) -> list[Answer]:
        """The answer to each prompt.

        Args:
            prompts: texts, or conversations that end with a user's message.
            tell: gets one prompt's answer piece by piece, as it comes.
            places: where each prompt stands, for messages.

        Raises:
            DataError: a prompt is empty, or leaves no place for an answer in the model's positions.
        """
        encoder = self._encoder
        encoded = [encoder.encode_prompt(_ask(*pair)) for pair in zip_longest(prompts, places)]
        check_prompt_ids(encoded, self.checkpoint)
        self._check_room(encoded, places)
        config = replace(config, stop_ids=(*config.stop_ids, *self.stop_ids))
        streamer = None if tell is None else self._make_stream(config, tell)
        answers = generate_answers(
            self.model, encoded, self.tokenizer, config, self.precision, streamer, places
        )
        return [replace(answer, text=encoder.clean_answer(answer.text)) for answer in answers]

    @cached_property
    def _encoder(self) -> ConversationEncoder:
        """Made once: it renders the template, and may copy the tokenizer."""
        return ConversationEncoder(self.tokenizer)

    def _make_stream(self, config: GenerationConfig, tell: Callable[[str], None]) -> AnswerStream:
        stop_ids = {*config.stop_ids, self.tokenizer.eos_token_id}
        held = len(self._encoder.format.trail)
        return AnswerStream(self.tokenizer, stop_ids, self._encoder.clean_answer, tell, held)

    def _check_room(self, prompts: Sequence[Sequence[int]], places: Sequence[str]) -> None:
        """See that each prompt leaves a place for an answer."""
        limit = find_position_limit(self.model)
        for i, ids in enumerate(prompts):
            if limit is not None and len(ids) >= limit:
                raise DataError(
                    f"the prompt has {len(ids)} tokens, but the model has only {limit} positions for "
                    "prompt and answer",
                    where=places[i] if places else None,
                    expected=f"at most {limit - 1} tokens, including the template's",
                    fix="shorten the prompt",
                )


def _ask(prompt: Text, place: str | None) -> Text:
    """A prompt as a conversation."""
    if not isinstance(prompt, str):
        return prompt
    if not prompt.strip():
        raise DataError("the prompt is empty", where=place, expected="a text to answer")
    check_encodable(prompt, "the prompt", place or "prompt")
    return make_prompt(prompt)


def open_generator(name: str) -> TextGenerator:
    """The model called `name`: a folder that a study left, an adapter's, a hub id or an asset.

    Raises:
        ModelError: there is none, or it has no end token.
    """
    refuse_study_folder(Path(name))
    tell_stage(f"loading {name}")
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    checkpoint = open_checkpoint(name, _find_generating_task(), (), is_saved=True)
    folder, tokenizer = Path(checkpoint.location), checkpoint.tokenizer
    notes = read_model_notes(folder)
    refuse_other_task(folder, notes, checkpoint.config)
    model = load_saved_model(folder, notes, checkpoint, precision)
    formats = tuple(describe_prompts(tokenizer, set_chat_template(tokenizer, Prompts())))
    own_ids = read_end_ids(checkpoint.location, model.config)
    # As it was loaded: an adapter's base has a generation configuration of its own.
    base_ids = list_end_ids(model.generation_config.eos_token_id)
    stop_ids = find_stop_ids(tokenizer, (*own_ids, *base_ids))
    return TextGenerator(model.to(device).eval(), checkpoint, precision, stop_ids, formats)


def _find_generating_task() -> TaskName:
    return next(name for name, traits in TASKS.items() if traits.generates)


def generate(
    model: str | Path, prompts: Sequence[str], config: GenerationConfig | None = None
) -> list[Answer]:
    """The answers of `model` (a folder that a study left, an adapter's, a hub id or an asset) to `prompts`.

    Greedily and of 64 tokens at most, unless `config` says otherwise.

    Example:
        config = headstart.GenerationConfig(max_new_tokens=32)
        for answer in headstart.generate("runs/faq/models/lora", ["How long does it take?"], config):
            print(answer.text)

    Raises:
        ModelError: there is no such model, or it has no end token.
    """
    return open_generator(str(model)).generate(prompts, config or GenerationConfig())


def generate_file(
    name: str | Path,
    source: str | Path,
    target: str | Path,
    config: GenerationConfig | None = None,
    *,
    column: str = "prompt",
    log: Log = ignore_log,
    force: bool = False,
) -> int:
    """Answer the prompts, or lists of messages, in a column of `source`; gives the number of rows.

    `target` gets every column of `source` with `answer` and `stopped` added, in the same format, whole or
    not at all. `log` is told how the model is asked. `force` overwrites `target`.

    Example:
        headstart.generate_file("runs/faq/models/lora", "questions.csv", "answers.csv")

    Raises:
        DataError, ModelError, OutputError: as `headstart.commands.predict.predict`.
    """
    source, target, config = Path(source), Path(target), config or GenerationConfig()
    check_formats(source, target)
    check_output_file(target, force=force)
    open_once = cache(partial(_open_aloud, str(name), log))  # when the first prompts are known to be some

    def answer_chunk(chunk: list[Cells]) -> list[dict[str, Any]]:
        prompts = [_read_prompt(cells, column, where) for where, cells in chunk]
        generated = open_once().generate(prompts, config, places=[where for where, _ in chunk])
        return [{"answer": answer.text, "stopped": answer.stopped} for answer in generated]

    fields = [pa.field("answer", pa.string()), pa.field("stopped", pa.bool_())]
    return add_columns(source, target, answer_chunk, lambda: fields)


def _open_aloud(name: str, log: Log) -> TextGenerator:
    generator = open_generator(name)
    for sentence in generator.prompt_formats:
        log(sentence)
    tell_stage("answering the prompts")
    return generator


def _read_prompt(cells: dict[str, Any], column: str, where: str) -> Text:
    value = cells.get(column)
    if value is None or value == "":
        raise DataError(
            f"no prompt in column {column!r}",
            where=where,
            expected=f"a text, or messages; the columns are: {', '.join(map(str, cells))}",
            fix="name the column: --column",
        )
    return read_question(value, column, where)
