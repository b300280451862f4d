"""Finds out, by rendering two short conversations, what a chat template writes around an answer.

What a template writes cannot be read off its source: it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from headstart.data.chat_templates import TemplateChoice, marks_answers, render, render_blocks
from headstart.data.special_tokens import list_special_tokens
from headstart.errors import DataError

#: A question and two answers to it, that begin and end with other characters.
_QUESTION = "Why?"
_ANSWERS = ("Yes.", "No!")


@dataclass(frozen=True)
class ChatFormat:
    """What a chat template writes from where an answer is asked for to where its turn ends.

    `lead` stands before the last answer's text (an empty think block, say), `trail` between it and `end`, the
    turn's end token. `writes_end` is false where the template writes none: the tokenizer's end token is put
    there then. `dropped` is what `add_generation_prompt` writes though no answer of the template's has it.
    """

    end: str
    end_id: int
    lead: str = ""
    trail: str = ""
    dropped: str = ""
    writes_end: bool = True

    @classmethod
    def of(cls, tokenizer: Any) -> ChatFormat:
        """That of the tokenizer's chat template.

        Raises:
            DataError: the template fails, or does not put an answer behind its prompt.
        """
        asked = [("user", _QUESTION)]
        prompt = render(asked, tokenizer, add_generation_prompt=True)
        answered = [render([*asked, ("assistant", answer)], tokenizer) for answer in _ANSWERS]
        before, behind = _find_common_start(*answered), _find_common_end(*answered)
        head = _find_common_head(prompt, before, tokenizer)
        if _QUESTION not in head:
            raise describe_misplaced()
        trail, end, end_id = _find_turn_end(behind, tokenizer)
        return cls(
            end=end or tokenizer.eos_token,
            end_id=end_id,
            lead=before[len(head) :],
            trail=trail,
            dropped=prompt[len(head) :],
            writes_end=bool(end),
        )

    def find_answer_length(self, rest: str) -> int:
        """How much of what follows a prompt is the answer, its turn's end included.

        `rest` is from there to the end of the rendered conversation, whose last message it is. -1 where the
        end that the template always writes is not there.
        """
        if not self.writes_end:
            return len(rest.rstrip())
        start = len(self.lead) if rest.startswith(self.lead) else 0
        place = rest.find(self.end, start)
        return place + len(self.end) if place >= 0 else -1

    def strip_frame(self, answer: str, lead: str | None = None) -> str:
        """An answer without what the template writes around it, and without white space at its ends.

        Args:
            lead: as it stands in the answer, where it is not as in the template.
        """
        answer = answer.strip().removeprefix((self.lead if lead is None else lead).strip())
        return answer.removesuffix(self.trail.strip()).strip()


def list_end_ids(eos_token_id: int | Sequence[int] | None) -> tuple[int, ...]:
    """The ids of a configuration's `eos_token_id`, which may be one, several or none."""
    return (eos_token_id,) if isinstance(eos_token_id, int) else tuple(eos_token_id or ())


def find_stop_ids(tokenizer: Any, eos_token_id: int | Sequence[int] | None) -> tuple[int, ...]:
    """The ids at which an answer ends: the checkpoint's, the chat template's turn end, the tokenizer's.

    Args:
        eos_token_id: that of the checkpoint's `generation_config`.
    """
    own = list_end_ids(eos_token_id)
    turn_end = ChatFormat.of(tokenizer).end_id if tokenizer.chat_template else None
    return tuple(sorted({i for i in (*own, turn_end, tokenizer.eos_token_id) if i is not None}))


def identify_template(tokenizer: Any) -> str:
    """All that the tokenizer's chat template adds to texts: its source, and what it writes, the date say."""
    shown = render([("user", _QUESTION), ("assistant", _ANSWERS[0])], tokenizer)
    return f"{tokenizer.chat_template}\x1f{shown}\x1f{ChatFormat.of(tokenizer)}"


def describe_prompts(tokenizer: Any, choice: TemplateChoice) -> list[str]:
    """How prompts are written, where a turn ends, and what of the template is otherwise than expected."""
    form = ChatFormat.of(tokenizer)
    sentences = [f"{choice.describe()}; a turn ends with {form.end}"]
    if not form.writes_end:
        sentences.append(
            f"the chat template does not end turns: {form.end}, the tokenizer's end token, is added"
        )
    if form.lead.strip():
        sentences.append(f"{form.lead!r}, which the chat template writes before an answer, is not part of it")
    if form.dropped:
        sentences.append(f"{form.dropped!r} is left out of prompts: no answer of the chat template has it")
    if marks_answers(tokenizer) and not _is_end_marked(tokenizer, form):
        sentences.append(f"{form.end} stands outside of the template's {{% generation %}}: it is not learnt")
    return sentences


def _is_end_marked(tokenizer: Any, form: ChatFormat) -> bool:
    """Whether a template that marks what the assistant writes marks its turn's end too."""
    rendered = render_blocks([("user", _QUESTION), ("assistant", _ANSWERS[0])], tokenizer)
    return any(form.end in rendered.text[start:end] for start, end in rendered.blocks)


def describe_misplaced() -> DataError:
    """What is wrong with a template whose answers do not stand behind their prompts."""
    return DataError(
        "it does not put the answer after the prompt that add_generation_prompt writes",
        where="prompts.template",
        expected="the same text before every answer, whether it is asked for or there",
    )


def _find_common_start(one: str, other: str) -> str:
    pairs = zip(one, other, strict=False)
    return one[: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))]


def _find_common_end(one: str, other: str) -> str:
    return _find_common_start(one[::-1], other[::-1])[::-1]


def _find_common_head(prompt: str, before: str, tokenizer: Any) -> str:
    """What a prompt and an answered conversation begin with alike, not cut within a special token."""
    head = _find_common_start(prompt, before)
    for name in list_special_tokens(tokenizer):
        for size in range(1, len(name)):
            cut = len(head) - size
            if cut >= 0 and head.endswith(name[:size]) and prompt.startswith(name, cut):
                return head[:cut]
    return head


def _find_turn_end(behind: str, tokenizer: Any) -> tuple[str, str, int]:
    """What stands between an answer and its turn's end, that end token (or nothing), and its id.

    It is the first special token there; else the first other added token: some declare theirs not special.
    """
    special = list_special_tokens(tokenizer)
    added = {t.content: i for i, t in tokenizer.added_tokens_decoder.items() if t.content.strip()}
    for tokens in (special, added):
        places = [(behind.find(name), -len(name), name) for name in tokens if name in behind]
        if places:
            start, _, name = min(places)
            return behind[:start], name, tokens[name]
    return behind.rstrip(), "", int(tokenizer.eos_token_id)
