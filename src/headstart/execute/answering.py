"""What a tuned language model says: test prompts answered and compared, samples before training and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headstart.config.expand import Run
from headstart.data.batches import target_counts
from headstart.data.conversations import prompt_of
from headstart.data.corpus import Part, Text
from headstart.data.prompts import ask
from headstart.engine.answers import answer_scores
from headstart.engine.evaluate import scores_of_sums, text_sums
from headstart.engine.generate import Answer, Manner, answers
from headstart.engine.member import Setting
from headstart.execute.prepare import Prepared
from headstart.records import Sample, Scores
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE, write_table


def test_scores(model: Any, run: Run, prepared: Prepared, setting: Setting, folder: Path) -> Scores:
    """The metrics of the test texts' tokens, and of the answers to the first of their prompts.

    Writes the sums over each text's tokens to `tokens.parquet` in the run's folder, and those prompts, the
    responses expected and the answers to `predictions.parquet`.
    """
    tokens = setting.parts["test"].tokens
    counts = target_counts(tokens)
    (sums,) = text_sums(
        model, tokens, pad_id=setting.pad_id, device=setting.device, precision=setting.precision
    )
    columns = {
        "id": pa.array(prepared.corpus.parts["test"].ids, pa.int64()),
        "tokens": pa.array(counts),
        "loss": pa.array(sums[:, 0]),
        "right": pa.array(sums[:, 1].astype(np.int64)),
    }
    write_table(folder / TOKENS_FILE, columns)
    return scores_of_sums(sums, counts) | _answer_scores(model, run, prepared, setting, folder)


def _answer_scores(model: Any, run: Run, prepared: Prepared, setting: Setting, folder: Path) -> Scores:
    ids, texts, said = _answered("test", model, run, prepared, setting)
    expected = [text[-1].strip() for text in texts]
    columns = {
        "id": pa.array(ids, pa.int64()),
        "prompt": pa.array([text[-3] for text in texts], pa.string()),
        "response": pa.array(expected, pa.string()),
        "answer": pa.array([one.text for one in said], pa.string()),
        "stopped": pa.array([one.stopped for one in said], pa.bool_()),
    }
    write_table(folder / PREDICTIONS_FILE, columns)
    return answer_scores(said, expected)


def valid_answers(model: Any, run: Run, prepared: Prepared, setting: Setting) -> Scores:
    """The metrics of the answers to the first valid prompts, at the selected epoch; they choose nothing."""
    _, texts, said = _answered("valid", model, run, prepared, setting)
    return answer_scores(said, [text[-1].strip() for text in texts])


def _answered(
    part: Part, model: Any, run: Run, prepared: Prepared, setting: Setting
) -> tuple[list[int], list[Text], list[Answer]]:
    """Ids, conversations and answers of the first texts of one part."""
    examples, most = prepared.corpus.parts[part], prepared.study.generation.texts
    texts = list(examples.texts[:most])
    said = answer(model, [prompt_of(text) for text in texts], run, prepared, setting)
    return list(examples.ids[:most]), texts, said


def answer(
    model: Any, conversations: Sequence[Text], run: Run, prepared: Prepared, setting: Setting
) -> list[Answer]:
    """The model's answers, greedily."""
    tokenizer = prepared.checkpoints[run.checkpoint].tokenizer
    prompts = [ask(conversation, tokenizer) for conversation in conversations]
    manner = Manner(max_new_tokens=prepared.study.generation.max_new_tokens)
    return answers(model, prompts, tokenizer, manner, setting.precision)


def samples(before: Any, after: Any, run: Run, prepared: Prepared, setting: Setting) -> tuple[Sample, ...]:
    """The study's sample prompts, answered by the model as it was and as it is."""
    asked: list[Text] = [("user", prompt) for prompt in prepared.study.samples]
    if not asked:
        return ()
    pairs = zip(*(answer(model, asked, run, prepared, setting) for model in (before, after)), strict=True)
    return tuple(
        Sample(
            prompt=prompt,
            before=was.text,
            after=now.text,
            stopped_before=was.stopped,
            stopped_after=now.stopped,
        )
        for prompt, (was, now) in zip(prepared.study.samples, pairs, strict=True)
    )
