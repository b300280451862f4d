"""Measures what checkpoints will be asked against the positions that they have, before they train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headstart.config.study import Study
from headstart.config.traits import get_task_traits
from headstart.data.conversation_statistics import (
    ConversationStatistics,
    PromptLengths,
    count_loss,
    measure_padding,
)
from headstart.data.conversations import drop_last_answer, make_prompt
from headstart.data.corpus import Corpus, Part, Text
from headstart.models.checkpoints import Checkpoint
from headstart.models.positions import find_position_limit
from headstart.prepared import PreparedRun, TokensKey
from headstart.records import StudyWarning
from headstart.tasks import load_task

#: The parts whose prompts are answered.
_ASKED: tuple[Part, ...] = ("valid", "test")


def measure_prompts(
    study: Study, corpus: Corpus, checkpoints: Mapping[str, Checkpoint]
) -> dict[str, PromptLengths]:
    """What each checkpoint is asked; nothing where the task has no answers."""
    if not get_task_traits(study.task).generates:
        return {}
    asked = _list_asked(study, corpus)
    task = load_task(study.task)
    return {
        name: PromptLengths(
            {where: task.count_prompt_tokens(texts, checkpoint.tokenizer) for where, texts in asked.items()},
            positions=find_position_limit(checkpoint.build_skeleton()),
            trained_positions=getattr(checkpoint.config, "max_position_embeddings", None),
            max_new_tokens=study.generation.max_new_tokens,
        )
        for name, checkpoint in checkpoints.items()
    }


def _list_asked(study: Study, corpus: Corpus) -> dict[str, list[Text]]:
    """Conversations without their last answer, by where they come from."""
    count = study.generation.texts
    asked: dict[str, list[Text]] = {
        part: [drop_last_answer(text) for text in corpus.parts[part].texts[:count]] for part in _ASKED
    }
    return asked | {"samples": [make_prompt(text) for text in study.samples]}


def warn_of_positions(prompts: Mapping[str, PromptLengths]) -> Iterator[StudyWarning]:
    """Prompts whose answers will end early, or be empty, or go where the checkpoint has never been."""
    for name, lengths in prompts.items():
        of_model = f"of the {lengths.positions} positions of {name}"
        if full := lengths.count_without_room():
            message = f"{_count(full, lengths)} leave none {of_model} for an answer, which will be empty"
            yield StudyWarning(kind="positions", message=message)
        if cut := lengths.count_cut():
            yield StudyWarning(
                kind="positions",
                message=f"{_count(cut, lengths)} leave fewer {of_model} than generation.max_new_tokens, "
                f"{lengths.max_new_tokens}: answers end with the positions",
            )
        seen = lengths.trained_positions if lengths.positions is None else None
        if beyond := lengths.count_beyond(seen, lengths.max_new_tokens):
            yield StudyWarning(
                kind="positions",
                message=f"{_count(beyond, lengths)} may pass with their answers the {seen} "
                f"positions that {name} was trained on: its output there may be poor",
            )


def _count(counts: Mapping[str, int], lengths: PromptLengths) -> str:
    parts = ", ".join(f"{count} of {name}" for name, count in counts.items())
    return f"{sum(counts.values())} of {lengths.count_asked()} prompts to be answered ({parts})"


def summarise_conversations(runs: Iterator[PreparedRun]) -> dict[TokensKey, ConversationStatistics]:
    """The statistics of each tokenizer and limit, with the batches of the first run that has them."""
    statistics: dict[TokensKey, ConversationStatistics] = {}
    for run in runs:
        if run.study.task.generates and run.tokens_key not in statistics:
            statistics[run.tokens_key] = _summarise(run)
    return statistics


def _summarise(prepared: PreparedRun) -> ConversationStatistics:
    run, tokens = prepared.run, prepared.tokens
    padding = measure_padding(
        tokens["train"],
        prepared.train_index,
        run.training.batch_size,
        run.seed,
        packs=prepared.study.shares_rows,
    )
    parts = {part: count_loss(of_part) for part, of_part in tokens.items()}
    return ConversationStatistics(parts, padding, prepared.study.prompts.get(run.checkpoint))
