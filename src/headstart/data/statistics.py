"""What examples and labels look like in numbers, before anything trains: counts, lengths, and a histogram."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headstart.config.traits import TaskName
from headstart.data.conversation_statistics import ConversationStatistics
from headstart.data.corpus import PARTS, Corpus, Part
from headstart.data.distributions import Bar, compute_histogram, compute_quantiles
from headstart.data.labels.base import LabelStatistics
from headstart.data.labels.registry import get_label_type
from headstart.data.tokenise import Tokens
from headstart.stats.groups import count_groups


@dataclass(frozen=True)
class PartLengths:
    """Tokens an example in one part: mean and quantiles; how many examples were cut."""

    mean: float
    truncated: int
    quantiles: dict[str, float]


@dataclass(frozen=True)
class LengthStatistics:
    """Tokens an example, of at most `limit`: an example that was cut counts with what is left of it.

    The `histogram` is of the training examples.
    """

    limit: int
    parts: dict[Part, PartLengths]
    histogram: tuple[Bar, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        parts = {
            part: {"mean": lengths.mean, "cut": lengths.truncated, **lengths.quantiles}
            for part, lengths in self.parts.items()
        }
        return {
            "limit": self.limit,
            "parts": parts,
            "histogram": [bar.to_dict() for bar in self.histogram],
        }


@dataclass(frozen=True)
class DataStatistics:
    """Examples by part, the labels' names and statistics, and lengths by tokenizer and limit.

    `conversations` are the statistics of conversations, by tokenizer and limit; none of other tasks.
    `test_groups` is the number of groups that test examples stand in, None where each is by itself, and
    `group_source` says what these have in common.
    """

    task: TaskName
    examples: dict[Part, int]
    label_names: tuple[str, ...]
    labels: LabelStatistics
    lengths: dict[str, LengthStatistics]
    test_groups: int | None = None
    group_source: str = ""
    conversations: Mapping[str, ConversationStatistics] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        lengths = self.lengths
        conversations = {name: of.to_dict() for name, of in self.conversations.items()}
        return {
            "task": self.task,
            "texts": self.examples,
            "test_groups": self.test_groups,
            "group_source": self.group_source or None,
            "labels": list(self.label_names),
            "label_statistics": self.labels.to_dict(),
            "tokens": {name: round(of.parts["train"].mean, 1) for name, of in lengths.items()},
            "lengths": {name: of.to_dict() for name, of in lengths.items()},
            **({"conversations": conversations} if conversations else {}),
        }


def summarise_data(
    corpus: Corpus,
    tokens: Mapping[tuple[str, int], Mapping[Part, Tokens]],
    conversations: Mapping[tuple[str, int], ConversationStatistics] | None = None,
) -> DataStatistics:
    """The statistics of a corpus; `tokens` and `conversations` are by (checkpoint, token limit)."""
    return DataStatistics(
        task=corpus.task,
        examples={part: len(corpus.parts[part]) for part in PARTS},
        label_names=corpus.label_names,
        labels=summarise_labels(corpus),
        lengths={
            _name_lengths(name, limit): summarise_lengths(parts, limit)
            for (name, limit), parts in tokens.items()
        },
        test_groups=count_groups(corpus.parts["test"].groups),
        group_source=corpus.group_source,
        conversations={_name_lengths(*key): of for key, of in (conversations or {}).items()},
    )


def _name_lengths(checkpoint: str, limit: int) -> str:
    return f"{checkpoint} (at most {limit})"


def summarise_labels(corpus: Corpus) -> LabelStatistics:
    """How often each label stands in each part, or how numbers are distributed."""
    labels = {part: corpus.parts[part].labels for part in PARTS}
    return get_label_type(corpus.task).summarise(labels, corpus.label_names)


def summarise_lengths(parts: Mapping[Part, Tokens], limit: int) -> LengthStatistics:
    """Tokens an example, of all parts."""
    lengths = {
        part: PartLengths(
            mean=float(tokens.lengths.mean()),
            truncated=tokens.truncated,
            quantiles=compute_quantiles(tokens.lengths),
        )
        for part, tokens in parts.items()
    }
    return LengthStatistics(limit, lengths, compute_histogram(parts["train"].lengths))
