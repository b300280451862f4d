"""Conversations become token ids and a mask of their loss: it counts the assistant's words and turn ends.

The mask is built by position, never by token id: where padding and end are one token, masking by id would
unlearn stopping. An answer's ids follow those of its prompt, as generation sees that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.data.chat_format import ChatFormat, describe_misplaced
from headstart.data.chat_templates import marks_answers, render, render_blocks
from headstart.data.conversations import find_answers, iterate_messages
from headstart.data.corpus import Text
from headstart.data.long_texts import check_whole
from headstart.data.special_tokens import SpecialTokens
from headstart.data.tokenise import Tokens
from headstart.errors import DataError

Messages = list[tuple[str, str]]


@dataclass(frozen=True)
class Segment:
    """A stretch of a conversation; an answer counts in the loss and has its turn's end in it."""

    text: str
    is_answer: bool


@dataclass(frozen=True)
class Turn:
    """An answer and all that stands before it; the next prompt must begin with `written`."""

    prompt: str
    answer: str
    written: str


@dataclass(frozen=True)
class ConversationEncoder:
    """Writes conversations as a tokenizer's chat template has them, as token ids."""

    tokenizer: Any

    @cached_property
    def format(self) -> ChatFormat:
        """What the template writes around an answer."""
        return ChatFormat.of(self.tokenizer)

    @cached_property
    def special(self) -> SpecialTokens:
        """The tokens that texts may name without meaning them."""
        return SpecialTokens.of(self.tokenizer, {self.format.end: self.format.end_id})

    def encode(self, text: Text) -> tuple[list[int], list[bool]]:
        """A conversation as ids [T], and a mask [T]: whether a token is an answer's or its end.

        Of a template that writes earlier answers otherwise once another message follows, only the last
        answer is learnt: no earlier one stands as generation would have it.

        Raises:
            DataError: the template fails, or writes an answer elsewhere than behind its prompt.
        """
        messages, mark = self._mark_messages(text)
        split = self._split_by_blocks if marks_answers(self.tokenizer) else self._split_by_turns
        return self._encode_segments(split(messages, find_answers(text)), mark)

    def encode_prompt(self, text: Text) -> list[int]:
        """The ids after which a model answers a conversation that ends with a user's message."""
        messages, mark = self._mark_messages(text)
        prompt = self._render_prompt(messages)
        turns = [] if marks_answers(self.tokenizer) else self._list_turns(messages, find_answers(text))
        segments = list(_join_turns(turns)) if _is_stable(turns, prompt) else []
        written = turns[-1].written if segments else ""
        return self._encode_segments([*segments, Segment(prompt[len(written) :], is_answer=False)], mark)[0]

    def write_answer(self, text: Text) -> str:
        """A conversation's last answer as the template writes it, without what it writes around it."""
        messages, mark = self._mark_messages(text)
        answer = self._make_turn(messages).answer.replace(mark, "")
        return self.format.strip_frame(answer.removesuffix(self.format.end))

    def clean_answer(self, answer: str, *, goes_on: bool = False) -> str:
        """A generated answer without what the template writes around every answer.

        Args:
            goes_on: it has only begun: nothing is given while it may be what stands before an answer.
        """
        if goes_on and self._decoded_lead.strip().startswith(answer.strip()):
            return ""
        return self.format.strip_frame(answer, self._decoded_lead)

    @cached_property
    def _decoded_lead(self) -> str:
        """What the template writes before an answer, as it looks in an answer that was decoded."""
        ids = self.special.encode(self.format.lead, mark="\0") if self.format.lead else []
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)) if ids else ""

    def _mark_messages(self, text: Text) -> tuple[Messages, str]:
        """The messages, with a mark in every special token that they name themselves."""
        messages = list(iterate_messages(text))
        mark = self.special.choose_mark(content for _, content in messages)
        return [(role, self.special.mark(content, mark)) for role, content in messages], mark

    def _render_prompt(self, messages: Messages) -> str:
        prompt = render(messages, self.tokenizer, add_generation_prompt=True)
        if not prompt.endswith(self.format.dropped):
            raise describe_misplaced()
        return prompt.removesuffix(self.format.dropped)

    def _split_by_turns(self, messages: Messages, answers: Sequence[int]) -> Iterator[Segment]:
        turns = self._list_turns(messages, answers)
        return _join_turns(turns if _is_stable(turns, turns[-1].written) else turns[-1:])

    def _split_by_blocks(self, messages: Messages, answers: Sequence[int]) -> Iterator[Segment]:
        """By the template's own word."""
        rendered, place = render_blocks(messages, self.tokenizer), 0
        for start, end in _select_blocks(rendered.blocks, messages, answers):
            yield Segment(rendered.text[place:start], is_answer=False)
            yield Segment(rendered.text[start:end], is_answer=True)
            place = end

    def _list_turns(self, messages: Messages, answers: Sequence[int]) -> list[Turn]:
        """One for each answer, each rendered as the last of its conversation."""
        return [self._make_turn(messages[: i + 1]) for i in answers]

    def _make_turn(self, messages: Messages) -> Turn:
        """The last answer of a conversation that ends with it."""
        prompt = self._render_prompt(messages[:-1])
        answered = render(messages, self.tokenizer)
        rest = answered[len(prompt) :]
        length = self.format.find_answer_length(rest)
        if length < 0 or not answered.startswith(prompt):
            raise describe_misplaced()
        added = "" if self.format.writes_end else self.format.end
        return Turn(prompt, rest[:length] + added, prompt + rest[:length])

    def _encode_segments(self, segments: Iterable[Segment], mark: str) -> tuple[list[int], list[bool]]:
        """The segments' ids: those of one text, but where a token would reach over a segment's end."""
        ids: list[int] = []
        mask: list[bool] = []
        text, begun = "", 0  # what is encoded as one text, and where its ids begin
        for segment in segments:
            encoded, known = self.special.encode(text + segment.text, mark), ids[begun:]
            if encoded[: len(known)] == known:
                text, new = text + segment.text, encoded[len(known) :]
            else:
                text, begun = segment.text, len(ids)
                new = self.special.encode(text, mark)
            ids += new
            mask += [segment.is_answer] * len(new)
        return ids, mask


def _select_blocks(
    blocks: Sequence[tuple[int, int]], messages: Messages, answers: Sequence[int]
) -> list[tuple[int, int]]:
    """The blocks of the answers that are learnt: all of them, unless some answers are context."""
    assistants = [i for i, (role, _) in enumerate(messages) if role == "assistant"]
    has_context = len(assistants) > len(answers)
    if not blocks or (has_context and len(blocks) != len(assistants)):
        raise DataError(
            f"{len(blocks)} {{% generation %}} blocks of it for {len(assistants)} answers",
            where="prompts.template",
            expected="a block around each answer",
        )
    if not has_context:
        return list(blocks)
    return [block for i, block in zip(assistants, blocks, strict=True) if i in answers]


def _is_stable(turns: Sequence[Turn], prompt: str) -> bool:
    """Whether each answer stands in the next prompt, and the last in `prompt`, as it was written."""
    prompts = [*(turn.prompt for turn in turns[1:]), prompt]
    return all(later.startswith(turn.written) for turn, later in zip(turns, prompts, strict=False))


def _join_turns(turns: Iterable[Turn]) -> Iterator[Segment]:
    written = ""
    for turn in turns:
        yield Segment(turn.prompt[len(written) :], is_answer=False)
        yield Segment(turn.answer, is_answer=True)
        written = turn.written


class UnwrittenConversationError(DataError):
    """A conversation `text` that its chat template does not write."""

    def __init__(self, error: DataError, text: Text) -> None:
        super().__init__(error.got, where=error.where, expected=error.expected, fix=error.fix)
        self.text = text


def encode_conversations(
    texts: Sequence[Text], tokenizer: Any, max_length: int, *, all_tokens: bool = False
) -> Tokens:
    """Conversations cut at `max_length` tokens, with the mask of their loss; a cut answer has no end token.

    Args:
        all_tokens: the loss counts the prompts' tokens too.

    Raises:
        TextTooLongError: a conversation is too long.
        UnwrittenConversationError: the template fails, or writes an answer elsewhere than behind its prompt.
    """
    for text in texts:
        check_whole(text)
    encoder = ConversationEncoder(tokenizer)
    encoded = [_encode_or_name(encoder, text) for text in texts]
    ids = [np.asarray(all_ids[:max_length], np.int32) for all_ids, _ in encoded]
    masks = [np.asarray(mask[:max_length], bool) | all_tokens for _, mask in encoded]
    truncated = sum(len(all_ids) > max_length for all_ids, _ in encoded)
    starts = np.cumsum([0, *map(len, ids)])
    return Tokens(np.concatenate(ids), starts, None, truncated, loss_mask=np.concatenate(masks))


def _encode_or_name(encoder: ConversationEncoder, text: Text) -> tuple[list[int], list[bool]]:
    try:
        return encoder.encode(text)
    except DataError as error:
        raise UnwrittenConversationError(error, text) from error
