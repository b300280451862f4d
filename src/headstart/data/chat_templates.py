"""Chooses a tokenizer's chat template, and renders it as the library does, in its sandbox, within limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from headstart.config.language_section import Prompts
from headstart.data.limited_templates import render_limited
from headstart.data.lines import require_file
from headstart.errors import DataError

#: `<human>: ...` and `<assistant>: ...`, a line each, and the end token behind every answer.
HUMAN_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == "system" -%}{{ message.content }}
{% elif message.role == "user" -%}<human>: {{ message.content }}
{% else -%}<assistant>: {{ message.content }}{{ eos_token }}
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<assistant>:{%- endif -%}
"""
#: As transformers looks for the blocks that a template marks as the assistant's.
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
#: Characters of a conversation that an error quotes.
_QUOTED = 60
#: What a message counts beside its content, where limits grow with what a template is given.
_MESSAGE = 200

#: What a template may do wrong: whatever the values it is given allow.
_FAULTS = (
    *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    *(RecursionError, SyntaxError, MemoryError),
)

Messages = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class TemplateChoice:
    """Which template a tokenizer has got: `human`, `chat` (its own) or a path; and whether it had its own."""

    name: str
    had_own: bool

    def describe(self) -> str:
        """As one sentence."""
        if self.name == "chat":
            return "prompted with its own chat template"
        if self.name == "human":
            own = (
                "although it has a chat template (prompts.template: auto)"
                if self.had_own
                else "as it has no chat template"
            )
            return f"prompted as <human>: and <assistant>:, {own}"
        return f"prompted with the chat template of {self.name}"


def set_chat_template(tokenizer: Any, prompts: Prompts) -> TemplateChoice:
    """Set the tokenizer's chat template as the study says; it is saved with the model.

    Raises:
        DataError: the tokenizer has no end token or no chat template, or the file cannot be read.
    """
    if tokenizer.eos_token is None:
        raise DataError("the tokenizer has no end token, so no answer could stop", where="model")
    choice = choose_template(tokenizer, prompts.template)
    template = choice.name
    if template == "human":
        tokenizer.chat_template = _find_start_token(tokenizer) + HUMAN_TEMPLATE
    elif template == "chat":
        tokenizer.chat_template = _get_own_template(tokenizer)
    else:
        tokenizer.chat_template = _read_template(Path(template))
    return choice


def choose_template(tokenizer: Any, template: str) -> TemplateChoice:
    """The template that `prompts.template` means: `auto` is the tokenizer's own where it has one."""
    had_own = bool(tokenizer.chat_template)
    if template == "auto":
        template = "chat" if had_own else "human"
    return TemplateChoice(template, had_own)


def _get_own_template(tokenizer: Any) -> str:
    """Of several, the default one."""
    try:
        template: str = tokenizer.get_chat_template()
    except ValueError as error:
        named = isinstance(tokenizer.chat_template, dict)
        raise DataError(
            f"the tokenizer has no {'default among its chat templates' if named else 'chat template'}",
            where="prompts.template",
            expected="human, or the path of a Jinja template",
        ) from error
    return template


def _find_start_token(tokenizer: Any) -> str:
    """The start token, where the tokenizer puts one before texts."""
    starts = tokenizer.bos_token_id is not None and tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    return "{{- bos_token -}}" if starts else ""


def _read_template(path: Path) -> str:
    require_file(path)
    try:
        template = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read", where="prompts.template", expected="auto, human, chat, or a Jinja file"
        ) from error
    if not template.strip():
        raise DataError(f"{path} is empty", where="prompts.template", expected="a Jinja template")
    return template


@dataclass(frozen=True)
class Rendered:
    """A conversation as its template writes it; `blocks` are the places that it marks as the assistant's."""

    text: str
    blocks: tuple[tuple[int, int], ...] = ()


def marks_answers(tokenizer: Any) -> bool:
    """Whether the template says itself what the assistant writes: it has `{% generation %}` blocks."""
    return bool(_GENERATION.search(str(tokenizer.chat_template)))


def render(messages: Messages, tokenizer: Any, *, add_generation_prompt: bool = False) -> str:
    """The messages as the tokenizer's template writes them.

    Raises:
        DataError: whatever the template does wrong; quotes the conversation.
    """
    return _render(messages, tokenizer, add_generation_prompt, with_blocks=False).text


def render_blocks(messages: Messages, tokenizer: Any) -> Rendered:
    """As `render`, with the template's `{% generation %}` blocks."""
    return _render(messages, tokenizer, add_generation_prompt=False, with_blocks=True)


def _render(messages: Messages, tokenizer: Any, add_generation_prompt: bool, with_blocks: bool) -> Rendered:
    special = {name: _copy_plain(token) for name, token in tokenizer.special_tokens_map.items()}
    values = {
        "messages": [{"role": str(role), "content": str(content)} for role, content in messages],
        "tools": None,
        "documents": None,
        "add_generation_prompt": add_generation_prompt,
    }
    given = sum(_MESSAGE + len(content) for _, content in messages)
    try:
        text, blocks = render_limited(
            tokenizer.chat_template, special | values, given, with_blocks=with_blocks
        )
    except _FAULTS as error:
        begins = next((content for role, content in messages if role == "user"), "")[:_QUOTED]
        raise DataError(
            f"it fails: {_describe_fault(error)}; the conversation begins {begins!r}",
            where="prompts.template",
        ) from error
    return Rendered(text, tuple(blocks))


def _describe_fault(error: Exception) -> str:
    if isinstance(error, RecursionError | MemoryError):
        return "it recurses endlessly, or is nested too deeply"
    return str(error) or type(error).__name__


def _copy_plain(token: Any) -> Any:
    """A special token, or a list of them, as plain text: a template gets nothing else in its hands."""
    return [str(one) for one in token] if isinstance(token, list | tuple) else str(token)
