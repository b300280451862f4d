"""What `headstart init` says at its end: what was seen, what was guessed, what is in doubt, what is next."""

from __future__ import annotations

from collections.abc import Iterator

from headstart.config.traits import get_task_traits
from headstart.data.guess.columns import shorten, show_name
from headstart.data.guess.data_guess import DataGuess
from headstart.report.study_file import StudyDraft

_CLASSES_SHOWN = 4


def render_init(draft: StudyDraft) -> str:
    """Lines for a terminal; those that begin with `!` want a look."""
    return "\n".join([*_describe_seen(draft.guess), *_list_cautions(draft), *_tell_next(draft)])


def _describe_seen(guess: DataGuess) -> Iterator[str]:
    seen = "all read" if guess.seen == guess.rows else f"{guess.seen} read, spread over the file"
    yield f"{guess.source}: {guess.rows} rows, {seen}; median {guess.median_words:.0f} words"
    columns = "; ".join(f"{key} {_join(value)}" for key, value in guess.columns.items())
    yield f"task {guess.task}: {columns}{_describe_labels(guess)}"
    if guess.passed_over:
        yield "not used: " + ", ".join(
            f"{shorten(name) or '(no name)'} ({why})" for name, why in guess.passed_over.items()
        )


def _describe_labels(guess: DataGuess) -> str:
    if not get_task_traits(guess.task).has_classes:
        return ""
    names = [show_name(name) for name in guess.classes]
    more = ", ..." if len(names) > _CLASSES_SHOWN else ""
    return f" ({len(names)} classes: {', '.join(names[:_CLASSES_SHOWN])}{more})"


def _join(columns: str | tuple[str, ...]) -> str:
    return shorten(columns) if isinstance(columns, str) else " + ".join(map(shorten, columns))


def _list_cautions(draft: StudyDraft) -> Iterator[str]:
    yield from (f"! {sentence}" for sentence in draft.guess.doubts)
    for sentence in draft.guess.faults:
        yield f"! {sentence}: fix these rows, or skip them with `skip_invalid: true` in data"
    if draft.settings.cuts_texts:
        tokens, limit = draft.guess.long_tokens, draft.settings.max_length
        yield f"! long texts have about {tokens} tokens and are cut at {limit}"
    if draft.is_other_schema:
        name = draft.schema
        yield f"! {name} already exists, from another version: `headstart schema > {name}` updates it"
    if draft.chose_model and get_task_traits(draft.guess.task).generates:
        yield f"! model {draft.model} is a placeholder: choose a causal model with --model, or in the file"


def _tell_next(draft: StudyDraft) -> Iterator[str]:
    wrote = str(draft.file) if draft.is_other_schema else f"{draft.file}, and {draft.schema} for your editor"
    yield f"wrote {wrote}; next: headstart plan {draft.file}"
