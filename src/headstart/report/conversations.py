"""What conversations look like, for a terminal: tokens in the loss, padding, prompts and positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headstart.data.conversation_statistics import ConversationStatistics, LossTokens, PromptLengths
from headstart.data.corpus import Part


def describe_conversations(statistics: Mapping[str, ConversationStatistics]) -> Iterator[str]:
    """The lines of each tokenizer and limit."""
    for name, of_name in statistics.items():
        yield f"conversations, for {name}:"
        yield from (f"  {line}" for line in _describe(of_name))


def _describe(statistics: ConversationStatistics) -> Iterator[str]:
    yield f"tokens in the loss: {', '.join(_describe_part(*pair) for pair in statistics.parts.items())}"
    yield from _describe_losses(statistics.parts)
    yield f"padding: {100 * statistics.padding:.1f}% of the tokens of training batches"
    if statistics.prompts is not None and statistics.prompts.count_asked():
        yield _describe_prompts(statistics.prompts)


def _describe_part(part: Part, tokens: LossTokens) -> str:
    return f"{tokens.in_loss:,} of {tokens.tokens:,} of {part} ({100 * tokens.share:.1f}%)"


def _describe_losses(parts: Mapping[Part, LossTokens]) -> Iterator[str]:
    """Answers that do not fit into the limit, where there are any."""
    cut: dict[str, int] = {part: tokens.cut_answers for part, tokens in parts.items() if tokens.cut_answers}
    if cut:
        yield f"answers cut by training.max_length: {_join_counts(cut)}"
    without: dict[str, int] = {
        part: tokens.without_answer for part, tokens in parts.items() if tokens.without_answer
    }
    if without:
        yield f"prompts that leave no room for an answer to learn: {_join_counts(without)}"


def _describe_prompts(prompts: PromptLengths) -> str:
    """The longest prompt that is answered, against the model's positions."""
    head = f"longest of {prompts.count_asked()} prompts to be answered: {prompts.longest} tokens"
    if prompts.positions is None:
        return f"{head}; no position limit"
    cut, full = prompts.count_cut(), prompts.count_without_room()
    short = f"; leave fewer than the longest answer: {_join_counts(cut)}" if cut else ""
    none = f"; leave none: {_join_counts(full)}" if full else ""
    return f"{head}, of {prompts.positions} positions{short}{none}"


def _join_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in counts.items())
