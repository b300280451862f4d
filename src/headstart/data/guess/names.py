"""Names that columns usually have in people's files: labels, texts, pairs, conversations, keys of rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

#: In a table that also has a prompt and a response these say that it is judged, not answered.
JUDGEMENTS: Final = (
    *("label", "labels", "gold_label", "class", "target", "y", "sentiment", "polarity", "score", "scores"),
    *("stars", "rating", "ratings", "similarity", "similarity_score", "relatedness_score", "grade"),
)
#: The rest of what labels are called; these also stand beside prompts and responses, as a remark.
LABELS: Final = (
    *JUDGEMENTS,
    *("label_text", "classes", "category", "categories", "topic", "topics", "genre", "genres", "tag", "tags"),
    *("emotion", "emotions", "intent", "intents", "toxic", "toxicity", "spam", "hate", "stance"),
)
#: Labels that are quantities, where values leave a doubt.
QUANTITIES: Final = (
    *("score", "scores", "stars", "rating", "ratings", "grade", "similarity", "similarity_score"),
    *("relatedness_score", "price", "age", "count", "points", "percent"),
)
TEXTS: Final = (
    *("text", "sentence", "review", "review_text", "review_body", "content", "body", "comment"),
    *("comment_text", "message", "tweet", "post", "document", "abstract", "description", "utterance"),
    *("question", "query", "prompt", "premise", "title", "headline"),
)
#: First and second text of a pair.
PAIRS: Final = (
    *(("premise", "hypothesis"), ("sentence1", "sentence2"), ("text1", "text2"), ("s1", "s2")),
    *(("question1", "question2"), ("question", "answer"), ("question", "passage"), ("question", "context")),
    *(("question", "sentence"), ("query", "passage"), ("query", "document"), ("query", "text")),
    *(("claim", "evidence"), ("prompt", "response"), ("prompt", "completion"), ("instruction", "output")),
)
PROMPTS: Final = ("instruction", "prompt", "question", "query", "user", "input", "source")
RESPONSES: Final = ("response", "completion", "output", "answer", "reply", "assistant", "target")
#: What a prompt may be about, in a column of its own: Alpaca's `input`, Dolly's `context`.
INPUTS: Final = ("input", "context")
MESSAGES: Final = ("messages", "conversations", "conversation", "dialog", "dialogue", "chat")
#: Two answers of which one was preferred.
PREFERENCE: Final = ("chosen", "rejected")
_KEY_PATTERN: Final = re.compile(r"(unnamed: ?\d+|index|idx|id|guid|uuid|key|row|nr|no|.*[ _-]id|id[_-].*)?")
_FIRST_AND_SECOND: Final = (("1", "2"), ("a", "b"))
_KNOWN: Final = frozenset(
    (*LABELS, *QUANTITIES, *TEXTS, *PROMPTS, *RESPONSES, *INPUTS, *MESSAGES, *PREFERENCE)
) | {name for pair in PAIRS for name in pair}


def find_named(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column whose name, in whatever case and spaces, stands first among `names`, if any."""
    folded = {column: column.strip().lower() for column in columns}
    ranked = [(names.index(name), column) for column, name in folded.items() if name in names]
    return min(ranked)[1] if ranked else None


def find_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """Two columns whose names say that they are the first and the second of a pair."""
    for first, second in PAIRS:
        found = find_named(columns, (first,)), find_named(columns, (second,))
        if found[0] and found[1]:
            return found[0], found[1]
    by_name = {column.lower(): column for column in columns}
    for name, column in by_name.items():
        for first, second in _FIRST_AND_SECOND:
            partner = by_name.get(name[: -len(first)] + second) if name.endswith(first) else None
            if partner and len(name) > 1 and not name[:-1].endswith(first):
                return column, partner
    return None


def is_known(name: str) -> bool:
    """Whether columns are usually called so."""
    return name.strip().lower() in _KNOWN or looks_like_key(name.strip())


def looks_like_key(name: str) -> bool:
    """Whether a column of this name tells rows apart; pandas writes its index without a name."""
    return _KEY_PATTERN.fullmatch(name.lower()) is not None
