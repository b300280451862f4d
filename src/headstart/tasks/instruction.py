"""Instruction tuning: a causal model learns the answers of conversations, and is asked its prompts again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from headstart.config.language_section import Prompts
from headstart.data.batches import count_loss_tokens
from headstart.data.chat_format import describe_prompts, identify_template
from headstart.data.chat_templates import set_chat_template
from headstart.data.conversations import drop_last_answer, iterate_messages, make_prompt
from headstart.data.corpus import Part, Text
from headstart.data.prompts import ConversationEncoder, encode_conversations
from headstart.data.tokenise import Tokens, tokenise
from headstart.device import Precision
from headstart.engine.answers import score_answers
from headstart.engine.evaluate import iter_outputs
from headstart.engine.finite_logits import check_outputs
from headstart.engine.generate import Answer, GenerationConfig, generate_answers
from headstart.engine.losses import compute_token_losses
from headstart.engine.member import PackContext
from headstart.engine.metrics import TokenMeter, compute_token_scores
from headstart.engine.objective import Meter
from headstart.engine.sequence_packing import check_sequence_isolation
from headstart.models.checkpoints import Checkpoint
from headstart.models.initialise import initialise_model
from headstart.prepared import PreparedRun
from headstart.records import Scores
from headstart.store.answer_columns import make_answer_columns
from headstart.store.prediction_writer import make_example_columns, write_table
from headstart.store.predictions import PREDICTIONS_FILE, TOKENS_FILE
from headstart.tasks.base import Task


class Instruction(Task):
    """Logits [n, T, V] with the id that each token is to be followed by [n, T], below 0 for none."""

    name = "instruction"

    def compute_losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum of each conversation's token losses."""
        return compute_token_losses(logits, labels).sum(-1)

    def reduce_logits(self, logits: torch.Tensor, labels: torch.Tensor, precision: Precision) -> torch.Tensor:
        """Sums over each conversation's labelled tokens, [n, 2]: of losses, and of hits of the likeliest."""
        losses = compute_token_losses(logits, labels).double().sum(-1)
        hits = ((logits.argmax(-1) == labels) & (labels >= 0)).sum(-1)
        return torch.stack([losses, hits.double()], -1)

    def make_meter(self, outputs: int) -> Meter:
        """Loss, perplexity and accuracy per token."""
        return TokenMeter()

    def select_meter_labels(self, tokens: Tokens, labels: np.ndarray) -> np.ndarray:
        """How many tokens of each conversation have a label."""
        return count_loss_tokens(tokens)

    def encode(self, texts: Sequence[Text], tokenizer: Any, limit: int, prompts: Prompts) -> Tokens:
        """Conversations by the tokenizer's chat template, with the tokens that have a label."""
        all_tokens = prompts.loss == "all"
        encode = partial(encode_conversations, all_tokens=all_tokens)
        return tokenise(texts, tokenizer, limit, encode, f"{identify_template(tokenizer)} {all_tokens}")

    def count_prompt_tokens(self, texts: Sequence[Text], tokenizer: Any) -> np.ndarray:
        """Tokens of each conversation that are read before an answer is asked for, [N]."""
        encoder = ConversationEncoder(tokenizer)
        return np.array([len(encoder.encode_prompt(text)) for text in texts], np.int64)

    def check_checkpoint(self, checkpoint: Checkpoint, prompts: Prompts) -> list[str]:
        """Give the tokenizer its chat template; see that examples of one row do not see each other."""
        choice = set_chat_template(checkpoint.tokenizer, prompts)
        if prompts.packing:
            model = initialise_model(checkpoint, pretrained=False, seed=0)
            check_sequence_isolation(model, checkpoint.tokenizer.pad_token_id)
        return [
            f"{checkpoint.name}: {sentence}" for sentence in describe_prompts(checkpoint.tokenizer, choice)
        ]

    def test(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext, folder: Path
    ) -> Scores:
        """The metrics of the test conversations' tokens; the sums over each one's go to `tokens.parquet`."""
        tokens = context.parts["test"].tokens
        counts, sums = count_loss_tokens(tokens), self._sum_tokens(model, tokens, context)
        test = prepared.study.corpus.parts["test"]
        columns = make_example_columns(test.ids, test.groups) | {
            "tokens": pa.array(counts),
            "loss": pa.array(sums[:, 0]),
            "right": pa.array(sums[:, 1].astype(np.int64)),
        }
        write_table(folder / TOKENS_FILE, columns)
        return compute_token_scores(sums, counts)

    def _sum_tokens(self, model: torch.nn.Module, tokens: Tokens, context: PackContext) -> np.ndarray:
        """`reduce_logits` of all conversations, [N, 2]."""
        windows = iter_outputs(
            model,
            tokens,
            self.reduce_logits,
            pad_id=context.pad_id,
            device=context.device,
            precision=context.precision,
        )
        kept = []
        for where, sums in windows:
            check_outputs(sums[0], f"the test part, those from {where.start + 1} to {where.stop}")
            kept.append(sums[0].numpy())
        return np.concatenate(kept)

    def test_answers(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext, folder: Path
    ) -> Scores:
        """The metrics of the answers to the first test prompts.

        Writes those prompts, the responses expected and the answers, with what each is worth, to
        `predictions.parquet`.
        """
        ids, conversations, answers = self._answer_part("test", model, prepared, context)
        expected = _write_answers(conversations, prepared)
        groups = prepared.study.corpus.parts["test"].groups
        columns = make_example_columns(ids, None if groups is None else groups[: len(ids)])
        columns |= make_answer_columns(
            earlier=[format_earlier_messages(text) for text in conversations],
            prompts=[text[-3] for text in conversations],
            references=expected,
            answers=[answer.text for answer in answers],
            stopped=[answer.stopped for answer in answers],
        )
        write_table(folder / PREDICTIONS_FILE, columns)
        return score_answers(answers, expected)

    def measure_answers(self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext) -> Scores:
        """Exact match, chrF, token F1 and share that stopped; they choose nothing."""
        _, conversations, answers = self._answer_part("valid", model, prepared, context)
        return score_answers(answers, _write_answers(conversations, prepared))

    def _answer_part(
        self, part: Part, model: torch.nn.Module, prepared: PreparedRun, context: PackContext
    ) -> tuple[list[int], list[Text], list[Answer]]:
        """Ids, conversations and answers of the first examples of one part."""
        examples, count = prepared.study.corpus.parts[part], prepared.study.study.generation.texts
        conversations = list(examples.texts[:count])
        answers = _answer(model, [drop_last_answer(text) for text in conversations], prepared, context)
        return list(examples.ids[:count]), conversations, answers

    def answer_samples(
        self, model: torch.nn.Module, prepared: PreparedRun, context: PackContext
    ) -> list[Answer]:
        """Greedily, as valid and test prompts are answered."""
        conversations = [make_prompt(prompt) for prompt in prepared.study.study.samples]
        return _answer(model, conversations, prepared, context) if conversations else []

    def select_check_texts(self, texts: Sequence[Text]) -> Sequence[Text]:
        """The first message of each conversation."""
        return [text[1] for text in texts]


def format_earlier_messages(text: Text) -> str:
    """What a conversation holds before its last prompt, a message a line; empty where that is the first."""
    messages = list(iterate_messages(text))[:-2]
    return "\n".join(f"{role}: {content}" for role, content in messages)


def _write_answers(conversations: Sequence[Text], prepared: PreparedRun) -> list[str]:
    """The responses expected, as the chat template has them: some take off white space, or a think block."""
    encoder = ConversationEncoder(prepared.checkpoint.tokenizer)
    return [encoder.write_answer(conversation) for conversation in conversations]


def _answer(
    model: torch.nn.Module, conversations: Sequence[Text], prepared: PreparedRun, context: PackContext
) -> list[Answer]:
    """The model's answers, greedily."""
    tokenizer = prepared.checkpoint.tokenizer
    encoder = ConversationEncoder(tokenizer)
    prompts = [encoder.encode_prompt(conversation) for conversation in conversations]
    config = GenerationConfig(
        max_new_tokens=prepared.study.study.generation.max_new_tokens,
        static_cache=context.compiles == "on",
        stop_ids=prepared.checkpoint.stop_ids,
    )
    answers = generate_answers(model, prompts, tokenizer, config, context.precision)
    return [replace(answer, text=encoder.clean_answer(answer.text)) for answer in answers]


INSTRUCTION = Instruction()
